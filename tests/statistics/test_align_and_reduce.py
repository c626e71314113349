"""Curves put side by side, and curves made into one number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rothamsted.errors import SpecError, StudyError
from rothamsted.records import Measured
from rothamsted.statistics import align, parse_reduction, reduce_curve

CURVE = [3.0, 1.0, 2.0, 4.0]


def history(curve: dict[int, float], metric: str = "loss") -> list[Measured]:
    return [
        Measured(step=step, epoch=None, seconds=0.0, metrics={metric: value}, timestamp_ms=0)
        for step, value in curve.items()
    ]


def test_replicates_are_put_on_the_steps_of_all_and_gaps_stay_gaps() -> None:
    steps, values = align([history({0: 1.0, 10: 2.0}), history({10: 4.0, 5: 3.0})], "loss")
    assert steps.tolist() == [0, 5, 10]
    np.testing.assert_array_equal(values, [[1.0, np.nan, 2.0], [np.nan, 3.0, 4.0]])


def test_a_replicate_without_the_metric_is_a_row_of_gaps() -> None:
    _, values = align([history({0: 1.0}), history({0: 9.0}, "other"), []], "loss")
    np.testing.assert_array_equal(values, [[1.0], [np.nan], [np.nan]])


def test_the_later_of_two_measurements_at_one_step_counts() -> None:
    _, values = align([history({0: 1.0}) + history({0: 2.0})], "loss")
    assert values.tolist() == [[2.0]]


def test_without_replicates_there_are_no_points() -> None:
    steps, values = align([], "loss")
    assert (steps.shape, values.shape) == ((0,), (0, 0))


@given(st.lists(st.dictionaries(st.integers(0, 9), st.floats(-9, 9), max_size=5), max_size=4))
def test_every_value_is_at_its_step_and_nothing_else(curves: list[dict[int, float]]) -> None:
    steps, values = align([history(curve) for curve in curves], "loss")
    found = [
        {int(step): value for step, value in zip(steps, row, strict=True) if not math.isnan(value)} for row in values
    ]
    assert found == curves


@pytest.mark.parametrize(
    ("how", "direction", "expected"),
    # By hand, of 3 1 2 4.
    [
        ("last", "minimize", 4.0),
        ("best", "minimize", 1.0),
        ("best", "maximize", 4.0),
        ("mean:1", "minimize", 4.0),
        ("mean:2", "minimize", 3.0),
        ("mean:4", "maximize", 2.5),
    ],
)
def test_a_curve_becomes_one_number(how: str, direction: str, expected: float) -> None:
    assert reduce_curve(CURVE, how, direction) == expected  # type: ignore[arg-type]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_the_best_of_the_negative_is_the_negative_of_the_best(curve: list[float]) -> None:
    worst = reduce_curve([-value for value in curve], "best", "maximize")
    assert reduce_curve(curve, "best", "minimize") == -worst


def test_the_best_is_a_finite_value() -> None:
    assert reduce_curve([math.nan, 2.0, -math.inf], "best", "minimize") == 2.0


@pytest.mark.parametrize("how", ["last", "best", "mean:2"])
def test_a_curve_that_diverged_has_no_finite_number(how: str) -> None:
    assert not math.isfinite(reduce_curve([math.nan, math.inf], how, "minimize"))


@pytest.mark.parametrize("how", ["last", "best", "mean:3"])
def test_a_curve_that_is_too_short_is_refused(how: str) -> None:
    with pytest.raises(StudyError, match="measurements, the curve has"):
        reduce_curve([], how, "minimize")


@pytest.mark.parametrize("text", ["", "first", "mean", "mean:0", "mean:-1", "mean:2.5", "mean: 3", "LAST"])
def test_an_unknown_reduction_is_answered_with_those_that_exist(text: str) -> None:
    with pytest.raises(SpecError, match="use last, best, or mean:K"):
        parse_reduction(text)


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(SpecError, match="minimize or maximize"):
        reduce_curve(CURVE, "last", "down")  # type: ignore[arg-type]
