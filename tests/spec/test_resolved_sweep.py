"""A sweep as plain values: the round trip, what a change looks like, and when a sweep may go on."""

from __future__ import annotations

import json

import pytest
import yaml

from rothamsted.spec import Begun, Plan, difference, digest, from_resolved, growth, plan, resolved
from rothamsted.spec.schema import FILE_KEYS
from tests.spec.conftest import SweepFile

VARIANTS: tuple[dict[str, str], ...] = (
    {},
    {"sampler": "tpe", "trials": "10", "sampler.seed": "3"},
    {"replicates.seeds": "[4, 2]", "timeout": "2h", "objective.reduce": "mean:3"},
    {"optimizer.name": "sgd", "experiment": "lab", "execution.timeout_per_trial": "1m"},
    {"space": "n_points=range(2,9,2) x=interval(0,1)", "space.x.points": "3"},
    {"replicates.racing": "{min: 2, max: 9, step: 3, narrower_than: 0.5}", "replicates.first_seed": "5"},
    {"confirm": "{keep: 2, replicates: 4}", "statistics.interval": "bca", "statistics.correction": "none"},
    {"confirm.seeds": "[90, 80]", "replicates.racing.max": "5"},
)


@pytest.mark.parametrize("overrides", VARIANTS)
def test_a_resolved_sweep_gives_the_sweep_back_through_json(sweep_file: SweepFile, overrides: dict[str, str]) -> None:
    plain = resolved(sweep_file.load(overrides=overrides))
    assert resolved(from_resolved(json.loads(json.dumps(plain)))) == plain


@pytest.mark.parametrize("overrides", VARIANTS)
def test_a_resolved_sweep_is_itself_a_sweep_file(sweep_file: SweepFile, overrides: dict[str, str]) -> None:
    plain = resolved(sweep_file.load(overrides=overrides))
    assert resolved(sweep_file.load(yaml.safe_dump(plain, sort_keys=False))) == plain


def test_a_resolved_sweep_as_json_text_is_a_sweep_file_whatever_its_signs(sweep_file: SweepFile) -> None:
    plain = resolved(sweep_file.load())
    plain["experiment"] = "🌾 é"  # JSON escapes the first sign as a pair
    text = json.dumps(plain, indent=2)
    assert "\\ud83c\\udf3e" in text
    assert resolved(sweep_file.load(text)) == plain


