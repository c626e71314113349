"""Adjust the means of conditions for missing seeds: the effect of a seed that a condition lacks is taken into account.

A condition that failed on a hard seed has too good a mean. So each value is modelled as the level of its condition plus
the effect of its seed, fitted by least squares to the values that exist (Yates 1933, Empire Journal of Experimental
Agriculture 1). The effect of a seed is measured in units of each condition's scale: it is larger for conditions that
scatter more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.effects import rounding
from rothamsted.statistics.intervals import moments

LEAST_CONDITIONS = 4  # for a trend of their scales; fewer are all of one scale
LEAST_VARIANCE = 1e-5  # of a condition, as a share of the median one
LEAST_SCALE = 1e-3  # of a condition, as a share of their mean
N_POLISHES = 4


@dataclass(frozen=True, kw_only=True)
class AdjustedMeans:
    """Holds the means over the seeds that a condition has, and the means over all seeds."""

    mean: np.ndarray  # (condition,) adjusted for seed; the raw mean where no seed is missing; NaN without a value
    raw: np.ndarray  # (condition,) of the values that are there
    n: np.ndarray  # (condition,) values
    n_missing: np.ndarray  # (condition,) seeds that it lacks and that a condition linked to it has
    is_alone: np.ndarray  # (condition,) shares no seed, however indirectly, with most others: not comparable by seed


def adjusted_means(values: np.ndarray) -> AdjustedMeans:
    """Return the means of conditions, adjusted for the seeds that they lack.

    The model is value = level + scale x seed effect + error, the error in proportion to the scale. The adjusted mean is
    the level plus the mean effect of all seeds. Only conditions that are linked by common seeds, directly or through
    others, are adjusted to each other. A condition that lacks none of their seeds keeps its raw mean, bit for bit.

    Args:
        values: (condition, seed) NaN and infinity mark a missing value.

    Raises:
        ValueError: A shape that is not (condition, seed).
    """
    x = np.array(values, dtype=np.float64)
    if x.ndim != 2:
        raise ValueError(f"values: shape {x.shape}, must be (condition, seed)")
    x[~np.isfinite(x)] = np.nan
    is_there = np.isfinite(x)
    raw = np.array([mean_of(row) for row in x])
    group, n_missing = linked(is_there)
    mean = raw.copy()
    for one in np.unique(group[n_missing > 0]):
        rows = np.flatnonzero((group == one) & is_there.any(axis=1))
        rows = rows[np.lexsort(np.nan_to_num(x[rows], nan=np.inf).T)]  # equal values, equal means, in any order
        columns = np.flatnonzero(is_there[rows].any(axis=0))
        mean[rows] += np.where(n_missing[rows] > 0, _shifts(x[np.ix_(rows, columns)], raw[rows]), 0.0)
    n = is_there.sum(axis=1)
    sizes = np.bincount(group, weights=n > 0)
    is_alone = (n > 0) & (group != int(np.argmax(sizes)))
    return AdjustedMeans(mean=mean, raw=raw, n=n, n_missing=n_missing, is_alone=is_alone)


def mean_of(values: np.ndarray) -> float:
    """Return the mean of the finite values (replicate,). The mean of equal values is exactly that value."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan")
    return float(np.clip(moments(finite[:, None])[0][0], finite.min(), finite.max()))


def linked(is_there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the group of conditions that each belongs to, and how many of the group's seeds it lacks."""
    n_conditions = len(is_there)
    label, before = np.arange(n_conditions), None
    while before is None or not np.array_equal(label, before):  # each takes the least label that it is linked to
        before = label
        of_seed = np.where(is_there, label[:, None], n_conditions).min(axis=0, initial=n_conditions)
        label = np.minimum(label, np.where(is_there, of_seed, n_conditions).min(axis=1, initial=n_conditions))
    group = np.unique(label, return_inverse=True)[1].reshape(n_conditions)
    n_of_group = np.bincount(of_seed, minlength=n_conditions + 1)[label]
    n = is_there.sum(axis=1)
    return group, np.where(n > 0, n_of_group - n, 0)


def _shifts(x: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Return what is added to each raw mean, (condition,): minus the mean effect of the seeds that it has.

    Effects have mean 0 over the seeds: least squares has many solutions, of which this is the shortest.
    """
    deviation = x - raw[:, None]
    _, exponent = np.frexp(np.nanmax(np.abs(deviation), initial=0.0))
    deviation, raw = np.ldexp(deviation, -exponent), np.ldexp(raw, -exponent)  # squares neither overflow nor vanish
    is_there = np.isfinite(x)
    scale = _scales(deviation, raw)
    share = is_there / is_there.sum(axis=1, keepdims=True)
    normal = np.diag(is_there.sum(axis=0).astype(float)) - is_there.T.astype(float) @ share
    within = np.where(is_there, deviation / scale[:, None], 0.0).sum(axis=0)
    effect = np.linalg.lstsq(normal, within, rcond=1e-10)[0]
    return np.ldexp(-scale * (share @ effect), exponent)


def _scales(deviation: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Return how much conditions of each level scatter, (condition,): a line through the logarithms of the variances.

    One that scatters a thousand times as much as the others would else decide on what a seed adds to them. Missing
    values are filled in by medians, so that a condition without its hard seed does not seem to scatter less.
    """
    if len(raw) < LEAST_CONDITIONS or deviation.shape[1] < 2:
        return np.ones(len(raw))
    shift, filled = _filled(deviation)
    variance = filled.var(axis=1, ddof=1)
    typical = float(np.median(variance))
    if typical <= 0:
        return np.ones(len(raw))
    level = raw + shift
    floor = max(LEAST_VARIANCE * typical, float(rounding(np.abs(raw).max())) ** 2)
    y = np.log(np.maximum(variance, floor))
    behind = level - np.median(level)
    x = np.sign(behind) * np.log1p(np.abs(behind) / np.sqrt(typical))
    apart = x - x.mean()
    across = float(apart @ apart)
    slope = float(apart @ y) / across if across > 0 else 0.0
    scale = np.exp((y.mean() + slope * apart) / 2)
    return np.maximum(scale, LEAST_SCALE * scale.mean())


def _filled(deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return robust shifts of the means, (condition,), and deviations from them, (condition, seed), none missing."""
    shift = np.zeros(len(deviation))
    effect = np.zeros(deviation.shape[1])
    for _ in range(N_POLISHES):
        effect = np.nanmedian(deviation - shift[:, None], axis=0)
        effect = effect - effect.mean()
        shift = np.nanmean(deviation - effect, axis=1)
    own = deviation - shift[:, None]
    return shift, np.where(np.isnan(own), effect, own)
