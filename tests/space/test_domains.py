"""One parameter's domain: its rules, how a grid cuts it, and how a fraction of the way becomes a value."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rothamsted.space import Choice, DomainError, Range
from tests.space.strategies import ranges


@pytest.mark.parametrize(
    ("keys", "part", "reason"),
    [
        ({"low": 5.0, "high": 1.0}, "low", "5.0 is above high 1.0"),
        ({"low": 1.0, "high": 1.0}, "low", "equals high"),
        ({"low": 0.0, "high": 1.0, "log": True}, "low", "above zero, not at 0.0"),
        ({"low": -1.0, "high": 1.0, "log": True}, "low", "above zero, not at -1.0"),
        ({"low": 0.0, "high": math.inf}, "high", "finite number, not inf"),
        ({"low": "a", "high": 1.0}, "low", "finite number, not 'a'"),
        ({"low": True, "high": 2.0}, "low", "finite number, not True"),
        ({"low": 0.0, "high": 1.0, "log": "yes"}, "log", "true or false, not 'yes'"),
        ({"low": 0.0, "high": 1.0, "step": 0.0}, "step", "above 0"),
        ({"low": 0.0, "high": 1.0, "step": 2.0}, "step", "at most high - low, 1.0, not 2.0"),
        ({"low": 1.0, "high": 2.0, "step": 0.1, "log": True}, "step", "a log range takes no step"),
        ({"low": 0.0, "high": 1.0, "step": 0.5, "points": 3}, "step", "one of the two"),
        ({"low": 0.0, "high": 1.0, "step": 1e-9}, "step", "at most 100000"),
        ({"low": 0.0, "high": 1.0, "points": 1}, "points", "2 or more, not 1"),
        ({"low": 0.0, "high": 1.0, "points": 2.5}, "points", "whole number, 2 or more, not 2.5"),
        ({"low": 0.0, "high": 1.0, "points": 10**6}, "points", "at most 100000"),
        ({"low": 1.5, "high": 3, "is_integer": True}, "low", "whole number, not 1.5"),
        ({"low": 1, "high": 9, "step": 0.5, "is_integer": True}, "step", "whole number, not 0.5"),
    ],
)
def test_a_range_that_does_not_hold_together_is_refused(keys: dict[str, Any], part: str, reason: str) -> None:
    with pytest.raises(DomainError) as error:
        Range(**keys)
    assert (error.value.part, reason in error.value.reason) == (part, True), error.value


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((), "at least one value"),
        (("sgd", "sgd"), "'sgd' is given twice"),
        ((1, 1.0), "1.0 is given twice"),  # one number, written in two ways
        (([1, 2], [1, 2]), "[1, 2] is given twice"),
        ((1, True), "cannot mix booleans and numbers"),  # True == 1 in Python
        ((1.0, math.nan), "finite numbers, not nan"),
    ],
)
def test_a_choice_that_does_not_hold_together_is_refused(values: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(DomainError) as error:
        Choice(values=values)
    assert reason in error.value.reason


def test_a_log_grid_over_six_decades_in_thirteen_points_holds_the_powers_of_ten() -> None:
    # Arithmetic: every second point of 13 over 6 decades is a power of ten, and is written as one.
    points = Range(low=1e-3, high=1e3, log=True, points=13).grid_points()
    assert points[::2] == (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def test_a_log_grid_has_constant_ratios() -> None:
    # Authority: numpy.geomspace, to the 12 digits that points are rounded to.
    points = Range(low=1e-3, high=1e3, log=True, points=13).grid_points()
    assert points == pytest.approx(np.geomspace(1e-3, 1e3, 13), rel=1e-11)


def test_a_linear_grid_reads_as_it_would_be_written() -> None:
    # By hand; in binary the third point would be 0.30000000000000004.
    assert Range(low=0.1, high=0.5, points=5).grid_points() == (0.1, 0.2, 0.3, 0.4, 0.5)


def test_a_grid_of_whole_numbers_rounds_and_drops_what_falls_together() -> None:
    # By hand: 1, 1.41, 2, 2.83, 4 rounds to 1, 1, 2, 3, 4.
    assert Range(low=1, high=4, log=True, points=5, is_integer=True).grid_points() == (1, 2, 3, 4)


def test_a_grid_of_whole_numbers_holds_ints() -> None:
    points = Range(low=8, high=64, points=4, is_integer=True).grid_points()
    assert {type(point) for point in points} == {int}


@pytest.mark.parametrize(
    ("low", "high", "step", "expected"),
    [
        (0.0, 0.3, 0.1, (0.0, 0.1, 0.2, 0.3)),  # by hand; 0.3 / 0.1 is 2.9999999999999996 in binary
        (0.0, 1.0, 0.4, (0.0, 0.4, 0.8)),  # by hand; the step does not reach the end
    ],
)
def test_a_step_cuts_a_range_from_its_low_end(low: float, high: float, step: float, expected: Any) -> None:
    assert Range(low=low, high=high, step=step).grid_points() == expected


def test_a_grid_over_a_range_without_points_is_refused() -> None:
    with pytest.raises(DomainError, match="points: a grid cannot cut a range without points"):
        Range(low=0.0, high=1.0).grid_points()


@given(domain=ranges(), unit=st.floats(0, 1))
def test_every_fraction_of_the_way_gives_a_value_of_the_range(domain: Range, unit: float) -> None:
    domain.check(domain.at(unit))


@given(domain=ranges(is_cut=True))
def test_every_grid_point_is_a_value_of_the_range(domain: Range) -> None:
    for point in domain.grid_points():
        domain.check(point)


@given(domain=ranges(is_cut=True))
def test_grid_points_ascend_and_none_stands_twice(domain: Range) -> None:
    points = domain.grid_points()
    assert all(first < second for first, second in pairwise(points))


@given(domain=ranges(), units=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_larger_fraction_never_gives_a_smaller_value(domain: Range, units: tuple[float, float]) -> None:
    assert domain.at(min(units)) <= domain.at(max(units))


@pytest.mark.parametrize(
    "domain",
    [
        Range(low=1, high=4, is_integer=True),
        Range(low=0.0, high=0.3, step=0.1),
        Choice(values=("a", "b", "c", "d")),
    ],
)
def test_discrete_values_take_equal_shares_of_the_way(domain: Range | Choice) -> None:
    # Four values: by symmetry each takes a quarter. 4,000 evenly spaced fractions give 1,000 each.
    values = [domain.at((k + 0.5) / 4000) for k in range(4000)]
    assert [values.count(value) for value in dict.fromkeys(values)] == [1000] * 4


def test_halfway_along_a_log_range_is_the_geometric_mean() -> None:
    # sqrt(1e-4 * 1e2) = 1e-1.
    assert Range(low=1e-4, high=1e2, log=True).at(0.5) == pytest.approx(0.1, rel=1e-12)


@pytest.mark.parametrize(
    ("domain", "value", "reason"),
    [
        (Range(low=0.0, high=1.0), 1.5, r"1.5 lies outside \[0.0, 1.0\]"),
        (Range(low=0.0, high=1.0), math.nan, "nan lies outside"),
        (Range(low=0.0, high=1.0), "0.5", "must be a number, not '0.5'"),
        (Range(low=0.0, high=1.0), True, "must be a number, not True"),
        (Range(low=1, high=3, is_integer=True), 2.0, "must be a whole number, not 2.0"),
        (Range(low=0.0, high=1.0, step=0.25), 0.3, "0.3 is not 0.0 plus a multiple of 0.25"),
        (Choice(values=("sgd", "adam")), "lamb", "'lamb' is not one of 'sgd', 'adam'"),
        (Choice(values=(True, False)), 1, "1 is not one of True, False"),
    ],
)
def test_a_value_outside_its_domain_is_refused(domain: Range | Choice, value: Any, reason: str) -> None:
    with pytest.raises(DomainError, match=reason):
        domain.check(value)


@pytest.mark.parametrize(
    ("domain", "last"),
    [
        (Choice(values=("a", "b")), "b"),
        (Range(low=0.0, high=1.0, step=0.4), 0.8),  # by hand: 0, 0.4, 0.8
        (Range(low=1, high=4, is_integer=True), 4),
        (Range(low=1e-4, high=0.3, log=True), 0.3),
    ],
)
def test_the_end_of_the_way_is_the_last_value(domain: Range | Choice, last: Any) -> None:
    assert domain.at(1.0) == (pytest.approx(last, rel=1e-12) if isinstance(last, float) else last)
