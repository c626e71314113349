"""Intervals for means and proportions, against hand calculation, tables, scipy and full enumeration."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from rothamsted.catalog import INTERVALS
from rothamsted.errors import SpecError
from rothamsted.statistics import bootstrap
from rothamsted.statistics.intervals import Interval, mean_interval, moments, t_quantile, why_no_interval
from tests.statistics.proportions import proportion_interval

OF_MEANS = sorted(name for name, row in INTERVALS.items() if not row.is_of_rows)  # of any numbers

N_RESAMPLES = 999  # the fewest that are taken: properties hold for any number


def test_t_interval_matches_hand_calculation() -> None:
    # By hand: mean 2, sd 1, n 3; t(0.975, df=2) = 4.302653; half-width 4.302653 / sqrt(3).
    interval = mean_interval(np.array([1.0, 2.0, 3.0]))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((-0.484138, 4.484138), abs=1e-6)


@pytest.mark.parametrize(
    ("level", "df", "expected"),
    # NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2, upper critical values of Student's t.
    [
        (0.90, 1, 6.314),
        (0.95, 1, 12.706),
        (0.95, 4, 2.776),
        (0.95, 10, 2.228),
        (0.99, 2, 9.925),
        (0.99, 30, 2.750),
    ],
)
def test_t_quantile_agrees_with_the_table(level: float, df: int, expected: float) -> None:
    assert t_quantile(level, df) == pytest.approx(expected, abs=5e-4)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
@settings(deadline=None)
def test_t_interval_agrees_with_scipy(values: list[float], level: float) -> None:
    if np.ptp(values) <= 1e-6 * max(map(abs, values)):
        return  # scipy warns of lost digits and loses them
    expected = stats.ttest_1samp(values, popmean=0.0).confidence_interval(level)
    interval = mean_interval(values, level=level)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-9)


@given(st.floats(-1e300, 1e300), st.integers(2, 20))
@settings(deadline=None)
def test_equal_values_have_an_interval_of_no_width(value: float, n: int) -> None:
    interval = mean_interval([value] * n)
    assert interval is not None
    assert (interval.low, interval.estimate, interval.high) == (value, value, value)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9), st.integers(-900, 900))
@settings(deadline=None)
def test_scaling_by_a_power_of_two_scales_mean_and_sd_exactly(values: list[float], power: int) -> None:
    # Theory: such a scaling changes no digit, and squares may neither overflow nor vanish on the way.
    column = np.round(np.array(values), 3)[:, None]
    mean, sd, _ = moments(column)
    scaled_mean, scaled_sd, _ = moments(np.ldexp(column, power))
    assert (scaled_mean[0], scaled_sd[0]) == (np.ldexp(mean, power)[0], np.ldexp(sd, power)[0])


@given(values=st.lists(st.floats(), min_size=1, max_size=7))
@example(values=[1.7e308, -1.7e308, 1.7e308])  # a standard deviation beyond the largest number
@example(values=[5e-324, -0.0])
@settings(deadline=None)
def test_moments_of_a_few_values_alone_are_those_among_other_columns_in_every_bit(values: list[float]) -> None:
    column = np.array(values)[:, None]  # alone it is computed without arrays
    with np.errstate(over="ignore"):
        among_others = moments(np.hstack([column, column[::-1] / 2]))
    for one, many in zip(moments(column), among_others, strict=True):
        np.testing.assert_array_equal(one, many[:1])


def ends(
    values: list[float] | np.ndarray, method: str, n_resamples: int = N_RESAMPLES, level: float = 0.95
) -> np.ndarray:
    interval = mean_interval(values, level=level, method=method, n_resamples=n_resamples)
    assert interval is not None
    return np.array([interval.low, interval.high])


# Whole numbers with some spread, so that no rounding stands between a property and its proof.
REPLICATES = st.lists(st.integers(-1000, 1000).map(float), min_size=4, max_size=12).filter(lambda v: len(set(v)) > 1)


@pytest.mark.parametrize("method", OF_MEANS)
@given(values=REPLICATES, shift=st.integers(-1000, 1000))
@settings(max_examples=25, deadline=None)
def test_moving_all_replicates_moves_the_interval(method: str, values: list[float], shift: int) -> None:
    moved = [value + shift for value in values]
    np.testing.assert_allclose(ends(moved, method), ends(values, method) + shift, rtol=0, atol=1e-9)


@pytest.mark.parametrize("method", OF_MEANS)
@given(values=REPLICATES, power=st.integers(-900, 900))
@settings(max_examples=25, deadline=None)
def test_another_unit_scales_the_interval_and_nothing_else(method: str, values: list[float], power: int) -> None:
    # Theory: a power of two changes no digit.
    scaled = np.ldexp(values, power)
    np.testing.assert_array_equal(ends(scaled, method), np.ldexp(ends(values, method), power))


@pytest.mark.parametrize("method", OF_MEANS)
@given(values=REPLICATES, data=st.data())
@settings(max_examples=25, deadline=None)
def test_the_order_of_replicates_does_not_matter(method: str, values: list[float], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(values))
    np.testing.assert_allclose(ends(shuffled, method), ends(values, method), rtol=1e-13, atol=1e-10)


@pytest.mark.parametrize("method", OF_MEANS)
def test_missing_and_infinite_values_are_left_out_and_not_counted(method: str) -> None:
    with_gaps = mean_interval([1.0, math.nan, 2.0, math.inf, 3.0, -math.inf, 7.0], method=method)
    assert with_gaps == mean_interval([1.0, 2.0, 3.0, 7.0], method=method)


@pytest.mark.parametrize("method", OF_MEANS)
@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [math.nan]])
def test_fewer_than_two_values_have_no_interval(values: list[float], method: str) -> None:
    assert mean_interval(values, method=method) is None


@pytest.mark.parametrize("method", OF_MEANS)
@pytest.mark.parametrize("n", range(7))
def test_there_is_a_reason_exactly_where_there_is_no_interval(n: int, method: str) -> None:
    interval = mean_interval(np.arange(float(n)), method=method)
    assert (interval is None) == bool(why_no_interval(n, method=method))


@pytest.mark.parametrize(("level", "least"), [(0.80, 3), (0.90, 3), (0.95, 4), (0.99, 4), (0.999, 5)])
def test_resampling_starts_where_its_tails_can_be_reached(level: float, least: int) -> None:
    # By hand: n^-n is 0.25, 0.037, 0.0039, 0.00032 for n = 2, 3, 4, 5; the tails hold (1 - level) / 2.
    assert bootstrap.least_n_to_resample(level) == least


def test_three_replicates_have_no_bca_interval_and_the_reason_names_the_way_out() -> None:
    assert why_no_interval(3, method="bca") == (
        "3 replicates: no bca interval at level 0.95: resampling reaches its tails from 4 replicates on; use t"
    )


@pytest.mark.parametrize("method", OF_MEANS)
def test_equal_values_have_an_interval_of_no_width_by_every_method(method: str) -> None:
    interval = mean_interval([0.1] * 5, method=method)
    assert interval == Interval(estimate=0.1, low=0.1, high=0.1, level=0.95, n=5, method=method)


SKEWED = [1.0, 2.0, 4.0, 8.0, 16.0, 60.0]


def enumerated_means(values: list[float]) -> np.ndarray:
    """The mean of each of the n^n equally likely resamples."""
    return np.array([sum(resample) / len(values) for resample in itertools.product(values, repeat=len(values))])


def adjusted_tails(values: list[float], means: np.ndarray, level: float) -> tuple[float, float]:
    """The two shares of Efron & Tibshirani (1993), section 14.3, with the bias taken from all resamples."""
    deviations = np.array(values) - np.mean(values)
    acceleration = np.sum(deviations**3) / (6 * np.sum(deviations**2) ** 1.5)
    bias = stats.norm.ppf(np.mean(means < np.mean(values)) + np.mean(means == np.mean(values)) / 2)
    moved = bias + stats.norm.ppf([(1 - level) / 2, (1 + level) / 2])
    low, high = stats.norm.cdf(bias + moved / (1 - acceleration * moved))
    return float(low), float(high)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_percentile_ends_are_the_quantiles_of_all_resamples(level: float) -> None:
    # Authority: enumeration of all 46,656. The share below an end has standard error sqrt(tail (1 - tail) / 99999).
    means, tail = enumerated_means(SKEWED), (1 - level) / 2
    low, high = ends(SKEWED, "percentile", 99_999, level)
    slack = 4 * math.sqrt(tail * (1 - tail) / 99_999)
    assert np.mean(means < low) - slack < tail < np.mean(means <= low) + slack
    assert np.mean(means < high) - slack < 1 - tail < np.mean(means <= high) + slack


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_bca_ends_are_the_adjusted_quantiles_of_all_resamples(level: float) -> None:
    # Authority: the published formula on all 46,656 resamples. To the standard error of a share comes that of the
    # bias, sqrt(0.25 / 99999) / 0.4 = 0.004 normal units, twice, times the density at the ends, 0.25 at most.
    means = enumerated_means(SKEWED)
    expected_low, expected_high = adjusted_tails(SKEWED, means, level)
    low, high = ends(SKEWED, "bca", 99_999, level)
    slack = 4 * math.hypot(math.sqrt(expected_low * (1 - expected_low) / 99_999), 2 * 0.004 * 0.25)
    assert np.mean(means < low) - slack < expected_low < np.mean(means <= low) + slack
    assert np.mean(means < high) - slack < expected_high < np.mean(means <= high) + slack


def test_bca_follows_the_long_tail_further_than_percentile() -> None:
    # Theory: a positive acceleration moves both ends up.
    assert np.all(ends(SKEWED, "bca") > ends(SKEWED, "percentile"))


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_equal_seeds_give_equal_intervals_and_others_do_not(method: str) -> None:
    values = np.random.default_rng(3).normal(size=12)
    first, again, other = (mean_interval(values, method=method, seed=seed, n_resamples=1000) for seed in (1, 1, 2))
    assert (first == again, first == other) == (True, False)


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize(("level", "least"), [(0.95, 999), (0.9999, 20000)])
def test_too_few_resamples_are_refused_with_the_fewest(method: str, level: float, least: int) -> None:
    with pytest.raises(ValueError, match=f"n_resamples: {least - 1} are too few .* give {least} or more"):
        mean_interval(np.arange(9.0), level=level, method=method, n_resamples=least - 1)


def test_bounds_that_scipy_cannot_compute_are_an_error_and_not_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    # Authority: scipy documents that BCa may come out as NaN. With 999 resamples of a mean no data are known that do
    # it, so scipy's answer is put in its place.
    answer = SimpleNamespace(confidence_interval=(np.array([math.nan]), np.array([math.nan])))
    monkeypatch.setattr(stats, "bootstrap", lambda *args, **kwargs: answer)
    with pytest.raises(ValueError, match="BCa interval: all resampled means lie on one side"):
        mean_interval(SKEWED, method="bca")


def test_an_unknown_method_is_refused_with_those_that_exist() -> None:
    with pytest.raises(SpecError, match="there is no interval 'normal'; known: t, percentile, bca"):
        mean_interval([1.0, 2.0], method="normal")


def test_a_table_is_refused_where_a_list_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"one number a replicate, not shape \(2, 2\)"):
        mean_interval(np.ones((2, 2)))


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, -0.5, math.nan])
def test_a_level_that_is_no_coverage_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_interval([1.0, 2.0], level=level)


def test_an_interval_names_its_n_level_and_method() -> None:
    interval = mean_interval([1.0, 2.0, 4.0], level=0.9)
    assert interval is not None
    assert (interval.n, interval.level, interval.method) == (3, 0.9, "t")


@pytest.mark.parametrize(
    ("n_successes", "n", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: the score interval.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_agrees_with_the_published_examples(n_successes: int, n: int, low: float, high: float) -> None:
    interval = proportion_interval(n_successes, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=50, deadline=None)
def test_at_both_ends_the_score_test_is_just_significant(n: int, data: st.DataObject, level: float) -> None:
    # Theory: Wilson's ends solve |share - p| = z sqrt(p (1 - p) / n); 0 and 1 solve it for a share of 0 and 1.
    interval = proportion_interval(data.draw(st.integers(0, n)), n, level=level)
    z = stats.norm.ppf((1 + level) / 2)
    for p in (interval.low, interval.high):
        assert abs(interval.estimate - p) == pytest.approx(z * math.sqrt(p * (1 - p) / n), rel=1e-6, abs=1e-9)


@given(st.integers(1, 300), st.data())
@settings(max_examples=50, deadline=None)
def test_failures_have_the_mirrored_interval(n: int, data: st.DataObject) -> None:
    n_successes = data.draw(st.integers(0, n))
    good, bad = proportion_interval(n_successes, n), proportion_interval(n - n_successes, n)
    assert (bad.low, bad.high) == pytest.approx((1 - good.high, 1 - good.low), abs=1e-12)
