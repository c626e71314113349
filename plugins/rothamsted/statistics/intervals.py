"""Confidence intervals for one estimate.

Apart, because every number that a person reads carries one: this is the form in which it travels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import stdtrit

DEFAULT_LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval for one estimate."""

    estimate: float
    low: float
    high: float
    level: float  # nominal coverage, in (0, 1)
    n: int  # replicates behind the estimate
    method: str  # "t"


def mean_interval(values: Sequence[float] | np.ndarray, *, level: float = DEFAULT_LEVEL) -> Interval | None:
    """Student's t interval for the mean over replicates.

    Exact for independent normal values. Student (1908), Biometrika 6(1).

    Args:
        values: One number a replicate; NaN (a missing one) and infinity are left out and not counted.
        level: Nominal coverage, in (0, 1).

    Returns:
        The interval; None with fewer than two values, whose spread nothing tells.
    """
    finite = np.asarray(values, dtype=np.float64)
    if finite.ndim != 1:
        raise ValueError(f"values: an interval takes one number a replicate, not shape {finite.shape}")
    mean, sd, n = moments(finite[:, None])
    if n[0] < 2:
        check_level(level)
        return None
    estimate = float(mean[0])
    half = t_quantile(level, int(n[0]) - 1) * float(sd[0]) / float(n[0]) ** 0.5
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half, level=level, n=int(n[0]), method="t")


@lru_cache(maxsize=1024)
def t_quantile(level: float, df: int) -> float:
    """Return the t for which a share `level` of Student's distribution lies within -t to t.

    Args:
        level: In (0, 1).
        df: Degrees of freedom, 1 or more.
    """
    check_level(level)
    if df < 1:
        raise ValueError(f"df: {df} degrees of freedom, at least 1 is needed")
    return float(stdtrit(df, (1 + level) / 2))


def check_level(level: float) -> None:
    """Raise ValueError unless a nominal coverage lies strictly between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"level: {level} is not a coverage; give a number between 0 and 1, such as 0.95")


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, standard deviation (n - 1) and n of each column, over its finite values.

    The two-pass algorithm with the correction for the rounding of the mean: Chan, Golub & LeVeque (1983),
    The American Statistician 37(3), eq. 1.7. Columns are scaled by a power of two, exactly, so that squares
    neither overflow nor vanish. Mean of nothing and sd of fewer than two are NaN.
    """
    finite = np.isfinite(values)
    n = finite.sum(axis=0)
    kept = np.where(finite, values, 0.0)  # (replicate, point)
    _, exponent = np.frexp(np.abs(kept).max(axis=0, initial=0.0))
    scaled = np.ldexp(kept, -exponent)
    with np.errstate(invalid="ignore", divide="ignore", under="ignore", over="ignore"):
        mean = scaled.sum(axis=0) / n
        deviation = np.where(finite, scaled - mean, 0.0)
        rest = deviation.sum(axis=0)
        variance = ((deviation * deviation).sum(axis=0) - rest * rest / n) / (n - 1)
        sd = np.where(n > 1, np.sqrt(np.maximum(variance, 0.0)), np.nan)
        mean = mean + rest / n  # what rounding took from the mean
        return np.ldexp(mean, exponent), np.ldexp(sd, exponent), n
