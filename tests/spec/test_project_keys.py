"""A sweep of a foreign project: what a file says, and what is refused with and without one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rothamsted.errors import SpecError, UserError
from rothamsted.space import Range
from rothamsted.spec import Sweep, from_resolved, load_sweep, resolved
from tests.spec.conftest import SweepFile, parameter_names

FOREIGN = """\
name: foreign
project: ../elsewhere
seed_parameter: random_state
undeclared: [epochs]
parameters: {epochs: 3, data: "a b; $(touch X)"}
space:
  lr: {low: 0.1, high: 1.0, points: 2}
  width: {low: 8, high: 16, points: 2}
objective: {metric: val_loss, direction: minimize}
"""


def declared(project: str, entry_point: str, version: str | None) -> Mapping[str, Any] | None:
    """What an MLproject declares: `lr` and `width` are float there, `data` is text; MLflow has no whole numbers."""
    if project == "../nowhere":
        raise UserError("../nowhere has no MLproject; give a folder that has one")
    return {"lr": float, "width": float, "data": None, "random_state": None} if entry_point == "main" else None


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load the foreign sweep with a piece of text replaced."""
    monkeypatch.chdir(tmp_path)

    def loaded(old: str = "name:", new: str = "name:", overrides: Mapping[str, str] | None = None) -> Sweep:
        assert old in FOREIGN
        Path("sweep.yaml").write_text(FOREIGN.replace(old, new, 1))
        return load_sweep("sweep.yaml", overrides, parameter_names=parameter_names, project_parameters=declared)

    return loaded


def test_a_foreign_project_has_the_entry_point_main_unless_another_is_named(load: Any) -> None:
    sweep = load()
    assert (sweep.study, sweep.project, sweep.entry_point, sweep.version) == (None, "../elsewhere", "main", None)


def test_parameters_of_undeclared_need_not_be_declared_and_are_kept_as_written(load: Any) -> None:
    assert load().parameters == {"epochs": 3, "data": "a b; $(touch X)"}


def test_the_ends_of_a_range_say_whether_it_is_of_whole_numbers(load: Any) -> None:
    # MLflow declares both as float: a width of 8.0 would be no width.
    assert load().space["width"] == Range(low=8, high=16, points=2, is_integer=True)
    assert load().space["lr"] == Range(low=0.1, high=1.0, points=2, is_integer=False)


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"objective": "{metric: best.loss, direction: minimize, artifact: result.json}"},
        {"execution.env_manager": "uv", "execution.memory_limit": "2GB", "execution.environment": "{A: b}"},
        {"execution.grace_seconds": "1m", "execution.warm_pool": "false", "lr": "0.5"},
        {"project": "https://example.org/a.git", "version": "v1.2"},
        {"stages": "[{parameters: {epochs: 3}}, {keep: 2, parameters: {epochs: 9}}]", "parameters.epochs": "null"},
    ],
)
def test_a_resolved_foreign_sweep_gives_the_sweep_back(load: Any, overrides: dict[str, str]) -> None:
    overrides = {key: value for key, value in overrides.items() if key != "parameters.epochs"}
    plain = resolved(load(overrides=overrides))
    assert resolved(from_resolved(json.loads(json.dumps(plain)))) == plain


@pytest.mark.parametrize(
    ("written", "n_bytes"),
    # Arithmetic of units: decimal 1000, binary 1024.
    [
        ("2GB", 2 * 10**9),
        ("500 MB", 500 * 10**6),
        ("1KiB", 1024),
        ("1.5GiB", 3 * 2**29),
        ("4096", 4096),
        ("10kb", 10**4),
    ],
)
def test_a_memory_limit_is_kept_in_bytes(load: Any, written: str, n_bytes: int) -> None:
    assert load(overrides={"execution.memory_limit": written}).execution.memory_limit == n_bytes


def test_any_parameter_can_be_fixed_on_the_command_line(load: Any) -> None:
    sweep = load(
        overrides={"lr": "0.5", "epochs": "5", "undeclared": "[epochs, verbose]", "parameters.verbose": "true"}
    )
    assert sweep.parameters == {"epochs": 5, "data": "a b; $(touch X)", "lr": 0.5, "verbose": True}
    assert "lr" not in sweep.space


