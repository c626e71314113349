"""Intervals that know their metric's range: never outside it, and with the coverage that they state."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rothamsted.metric import Metric
from rothamsted.statistics.bands import band
from rothamsted.statistics.describe import describe
from rothamsted.statistics.intervals import mean_interval, t_bounds
from rothamsted.statistics.summary import summarize

SHARE = Metric(low=0, high=1)
RATE = Metric(low=0)
N_DRAWS = 20_000  # a Monte-Carlo error of 0.0015 at 0.95


def test_an_accuracy_has_no_upper_end_above_1() -> None:
    # Student's t has 0.98 -+ 0.066. By hand: logit(0.98) = 3.891820, t(0.975, 2) = 4.302653, sd = 0.026458,
    # se = 0.01527525, moved by 4.302653 * 0.01527525 / (0.98 * 0.02) = 3.353284: expit(0.538536), expit(7.245104).
    found = mean_interval([0.95, 0.99, 1.0], metric=SHARE)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.631475, 0.999287), abs=2e-6)
    assert found.method == "logit"
    assert mean_interval([0.95, 0.99, 1.0]).high > 1  # type: ignore[union-attr]


def test_a_rate_has_no_lower_end_below_0() -> None:
    # By hand: mean 20, sd 17.320508, se 10; t(0.975, 2) = 4.302653; 20 exp(-+ 4.302653 * 10 / 20).
    found = mean_interval([10.0, 10.0, 40.0], metric=RATE)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((20 * math.exp(-2.1513265), 20 * math.exp(2.1513265)), rel=1e-6)
    assert found.method == "log"


def test_a_range_with_an_upper_end_alone_is_the_mirror_image() -> None:
    up, down = mean_interval([1.0, 2.0, 4.0], metric=RATE), mean_interval([-1.0, -2.0, -4.0], metric=Metric(high=0))
    assert up is not None
    assert down is not None
    assert (down.low, down.high) == (-up.high, -up.low)


def test_far_from_the_ends_of_the_range_it_is_students_t() -> None:
    # Authority: scipy.stats.t.interval, to which the delta method tends.
    values = np.array([1000.0, 1001.0, 1003.0])
    found = mean_interval(values, metric=RATE)
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-2)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12), st.sampled_from(["t", "percentile"]))
def test_no_interval_of_a_share_leaves_0_to_1(values: list[float], method: str) -> None:
    found = mean_interval(values, metric=SHARE, method=method, n_resamples=999)
    if found is not None:
        assert 0 <= found.low <= found.high <= 1
        assert found.low <= found.estimate + 1e-15
        assert found.high >= found.estimate - 1e-15


@pytest.mark.parametrize(("value", "end"), [(1.0, "greatest"), (0.0, "least")])
def test_values_that_all_lie_on_an_end_of_the_range_have_no_interval_and_say_why(value: float, end: str) -> None:
    found = describe([value] * 3, metric=SHARE)
    assert found.interval is None
    assert found.note == (
        f"all 3 values are {value:g}, the {end} value of the range: their spread cannot be seen, so there is no "
        "interval"
    )
    assert math.isnan(summarize(np.full((3, 1), value), metric=SHARE)["ci_low"][0])


def test_a_value_outside_the_range_takes_the_interval_off_the_scale() -> None:
    plain, found = mean_interval([0.5, 0.9, 1.2]), mean_interval([0.5, 0.9, 1.2], metric=SHARE)
    assert found == plain


def test_summaries_bands_and_intervals_agree() -> None:
    values = np.array([[0.5, 0.9], [0.7, 1.0], [0.6, 0.95]])
    summary = summarize(values, metric=SHARE)
    curves = [(np.array([1.0, 2.0]), row) for row in values]
    drawn = band(curves, metric=SHARE)
    for point in range(2):
        found = mean_interval(values[:, point], metric=SHARE)
        assert found is not None
        assert (summary["ci_low"][point], summary["ci_high"][point]) == (found.low, found.high)
        assert (drawn.low[point], drawn.high[point]) == (found.low, found.high)


# What Student's t cut off at the ends covers, and what the scale of the range does; 100,000 draws each, Monte-Carlo
# error 0.001: docs/statistics.md. A beta of mean 0.9 and sd 0.1; exponential and log-normal (sd of the log 0.5) rates.
COVERAGE = {
    ("beta", 3): (0.883, 0.946),
    ("beta", 5): (0.887, 0.937),
    ("beta", 10): (0.906, 0.935),
    ("exponential", 3): (0.883, 0.944),
    ("exponential", 10): (0.901, 0.932),
    ("lognormal", 3): (0.922, 0.941),
    ("lognormal", 10): (0.919, 0.933),
}


@pytest.mark.parametrize(("name", "n"), sorted(COVERAGE))
def test_the_scale_of_the_range_covers_better_than_t_cut_off(name: str, n: int) -> None:
    rng = np.random.default_rng([20261128, n])
    draws = {
        "beta": lambda: (rng.beta(0.9 * 8, 0.1 * 8, (n, N_DRAWS)), 0.9, SHARE),
        "exponential": lambda: (rng.exponential(1, (n, N_DRAWS)), 1.0, RATE),
        "lognormal": lambda: (rng.lognormal(-0.125, 0.5, (n, N_DRAWS)), 1.0, RATE),
    }
    values, mean, metric = draws[name]()
    shares = []
    for known in (Metric(), metric):
        low, high = t_bounds(values, 0.95, 0, 0, metric=known)
        shares.append(float(((low <= mean) & (mean <= high)).mean()))
    assert shares == pytest.approx(COVERAGE[name, n], abs=0.006)
