"""Estimate how much each condition scatters, with the help of all the others.

Three values give a poor variance. So it is moderated: moved towards the variance of conditions with a similar score,
and never below its own (Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3(1); Phipson et al.
2016, Annals of Applied Statistics 10(2)). What a seed adds to all conditions is removed first, in proportion to how
much each scatters (Grubbs 1948, JASA 43). All arrays may have leading axes, one entry for each simulated sweep.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.special import polygamma, psi

FLOOR = 1e-5  # least variance, as a share of the median one
LEAST_WEIGHT = 1e-3  # least scale of a condition, as a share of the mean of those that are not far
FAR = 1e3  # median standard deviations behind the best: such a condition says nothing about the scale of the others
LEAST_OWN = 0.1  # least share of a condition's residual variance that is its own
N_CAUTION = 1.0  # standard errors by which the excess variance of the variances is raised
LEAST_EXCESS = 1e-7  # prior degrees of freedom end at some 2e7
N_ALTERNATIONS = 6  # row and column means where cells are missing; without, one is exact
N_NEWTON = 20


@dataclass(frozen=True, kw_only=True)
class SpreadModel:
    """Holds level and spread of each condition, and what the seeds add to all."""

    n: np.ndarray  # (..., condition) values
    mean: np.ndarray  # (..., condition) adjusted for seed where cells are missing
    weight: np.ndarray  # (..., condition) its scale: a seed adds weight times its effect
    is_near: np.ndarray  # (..., condition) not far behind the best
    seed_effect: np.ndarray  # (..., seed)
    seed_variance: np.ndarray  # (...) of the seed effects
    variance: np.ndarray  # (..., condition) of a value, the seed's part taken out, moderated
    df: np.ndarray  # (..., condition) degrees of freedom of the variance


@dataclass(frozen=True, kw_only=True)
class SeedFit:
    """Holds values as level plus seed effect plus rest, in units of each condition's scale."""

    level: np.ndarray  # (..., condition)
    effect: np.ndarray  # (..., seed) with mean 0
    rest: np.ndarray  # (..., condition, seed) 0 where missing


def fit_spread(x: np.ndarray, resolution: np.ndarray) -> SpreadModel:
    """Fit the model of conditions by seeds.

    Args:
        x: (..., condition, seed) lower is better, NaN marks a missing value. Each condition has a value, each seed
            too, and three conditions have two.
        resolution: (condition,) differences up to this are rounding; it is the least standard deviation.
    """
    is_there = np.isfinite(x)
    is_complete = bool(is_there.all())
    n = np.full(x.shape[-2], x.shape[-1]) if is_complete else is_there.sum(axis=-1)
    mean, variance = _moments(x, is_there, n)
    is_repeated = np.broadcast_to(n >= 2, mean.shape)
    distance = _distance(mean, variance, is_repeated, resolution)
    is_near = distance <= np.log1p(FAR)
    weight = _weights(_floored(variance, is_repeated, resolution), n, distance, is_repeated, is_near)
    fit = fit_seeds(x / weight[..., None])
    residual = (fit.rest**2).sum(axis=-1) / np.maximum(n - 1, 1)
    own, seed_variance = _own_variance(residual, fit.effect, is_there)
    moderated, df = _moderated(own * weight**2, n, distance, is_repeated, resolution)
    return SpreadModel(
        n=n,
        mean=mean if is_complete else fit.level * weight,
        weight=weight,
        is_near=is_near,
        seed_effect=fit.effect,
        seed_variance=seed_variance,
        variance=moderated,
        df=df,
    )


def fit_seeds(z: np.ndarray, *, n_alternations: int = N_ALTERNATIONS) -> SeedFit:
    """Fit the additive model of conditions and seeds: row and column means, in turn if cells are missing."""
    is_there = np.isfinite(z)
    cells = np.where(is_there, z, 0.0)
    n, n_present = is_there.sum(axis=-1), is_there.sum(axis=-2)
    effect = np.zeros(z.shape[:-2] + z.shape[-1:])
    for _ in range(1 if is_there.all() else n_alternations):
        level = (is_there * (cells - effect[..., None, :])).sum(axis=-1) / n
        effect = (is_there * (cells - level[..., None])).sum(axis=-2) / n_present
        effect = effect - effect.mean(axis=-1, keepdims=True)
    level = (is_there * (cells - effect[..., None, :])).sum(axis=-1) / n
    return SeedFit(level=level, effect=effect, rest=is_there * (cells - level[..., None] - effect[..., None, :]))


