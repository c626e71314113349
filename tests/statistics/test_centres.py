"""Median, interquartile mean and quantiles: values, intervals and verdicts, against numpy, scipy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rothamsted.errors import SpecError
from rothamsted.metric import Metric
from rothamsted.statistics import compare_with_best, describe
from rothamsted.statistics.adjusted_centres import adjusted_centres
from rothamsted.statistics.best_centres import by_centres, fewest_seeds
from rothamsted.statistics.centre_differences import centre_difference
from rothamsted.statistics.centre_intervals import TAILS, centre_interval, n_needed, order_ranks
from rothamsted.statistics.centres import centre_of, parse_over
from rothamsted.statistics.outlying import outlying

RNG = np.random.default_rng


@pytest.mark.parametrize("n", range(1, 22))
def test_each_number_is_that_of_numpy_and_scipy(n: int) -> None:
    values = RNG(n).normal(size=n)
    assert centre_of(values, "mean") == pytest.approx(values.mean())
    assert centre_of(values, "median") == pytest.approx(np.median(values), rel=1e-15)
    assert centre_of(values, "iqm") == pytest.approx(stats.trim_mean(values, 0.25))
    assert centre_of(values, "quantile:0.1") == np.quantile(values, 0.1)


def test_the_median_is_the_one_of_every_table_bit_for_bit() -> None:
    for seed in range(50):
        values = RNG(seed).normal(size=6)
        assert describe(values).median == describe(values, over="median").centre == centre_of(values, "median")


@pytest.mark.parametrize("text", ["mode", "quantile:0", "quantile:1", "quantile:1.2", "quantile:", "quantile:-0.1"])
def test_another_word_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="use mean, median, iqm, or quantile:Q"):
        parse_over(text)


@pytest.mark.parametrize("q", [0.5, 0.1, 0.9, 0.25])
@pytest.mark.parametrize("n", range(2, 61))
def test_order_statistics_cover_a_quantile_as_often_as_the_binomial_distribution_says(n: int, q: float) -> None:
    ranks = order_ranks(n, q, 0.95)
    if ranks is None:
        assert q**n + (1 - q) ** n > 0.05
        return
    first, last = ranks
    assert stats.binom.cdf(last - 1, n, q) - stats.binom.cdf(first - 1, n, q) >= 0.95 - 1e-12


def test_the_median_has_an_interval_from_six_replicates_on_and_a_tenth_from_29() -> None:
    # By hand: 2 / 2^5 = 0.0625, 2 / 2^6 = 0.031; 0.9^28 = 0.052, 0.9^29 = 0.047.
    assert n_needed(parse_over("median"), 0.95) == 6
    assert n_needed(parse_over("quantile:0.1"), 0.95) == 29
    found = describe(np.arange(5.0), over="median")
    assert found.interval is None
    assert "at 93.7 %, and 6 replicates reach it" in found.note
    six = centre_interval(np.arange(6.0), "median")
    assert six is not None
    assert (six.low, six.estimate, six.high, six.method) == (0.0, 2.5, 5.0, "order statistics")


def test_the_interval_of_an_interquartile_mean_is_tukeys_and_mclaughlins() -> None:
    # Authority: scipy's trimmed mean and winsorized values, t with h - 1 = 5 degrees of freedom, n = 10, 2 cut.
    values = RNG(0).normal(size=10)
    winsorized = np.asarray(stats.mstats.winsorize(values, limits=(0.2, 0.2)))
    error = np.sqrt(9 * winsorized.var(ddof=1) / (6 * 5))
    half = stats.t.ppf(1 - 0.05 / 2 / TAILS, 5) * error
    found = centre_interval(values, "iqm")
    assert found is not None
    middle = stats.trim_mean(values, 0.25)
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half))


def test_an_interval_of_an_interquartile_mean_keeps_to_the_range_of_its_metric() -> None:
    found = centre_interval(np.array([0.99, 0.97, 0.995, 0.9, 0.4]), "iqm", metric=Metric(low=0, high=1))
    assert found is not None
    assert found.method == "trimmed logit"
    assert 0 < found.low < found.estimate < found.high < 1


def test_three_values_have_no_interquartile_mean_of_their_own() -> None:
    found = describe(np.array([1.0, 2.0, 30.0]), over="iqm")
    assert found.interval is None
    assert "their interquartile mean is the mean; no interval below 4" in found.note


@pytest.mark.parametrize("over", ["median", "iqm"])
def test_intervals_cover_where_one_value_in_ten_is_bad_and_t_does_not(over: str) -> None:
    rng, n, n_draws = RNG(3), 10, 1000
    values = np.where(rng.random((n_draws, n)) < 0.1, 20 + 20 * rng.random((n_draws, n)), rng.normal(size=(n_draws, n)))
    many = np.where(rng.random(10**6) < 0.1, 40.0, rng.normal(size=10**6))  # how bad a bad one is moves neither
    truth = {"median": np.median(many), "iqm": stats.trim_mean(many, 0.25)}[over]
    found = [centre_interval(row, over) for row in values]
    covered = np.mean([one is not None and one.low <= truth <= one.high for one in found])
    assert covered >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / n_draws)
    of_mean = [describe(row).interval for row in values]
    assert np.mean([one is not None and one.low <= 3.0 <= one.high for one in of_mean]) < 0.75


def test_the_test_of_medians_on_common_seeds_is_the_sign_test() -> None:
    rng = RNG(4)
    a, b = rng.normal(size=12) + 1, rng.normal(size=12)
    found = centre_difference(a, b, over="median", is_paired=True)
    assert found.p_value == pytest.approx(stats.binomtest(int((a > b).sum()), 12).pvalue)
    assert found.estimate == pytest.approx(np.median(a - b))


def test_the_statistic_of_interquartile_means_is_yuens() -> None:
    # Authority: scipy's ttest_ind(trim=0.25); our degrees of freedom are those of the smaller sample, h - 1 = 5.
    rng = RNG(5)
    a, b = rng.normal(size=12) + 1, rng.normal(size=10)
    statistic = abs(stats.ttest_ind(a, b, equal_var=False, trim=0.25)[0])  # pyright: ignore[reportArgumentType]
    found = centre_difference(a, b, over="iqm", is_paired=False)
    assert found.p_value == pytest.approx(min(1.0, 2 * TAILS * stats.t.sf(statistic, 5)))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("over", ["median", "iqm", "quantile:0.3"])
def test_turning_all_signs_turns_nothing_but_the_quantile(over: str, direction: str) -> None:
    values = RNG(6).normal(size=(3, 40)) + np.arange(3)[:, None]
    other = "quantile:0.7" if over == "quantile:0.3" else over
    up = compare_with_best(values, direction="minimize", is_paired=True, over=over)
    down = compare_with_best(-values, direction="maximize", is_paired=True, over=other)
    assert up is not None
    assert down is not None
    assert [row.verdict for row in up.rows] == [row.verdict for row in down.rows]
    assert [row.p for row in up.rows] == pytest.approx([row.p for row in down.rows])


def test_too_few_seeds_leave_every_verdict_open_and_the_number_that_it_takes_is_said() -> None:
    # By hand: 4 conditions, 4 x 3 / 2^7 = 0.094, / 2^8 = 0.047.
    assert fewest_seeds(parse_over("median"), 4, level=0.95, is_paired=True) == 8
    values = RNG(7).normal(size=(4, 5)) + 100 * np.arange(4)[:, None]
    found = compare_with_best(values, direction="minimize", is_paired=True, over="median")
    assert found is not None
    assert {row.verdict for row in found.rows} == {"open"}
    assert any("sign tests need 8 or more" in text for text in found.warnings)


@pytest.mark.parametrize(("over", "n"), [("median", 8), ("iqm", 8)])
def test_the_best_is_lost_and_called_worse_as_rarely_as_the_level_says(over: str, n: int) -> None:
    # 4 conditions that are equally good, on common seeds; normal, one in ten bad, exponential: 1,500 sweeps each.
    rng, n_sweeps = RNG(8), 1500
    run, seeds = by_centres(parse_over(over)), 0.65 * rng.normal(size=(n_sweeps, 1, n))
    shape = (n_sweeps, 4, n)
    bad = np.where(rng.random(shape) < 0.1, 30 + 30 * rng.random(shape), 0.0)
    for values in (rng.normal(size=shape), rng.normal(size=shape) + bad, rng.exponential(size=shape)):
        found = run(values + seeds, True, 0.05, np.full(4, 1e-60))
        error = 3 * np.sqrt(0.05 * 0.95 / n_sweeps)
        assert (~found.is_in_set).mean(axis=0).max() <= 0.055 + error
        assert found.is_worse.any(axis=-1).mean() <= 0.05 + error


def test_a_condition_that_lost_its_hard_seed_is_not_rewarded() -> None:
    # By hand: levels 0 and 1 and 2, effects 0, 0, 0, 9, 9: the median of condition 1 without a hard seed is 0.5 higher.
    values = np.add.outer([0.0, 1.0, 2.0], [0.0, 1.0, 2.0, 9.0, 10.0])
    whole = adjusted_centres(values, "median")
    missing = values.copy()
    missing[1, 4] = np.nan
    found = adjusted_centres(missing, "median")
    assert found.raw[1] == 2.5
    assert found.mean[1] == pytest.approx(whole.mean[1])
    assert found.mean[[0, 2]].tolist() == whole.mean[[0, 2]].tolist()


def test_a_replicate_far_outside_is_found_and_normal_values_have_none() -> None:
    rng = RNG(9)
    values = rng.normal(size=(8, 5)) + 3 * rng.normal(size=5)
    assert outlying(values, is_paired=True) == []
    values[6, 2] += 60
    [found] = outlying(values, is_paired=True)
    assert (found.row, found.column) == (6, 2)
    n_seen = sum(bool(outlying(rng.normal(size=(16, 3)), is_paired=True)) for _ in range(200))
    assert n_seen <= 1
