"""Estimate the spread of replicates, pooled over the conditions of an earlier sweep, with an upper limit.

Plans use it. An estimate from few replicates is poor, so the upper limit is given too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.intervals import check_level
from rothamsted.statistics.special import chdtri
from rothamsted.statistics.variance import two_way_components

DEFAULT_SD_LEVEL = 0.8  # a plan from this upper limit reaches its power in 80 % of pilots: Browne (1995)


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Holds a standard deviation estimated from several conditions together."""

    sd: float
    df: int
    n_excluded: int  # values that are not finite


def pooled_sd(values: np.ndarray) -> Pooled:
    """Return the standard deviation of a replicate within its condition, pooled over conditions.

    Args:
        values: (condition, replicate); NaN and infinity are left out and counted.

    Raises:
        ValueError: No condition with two finite values.
    """
    values = _table(values)
    finite = np.isfinite(values)
    counts = finite.sum(axis=1)
    df = int(np.maximum(counts - 1, 0).sum())
    if df < 1:
        raise ValueError("values: no condition has two finite values; a spread needs replicates")
    kept = np.where(finite, values, 0.0)
    rest = np.where(finite, values - (kept.sum(axis=1) / np.maximum(counts, 1))[:, None], 0.0)
    rest = np.where(finite, rest - (rest.sum(axis=1) / np.maximum(counts, 1))[:, None], 0.0)
    return Pooled(sd=float(np.sqrt((rest * rest).sum() / df)), df=df, n_excluded=int((~finite).sum()))


def sd_of_paired_differences(values: np.ndarray) -> Pooled:
    """Return the standard deviation of the difference of two conditions at one seed, pooled over all pairs.

    It is sqrt(2 MS), where MS is the residual mean square of conditions by seeds. If every condition has every seed,
    its square is exactly the mean of the variances of differences over all pairs of conditions.

    Args:
        values: (condition, seed), the same seed in each column; NaN and infinity are left out and counted.

    Raises:
        ValueError: Too few finite values to separate conditions, seeds and residual.
    """
    values = _table(values)
    conditions, seeds = np.nonzero(np.isfinite(values))
    kept = values[conditions, seeds]
    conditions, seeds = (np.unique(codes, return_inverse=True)[1] for codes in (conditions, seeds))
    found = two_way_components(kept, conditions, seeds) if len(kept) else None
    if found is None:
        raise ValueError("values: paired differences need two conditions that share two seeds or more")
    return Pooled(sd=(2 * found.residual) ** 0.5, df=found.residual_df, n_excluded=values.size - len(kept))


def upper_limit(sd: float, df: int, *, level: float = DEFAULT_SD_LEVEL) -> float:
    """Return the one-sided upper confidence limit of a standard deviation of normal values.

    It is sd * sqrt(df / q), where q is the 1 - level quantile of chi-square with df degrees of freedom.
    """
    check_level(level)
    if df < 1:
        raise ValueError(f"sd_df: {df} degrees of freedom say nothing about a deviation; at least 1 is needed")
    return sd * float(df / chdtri(df, level)) ** 0.5  # chdtri takes the upper tail


def _table(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"values: shape {values.shape}, must be (condition, replicate)")
    return values
