"""The study as the engine sees it: accepted, driven, resumed; and the sweeps that ship with it are about it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from projects.batch_size.__main__ import STUDY
from projects.batch_size.config import Config
from rothamsted.records import Outcome
from rothamsted.studies import drive, population_key, set_fields
from tests.projects.declared import not_as_declared

ROOT = Path(__file__).parents[3]
SWEEPS = sorted([ROOT / "sweeps" / "quickstart.yaml", *(ROOT / "sweeps" / "batch_size").glob("*.yaml")])
QUICK = {"width": 16, "steps": 24, "evals": 4}


def test_a_driven_run_finishes_with_a_model() -> None:
    seen = []
    (ending,) = drive(STUDY, [Config(**QUICK)], on_measurement=lambda member, measured: seen.append(measured.step))
    assert ending.outcome is Outcome.FINISHED
    assert seen == [0, 6, 12, 18, 24]
    assert ending.model.predict(ending.model.input_example).shape == (5, 10)


def test_all_that_is_logged_is_declared_and_in_its_range() -> None:
    assert not_as_declared(STUDY, Config(**QUICK, target_loss=100.0)) == []


def test_a_driven_run_that_diverges_is_recorded_as_diverged() -> None:
    config = Config(**QUICK, loss="mse", optimizer={"lr": 1e12})
    (ending,) = drive(STUDY, [config], on_measurement=lambda member, measured: None)
    assert ending.outcome is Outcome.DIVERGED


def test_a_mistake_in_the_data_is_the_users() -> None:
    config = Config(batch_size=64, data={"n_train": 50})
    (ending,) = drive(STUDY, [config], on_measurement=lambda member, measured: None)
    assert ending.outcome is Outcome.FAILED
    assert ending.reason.startswith("batch_size: 64 rows a step is more than the 50 training rows")


def test_members_on_both_sides_of_the_precision_border_make_two_populations() -> None:
    assert population_key(STUDY, Config(gamma=1.0)) != population_key(STUDY, Config(gamma=1e-3))


def test_equal_configs_have_equal_data_digests() -> None:
    assert STUDY.data_digest is not None
    assert STUDY.data_digest(Config(seed=1)) == STUDY.data_digest(Config(seed=2))


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_shipped_sweep_fixes_parameters_that_the_study_takes(path: Path) -> None:
    fixed = yaml.safe_load(path.read_text())["parameters"]
    assert isinstance(set_fields(Config, fixed), Config)


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_shipped_sweep_opens_with_its_question_cost_expectation_and_source(path: Path) -> None:
    opening = path.read_text().split("name:")[0]
    assert all(f"# {word}: " in opening for word in ("Question", "Cost", "Expected", "Source"))


def test_help_does_not_import_jax() -> None:
    program = "import sys, projects.batch_size.__main__; sys.exit('jax' in sys.modules)"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    subprocess.run([sys.executable, "-c", program], check=True, env=environ, cwd=ROOT)
