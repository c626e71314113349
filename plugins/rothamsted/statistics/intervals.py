"""Compute confidence intervals for means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import add

import numpy as np

from rothamsted.catalog import INTERVALS
from rothamsted.metric import UNKNOWN, Metric
from rothamsted.statistics.bootstrap import least_n_to_resample
from rothamsted.statistics.ranges import cut, end_of_range, in_range, kept_in_range, scale_of
from rothamsted.statistics.resolution import least_sd, why_this_wide
from rothamsted.statistics.shares import overdispersion, why_no_share
from rothamsted.statistics.special import stdtrit

DEFAULT_LEVEL = 0.95
_FEW = 8  # fewer values are added one after another, by NumPy, too
MOST_REMEMBERED = 64  # replicates of a condition whose moments are remembered
N_RESAMPLES = 9999  # ends of a 95 % interval then move by some 0.7 % of its width from seed to seed


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Holds a confidence interval for one estimate."""

    estimate: float
    low: float
    high: float
    level: float  # nominal coverage, in (0, 1)
    n: int  # replicates behind the estimate
    method: str  # a name of `catalog.INTERVALS`; of Student's t on the scale of a range "log" or "logit"


def mean_interval(
    values: Sequence[float] | np.ndarray,
    *,
    level: float = DEFAULT_LEVEL,
    method: str = "t",
    metric: Metric = UNKNOWN,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> Interval | None:
    """Return a confidence interval for the mean over replicates.

    Student's t is exact for independent normal values: Student (1908), Biometrika 6(1). For a metric with a range it is
    taken on the log or logit scale, see `ranges`. The bootstrap intervals assume no form, and are too narrow for few
    values: see `bootstrap`. Equal values have an interval without width. For a share of a known number of rows, t takes
    at least half a step as standard deviation, see `resolution.least_sd`. Equal values on an end of the range have no
    interval, since a spread beyond it would not show.

    Args:
        values: (replicate,) one number each; NaN (missing) and infinity are left out and not counted.
        level: Nominal coverage, in (0, 1).
        method: A name of `catalog.INTERVALS`, such as t, percentile or bca.
        metric: What is known of the metric: the interval stays in its range, unless a value lies outside.
        seed: Seed of the bootstrap's resamples. Equal seeds give equal intervals, in any order of values.
        n_resamples: Number of resamples of the bootstrap, at least 999.

    Returns:
        The interval. None if values are too few (`why_no_interval` has the reason), if all are on an end of the range
        (`why_no_spread`), or if they are not shares of rows (`shares.why_no_share`). No other method is used instead.

    Raises:
        SpecError: No method of this name.
        ValueError: Values that are not a list, a level outside (0, 1), or too few resamples.
    """
    least, is_of_rows = least_n(method, level), INTERVALS[method].is_of_rows
    check_level(level)
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1:
        raise ValueError(f"values: an interval takes one number a replicate, not shape {column.shape}")
    column = column[np.isfinite(column)][:, None]
    n = len(column)
    if n < least:
        return None
    if is_of_rows and why_no_share(column[:, 0], metric):
        return None
    is_constant = not is_of_rows and column.min() == column.max()
    if is_constant and end_of_range(float(column[0, 0]), metric):
        return None
    if is_constant and not (method == "t" and least_sd(column, metric)[0]):
        estimate = low = high = float(column[0, 0])
    else:
        estimate = float(column[0, 0] if is_constant else moments(column)[0][0])
        lows, highs = interval_bounds(method, column, level, metric, seed, n_resamples)
        low, high = float(lows[0]), float(highs[0])
    name = scale_of(column, metric) if method == "t" else method
    return Interval(estimate=estimate, low=low, high=high, level=level, n=n, method=name)


def interval_bounds(
    method: str, values: np.ndarray, level: float, metric: Metric, seed: int, n_resamples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of a method's intervals for each column of values (replicate, point), within the metric's range.

    Values must be finite. No column may have only equal values, unless the method is one for shares of rows. If a value
    lies outside the range, the interval of its column may too.
    """
    make = INTERVALS.function(method)
    if INTERVALS[method].takes_metric:
        return make(values, level, seed, n_resamples, metric=metric)
    low, high = make(values, level, seed, n_resamples)
    keeps = in_range(values, metric).all(axis=0)
    cut_low, cut_high = cut(low, high, metric)
    return np.where(keeps, cut_low, low), np.where(keeps, cut_high, high)


def why_no_interval(n: int, *, level: float = DEFAULT_LEVEL, method: str = "t") -> str:
    """Say why n finite values have no interval by this method; empty if they are enough."""
    least = least_n(method, level)
    if n >= least:
        return ""
    if n == 0:
        return "no finite value: no interval"
    if n == 1:
        return "one replicate: no interval"
    too_few = f"resampling reaches its tails from {least} replicates on; use t"
    return f"{n} replicates: no {method} interval at level {level:g}: {too_few}"


def why_odd(values: np.ndarray, *, method: str, metric: Metric) -> str:
    """Say why enough finite values have no interval, or one that their spread does not explain; else empty."""
    if INTERVALS[method].is_of_rows:
        return why_no_share(values, metric) or overdispersion(values, metric)
    return why_no_spread(values, metric) or (why_this_wide(values, metric) if method == "t" else "")


def why_no_spread(values: np.ndarray, metric: Metric) -> str:
    """Say that all finite values lie on an end of the metric's range, so that they have no interval; else empty."""
    end = end_of_range(float(values[0]), metric) if len(values) > 1 and values.min() == values.max() else ""
    said = (
        f"all {len(values)} values are {values[0]:g}, the {end} value of the range: their spread cannot be seen, so "
        "there is no interval"
    )
    return said if end else ""


def least_n(method: str, level: float) -> int:
    """Return the fewest finite values that have such an interval.

    Raises:
        SpecError: No method of this name.
    """
    row = INTERVALS[method]
    return least_n_to_resample(level) if row.is_resampled else 1 if row.is_of_rows else 2


def t_bounds(
    values: np.ndarray, level: float, seed: int, n_resamples: int, metric: Metric = UNKNOWN
) -> tuple[np.ndarray, np.ndarray]:
    """Return Student's t bounds: mean -+ t * sd / sqrt(n) of each column of values (replicate, point), finite, n >= 2.

    For a metric with a range they are taken on its scale. `seed` and `n_resamples` are not used: every method has them.
    """
    mean, sd, n = moments(values)
    with np.errstate(over="ignore"):
        half = t_quantile(level, len(values) - 1) * np.maximum(sd, least_sd(values, metric)) / np.sqrt(n)
    return within_range(values, mean, half, metric)


def within_range(
    values: np.ndarray, mean: np.ndarray, half: np.ndarray, metric: Metric
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean -+ half (point,), on the scale of the metric's range for columns with all values in it."""
    with np.errstate(over="ignore"):
        low, high = mean - half, mean + half
    keeps = in_range(np.where(np.isfinite(values), values, np.nan), metric).all(axis=0)
    if not metric.is_bounded or not keeps.any():
        return low, high
    low[keeps], high[keeps] = kept_in_range(mean[keeps], half[keeps], metric)
    return low, high


@lru_cache(maxsize=1024)
def t_quantile(level: float, df: int) -> float:
    """Return the t such that a share `level` of Student's distribution lies within -t to t.

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
    neither overflow nor vanish. The mean of no values and the sd of fewer than two are NaN.
    """
    if values.ndim == 2 and values.shape[1] == 1 and len(values) <= MOST_REMEMBERED:
        return _moments_of_column(np.ascontiguousarray(values, dtype=np.float64).tobytes())
    return _moments(values)


@lru_cache(maxsize=8192)
def _moments_of_column(values: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Those of one condition, which ranking, table and interval ask for in turn; nobody may change them."""
    column = np.frombuffer(values, dtype=np.float64)
    found = _moments_of_few(column.tolist()) if len(column) < _FEW else None
    found = found or _moments(column[:, None])
    for one in found:
        one.flags.writeable = False
    return found


def _moments_of_few(values: Sequence[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Those of a few finite values, by the same operations without arrays: ten times as fast, and equal in every bit.

    None if a value or a result is not finite.
    """
    if not values or not all(map(math.isfinite, values)):
        return None
    n, exponent = len(values), math.frexp(max(map(abs, values)))[1]
    scaled = [math.ldexp(value, -exponent) for value in values]
    mean = reduce(add, scaled) / n  # `sum` corrects its rounding from Python 3.12 on
    deviation = [value - mean for value in scaled]
    rest = reduce(add, deviation)
    mean += rest / n
    try:
        sd = math.nan
        if n > 1:
            variance = (reduce(add, [one * one for one in deviation]) - rest * rest / n) / (n - 1)
            sd = math.ldexp(math.sqrt(max(variance, 0.0)), exponent)
        return np.array([math.ldexp(mean, exponent)]), np.array([sd]), np.array([n])
    except OverflowError:
        return None


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
