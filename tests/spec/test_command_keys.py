"""A sweep of a command: what its file and the command line say, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rothamsted.errors import SpecError
from rothamsted.spec import Sweep, from_resolved, load_sweep, resolved
from tests.spec.conftest import SweepFile, parameter_names

FILE = """\
command: python train.py --lr {lr} --seed {seed}
space: {lr: [0.1, 0.2]}
metric: val_loss
direction: minimize
"""


def loaded(text: str | None, overrides: Mapping[str, str] | None = None) -> Sweep:
    if text is None:
        return load_sweep(None, overrides, parameter_names=parameter_names)
    Path("sweep.yaml").write_text(text)
    return load_sweep("sweep.yaml", overrides, parameter_names=parameter_names)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_command_gives_the_sweep_its_name_and_takes_the_seed() -> None:
    sweep = loaded(FILE)
    assert (sweep.name, sweep.seed_parameter, sweep.varied, sweep.is_foreign) == ("train", "seed", ("seed",), True)
    assert (sweep.objective.metric, sweep.objective.direction) == ("val_loss", "minimize")


@pytest.mark.parametrize("block", ["|", ">", ">-", "", '"'])
def test_a_command_over_lines_is_the_one_in_one_line(block: str) -> None:
    lines = "python train.py \\\n    --lr {lr} \\\n    --seed {seed}"
    written = f'"{lines}"' if block == '"' else f"{block}\n    {lines}"
    text = FILE.replace("python train.py --lr {lr} --seed {seed}", written)
    assert resolved(loaded(text)) == resolved(loaded(FILE))


def test_the_executor_may_stand_alone_in_the_file_and_on_the_command_line() -> None:
    alone, below = loaded(FILE + "executor: in_process\n"), loaded(FILE + "execution: {executor: in_process}\n")
    assert resolved(alone) == resolved(below) == resolved(loaded(FILE, {"executor": "in_process"}))
    many = loaded(FILE + "execution: {executor: local, workers: 3}\n", {"executor": "in_process"})
    assert (many.execution.executor, many.execution.workers) == ("in_process", 3)


def test_the_command_line_alone_is_a_whole_sweep() -> None:
    keys = {"command": "python train.py {parameters}", "space": "lr=0.1,0.2", "metric": "loss", "direction": "minimize"}
    sweep = loaded(None, {**keys, "trials": "1", "sampler": "random"})
    assert (sweep.name, list(sweep.space), sweep.trials) == ("train", ["lr"], 1)


def test_a_resolved_sweep_of_a_command_gives_the_sweep_back() -> None:
    plain = resolved(loaded(FILE))
    assert resolved(from_resolved(json.loads(json.dumps(plain)))) == plain


def test_the_seed_may_have_another_name_among_all_parameters() -> None:
    sweep = loaded(FILE.replace("--lr {lr} --seed {seed}", "{parameters}") + "seed_parameter: random_state\n")
    assert sweep.varied_by(3) == {"random_state": 3}


def test_one_replicate_needs_no_seed() -> None:
    sweep = loaded(FILE.replace(" --seed {seed}", "") + "replicates: 1\n")
    assert (sweep.seed_parameter, sweep.varied) == (None, ())


def test_short_keys_and_an_objective_say_the_same_in_file_and_on_the_command_line() -> None:
    long = FILE.replace("metric: val_loss\ndirection: minimize", "objective: {metric: val_loss, direction: minimize}")
    assert resolved(loaded(FILE)) == resolved(loaded(long))
    assert loaded(long, {"metric": "acc", "direction": "maximize", "reduce": "best"}).objective == (
        loaded(
            FILE, {"objective.metric": "acc", "objective.direction": "maximize", "objective.reduce": "best"}
        ).objective
    )
    assert loaded(FILE + "reduce: {mean_of_last: 3}\n").objective.reduce == "mean:3"


def test_another_metric_needs_a_direction_of_its_own_and_the_same_one_does_not() -> None:
    assert loaded(FILE, {"metric": "val_loss"}).objective.direction == "minimize"
    with pytest.raises(SpecError, match="direction: is missing, and no study declares it; give direction: minimize"):
        loaded(FILE, {"metric": "acc"})


def test_short_keys_go_with_a_study_too(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load_changed(
        "objective: {metric: val_loss, direction: minimize}", "metric: a\ndirection: maximize"
    )
    assert (sweep.objective.metric, sweep.objective.direction) == ("a", "maximize")


# replaced text, text instead, overrides -> what the line says
MISTAKES: dict[str, tuple[str, str, dict[str, str], str]] = {
    "an unknown placeholder": (
        "{lr}",
        "{lrr}",
        {},
        "1: command: {lrr} is neither a parameter of this sweep nor a placeholder; did you mean lr?",
    ),
    "a parameter that is not passed": (
        "--lr {lr} ",
        "",
        {},
        "2: space.lr: is not passed on by the command; write --lr {lr} or {parameters} in it",
    ),
    "no seed": (
        " --seed {seed}",
        "",
        {},
        "1: command: passes no seed, and there are 3 replicates of a condition, which would be copies; write --seed",
    ),
    "no seed and a confirmation": (
        " --seed {seed}",
        "",
        {"replicates": "1", "confirm": "{keep: 1}"},
        "command: passes no seed, and a confirmation trains the winner again",
    ),
    "a seed parameter that is not passed": (
        " --seed {seed}",
        "",
        {"seed_parameter": "s"},
        "seed_parameter: 's' is not passed on by the command",
    ),
    "a flag that is a number": (
        "--lr {lr}",
        "{lr:flag}",
        {},
        "2: space.lr: {lr:flag} of the command needs true or false, not 0.1",
    ),
    "a shell": ("{seed}", "{seed} > log.txt", {}, "1: command: > is for a shell"),
    "no direction": (
        "direction: minimize",
        "",
        {},
        "3: objective.direction: is missing, and no study declares it; give direction: minimize or maximize",
    ),
    "a metric twice": (
        "direction: minimize",
        "objective: {metric: a, direction: minimize}",
        {},
        "3: metric: cannot be given with objective, which has metric, too",
    ),
    "a metric beside several": (
        "direction: minimize",
        "objective: [{metric: a, direction: minimize}]",
        {},
        "metric: cannot be given with a list of objectives",
    ),
    "an executor twice": (
        "direction: minimize",
        "direction: minimize\nexecutor: local\nexecution: {executor: local}",
        {},
        "5: executor: cannot be given with execution, which has executor, too; give one of the two",
    ),
    "a study too": ("space:", "study: toy\nspace:", {}, "1: command: cannot be given with study; give one of the two"),
    "a project too": (
        "space:",
        "project: x\nspace:",
        {},
        "1: command: cannot be given with project; give one of the two",
    ),
    "an entry point": ("space:", "entry_point: main\nspace:", {}, "2: entry_point: is only for project; remove it"),
    "an environment": (
        "space:",
        "execution: {env_manager: uv}\nspace:",
        {},
        "execution.env_manager: is only for project",
    ),
    "models": ("space:", "models: all\nspace:", {}, "models: is only for study: a command logs no models"),
    "the seed as a parameter": (
        "space:",
        "parameters: {seed: 3}\nspace:",
        {},
        "2: parameters.seed: the seed comes from the replicates",
    ),
    "an unknown key": (
        "space:",
        "space:",
        {"lrr": "0.3"},
        "command line: lrr: is neither a key of a sweep file nor a parameter of the command",
    ),
    "a parameter that the words leave out": (
        "space:",
        "space:",
        {"parameters.epochs": "3"},
        "parameters.epochs: is not passed on by the command",
    ),
    "a conditional parameter in a word": (
        "space: {lr: [0.1, 0.2]}",
        "space: {opt: [sgd, adam], lr: {values: [0.1, 0.2], when: {opt: sgd}}}",
        {"command": "python t.py {opt} --lr {lr} {seed}"},
        "space.lr: has no value where its when does not hold, and the command needs one for {lr}; write {parameters}",
    ),
    "a list": (
        "python train.py --lr {lr} --seed {seed}",
        "[python, train.py]",
        {},
        "1: command: must be a command such as",
    ),
}


@pytest.mark.parametrize(("old", "new", "overrides", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_the_way_out(old: str, new: str, overrides: dict[str, str], says: str) -> None:
    assert old in FILE
    with pytest.raises(SpecError) as error:
        loaded(FILE.replace(old, new, 1), overrides)
    message = str(error.value)
    assert (says in message, "\n" in message) == (True, False), message


def test_a_config_file_cannot_hold_a_value_and_others_below_it() -> None:
    text = FILE.replace("--lr {lr} --seed {seed}", "{config}").replace("lr: [0.1, 0.2]", "opt: [1], opt.lr: [2]")
    with pytest.raises(SpecError, match=r"command: \{config\}: opt is a parameter, and opt.lr lies below it"):
        loaded(text)


def test_parameters_are_fixed_on_the_command_line_as_for_a_study() -> None:
    sweep = loaded(FILE.replace("--lr {lr}", "{parameters}"), {"lr": "0.5", "parameters.deep": "true"})
    assert (sweep.parameters, dict(sweep.space)) == ({"lr": 0.5, "deep": True}, {})


def test_a_flag_takes_truth_values(tmp_path: Path) -> None:
    sweep: Any = loaded(FILE.replace("--lr {lr}", "{lr:no_flag}").replace("[0.1, 0.2]", "[true, false]"))
    assert sweep.space["lr"].values == (True, False)