def test_a_recorded_sweep_has_the_same_grid(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load()
    assert from_resolved(resolved(sweep)).search_space.grid() == sweep.search_space.grid()


def test_seeds_are_written_out_when_resolved(sweep_file: SweepFile) -> None:
    # first_seed 7 and two replicates: 7 and 8.
    sweep = sweep_file.load(overrides={"replicates": "2", "replicates.first_seed": "7"})
    assert resolved(sweep)["replicates"] == {"count": 2, "seeds": [7, 8]}


def test_a_race_is_resolved_with_the_first_of_its_seeds(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load(overrides={"replicates.racing.max": "9"})
    assert resolved(sweep)["replicates"] == {"first_seed": 0, "racing": {"min": 3, "max": 9, "step": 1}}


def test_the_seeds_of_a_confirmation_are_written_out(sweep_file: SweepFile) -> None:
    # The search has seeds 7 and 8: the first fresh one is 9.
    overrides = {"replicates": "2", "replicates.first_seed": "7", "confirm.replicates": "3"}
    assert resolved(sweep_file.load(overrides=overrides))["confirm"] == {
        "keep": 1,
        "replicates": 3,
        "seeds": [9, 10, 11],
    }


def test_keys_are_resolved_in_the_order_of_the_schema(sweep_file: SweepFile) -> None:
    keys = list(resolved(sweep_file.load()))
    assert keys == [key for key in FILE_KEYS if key in keys]


def test_writing_a_default_out_changes_no_digest(sweep_file: SweepFile) -> None:
    written = sweep_file.load_changed("space:", "sampler: {name: grid, seed: 0}\nreplicates: {count: 3}\nspace:")
    assert digest(written) == digest(sweep_file.load())


@pytest.mark.parametrize("overrides", [{"space.lr.high": "2.0"}, {"steps": "20"}, {"replicates": "4"}])
def test_a_changed_sweep_has_another_digest(sweep_file: SweepFile, overrides: dict[str, str]) -> None:
    assert digest(sweep_file.load(overrides=overrides)) != digest(sweep_file.load())


@pytest.mark.parametrize(
    ("overrides", "lines"),
    [
        ({}, []),
        ({"space.lr.high": "100.0"}, ["space.lr.high: 1.0 -> 100.0"]),
        ({"steps": "20"}, ["parameters.steps: 10 -> 20"]),
        ({"x": "0.5"}, ["parameters.x: absent -> 0.5"]),
        ({"timeout": "1m"}, ["timeout: absent -> 60.0"]),
        ({"space.lr": "[0.1]"}, ['space.lr: {"high": 1.0, "log": true, "low": 0.001, "points": 4} -> [0.1]']),
        (
            {"replicates": "2", "objective.direction": "maximize"},
            [
                'objective.direction: "minimize" -> "maximize"',
                "replicates.count: 3 -> 2",
                "replicates.seeds: [0, 1, 2] -> [0, 1]",
            ],
        ),
    ],
)
def test_a_difference_names_each_changed_key_with_both_values(
    sweep_file: SweepFile, overrides: dict[str, str], lines: list[str]
) -> None:
    assert difference(resolved(sweep_file.load()), resolved(sweep_file.load(overrides=overrides))) == lines


def test_another_order_of_the_space_is_a_difference(sweep_file: SweepFile) -> None:
    # The order decides which condition of a grid is which, and which coordinate belongs to whom.
    old = resolved(sweep_file.load())
    new = {**old, "space": dict(reversed(old["space"].items()))}
    assert difference(old, new) == [
        "order of space: lr, optimizer.name, optimizer.momentum -> optimizer.momentum, optimizer.name, lr"
    ]


BUDGET = {"sampler": "random", "trials": "10", "timeout": "1h"}


@pytest.mark.parametrize(
    ("changes", "may_go_on"),
    [
        ({}, True),
        ({"trials": "20"}, True),
        ({"timeout": "2h"}, True),
        ({"timeout": "null"}, True),
        ({"trials": "20", "timeout": "2h"}, True),
        ({"execution.workers": "1", "execution.retries": "2"}, True),
        ({"storage": "sqlite:///other.db"}, True),
        ({"trials": "5"}, False),
        ({"timeout": "30m"}, False),
        ({"trials": "20", "timeout": "30m"}, False),
        ({"trials": "20", "steps": "20"}, False),
        ({"replicates": "5"}, True),
        ({"replicates": "{seeds: [0, 1, 2, 9]}"}, True),
        ({"replicates": "2"}, False),
        ({"replicates": "{seeds: [0, 1, 9, 2]}"}, False),
        ({"sampler.seed": "1"}, False),
        ({"space.lr.high": "20.0"}, True),
        ({"space.lr.high": "0.9"}, False),
        ({"space.lr.log": "false"}, False),
        ({"space.optimizer.name": "[heavy_ball, sgd]"}, True),
        ({"space.optimizer.momentum": "null"}, False),
        ({"objective.over": "median"}, True),
        ({"objective.reduce": "best"}, False),  # models are of the last step
        ({"constraints": '["seconds < 3"]'}, True),
        ({"early_stopping": "{patience: 3}"}, False),
        ({"enqueue": "[{lr: 0.5, optimizer.name: sgd}]"}, False),
    ],
)
def test_a_sweep_may_go_on_if_what_is_finished_keeps_its_meaning(
    sweep_file: SweepFile, changes: dict[str, str], may_go_on: bool
) -> None:
    old, new = (sweep_file.load(overrides=given) for given in (BUDGET, {**BUDGET, **changes}))
    assert (not growth(old, new, Begun()).refused) is may_go_on


RACE = {"replicates.racing": "{min: 3, max: 9}", "sampler": "random", "trials": "10", "timeout": "30m"}
CONFIRM = {"confirm.replicates": "5", "confirm.keep": "2"}


@pytest.mark.parametrize(
    ("before", "after", "may_go_on"),
    [
        ({}, CONFIRM, True),
        (CONFIRM, {"confirm.replicates": "5", "confirm.keep": "3"}, True),
        (CONFIRM, {"confirm.replicates": "5", "confirm.keep": "1"}, False),
        (CONFIRM, {"confirm.replicates": "6", "confirm.keep": "2"}, True),
        (CONFIRM, {"confirm.replicates": "4", "confirm.keep": "2"}, False),
        (CONFIRM, {**CONFIRM, "replicates": "5"}, False),  # its seeds would not be fresh any more
        (CONFIRM, {}, False),
        (RACE, {**RACE, "timeout": "1h"}, True),
        (RACE, {**RACE, **CONFIRM}, True),
        (RACE, {**RACE, "trials": "20"}, False),
        (RACE, {**RACE, "replicates.racing": "{min: 3, max: 12}"}, False),
        (RACE, {**RACE, "replicates.racing": "{min: 3, max: 9, narrower_than: 1.0}"}, False),
    ],
)
def test_a_confirmation_may_be_added_or_keep_more_and_a_race_stays_as_it_began(
    sweep_file: SweepFile, before: dict[str, str], after: dict[str, str], may_go_on: bool
) -> None:
    old, new = (sweep_file.load(overrides=given) for given in (before, after))
    assert (not growth(old, new, Begun()).refused) is may_go_on


def test_a_grid_cannot_go_on_as_another_sampler(sweep_file: SweepFile) -> None:
    old, new = (sweep_file.load(overrides=given) for given in ({}, BUDGET))
    assert growth(old, new, Begun()).refused


@pytest.mark.parametrize(
    ("overrides", "size"),
    [
        # By hand: conditions, replicates, trainings, runs: 1 of the sweep + trials + replicates.
        ({}, (12, 3, 36, 1 + 12 + 36)),
        ({"sampler": "tpe", "trials": "10", "replicates": "2"}, (10, 2, 20, 1 + 10 + 20)),
        ({"replicates": "1"}, (12, 1, 12, 1 + 12)),  # the trial's run is the replicate's
    ],
)
def test_a_plan_counts_conditions_trainings_and_runs(
    sweep_file: SweepFile, overrides: dict[str, str], size: tuple[int, ...]
) -> None:
    planned: Plan = plan(sweep_file.load(overrides=overrides))
    assert (planned.n_conditions, planned.n_replicates, planned.n_trainings, planned.n_runs) == size


def test_a_plan_of_a_race_counts_from_its_least_to_its_most(sweep_file: SweepFile) -> None:
    # By hand: 12 conditions with 3 to 9 replicates.
    planned = plan(sweep_file.load(overrides={"replicates.racing.max": "9"}))
    assert (planned.n_trainings, planned.n_trainings_most) == (36, 108)
    assert (planned.n_runs, planned.n_runs_most) == (1 + 12 + 36, 1 + 12 + 108)


def test_a_plan_counts_the_confirmation(sweep_file: SweepFile) -> None:
    # By hand: 36 replicates of the search as ever; 2 conditions with 5 fresh seeds each, each below a run.
    planned = plan(sweep_file.load(overrides=CONFIRM))
    assert (planned.n_trainings, planned.n_confirmed, planned.n_confirm_trainings) == (36, 2, 10)
    assert planned.n_runs == 1 + 12 + 36 + 2 + 10
