"""Means adjusted for seed: against least squares done otherwise, and in simulated sweeps that lose replicates."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from rothamsted.statistics.adjusted import adjusted_means
from rothamsted.statistics.summary import summarize

HARD_SEED = np.array([[1.0, 1.2, 9.0], [0.9, 1.0, np.nan], [1.1, 1.3, 9.2]])  # condition 1 failed where all are bad


def test_a_condition_does_not_win_by_losing_its_hard_seed() -> None:
    worse = np.array([[1.0, 1.2, 9.0], [1.5, 1.7, np.nan]])
    found = adjusted_means(worse)
    assert found.raw[1] < found.raw[0]
    assert found.mean[1] == pytest.approx(11.2 / 3 + 0.5, abs=1e-12)  # by hand: 0.5 worse at each seed that both have
    assert found.n_missing.tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(10))
def test_three_conditions_have_the_least_squares_means_of_an_additive_model(seed: int) -> None:
    # Authority: statsmodels' least squares on dummy variables; the mean of the predictions over all seeds.
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(3, 6)) + rng.normal(size=6) * 5 + 100
    values[rng.integers(0, 3, 5), np.arange(5)] = np.nan
    rows, columns = np.nonzero(np.isfinite(values))
    design = np.hstack([np.eye(3)[rows], np.eye(6)[columns][:, 1:]])  # effects from the first seed on
    fitted = sm.OLS(values[rows, columns], design).fit().params
    assert adjusted_means(values).mean == pytest.approx(fitted[:3] + fitted[3:].sum() / 6, abs=1e-9)


def test_the_raw_means_stay_bit_for_bit_where_nothing_is_missing() -> None:
    values = np.random.default_rng(3).normal(size=(20, 7))
    found = adjusted_means(values)
    assert found.mean.tolist() == found.raw.tolist() == [summarize(row[:, None])["mean"][0] for row in values]
    values[0, 0] = np.nan
    assert adjusted_means(values).mean.tolist()[1:] == found.raw.tolist()[1:]


def test_conditions_that_share_no_seed_with_the_rest_keep_their_raw_mean() -> None:
    values = np.full((4, 5), np.nan)
    values[:3, :3] = HARD_SEED
    values[3, 3:] = [5.0, 7.0]
    found = adjusted_means(values)
    assert found.mean[3] == 6.0
    assert found.is_alone.tolist() == [False, False, False, True]
    assert found.mean[:3].tolist() == adjusted_means(HARD_SEED).mean.tolist()


def test_a_condition_without_values_has_no_mean_and_changes_nothing() -> None:
    found = adjusted_means(np.vstack([HARD_SEED, np.full((1, 3), np.inf)]))
    assert np.isnan(found.mean[3])
    assert not found.is_alone[3]
    assert found.mean[:3].tolist() == adjusted_means(HARD_SEED).mean.tolist()


@pytest.mark.parametrize("unit", [1e-290, 1e290])
def test_means_follow_their_unit(unit: float) -> None:
    values = np.vstack([HARD_SEED, HARD_SEED + 0.3])
    assert adjusted_means(values * unit).mean / unit == pytest.approx(adjusted_means(values).mean, rel=1e-9)


def test_one_condition_that_scatters_far_more_does_not_decide_on_the_others() -> None:
    # Without scales the seed effects would be those of the noisy one, divided by the number of conditions.
    rng = np.random.default_rng(1)
    values = rng.normal(size=(8, 4)) * 0.01 + np.arange(8)[:, None]
    values[7] = 1e4 * rng.normal(size=4) + 1e5
    values[0, 2] = np.nan
    assert adjusted_means(values).mean[0] == pytest.approx(0.0, abs=0.05)


def hits(n_sweeps: int, *, n_seeds: int, seed: int, scatter: np.ndarray, seed_sd: float) -> tuple[float, float, float]:
    """How often the best of 16 is first: with all values; with 5 % missing, by adjusted and by raw means."""
    rng = np.random.default_rng(seed)
    found = np.zeros(3)
    for _ in range(n_sweeps):
        level = np.sort(rng.normal(size=16)) * scatter
        seeds = seed_sd * rng.normal(size=n_seeds)
        values = level[:, None] + scatter[:, None] * (seeds + rng.normal(size=(16, n_seeds)))
        there = np.where(rng.random(values.shape) < 0.05, np.nan, values)
        there[np.isnan(there).all(axis=1), 0] = np.inf
        means = adjusted_means(there)
        first = [values.mean(axis=1), means.mean, means.raw]
        found += [int(np.nanargmin(of_one)) == int(np.argmin(level)) for of_one in first]
    whole, adjusted, raw = found / n_sweeps
    return whole, adjusted, raw


def test_losing_one_replicate_in_twenty_hardly_costs_a_correct_choice() -> None:
    # 1,500 sweeps on common numbers: the error of the difference of two shares is below 1 point.
    whole, adjusted, raw = hits(1_500, n_seeds=5, seed=7, scatter=np.ones(16), seed_sd=10.0)
    assert adjusted >= whole - 0.03
    assert raw < whole - 0.15


@pytest.mark.slow
@pytest.mark.parametrize("n_seeds", [3, 5, 10])
@pytest.mark.parametrize("seed_sd", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_the_choice_holds_for_many_seeds_and_spreads(n_seeds: int, seed_sd: float, spread: float) -> None:
    scatter = np.exp(spread * np.linspace(0, 1, 16))  # up to 7 times as much where it is worse
    whole, adjusted, raw = hits(6_000, n_seeds=n_seeds, seed=11, scatter=scatter, seed_sd=seed_sd)
    assert adjusted >= whole - 0.04
    assert adjusted >= raw - 0.01