def _moments(x: np.ndarray, is_there: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of each condition; no variance of one value."""
    mean = np.where(is_there, x, 0.0).sum(axis=-1) / n
    squares = (np.where(is_there, x - mean[..., None], 0.0) ** 2).sum(axis=-1)
    return mean, np.where(n >= 2, squares / np.maximum(n - 1, 1), np.nan)


def _distance(mean: np.ndarray, variance: np.ndarray, is_repeated: np.ndarray, resolution: np.ndarray) -> np.ndarray:
    """Return how far each condition is from the best, in median standard deviations, on the scale of log(1 + x)."""
    scale = np.maximum(_median(np.sqrt(variance), is_repeated), np.median(resolution))
    behind = mean - mean.min(axis=-1, keepdims=True)
    return np.log1p(np.where(behind > resolution, behind, 0.0) / scale)


def _weights(
    variance: np.ndarray, n: np.ndarray, distance: np.ndarray, is_repeated: np.ndarray, is_near: np.ndarray
) -> np.ndarray:
    """Return the standard deviation that conditions of this distance have."""
    fitted, _ = _trend(_log_variance(variance, np.maximum(n - 1, 1) / 2), distance, is_repeated)
    weight = np.exp(fitted / 2)
    near_mean = np.where(is_near, weight, 0.0).sum(axis=-1, keepdims=True) / is_near.sum(axis=-1, keepdims=True)
    return np.maximum(weight, LEAST_WEIGHT * near_mean)


def _log_variance(variance: np.ndarray, half_df: np.ndarray) -> np.ndarray:
    """Return logarithms that are right on average: that of a chi-square over its degrees of freedom is too low."""
    return np.log(variance) - psi(half_df) + np.log(half_df)


def _own_variance(residual: np.ndarray, effect: np.ndarray, is_there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each condition's own variance, as Grubbs (1948) takes it from the residuals, and that of the seeds."""
    n_conditions, n_seeds = is_there.shape[-2:]
    total = residual.sum(axis=-1, keepdims=True)
    own = (residual - total / (n_conditions * (n_conditions - 1))) * n_conditions / (n_conditions - 2)
    n_present = is_there.sum(axis=-2).mean(axis=-1)
    between = n_present * (effect**2).sum(axis=-1) / (n_seeds - 1) - total[..., 0] / (n_conditions - 1)
    return np.maximum(own, LEAST_OWN * residual), np.maximum(between, 0.0) / n_present


def _moderated(
    own: np.ndarray, n: np.ndarray, distance: np.ndarray, is_repeated: np.ndarray, resolution: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the variances drawn towards the trend, none below its own, and their degrees of freedom."""
    df = np.broadcast_to(np.where(n >= 2, (n - 1) * (1 - 1 / own.shape[-1]), 0.0), own.shape)
    half_df = np.where(n >= 2, df, 0.5) / 2  # of one value: not used
    floored = _floored(own, is_repeated, resolution)
    fitted, excess = _trend(_log_variance(floored, half_df), distance, is_repeated)
    half_prior = _trigamma_inverse(_cautious_excess(excess, half_df, is_repeated))[..., None]
    prior = np.exp(fitted + psi(half_prior) - np.log(half_prior))
    prior_df = 2 * half_prior
    drawn = (prior_df * prior + df * own) / (prior_df + df)
    return np.where(is_repeated, np.maximum(drawn, own), prior), prior_df + df


def _cautious_excess(squares: np.ndarray, half_df: np.ndarray, is_repeated: np.ndarray) -> np.ndarray:
    """Return by how much log variances scatter about the trend beyond chance, one standard error up.

    Args:
        squares: (...) sum of squares about the trend.
        half_df: (..., condition) half the degrees of freedom.
        is_repeated: (..., condition) which count.
    """
    n = is_repeated.sum(axis=-1)
    by_chance = np.where(is_repeated, polygamma(1, half_df), 0.0)
    tails = np.where(is_repeated, polygamma(3, half_df) / polygamma(1, half_df) ** 2, 0.0).sum(axis=-1) / n
    chance = by_chance.sum(axis=-1) / n
    error = chance * np.sqrt(tails / n + 2 / (n - 2))
    return np.maximum(np.maximum(squares / (n - 2) - chance, 0.0) + N_CAUTION * error, LEAST_EXCESS)


def _trend(y: np.ndarray, x: np.ndarray, is_used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least squares line at every x, and the sum of squares about it, fitted to those used."""
    n = is_used.sum(axis=-1, keepdims=True)
    apart = x - (is_used * x).sum(axis=-1, keepdims=True) / n
    mean = (is_used * y).sum(axis=-1, keepdims=True) / n
    across = (is_used * apart**2).sum(axis=-1, keepdims=True)
    slope = np.where(across > 0, (is_used * apart * y).sum(axis=-1, keepdims=True) / np.where(across > 0, across, 1), 0)
    fitted = mean + slope * apart
    return fitted, (is_used * (y - fitted) ** 2).sum(axis=-1)


def _trigamma_inverse(value: np.ndarray) -> np.ndarray:
    """Return x with trigamma(x) = value, by Newton's method on 1 / trigamma (Smyth 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(N_NEWTON):
        trigamma = polygamma(1, x)
        x = x + trigamma * (1 - trigamma / value) / polygamma(2, x)
    return x


def _floored(variance: np.ndarray, is_repeated: np.ndarray, resolution: np.ndarray) -> np.ndarray:
    """Return the variances, none below its floor; 1 where there is none."""
    floor = np.maximum(FLOOR * _median(variance, is_repeated), resolution**2)
    return np.where(is_repeated, np.maximum(np.where(is_repeated, variance, 1.0), floor), 1.0)


def _median(values: np.ndarray, is_used: np.ndarray) -> np.ndarray:
    """Return the median of those used, (..., 1)."""
    if is_used.all():
        return np.median(values, axis=-1, keepdims=True)
    return np.nanmedian(np.where(is_used, values, np.nan), axis=-1, keepdims=True)
