"""Bands over curves, against single estimates point by point, hand calculation and theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.counted import n_calls

from rothamsted.catalog import INTERVALS
from rothamsted.errors import SpecError
from rothamsted.statistics.bands import CurveBand, band
from rothamsted.statistics.intervals import mean_interval

OF_MEANS = sorted(name for name, row in INTERVALS.items() if not row.is_of_rows)  # of any numbers

Curve = tuple[np.ndarray, np.ndarray]


def curve(x: list[float], y: list[float]) -> Curve:
    return np.array(x, dtype=np.float64), np.array(y, dtype=np.float64)


def ragged(n_curves: int, seed: int, n_points: int = 30) -> list[Curve]:
    """Noisy curves along seconds, each with its own times and its own end."""
    rng = np.random.default_rng(seed)
    return [
        (np.cumsum(rng.uniform(0.5, 1.5, size=n)), rng.normal(size=n))
        for n in rng.integers(n_points // 2, n_points, size=n_curves)
    ]


def assert_same(first: CurveBand, second: CurveBand) -> None:
    for key in ("x", "mean", "low", "high", "n"):
        np.testing.assert_allclose(getattr(first, key), getattr(second, key), rtol=1e-9, atol=1e-9, err_msg=key)


def test_curves_at_equal_x_are_not_resampled() -> None:
    steps = np.array([0, 3, 10, 1000])
    assert band([(steps, np.arange(4.0)), (steps, np.ones(4))], n_points=50).x.tolist() == [0, 3, 10, 1000]


def test_where_some_end_early_the_longest_gives_the_points() -> None:
    result = band([curve([0, 5, 10], [1, 2, 3]), curve([0, 5], [3, 4]), curve([0], [5])])
    # By hand: means of (1, 3, 5), (2, 4) and (3).
    assert (result.x.tolist(), result.mean.tolist(), result.n.tolist()) == ([0, 5, 10], [3, 3, 3], [3, 2, 1])


def test_between_two_measurements_lies_the_straight_line() -> None:
    # By hand: at x = 1 the first curve is half way from 0 to 4, the second measured 6.
    result = band([curve([0, 2], [0, 4]), curve([0, 1, 2], [0, 6, 8])])
    assert (result.mean.tolist(), result.n.tolist()) == ([0, 4, 6], [2, 2, 2])


def test_a_replicate_lives_from_its_first_to_its_last_measurement() -> None:
    result = band([curve([2, 4], [1, 1]), curve([3, 6], [2, 2])], grid=np.arange(1.0, 8.0))
    assert result.n.tolist() == [0, 1, 2, 2, 1, 1, 0]


def test_where_nobody_lives_there_is_no_mean() -> None:
    result = band([curve([2, 4], [1, 1])], grid=np.array([1.0, 3.0, 5.0]))
    np.testing.assert_array_equal(result.mean, [math.nan, 1.0, math.nan])


@pytest.mark.parametrize("gap", [math.nan, math.inf, -math.inf])
def test_a_gap_is_not_bridged(gap: float) -> None:
    grid = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0])
    result = band([curve([0, 1, 2, 3, 4], [5, 5, gap, 5, 5])], grid=grid)
    assert result.n.tolist() == [1, 1, 1, 0, 0, 0, 1, 1, 1]


def test_a_measurement_between_two_gaps_counts_where_it_was_made() -> None:
    result = band([curve([0, 1, 2], [math.nan, 7, math.nan])], grid=np.array([0.5, 1.0, 1.5]))
    assert result.n.tolist() == [0, 1, 0]


def test_what_is_not_finite_is_counted() -> None:
    result = band([curve([0, 1, math.nan], [1, math.nan, 2]), curve([0, 1, 2], [1, math.inf, 2])])
    assert result.n_excluded == 3


def test_a_measurement_without_a_place_is_left_out() -> None:
    # By hand: without the middle one the line from (0, 0) to (2, 2) passes 1 at x = 1.
    result = band([curve([0, math.nan, 2], [0, 99, 2]), curve([0, 1, 2], [1, 1, 1])])
    assert result.mean.tolist() == [0.5, 1, 1.5]


def test_of_two_measurements_at_one_place_the_later_counts() -> None:
    assert band([curve([0, 1, 1, 2], [0, 50, 7, 0])]).mean.tolist() == [0, 7, 0]


def test_measurements_out_of_order_are_put_in_order() -> None:
    result = band([curve([2, 0, 1], [20, 0, 10])])
    assert (result.x.tolist(), result.mean.tolist()) == ([0, 1, 2], [0, 10, 20])


def test_a_grid_of_its_own_reaches_from_the_first_to_the_last_measurement() -> None:
    result = band([curve([0.25, 3], [1, 1]), curve([1, 9.5], [2, 2])], n_points=5)
    assert result.x == pytest.approx(np.linspace(0.25, 9.5, 5))


def test_a_log_grid_has_equal_ratios_from_the_least_x_above_zero() -> None:
    # By hand: 1, 10, 100.
    result = band([curve([0, 1, 60], [1, 1, 1]), curve([0, 2, 100], [2, 2, 2])], grid="log", n_points=3)
    assert result.x == pytest.approx([1, 10, 100])


def test_steps_that_all_share_stay_the_points_of_a_log_axis() -> None:
    assert band([curve([1, 2, 3], [1, 2, 3])] * 2, grid="log").x.tolist() == [1, 2, 3]


def test_a_log_grid_without_any_x_above_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="log takes x above 0"):
        band([curve([-2, -1], [1, 1]), curve([-3, -1.5], [1, 1])], grid="log")


@pytest.mark.parametrize("grid", [None, "log"])
@pytest.mark.parametrize("method", OF_MEANS)
def test_each_point_has_the_interval_of_a_single_estimate(method: str, grid: str | None) -> None:
    curves = ragged(6, seed=4)
    result = band(curves, n_points=25, grid=grid, level=0.9, method=method, seed=8, n_resamples=999)  # type: ignore
    for point, x in enumerate(result.x):
        values = [np.interp(x, *c, left=math.nan, right=math.nan) for c in curves]
        interval = mean_interval(values, level=0.9, method=method)
        if interval is None:
            assert math.isnan(result.low[point])
            continue
        # The bootstrap draws whole curves, a single estimate single values: equal up to the drawing.
        slack = 1e-9 if method == "t" else 0.15 * (interval.high - interval.low) + 1e-9
        assert (result.low[point], result.high[point]) == pytest.approx((interval.low, interval.high), abs=slack)


@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(-10, 10)), min_size=1, max_size=6), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_straight_lines_come_out_straight(lines: list[tuple[float, float]], seed: int) -> None:
    # Theory: linear interpolation is exact on lines, and the mean of lines is the line of mean slope and intercept.
    rng = np.random.default_rng(seed)
    xs = [np.concatenate([[0.0], np.sort(rng.uniform(0, 5, size=4)), [5.0]]) for _ in lines]
    result = band([(x, a + b * x) for x, (a, b) in zip(xs, lines)], n_points=17)
    intercept, slope = np.mean(lines, axis=0)
    np.testing.assert_allclose(result.mean, intercept + slope * result.x, atol=1e-9)


@pytest.mark.parametrize("method", OF_MEANS)
@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_replicates_does_not_matter(method: str, seed: int) -> None:
    curves = ragged(6, seed)
    shuffled = [curves[i] for i in np.random.default_rng(seed).permutation(6)]
    assert_same(
        band(shuffled, n_points=9, method=method, n_resamples=999),
        band(curves, n_points=9, method=method, n_resamples=999),
    )


@given(st.integers(0, 99), st.integers(-20, 20), st.integers(-20, 20))
@settings(max_examples=30, deadline=None)
def test_other_units_change_the_units_of_a_band_only(seed: int, x_power: int, y_power: int) -> None:
    # Theory: a power of two changes no digit of either axis.
    before = band(ragged(4, seed))
    after = band([(np.ldexp(x, x_power), np.ldexp(y, y_power)) for x, y in ragged(4, seed)])
    np.testing.assert_array_equal(after.x, np.ldexp(before.x, x_power))
    for key in ("mean", "low", "high"):
        np.testing.assert_array_equal(getattr(after, key), np.ldexp(getattr(before, key), y_power))


@given(st.integers(0, 99), st.floats(-100, 100))
@settings(max_examples=30, deadline=None)
def test_moving_all_curves_moves_the_band(seed: int, shift: float) -> None:
    before, after = band(ragged(4, seed)), band([(x, y + shift) for x, y in ragged(4, seed)])
    for key in ("mean", "low", "high"):
        np.testing.assert_allclose(getattr(after, key), getattr(before, key) + shift, rtol=0, atol=1e-8)


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_equal_seeds_give_equal_bands_and_others_do_not(method: str) -> None:
    first, again, other = (band(ragged(9, seed=1), n_points=5, method=method, seed=seed).low for seed in (1, 1, 2))
    assert (np.array_equal(first, again, equal_nan=True), np.array_equal(first, other, equal_nan=True)) == (True, False)


@pytest.mark.parametrize(("method", "least"), [("t", 2), ("percentile", 4), ("bca", 4)])
def test_too_few_alive_leave_a_mean_without_an_interval(method: str, least: int) -> None:
    ends_at = [(np.arange(n), np.random.default_rng(n).normal(size=n)) for n in (1, 2, 3, 4, 5)]
    result = band(ends_at, method=method)  # 5, 4, 3, 2, 1 alive
    assert np.isfinite(result.mean).all()
    assert (np.isfinite(result.low) & np.isfinite(result.high)).tolist() == [n >= least for n in (5, 4, 3, 2, 1)]


@pytest.mark.parametrize("method", OF_MEANS)
def test_equal_values_have_a_band_of_no_width_among_others(method: str) -> None:
    curves = [curve([0, 1, 2], [0.1, value, 0.3]) for value in (1.0, 2.0, 4.0, 8.0)]
    result = band(curves, method=method)
    assert (result.low[[0, 2]].tolist(), result.high[[0, 2]].tolist()) == ([0.1, 0.3], [0.1, 0.3])
    assert result.low[1] < result.mean[1] < result.high[1]


def test_interpolation_between_huge_values_does_not_overflow() -> None:
    # By hand: half way from -1.6e308 to 1.6e308.
    result = band([curve([0, 1], [-1.6e308, 1.6e308])], grid=np.array([0.0, 0.5, 1.0]))
    assert result.mean.tolist() == [-1.6e308, 0.0, 1.6e308]


@pytest.mark.parametrize("curves", [[], [curve([], [])], [curve([math.nan], [1])]])
def test_of_no_measurement_there_is_a_band_without_points(curves: list[Curve]) -> None:
    result = band(curves)
    assert {key: getattr(result, key).shape for key in ("x", "mean", "low", "high", "n")} == dict.fromkeys(
        ("x", "mean", "low", "high", "n"), (0,)
    )


def test_an_empty_curve_beside_others_is_no_replicate() -> None:
    assert band([curve([0, 1], [1, 1]), curve([], []), curve([0, 1], [2, 2])]).n.tolist() == [2, 2]


def test_one_place_in_common_gives_one_point() -> None:
    assert band([curve([3], [1]), curve([3], [2])], grid="log").x.tolist() == [3]


def test_the_work_for_many_long_curves_is_a_few_calls_each() -> None:
    # The budget of a report for 1,000 curves of 1,000 points is a second (measured: 0.25); a loop over points ends it.
    rng = np.random.default_rng(0)
    curves = [(np.sort(rng.uniform(0, rng.uniform(10, 99), 1000)), rng.normal(size=1000)) for _ in range(100)]
    assert n_calls(lambda: band(curves)) < 200 * len(curves)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"grid": "cubic"}, "'cubic' is not known"),
        ({"grid": np.array([1.0, 1.0])}, "each above the one before"),
        ({"grid": np.array([1.0, math.nan])}, "finite numbers"),
        ({"grid": np.ones((2, 2))}, "a list of finite numbers"),
        ({"n_points": 1}, "at least 2"),
        ({"level": 95}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        band([curve([0, 1], [0, 1])], **arguments)


def test_x_and_y_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x of shape \(2,\) and y of shape \(3,\)"):
        band([curve([0, 1], [0, 1, 2])])


def test_an_unknown_method_is_refused_even_without_curves() -> None:
    with pytest.raises(SpecError, match="there is no interval 'normal'; known: t"):
        band([], method="normal")


def test_an_interval_of_rows_is_refused_for_points_between_measurements() -> None:
    with pytest.raises(SpecError, match="interval 'wilson' is of shares of rows"):
        band([], method="wilson")