# replaced text, text instead, overrides -> what the line says
MISTAKES = {
    "project and study": ("name:", "study: toy\nname:", {}, "project: cannot be given with study; give one of the two"),
    "a folder with a version": ("name:", "version: v1\nname:", {}, "version: 'v1' is a ref of git, and project"),
    "an unknown entry point": ("name:", "entry_point: train\nname:", {}, "entry_point: project ../elsewhere has no"),
    "no project there": ("elsewhere", "nowhere", {}, "project: ../nowhere has no MLproject"),
    "a project that is a number": ("../elsewhere", "3", {}, "project: must be text, not 3"),
    "a seed parameter that is not declared": (
        "seed_parameter: random_state",
        "seed_parameter: seed",
        {},
        "seed_parameter: 'seed' is not a parameter that project '../elsewhere' declares; "
        "known: lr, width, data, random_state; to pass it on as --seed VALUE all the same, add undeclared: [seed]",
    ),
    "an undeclared parameter on the command line": (
        "name:",
        "name:",
        {"widht": "3"},
        "to pass it on all the same, give parameters.widht and undeclared=[widht]; did you mean width",
    ),
    "the seed's own parameter": ("epochs: 3", "random_state: 3", {}, "parameters.random_state: the seed comes from"),
    "text for a float": ("epochs: 3", "lr: fast", {}, "parameters.lr: "),
    "text for a float in the space": ("{low: 0.1, high: 1.0, points: 2}", "[fast]", {}, "space.lr[0]: must be"),
    "a list for a parameter": ("epochs: 3", "epochs: [3]", {}, "parameters.epochs: must be a number, text, true or"),
    "a mapping for a parameter": (
        "epochs: 3",
        "epochs: {b: 3}",
        {},
        "parameters.epochs: must be a number, text, true or",
    ),
    "a name with a blank": ("epochs: 3", "'a b': 3", {}, "is not a name of a parameter"),
    "a name that is an option": ("epochs: 3", "--epochs: 3", {}, "is not a name of a parameter"),
    "models": ("name:", "models: all\nname:", {}, "models: is only for study"),
    "promotion": ("name:", "promote: registry/a.yaml\nconfirm: {}\nname:", {}, "promote: is only for study"),
    "a population": (
        "name:",
        "execution: {population: 4}\nname:",
        {},
        "execution.population: 4 is only for study",
    ),
    "going on from checkpoints": (
        "name:",
        "stages: [{}, {keep: 1, resume: true}]\nname:",
        {},
        "stages[1].resume: true is only for study",
    ),
    "an unknown environment manager": ("name:", "execution: {env_manager: pip}\nname:", {}, "execution.env_manager: "),
    "a size that is none": ("name:", "execution: {memory_limit: 2 GX}\nname:", {}, "2GB, 500MB or 4GiB, not '2 GX'"),
    "no memory": ("name:", "execution: {memory_limit: 0}\nname:", {}, "greater than 0, not 0"),
    "a variable that is a number": ("name:", "execution: {environment: {A: 1}}\nname:", {}, "environment.A: must be"),
    "an artifact and a pruner": (
        "direction: minimize}",
        "direction: minimize, artifact: a.json}\npruner: median",
        {},
        "pruner.name: median looks at steps, and an artifact",
    ),
    "an artifact and early stopping": (
        "direction: minimize}",
        "direction: minimize, artifact: a.json}\nearly_stopping: {patience: 3}",
        {},
        "early_stopping.metric: an artifact is read when the run is over",
    ),
    "an artifact and a curve": (
        "direction: minimize}",
        "direction: minimize, artifact: a.json, reduce: best}",
        {},
        "objective: reduce 'best' needs a curve",
    ),
    "a typing error on the command line": ("name:", "name:", {"trails": "3"}, "did you mean trials"),
}


@pytest.mark.parametrize(("old", "new", "overrides", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(load: Any, old: str, new: str, overrides: dict[str, str], says: str) -> None:
    with pytest.raises(SpecError) as error:
        load(old, new, overrides)
    message = str(error.value)
    assert (message.startswith(("sweep.yaml:", "command line: ")), says in message, "\n" in message) == (
        True,
        True,
        False,
    ), message


@pytest.mark.parametrize(
    "text",
    [
        "entry_point: main",
        "version: v1",
        "seed_parameter: seed",
        "execution: {env_manager: local}",
        "execution: {environment: {A: b}}",
        "execution: {memory_limit: 2GB}",
        "execution: {grace_seconds: 3}",
        "execution: {warm_pool: true}",
    ],
)
def test_what_is_for_projects_is_refused_with_a_study(sweep_file: SweepFile, text: str) -> None:
    with pytest.raises(SpecError, match=r"sweep\.yaml:2: .*: is only for project or command: a study is trained in"):
        sweep_file.load_changed("name:", f"{text}\nname:")


def test_an_artifact_is_refused_with_a_study(sweep_file: SweepFile) -> None:
    with pytest.raises(SpecError, match=r"objective\.artifact: is only for project or command"):
        sweep_file.load_changed("direction: minimize", "direction: minimize, artifact: a.json")


def test_a_caller_without_foreign_projects_refuses_one(sweep_file: SweepFile) -> None:
    with pytest.raises(SpecError, match="project: a foreign project cannot be swept from here"):
        sweep_file.load(FOREIGN)
