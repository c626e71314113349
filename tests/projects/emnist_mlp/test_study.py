"""The study as the engine sees it: accepted, driven; its configs; the sweeps and the policy that ship with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from projects.emnist_mlp.__main__ import STUDY
from projects.emnist_mlp.config import Config
from rothamsted.errors import DataError, StudyError
from rothamsted.promotion.judge.policy_file import load_policy
from rothamsted.records import Outcome
from rothamsted.studies import drive, set_fields
from rothamsted.sweeping.open.asked import digest_of_first_data
from rothamsted.sweeping.open.from_file import load
from tests.conftest import ROOT
from tests.projects.declared import not_as_declared
from tests.projects.emnist_mlp.training import quick

SWEEPS = sorted((ROOT / "sweeps" / "emnist_mlp").glob("*.yaml"))
QUESTIONS = {"baseline", "dropout", "weight_decay", "label_smoothing", "width_depth", "augmentation", "synthetic"}


@pytest.mark.usefixtures("at_home")
def test_a_driven_run_finishes_with_a_model_and_a_picture() -> None:
    seen = []
    (ending,) = drive(STUDY, [quick()], on_measurement=lambda member, measured: seen.append(measured.step))
    assert ending.outcome is Outcome.FINISHED
    assert seen == [0, 4, 8, 12, 16]
    assert ending.model.predict(ending.model.input_example).shape == (5, 47)


@pytest.mark.usefixtures("at_home")
def test_all_that_is_logged_is_declared_and_in_its_range() -> None:
    assert not_as_declared(STUDY, quick()) == []


@pytest.mark.usefixtures("at_home")
def test_a_mistake_in_the_data_is_the_users() -> None:
    (ending,) = drive(STUDY, [quick(batch_size=1000)], on_measurement=lambda member, measured: None)
    assert ending.outcome is Outcome.FAILED
    assert ending.reason.startswith("batch_size: 1000 rows a step is more than the 254 training rows of 'fonts'")


@pytest.mark.usefixtures("at_home")
def test_the_digest_is_that_of_the_data_and_not_of_the_seed() -> None:
    assert STUDY.data_digest is not None
    assert STUDY.data_digest(quick(seed=1)) == STUDY.data_digest(quick(seed=2))


@pytest.mark.parametrize(
    ("flat", "rule"),
    [
        ({"model.activation": "swish"}, "must be one of gelu, relu, squared_relu, tanh; a new one is a row in"),
        ({"model.hidden_dims": [256, 0]}, "greater than or equal to 1"),
        ({"model.dropout": 1.0}, "less than 1"),
        ({"optimizer.name": "sgd", "optimizer.nesterov": True}, "needs a momentum above 0"),
        ({"regularization.label_smoothing": -0.1}, "greater than or equal to 0"),
        ({"augment.affine": float("nan")}, "finite|greater than or equal"),
        ({"model.hidden_dim": [1]}, "did you mean model.hidden_dims"),
    ],
)
def test_a_config_that_breaks_a_rule_is_refused_by_name(flat: dict[str, object], rule: str) -> None:
    with pytest.raises(StudyError, match=rule):
        set_fields(Config, flat)


def test_help_imports_neither_torch_nor_a_data_library() -> None:
    program = (
        "import sys, projects.emnist_mlp.__main__; "
        "print([n for n in ('torch', 'sklearn', 'matplotlib', 'scipy') if n in sys.modules])"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    ran = subprocess.run([sys.executable, "-c", program], check=True, env=environ, cwd=ROOT, stdout=subprocess.PIPE)
    assert ran.stdout.decode().strip() == "[]"


def test_the_questions_of_the_course_are_all_there() -> None:
    assert QUESTIONS | {"quick", "best", "mnist"} <= {path.stem for path in SWEEPS}


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_shipped_sweep_fixes_parameters_that_the_study_takes(path: Path) -> None:
    assert isinstance(set_fields(Config, yaml.safe_load(path.read_text())["parameters"]), Config)


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_a_question_is_answered_with_paired_seeds(name: str) -> None:
    replicates = yaml.safe_load((ROOT / "sweeps" / "emnist_mlp" / f"{name}.yaml").read_text())["replicates"]
    assert set(replicates) == {"count"}  # the same seeds in every condition
    assert replicates["count"] >= 3


def test_the_policy_is_one_of_this_study() -> None:
    policy = load_policy("registry/emnist_mlp.yaml", ROOT)
    assert (policy.model, policy.study) == ("emnist_mlp", "emnist_mlp")


def test_a_sweep_over_data_that_are_missing_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep, _ = load(ROOT / "sweeps" / "emnist_mlp" / "best.yaml", {}, ROOT)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"^data/emnist: holds neither .* set data\.path to a folder that holds them$"):
        digest_of_first_data(sweep, STUDY)


def test_a_choice_of_copies_that_were_not_made_is_refused_before_the_sweep_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, _ = load(ROOT / "sweeps" / "emnist_mlp" / "synthetic.yaml", {}, ROOT)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"synthetic_emnist/metadata\.json: .*prepare_data -P dataset=synthetic_emnist"):
        digest_of_first_data(sweep, STUDY)
