"""Stages: their parameters, seeds and sizes, and what is refused."""

from __future__ import annotations

import pytest

from rothamsted.errors import SpecError
from rothamsted.spec import plan, resolved
from tests.spec.conftest import TOY_SWEEP, SweepFile

STAGES = "[{parameters: {steps: 20}}, {keep: 4, parameters: {steps: 50}}, {keep: 2, replicates: 5, resume: false}]"


def test_a_stage_has_the_sweeps_parameters_under_its_own(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load(overrides={"stages": STAGES, "x": "0.5"})
    assert [sweep.stage_parameters(n) for n in range(3)] == [
        {"steps": 20, "x": 0.5},
        {"steps": 50, "x": 0.5},
        {"steps": 10, "x": 0.5},
    ]


def test_without_stages_there_is_one(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load()
    assert (sweep.stage_parameters(0), sweep.stage_seeds(0)) == ({"steps": 10}, (0, 1, 2))


@pytest.mark.parametrize(
    ("replicates", "seeds"),
    # By hand: the sweep has seeds 7 and 8; a count takes these first, so that training can go on.
    [
        ("null", (7, 8)),
        ("1", (7,)),
        ("4", (7, 8, 9, 10)),
        ("{seeds: [3, 8]}", (3, 8)),
        ("{count: 2, first_seed: 1}", (1, 2)),
    ],
)
def test_a_stage_goes_on_with_the_sweeps_seeds(sweep_file: SweepFile, replicates: str, seeds: tuple[int, ...]) -> None:
    stages = f"[{{}}, {{keep: 2, replicates: {replicates}}}]"
    sweep = sweep_file.load(overrides={"stages": stages, "replicates": "{count: 2, first_seed: 7}"})
    assert (sweep.stage_seeds(0), sweep.stage_seeds(1)) == ((7, 8), seeds)


def test_a_confirmation_has_seeds_that_no_stage_has(sweep_file: SweepFile) -> None:
    # By hand: the last stage has seeds 0 to 4.
    sweep = sweep_file.load(overrides={"stages": STAGES, "confirm.replicates": "2"})
    assert sweep.confirm_seeds == (5, 6)


def test_a_plan_counts_the_later_stages(sweep_file: SweepFile) -> None:
    # By hand: 12 x 3 in the first stage; 4 x 3 + 2 x 5 = 22 in the others, with 4 + 2 runs of conditions, 2 of stages.
    planned = plan(sweep_file.load(overrides={"stages": STAGES}))
    assert (planned.n_trainings, planned.n_stage_trainings) == (36, 22)
    assert (planned.n_runs, planned.n_stage_runs) == (1 + 12 + 36 + 22 + 6 + 2, 22 + 6 + 2)


def test_the_parameters_of_a_stage_may_be_nested(sweep_file: SweepFile) -> None:
    text = "[{parameters: {optimizer: {momentum: 0.5}}}, {keep: 1}]"
    sweep = sweep_file.load(overrides={"stages": text, "space.optimizer.momentum": "null"})
    assert sweep.stages[0].parameters == {"optimizer.momentum": 0.5}


def test_the_seeds_of_a_stage_are_written_out(sweep_file: SweepFile) -> None:
    plain = resolved(sweep_file.load(overrides={"stages": STAGES}))
    assert plain["stages"] == [
        {"parameters": {"steps": 20}},
        {"keep": 4, "by": "mean", "parameters": {"steps": 50}, "resume": "auto"},
        {
            "keep": 2,
            "by": "mean",
            "parameters": {},
            "resume": False,
            "replicates": {"count": 5, "seeds": [0, 1, 2, 3, 4]},
        },
    ]


RACE = {"replicates.racing.max": "9"}
MISTAKES = {
    "one stage": ("[{parameters: {steps: 3}}]", {}, "stages: has one stage"),
    "no list": ("{keep: 1}", {}, "stages: must be a list"),
    "a first stage that keeps": ("[{keep: 3}, {keep: 2}]", {}, "stages[0].keep: the first stage has every condition"),
    "a first stage with replicates": ("[{replicates: 3}, {keep: 2}]", {}, "stages[0].replicates: the first stage"),
    "nothing kept": ("[{}, {parameters: {steps: 3}}]", {}, "stages[1].keep: is missing"),
    "more than there are": ("[{}, {keep: 13}]", {}, "stages[1].keep: 13 is more than the 12 conditions"),
    "more than the stage before": ("[{}, {keep: 3}, {keep: 4}]", {}, "stages[2].keep: 4 is more than the 3 conditions"),
    "an unknown parameter": ("[{parameters: {stpes: 3}}, {keep: 2}]", {}, "stages[0].parameters.stpes: is not a"),
    "a parameter of the space": ("[{}, {keep: 2, parameters: {lr: 1.0}}]", {}, "varies in space"),
    "text for a number": ("[{}, {keep: 2, parameters: {steps: ten}}]", {}, "stages[1].parameters.steps: must be"),
    "what the study refuses": (
        "[{parameters: {steps: 3}}, {keep: 2}]",
        {"n_points": "5"},
        "study 'toy' refuses it",
    ),
    "the parent of a condition": (
        "[{parameters: {optimizer.name: sgd}}, {keep: 2, parameters: {optimizer.name: heavy_ball}}]",
        {"space.optimizer.name": "null", "parameters.optimizer.name": "heavy_ball"},
        "is set by stages[0].parameters",
    ),
    "a race in a later stage": (
        "[{}, {keep: 2, replicates: {racing: {}}}]",
        {},
        "stages[1].replicates.racing: only the first stage can race",
    ),
    "a race without replicates after it": ("[{}, {keep: 2}]", RACE, "stages[1].replicates: is missing: the race ends"),
    "going on with other seeds": (
        "[{}, {keep: 2, resume: true, replicates: 4}]",
        {},
        "stages[1].resume: true, but the stage before has not trained seed 3",
    ),
    "an interval of one": ("[{}, {keep: 2, by: interval}]", {"replicates": "1"}, "stages[1].by: interval needs two"),
    "an unknown way": ("[{}, {keep: 2, by: median}]", {}, "stages[1].by: must be 'mean' or 'interval', not 'median'"),
    "an unknown key": ("[{}, {kep: 2}]", {}, "stages[1].kep: is not a key of a sweep file here; did you mean keep?"),
    "no way of going on": ("[{}, {keep: 2, resume: maybe}]", {}, "stages[1].resume: must be auto, true or false"),
    "more winners than are left": (
        "[{}, {keep: 2}]",
        {"confirm.keep": "3"},
        "confirm.keep: 3 is more than the 2 conditions of the",
    ),
    "a fresh seed that a stage has": (
        "[{}, {keep: 2, replicates: 5}]",
        {"confirm.first_seed": "4"},
        "confirm.first_seed: 4 is a seed of the search",
    ),
    "a fixed parameter that a stage sets": (
        "[{parameters: {steps: 3}}, {keep: 2}]",
        {"steps": "5"},
        "which wins over it",
    ),
    "seeds twice": ("[{}, {keep: 2, replicates: {seeds: [1, 1]}}]", {}, "stages[1].replicates.seeds: 1 is given twice"),
}


@pytest.mark.parametrize(("stages", "more", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_stages_is_named(sweep_file: SweepFile, stages: str, more: dict[str, str], says: str) -> None:
    with pytest.raises(SpecError) as error:
        sweep_file.load(overrides={"stages": stages, **more})
    message = str(error.value)
    assert (message.startswith("command line: "), says in message, "\n" in message) == (True, True, False), message


def test_a_mistake_in_the_file_is_named_with_its_line(sweep_file: SweepFile) -> None:
    with pytest.raises(SpecError, match=r"sweep\.yaml:4: stages\[1\]\.keep: 13 is more than the 12 conditions"):
        sweep_file.load_changed("name:", "stages:\n  - {parameters: {steps: 3}}\n  - {keep: 13}\nname:")


def test_stages_may_not_switch_parameters_of_the_space(sweep_file: SweepFile) -> None:
    with pytest.raises(SpecError, match=r"stages\[1\]\.parameters\.optimizer\.name: the `when` of space"):
        sweep_file.load(
            TOY_SWEEP.replace("  optimizer.name: [sgd, heavy_ball]\n", "").replace("10}", "10, optimizer.name: sgd}"),
            {"stages": "[{}, {keep: 2, parameters: {optimizer: {name: sgd}}}]"},
        )
