"""What varies between replicates: how numbers reach the fields, and what is refused."""

from __future__ import annotations

import pytest

from rothamsted.errors import SpecError
from rothamsted.spec import Begun, digest, from_resolved, growth, plan, resolved
from tests.spec.conftest import SweepFile

LIST = {"replicates": "{count: 3, first_seed: 4, vary: [seed, data.seed]}"}
CROSSED = {"replicates": "{first_seed: 4, vary: {seed: 2, data.seed: 3}}"}


def test_fields_that_vary_together_all_get_the_replicates_seed(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load(overrides=LIST)
    assert [sweep.varied_by(seed) for seed in sweep.replicates.values] == [
        {"seed": n, "data.seed": n} for n in (4, 5, 6)
    ]


def test_without_vary_it_is_the_training_seed_alone(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load()
    assert (sweep.varied, sweep.varied_by(1)) == (("seed",), {"seed": 1})


def test_crossed_replicates_are_all_combinations(sweep_file: SweepFile) -> None:
    # By hand: 2 seeds from 4, 3 splits from 4, the last named changing first.
    sweep = sweep_file.load(overrides=CROSSED)
    pairs = [tuple(sweep.varied_by(seed).values()) for seed in sweep.replicates.values]
    assert pairs == [(4, 4), (4, 5), (4, 6), (5, 4), (5, 5), (5, 6)]
    assert plan(sweep).n_replicates == 6


def test_a_confirmation_has_fresh_numbers_for_every_field(sweep_file: SweepFile) -> None:
    # By hand: combinations 4 to 9 are the search's; 10 and 11 were given to no field.
    sweep = sweep_file.load(overrides={**CROSSED, "confirm": "{replicates: 2}"})
    assert [sweep.varied_by(seed) for seed in sweep.confirm_seeds] == [
        {"seed": 10, "data.seed": 10},
        {"seed": 11, "data.seed": 11},
    ]


RACED = {"replicates": "{racing: {min: 3, max: 6}, first_seed: 4, vary: [seed, data.seed]}"}


@pytest.mark.parametrize("overrides", [LIST, CROSSED, RACED])
def test_a_recorded_sweep_varies_the_same(sweep_file: SweepFile, overrides: dict[str, str]) -> None:
    sweep = sweep_file.load(overrides={**overrides, "confirm": "{replicates: 2}"})
    again = from_resolved(resolved(sweep))
    assert resolved(again) == resolved(sweep)
    assert again.varied_by(5) == sweep.varied_by(5)


def test_a_sweep_that_does_not_say_what_varies_has_the_digest_that_it_had(sweep_file: SweepFile) -> None:
    assert "vary" not in resolved(sweep_file.load())["replicates"]
    assert digest(sweep_file.load()) != digest(sweep_file.load(overrides={"replicates": "{vary: [seed]}"}))


def test_what_varies_may_not_change_when_a_sweep_goes_on(sweep_file: SweepFile) -> None:
    old, new = (sweep_file.load(), sweep_file.load(overrides={"replicates.vary": "[seed, data.seed]"}))
    assert growth(old, new, Begun()).refused


def test_the_same_fields_vary_in_every_stage(sweep_file: SweepFile) -> None:
    stages = "[{}, {keep: 2, replicates: 4}]"
    sweep = sweep_file.load(overrides={"stages": stages, "replicates.vary": "[seed, data.seed]"})
    assert [sweep.varied_by(seed)["data.seed"] for seed in sweep.stage_seeds(1)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            {"replicates": "{vary: [seed, data.sed]}"},
            "'data.sed' is not a parameter of study 'toy'; did you mean data.seed",
        ),
        ({"replicates": "{vary: [seed, lr]}"}, "is set by replicates.vary"),
        ({"replicates": "{vary: [seed, data.seed]}", "data.seed": "3"}, "is set by replicates.vary"),
        ({"replicates": "{vary: [seed, x]}"}, "'x' takes no whole numbers"),
        ({"replicates": "{vary: [data.seed]}"}, "lacks seed"),
        ({"replicates": "{vary: []}"}, "must be a list of fields"),
        ({"replicates": "{vary: [seed, seed]}"}, "names seed twice"),
        ({"replicates": "{vary: {seed: 3}}"}, "crosses one field with nothing"),
        ({"replicates": "{vary: {seed: 3, data.seed: 1}}"}, "data.seed: must be a whole number of values, 2 to 100"),
        ({"replicates": "{count: 5, vary: {seed: 3, data.seed: 2}}"}, "5 replicates, but 6 combinations"),
        ({"replicates": "{seeds: [1, 2], vary: {seed: 3, data.seed: 2}}"}, "give first_seed"),
        ({"replicates": "{racing: {}, vary: {seed: 3, data.seed: 2}}"}, "give vary: [seed, data.seed]"),
        ({**CROSSED, "stages": "[{}, {keep: 2}]"}, "give vary: [seed, data.seed]"),
        ({**CROSSED, "pruner": "median"}, "give vary: [seed, data.seed]"),
        ({**CROSSED, "statistics.interval": "wilson"}, "give vary: [seed, data.seed]"),
        ({"stages": "[{}, {keep: 2, replicates: {vary: [seed, data.seed]}}]"}, "every stage varies"),
    ],
)
def test_a_refusal_is_one_line_with_the_way_out(sweep_file: SweepFile, overrides: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError) as raised:
        sweep_file.load(overrides=overrides)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
