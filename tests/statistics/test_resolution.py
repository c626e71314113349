"""Intervals of a metric that is too coarse to show its spread: an accuracy on a hundred rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rothamsted.metric import Metric
from rothamsted.statistics.bands import band
from rothamsted.statistics.describe import describe
from rothamsted.statistics.intervals import mean_interval
from rothamsted.statistics.resolution import least_sd
from rothamsted.statistics.summary import summarize

OF_100, SHARE = Metric(low=0, high=1, rows=100), Metric(low=0, high=1)
EQUAL = [0.95, 0.95, 0.95]


def test_three_equal_accuracies_of_a_hundred_rows_have_an_interval_with_a_width() -> None:
    # Student's t with a standard deviation of half a row, on the logit scale by the delta method.
    half = stats.t.ppf(0.975, 2) * 0.005 / math.sqrt(3)
    moved, middle = half / (0.95 * 0.05), math.log(0.95 / 0.05)
    found = describe(EQUAL, metric=OF_100)
    assert found.interval is not None
    assert (found.mean, found.sd, found.is_constant) == (0.95, 0.0, True)
    assert (found.interval.estimate, found.interval.method) == (0.95, "logit")
    assert found.interval.low == pytest.approx(1 / (1 + math.exp(moved - middle)), abs=1e-12)
    assert found.interval.high == pytest.approx(1 / (1 + math.exp(-moved - middle)), abs=1e-12)
    assert found.note == (
        "all 3 values are equal, and the metric moves in steps of 1 / 100: the interval is as wide as for a "
        "standard deviation of half a step, 0.005"
    )


def test_equal_shares_without_their_rows_have_no_width_and_say_what_to_declare() -> None:
    found = describe(EQUAL, metric=SHARE)
    assert found.interval is not None
    assert found.interval.low == found.interval.high == 0.95
    assert "declare rows= of the metric" in found.note
    assert "rows" not in describe(EQUAL).note


def test_a_spread_below_half_a_row_counts_as_half_a_row_and_a_wider_one_as_it_is() -> None:
    narrow, wide = [0.95] * 9 + [0.96], [0.93, 0.95, 0.96]
    assert np.std(narrow, ddof=1) < 0.005 < np.std(wide, ddof=1)
    assert "their spread is 0.0032, and the metric moves in steps of 1 / 100" in describe(narrow, metric=OF_100).note
    assert mean_interval(narrow, metric=OF_100) != mean_interval(narrow, metric=SHARE)
    assert describe(wide, metric=OF_100) == describe(wide, metric=SHARE)


@pytest.mark.parametrize("values", [[0.955, 0.955, 0.955], [0.123456, 0.1234561], [1.0, 1.0, 1.0], [0.0, 0.0]])
def test_what_is_no_share_of_the_rows_and_what_lies_on_an_end_has_no_floor(values: list[float]) -> None:
    assert least_sd(np.array(values)[:, None], OF_100) == 0
    assert mean_interval(values, metric=OF_100) == mean_interval(values, metric=SHARE)


def test_intervals_of_a_metric_with_many_rows_and_of_other_metrics_keep_their_bits() -> None:
    rng = np.random.default_rng(0)
    accuracies = np.round(0.9 + 0.01 * rng.standard_normal((5, 200)), 4)  # of 10,000 rows
    for metric in (Metric(), Metric(low=0), SHARE):
        assert not least_sd(accuracies, metric).any()
    many = Metric(low=0, high=1, rows=10_000)
    for values in accuracies.T:
        assert mean_interval(values, metric=many) == mean_interval(values, metric=SHARE)


def test_tables_curves_and_the_points_of_a_trial_say_the_same_interval() -> None:
    columns = np.array([EQUAL, [0.95, 0.95, 0.96], [1.0, 1.0, 1.0], [0.9, 0.95, 0.96]]).T  # (replicate, point)
    points = summarize(columns, metric=OF_100)
    curves = band([(np.arange(4.0), row) for row in columns], metric=OF_100)
    for point, values in enumerate(columns.T):
        found = mean_interval(values, metric=OF_100)
        if found is None:
            assert np.isnan(points["ci_low"][point])
            continue
        for ends in (points["ci_low"], points["ci_high"]), (curves.low, curves.high):
            assert [end[point] for end in ends] == pytest.approx([found.low, found.high], abs=1e-14)


def test_a_missing_replicate_is_no_step() -> None:
    values = np.array([[0.95], [np.nan], [0.95]])
    assert least_sd(values, OF_100) == 0.005
    assert summarize(values, metric=OF_100)["ci_low"][0] < 0.95


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_mean_over_seeds_is_covered_whatever_the_mixture_of_two_neighbouring_accuracies(n: int) -> None:
    """Exactly, by the binomial distribution of how many of n seeds get one more row right; 0.95 - 0.96 and so on."""
    counts, shares = np.arange(n + 1), np.linspace(0.001, 0.999, 333)
    chance = stats.binom.pmf(counts[:, None], n, shares)  # (count, share)
    for base in (0.9, 0.95, 0.97):
        seen = [mean_interval([base] * int(n - k) + [base + 0.01] * int(k), metric=OF_100) for k in counts]
        low, high = (np.array([getattr(one, end) for one in seen])[:, None] for end in ("low", "high"))
        true = base + 0.01 * shares
        assert (chance * ((low <= true) & (true <= high))).sum(axis=0).min() >= 0.94


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("mean", [0.9, 0.95, 0.98])
def test_accuracies_of_a_hundred_rows_are_covered_at_the_level_that_is_said(mean: float, n: int) -> None:
    """Four rows of which each seed gets each right with a half chance: a standard deviation of 0.01 over seeds."""
    rng = np.random.default_rng(n)
    values = (100 * mean - 2 + rng.binomial(4, 0.5, (n, 4000))) / 100
    found = summarize(values, metric=OF_100)
    is_there = np.isfinite(found["ci_low"])
    covered = (found["ci_low"] <= mean + 1e-12) & (found["ci_high"] >= mean - 1e-12)
    assert covered[is_there].mean() > 0.94
