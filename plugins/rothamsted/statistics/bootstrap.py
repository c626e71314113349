"""Compute bootstrap bounds for means by scipy: replicates are drawn again with replacement."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

LEAST_RESAMPLES = 999  # some 25 beyond each end at 0.95; Efron & Tibshirani (1993) ask for about 1,000
MEMORY_ELEMENTS = 2**21  # resampled numbers held at a time: 16 MB


def percentile_bounds(values: np.ndarray, level: float, seed: int, n_resamples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return percentile bootstrap bounds: the quantiles of the resampled means.

    They are too narrow for few replicates. Simulated coverage of nominal 95 %: normal values 0.84 at n = 5 and 0.93 at
    20, exponential values 0.79 and 0.90. Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.

    Args:
        values: (replicate, point), all finite and no column constant. A resample draws whole replicates.
        level: Nominal coverage.
        seed: Seed of the resamples. The order of replicates has no influence.
        n_resamples: At least LEAST_RESAMPLES.

    Returns:
        Low and high, (point,) each.
    """
    return _bounds(values, level, seed, n_resamples, "percentile")


def bca_bounds(values: np.ndarray, level: float, seed: int, n_resamples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return bias-corrected and accelerated bootstrap bounds: quantiles moved for bias and skewness.

    They are better than percentile bounds for skewed values, but also too narrow for few replicates. Simulated coverage
    of nominal 95 %: normal values 0.84 at n = 5 and 0.93 at 20, exponential values 0.80 and 0.91, where Student's t has
    0.88 and 0.92. Efron (1987), Journal of the American Statistical Association 82(397). Arguments and result as in
    `percentile_bounds`.
    """
    return _bounds(values, level, seed, n_resamples, "BCa")


def least_n_to_resample(level: float) -> int:
    """Return the fewest values of which a bootstrap interval can have this level.

    The most extreme resample, n times the least value, has probability n^-n. If that is more than (1 - level) / 2, the
    interval is the range of the values, whatever the level: with two values it covers 0.5, with three 0.75 (for
    symmetric values). So it takes 4 values at 0.95 and 0.99, and 3 at 0.90.
    """
    n = 2
    while float(n) ** -n > (1 - level) / 2:
        n += 1
    return n


def check_resamples(n_resamples: int, level: float) -> None:
    """Raise ValueError if resamples are too few for a quantile in the tails."""
    least = max(LEAST_RESAMPLES, math.ceil(round(2 / (1 - level), 6)))
    if n_resamples < least:
        raise ValueError(f"n_resamples: {n_resamples} are too few at level {level}; give {least} or more")


def _bounds(
    values: np.ndarray, level: float, seed: int, n_resamples: int, kind: Literal["percentile", "BCa"]
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.stats import bootstrap  # slow to import

    check_resamples(n_resamples, level)
    values = values[np.lexsort(values.T[::-1])]  # equal sets of replicates in any order give equal intervals
    origin, exponent, scaled = _standardized(values)
    found = bootstrap(
        (scaled.T,),  # (point, replicate)
        np.mean,
        axis=-1,
        confidence_level=level,
        n_resamples=n_resamples,
        batch=max(1, MEMORY_ELEMENTS // scaled.size),
        method=kind,
        rng=np.random.default_rng(seed),
    )
    low, high = (np.asarray(bound, dtype=np.float64) for bound in found.confidence_interval)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError(f"{kind} interval: all resampled means lie on one side of the mean; use t or percentile")
    with np.errstate(over="ignore"):
        return np.ldexp(origin + low, exponent), np.ldexp(origin + high, exponent)


def _standardized(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move each column to begin at 0 and divide it by a power of two, so that sums neither overflow nor lose digits.

    Returns:
        Origin (point,), exponent (point,) and scaled (replicate, point) within 0 to 2, with
        values = (origin + scaled) * 2^exponent.
    """
    with np.errstate(over="ignore"):
        spread = np.minimum(np.ptp(values, axis=0), np.finfo(np.float64).max)
    exponent = np.frexp(spread)[1]
    origin = np.ldexp(values.min(axis=0), -exponent)
    return origin, exponent, np.ldexp(values, -exponent) - origin
