"""Descriptions of replicates, against numpy, scipy and hand calculation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rothamsted.catalog import INTERVALS
from rothamsted.statistics.describe import describe, interquartile_mean
from rothamsted.statistics.intervals import mean_interval
from tests.counted import n_calls

OF_MEANS = sorted(name for name, row in INTERVALS.items() if not row.is_of_rows)  # of any numbers

PLACES = ("mean", "median", "iqm", "min", "max")  # move with the values
WIDTHS = ("sd", "sem")  # do not

FINITE = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=15)


@given(FINITE)
@settings(deadline=None)
def test_each_statistic_agrees_with_numpy_and_scipy(values: list[float]) -> None:
    got = describe(values)
    expected = {
        "mean": np.mean(values),
        "sd": np.std(values, ddof=1),
        "sem": np.std(values, ddof=1) / math.sqrt(len(values)),
        "median": np.median(values),
        "iqm": stats.trim_mean(values, 0.25),
        "min": min(values),
        "max": max(values),
    }
    assert {key: getattr(got, key) for key in expected} == pytest.approx(expected, rel=1e-9, abs=1e-8)


def test_the_interquartile_mean_matches_hand_calculation() -> None:
    # By hand: of eight values the lowest two and the highest two go; (2 + 3 + 4 + 5) / 4.
    assert describe([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1000.0]).iqm == 3.5


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3))
@settings(deadline=None)
def test_with_fewer_than_four_values_the_interquartile_mean_is_the_mean(values: list[float]) -> None:
    # Theory: a quarter of them, rounded down, is none.
    description = describe(values)
    assert description.iqm == pytest.approx(description.mean, rel=1e-12, abs=1e-9)


def test_the_interquartile_mean_of_nothing_is_not_defined() -> None:
    assert math.isnan(interquartile_mean(np.empty(0)))


def test_values_near_the_largest_number_do_not_overflow() -> None:
    # By hand: the mean of equal numbers is that number, however large.
    description = describe([1.5e308] * 8)
    assert (description.mean, description.median, description.iqm) == (1.5e308, 1.5e308, 1.5e308)


@given(FINITE, st.floats(-1e3, 1e3))
@settings(deadline=None)
def test_a_shift_moves_places_and_keeps_widths(values: list[float], shift: float) -> None:
    before, after = describe(values), describe(np.array(values) + shift)
    moved = [getattr(after, key) - getattr(before, key) for key in PLACES]
    widened = [getattr(after, key) - getattr(before, key) for key in WIDTHS]
    assert moved + widened == pytest.approx([shift] * len(PLACES) + [0.0] * len(WIDTHS), abs=1e-7)


@given(FINITE, st.floats(-1e3, 1e3))
@settings(deadline=None)
def test_a_factor_scales_places_by_it_and_widths_by_its_size(values: list[float], factor: float) -> None:
    before, after = describe(values), describe(np.array(values) * factor)
    least, greatest = ("min", "max") if factor >= 0 else ("max", "min")
    pairs = [("mean", "mean"), ("median", "median"), ("iqm", "iqm"), ("min", least), ("max", greatest)]
    got = [getattr(after, key) for key, _ in pairs] + [getattr(after, key) for key in WIDTHS]
    expected = [getattr(before, key) * factor for _, key in pairs]
    expected += [getattr(before, key) * abs(factor) for key in WIDTHS]
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(FINITE, st.data())
@settings(deadline=None)
def test_the_order_of_replicates_does_not_matter(values: list[float], data: st.DataObject) -> None:
    shuffled = describe(data.draw(st.permutations(values)))
    first = describe(values)
    for key in (*PLACES, *WIDTHS):
        assert getattr(shuffled, key) == pytest.approx(getattr(first, key), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("method", OF_MEANS)
@given(values=st.lists(st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf])), max_size=8))
@settings(max_examples=20, deadline=None)
def test_the_interval_is_the_one_of_the_mean(method: str, values: list[float]) -> None:
    description = describe(values, level=0.9, method=method, seed=5, n_resamples=999)
    assert description.interval == mean_interval(values, level=0.9, method=method, seed=5, n_resamples=999)


def test_missing_and_infinite_values_are_left_out_and_counted() -> None:
    description = describe([1.0, math.nan, 3.0, math.inf, -math.inf])
    assert (description.n, description.n_excluded, description.mean) == (2, 3, 2.0)


def test_the_note_names_what_was_left_out() -> None:
    assert describe([1.0, math.nan, 3.0, math.inf]).note == "2 of 4 values are not finite and are left out"


def test_one_replicate_has_no_interval_and_says_so() -> None:
    description = describe([0.25])
    assert (description.interval, description.note) == (None, "one replicate: no interval")


def test_one_replicate_has_a_place_and_no_width() -> None:
    description = describe([0.25])
    assert [getattr(description, key) for key in PLACES] == [0.25] * len(PLACES)
    assert all(math.isnan(getattr(description, key)) for key in WIDTHS)


def test_one_replicate_is_not_called_constant() -> None:
    assert not describe([0.25]).is_constant


@pytest.mark.parametrize("values", [[], [math.nan, math.inf]])
def test_of_no_finite_value_nothing_is_defined(values: list[float]) -> None:
    description = describe(values)
    assert all(math.isnan(getattr(description, key)) for key in (*PLACES, *WIDTHS))


def test_of_no_finite_value_the_note_says_both_things() -> None:
    assert describe([math.nan]).note == "no finite value: no interval; 1 of 1 values is not finite and is left out"


@given(st.floats(-1e300, 1e300), st.integers(2, 9))
@settings(deadline=None)
def test_no_spread_at_all_is_flagged(value: float, n: int) -> None:
    description = describe([value] * n)
    assert (description.is_constant, description.sd) == (True, 0.0)
    assert description.note == f"all {n} values are equal: an interval of no width says nothing about the spread"


def test_the_least_spread_is_not_called_constant() -> None:
    description = describe([1.0, 1.0, math.nextafter(1.0, 2.0)])
    assert (description.is_constant, description.note) == (False, "")


def test_too_few_for_the_bootstrap_is_said_in_the_note() -> None:
    description = describe([1.0, 2.0, 3.0], method="percentile")
    assert (description.interval, description.note.split(":")[0]) == (None, "3 replicates")


def test_a_metric_is_described_in_few_calls() -> None:
    # Each of 2,000 conditions by 20 metrics within the time of a report: 0.2 ms, measured.
    values = np.random.default_rng(0).normal(size=5)
    assert n_calls(lambda: describe(values)) < 400
