"""Student's t interval, against certified data, tables, scipy and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rothamsted.statistics import mean_interval, summarize, t_quantile
from rothamsted.statistics.intervals import moments

# NIST statistical reference data sets, univariate, constructed sets (itl.nist.gov/div898/strd): data
# follow from the rule, mean and sd (n - 1) are certified exactly. The last number is the tolerance on sd:
# what writing the data in binary costs (10000000.1 is off by up to 1e-9, which is 1e-8 of NumAcc4's sd).
NIST = {
    "NumAcc1": ([10000001.0, 10000003.0, 10000002.0], 10000002.0, 1.0, 1e-15),
    "NumAcc2": ([1.2] + [1.1, 1.3] * 500, 1.2, 0.1, 1e-14),
    "NumAcc3": ([1000000.2] + [1000000.1, 1000000.3] * 500, 1000000.2, 0.1, 1e-8),
    "NumAcc4": ([10000000.2] + [10000000.1, 10000000.3] * 500, 10000000.2, 0.1, 1e-7),
}


@pytest.mark.parametrize("name", sorted(NIST))
def test_mean_agrees_with_the_certified_one(name: str) -> None:
    values, mean, _, _ = NIST[name]
    assert summarize(np.array(values)[:, None])["mean"][0] == pytest.approx(mean, rel=1e-15, abs=0)


@pytest.mark.parametrize("name", sorted(NIST))
def test_standard_deviation_agrees_with_the_certified_one(name: str) -> None:
    values, _, sd, tolerance = NIST[name]
    assert summarize(np.array(values)[:, None])["sd"][0] == pytest.approx(sd, rel=tolerance, abs=0)


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
def test_t_interval_agrees_with_scipy(values: list[float], level: float) -> None:
    if np.ptp(values) <= 1e-6 * max(map(abs, values)):
        return  # scipy warns of lost digits and loses them
    expected = stats.ttest_1samp(values, popmean=0.0).confidence_interval(level)
    interval = mean_interval(values, level=level)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-9)


@given(st.floats(-1e300, 1e300), st.integers(2, 20))
def test_equal_values_have_an_interval_of_no_width(value: float, n: int) -> None:
    interval = mean_interval([value] * n)
    assert interval is not None
    assert (interval.low, interval.estimate, interval.high) == (value, value, value)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9), st.integers(-900, 900))
def test_scaling_by_a_power_of_two_scales_mean_and_sd_exactly(values: list[float], power: int) -> None:
    # Theory: such a scaling changes no digit, and squares may neither overflow nor vanish on the way.
    column = np.round(np.array(values), 3)[:, None]
    mean, sd, _ = moments(column)
    scaled_mean, scaled_sd, _ = moments(np.ldexp(column, power))
    assert (scaled_mean[0], scaled_sd[0]) == (np.ldexp(mean, power)[0], np.ldexp(sd, power)[0])


@pytest.mark.parametrize("n", [3, 5])
def test_intervals_cover_the_mean_as_often_as_they_say(n: int) -> None:
    # Authority: theory, exactly 0.95 for normal values. With 20,000 draws the share is binomial with standard
    # error sqrt(0.95 * 0.05 / 20000) = 0.0015; a right procedure strays four of them once in 16,000 seeds.
    n_draws, level = 20_000, 0.95
    values = np.random.default_rng(20261121).normal(3.0, 2.0, size=(n, n_draws))
    summary = summarize(values, level)
    covered = np.mean((summary["ci_low"] <= 3.0) & (summary["ci_high"] >= 3.0))
    assert abs(covered - level) < 4 * math.sqrt(level * (1 - level) / n_draws)


def test_missing_and_infinite_values_are_left_out_and_not_counted() -> None:
    with_gaps = mean_interval([1.0, math.nan, 2.0, math.inf, 3.0, -math.inf])
    assert with_gaps == mean_interval([1.0, 2.0, 3.0])


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [math.nan]])
def test_fewer_than_two_values_have_no_interval(values: list[float]) -> None:
    assert mean_interval(values) is None


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, -0.5, math.nan])
def test_a_level_that_is_no_coverage_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_interval([1.0, 2.0], level=level)


def test_an_interval_names_its_n_level_and_method() -> None:
    interval = mean_interval([1.0, 2.0, 4.0], level=0.9)
    assert interval is not None
    assert (interval.n, interval.level, interval.method) == (3, 0.9, "t")
