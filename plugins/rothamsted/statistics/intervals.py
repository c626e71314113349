"""Confidence intervals for one estimate.

Apart, because every number that a person reads carries one: this is the form in which it travels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import stdtrit

from rothamsted.catalog import INTERVALS
from rothamsted.statistics.bootstrap import least_n_to_resample

DEFAULT_LEVEL = 0.95
N_RESAMPLES = 9999  # ends of a 95 % interval then move by some 0.7 % of its width from seed to seed


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval for one estimate."""

    estimate: float
    low: float
    high: float
    level: float  # nominal coverage, in (0, 1)
    n: int  # replicates behind the estimate
    method: str  # a name of `catalog.INTERVALS`, or "wilson"


def mean_interval(
    values: Sequence[float] | np.ndarray,
    *,
    level: float = DEFAULT_LEVEL,
    method: str = "t",
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> Interval | None:
    """Confidence interval for the mean over replicates.

    Student's t is exact for independent normal values: Student (1908), Biometrika 6(1). The bootstrap intervals
    do not assume a form, and are too narrow for few values: see `bootstrap`. Equal values have an interval of no
    width, by every method.

    Args:
        values: One number a replicate; NaN (a missing one) and infinity are left out and not counted.
        level: Nominal coverage, in (0, 1).
        method: A name of `catalog.INTERVALS`, such as t, percentile or bca.
        seed: Where the bootstrap's resamples come from; equal seeds give equal intervals, in any order of values.
        n_resamples: Of the bootstrap, at least 999.

    Returns:
        The interval; None with too few values, for which `why_no_interval` has the reason. No method stands in for
        another.

    Raises:
        SpecError: No method of this name.
        ValueError: Values that are not a list, a level outside (0, 1), or too few resamples.
    """
    least = least_n(method, level)
    check_level(level)
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1:
        raise ValueError(f"values: an interval takes one number a replicate, not shape {column.shape}")
    column = column[np.isfinite(column)][:, None]
    n = len(column)
    if n < least:
        return None
    if column.min() == column.max():
        estimate = low = high = float(column[0, 0])
    else:
        estimate = float(moments(column)[0][0])
        lows, highs = INTERVALS.function(method)(column, level, seed, n_resamples)
        low, high = float(lows[0]), float(highs[0])
    return Interval(estimate=estimate, low=low, high=high, level=level, n=n, method=method)


def why_no_interval(n: int, *, level: float = DEFAULT_LEVEL, method: str = "t") -> str:
    """Say why n finite values have no interval by this method; empty where they have one."""
    least = least_n(method, level)
    if n >= least:
        return ""
    if n == 0:
        return "no finite value: no interval"
    if n == 1:
        return "one replicate: no interval"
    too_few = f"resampling reaches its tails from {least} replicates on; use t"
    return f"{n} replicates: no {method} interval at level {level:g}: {too_few}"


def least_n(method: str, level: float) -> int:
    """Return below how many finite values there is no such interval.

    Raises:
        SpecError: No method of this name.
    """
    return least_n_to_resample(level) if INTERVALS[method].is_resampled else 2


def t_bounds(values: np.ndarray, level: float, seed: int, n_resamples: int) -> tuple[np.ndarray, np.ndarray]:
    """Student's t: mean -+ t * sd / sqrt(n) of each column of values (replicate, point), all finite, n >= 2.

    Nothing is drawn: the last two arguments are there for the table.
    """
    mean, sd, n = moments(values)
    with np.errstate(over="ignore"):
        half = t_quantile(level, len(values) - 1) * sd / np.sqrt(n)
        return mean - half, mean + half


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
