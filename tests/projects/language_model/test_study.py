"""The study as the engine sees it: accepted, driven, refused in one line; its data and its sweeps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from projects.language_model.__main__ import STUDY
from projects.language_model.config import Config
from projects.language_model.data.stories import write_stories
from rothamsted.records import Outcome
from rothamsted.studies import drive, set_fields
from tests.projects.declared import not_as_declared
from tests.projects.language_model.small import small
from tests.projects.language_model.test_data import of_text

ROOT = Path(__file__).parents[3]
SWEEPS = sorted((ROOT / "sweeps" / "language_model").glob("*.yaml"))


def test_a_driven_run_finishes_with_a_model_that_writes() -> None:
    seen = []
    (ending,) = drive(STUDY, [small()], on_measurement=lambda member, measured: seen.append(measured.step))
    assert ending.outcome is Outcome.FINISHED
    assert seen == [0, 4, 8, 12]
    assert ending.model.predict(["Once upon a time"]).shape == (1,)


def test_all_that_is_logged_is_declared_and_in_its_range() -> None:
    assert not_as_declared(STUDY, small()) == []


def test_a_driven_run_that_diverges_is_recorded_as_diverged() -> None:
    config = small(learning_rate=1e30, norm="none", grad_clip=None)
    (ending,) = drive(STUDY, [config], on_measurement=lambda member, measured: None)
    assert ending.outcome is Outcome.DIVERGED


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"context_length": 1_000_000}, "context_length: 1000000 tokens and the next one are more than"),
        ({"dataset": "tinystories"}, "data/tinystories/train.txt: there is no such file; run: mlflow run . -e prepare"),
    ],
    ids=str,
)
def test_a_mistake_in_the_data_is_the_users(fields: dict, says: str) -> None:
    (ending,) = drive(STUDY, [small(**fields)], on_measurement=lambda member, measured: None)
    assert (ending.outcome, ending.is_user_error) == (Outcome.FAILED, True)
    assert ending.reason.startswith(says)


def test_the_data_digest_depends_on_the_data_and_the_vocabulary_alone(tmp_path: Path) -> None:
    assert STUDY.data_digest is not None
    fields = ({}, {"seed": 1}, {"vocab_size": 301}, {"val": write_stories(5, 2)})
    digests = []
    for own in fields:
        texts = {"train": write_stories(50, 1), "val": write_stories(5, 3)}
        config = of_text(tmp_path, *({**texts, **own}[part] for part in texts), **_without(own, "val"))
        digests.append(STUDY.data_digest(config))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def _without(fields: dict, name: str) -> dict:
    return {key: value for key, value in fields.items() if key != name}


def test_all_sweeps_of_the_study_are_there() -> None:
    assert {"quick", "lr", "batch_size", "ablations", "width_depth"} <= {path.stem for path in SWEEPS}


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_shipped_sweep_fixes_parameters_that_the_study_takes(path: Path) -> None:
    assert isinstance(set_fields(Config, yaml.safe_load(path.read_text())["parameters"]), Config)


def test_help_does_not_import_torch() -> None:
    program = "import sys, projects.language_model.__main__; sys.exit('torch' in sys.modules)"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    subprocess.run([sys.executable, "-c", program], check=True, env=environ, cwd=ROOT)
