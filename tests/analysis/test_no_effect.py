"""Conditions that gave the same bits: what is said of them, and that only one of them is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.no_effect import distinct, twins_of
from rothamsted.analysis.ranking import ranked
from rothamsted.analysis.values import Dataset, Series
from rothamsted.sweeping.phases.follow_up import keep
from rothamsted.sweeping.phases.given import winners
from tests.analysis.runs import dataset

FACTORS = {
    0: {"lr": 0.1, "weight_decay": 0.0},
    1: {"lr": 0.1, "weight_decay": 1e-12},
    2: {"lr": 0.2, "weight_decay": 0.0},
    3: {"lr": 0.3, "weight_decay": 0.0},
}
VALUES = {0: [1.01, 1.22, 0.93], 1: [1.01, 1.22, 0.93], 2: [1.14, 1.35, 1.06], 3: [2.17, 2.38, 2.09]}


def with_curves(found: Dataset, curves: dict[int, list[list[float]]]) -> Dataset:
    """The dataset with a curve of the loss for each replicate."""
    made = []
    for r in found.replicates:
        points = np.array(curves[r.condition][int(r.seed)])
        nothing = np.full(len(points), np.nan)
        series = Series(steps=np.arange(1, len(points) + 1), values=points, seconds=nothing, epochs=nothing)
        made.append(replace(r, series={"loss": series}))
    return replace(found, replicates=tuple(made))


def test_a_weight_decay_below_what_a_float_can_hold_is_named() -> None:
    found = analyze(dataset(VALUES, factors=FACTORS))
    assert found.marks[-1] == (
        "Conditions 0 and 1 gave the same objective to the last bit at every common seed: weight_decay made no "
        "difference there."
    )


def test_what_is_confirmed_and_kept_are_distinct_conditions() -> None:
    given = dataset(VALUES, factors=FACTORS)
    assert ranked(given) == [0, 1, 2, 3]
    assert winners(given, 2) == [0, 2]
    assert [[c.number for c in keep(given, 2, by=by, level=0.95)] for by in ("mean", "interval")] == [[0, 2], [0, 2]]
    assert winners(given, 4) == [0, 2, 3]


def test_a_lost_seed_does_not_hide_that_a_parameter_does_nothing() -> None:
    given = dataset(VALUES, factors=FACTORS, outcomes={(1, 2): "failed"})
    assert [twins.conditions for twins in twins_of(given)] == [(0, 1)]


def test_one_common_seed_says_nothing() -> None:
    assert not twins_of(dataset(VALUES, factors=FACTORS, outcomes={(1, 2): "failed", (0, 0): "failed"}))


def test_conditions_with_equal_ends_of_unequal_curves_are_not_the_same() -> None:
    curves = {number: [[9.0 + number, value] for value in row] for number, row in VALUES.items()}
    given = with_curves(dataset(VALUES, factors=FACTORS), curves)
    assert not twins_of(given)
    assert distinct(given, ranked(given)) == [0, 1, 2, 3]


def test_equal_curves_are_said_to_be_the_same_bits() -> None:
    curves = {number: [[9.0, value] for value in row] for number, row in VALUES.items()}
    [twins] = twins_of(with_curves(dataset(VALUES, factors=FACTORS), curves))
    assert (twins.conditions, twins.factors, twins.has_curves) == ((0, 1), ("weight_decay",), True)


def test_an_accuracy_of_few_rows_is_equal_by_chance_and_says_nothing() -> None:
    coarse = {0: [0.9, 0.8], 1: [0.9, 0.8], 2: [0.8, 0.7], 3: [0.6, 0.5]}
    given = dataset(coarse, factors=FACTORS, direction="maximize")
    assert not twins_of(given)
    assert winners(given, 2) == [0, 1]
