"""The study as the engine sees it: driven to a model, and started without JAX and torch."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from projects.global_workspace.__main__ import STUDY
from projects.global_workspace.config import Config
from projects.global_workspace.program import METRIC_NAMES
from projects.global_workspace.readouts import readout_names
from rothamsted.publish.export import read_names
from rothamsted.records import Outcome
from rothamsted.studies import drive
from rothamsted.studies.fields import field_names
from tests.conftest import ROOT
from tests.projects.declared import not_as_declared
from tests.projects.global_workspace.training import quick


@pytest.mark.usefixtures("made_up")
def test_a_driven_run_finishes_with_a_model() -> None:
    seen = []
    (ending,) = drive(STUDY, [quick()], on_measurement=lambda member, measured: seen.append(measured.step))
    assert ending.outcome is Outcome.FINISHED
    assert seen == [0, 4, 8, 12]
    assert ending.model.predict(ending.model.input_example)["visual"].shape == (5, 11)


@pytest.mark.usefixtures("made_up")
def test_all_that_is_logged_is_declared_and_in_its_range() -> None:
    assert not_as_declared(STUDY, quick()) == []


@pytest.mark.usefixtures("made_up")
def test_a_mistake_in_the_data_is_the_users() -> None:
    (ending,) = drive(STUDY, [quick(training__batch_size=512)], on_measurement=lambda member, measured: None)
    assert ending.outcome is Outcome.FAILED
    assert ending.reason.startswith("training.batch_size: 512 is more than the 256 training rows")


def test_help_imports_neither_jax_nor_torch() -> None:
    program = "import sys, projects.global_workspace.__main__; sys.exit('jax' in sys.modules or 'torch' in sys.modules)"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    subprocess.run([sys.executable, "-c", program], check=True, env=environ, cwd=ROOT)


def test_the_names_of_the_original_are_names_of_this_study() -> None:
    names = read_names(ROOT / "projects" / "global_workspace" / "original_names.yaml").names
    of_test = {f"test/{name.removeprefix('readout/')}" for name in readout_names(Config())}
    known = {*field_names(Config), *METRIC_NAMES, *readout_names(Config()), *of_test, "validation/best_loss"}
    assert set(names) <= known
