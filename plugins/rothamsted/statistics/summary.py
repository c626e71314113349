"""Summarise the replicates of a trial, for every point of every curve at once.

Every trial calls it: some twenty points by three replicates take a fraction of a millisecond.
"""

from __future__ import annotations

import math

import numpy as np

from rothamsted.metric import SUMMARY_KEYS as SUMMARY_KEYS
from rothamsted.metric import UNKNOWN, Metric
from rothamsted.statistics.crossed import Crossing, independent_values
from rothamsted.statistics.intervals import (
    DEFAULT_LEVEL,
    check_level,
    mean_interval,
    moments,
    t_quantile,
    within_range,
)
from rothamsted.statistics.resolution import least_sd


def summarize(
    values: np.ndarray,
    level: float = DEFAULT_LEVEL,
    metric: Metric = UNKNOWN,
    crossing: Crossing | None = None,
    *,
    method: str = "t",
) -> dict[str, np.ndarray]:
    """Summarize each point over its replicates.

    Args:
        values: (replicate, point). NaN marks a missing value. NaN and infinity are left out; `n` counts the others.
        level: Nominal coverage of ci_low to ci_high, the interval for the mean (see `mean_interval`).
        metric: What is known of the metric: ci_low and ci_high stay in its range, and equal values on an end of it have
            none. For a share of a known number of rows the standard deviation counts as at least half a step.
        crossing: How replicates are crossed. sem, ci_low, ci_high and n are then those of the independent values.
        method: A name of `catalog.INTERVALS`. Student's t is computed for all points at once, others point by point.

    Returns:
        For each key of SUMMARY_KEYS an array (point,). `sd` divides by n - 1, `sem` is sd / sqrt(n). Undefined numbers
        are NaN: with one value sd, sem, ci_low and ci_high; with none all but n.
    """
    check_level(level)
    found = summarize_values(values)
    values, n, mean = np.asarray(values, dtype=np.float64), found["n"], found["mean"]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        half = _t_quantiles(level, n) * np.maximum(found["sem"], least_sd(values, metric) / np.sqrt(n))
    ci_low, ci_high = within_range(values, mean, half, metric)
    low, high = found["min"], found["max"]
    for end in (metric.low, metric.high):
        if end is not None:
            ci_low, ci_high = (np.where((low == end) & (high == end), np.nan, bound) for bound in (ci_low, ci_high))
    if method != "t":
        ci_low, ci_high = _ends_by(method, values, level, metric)
    found |= {"ci_low": ci_low, "ci_high": ci_high}
    found = {key: found[key] for key in SUMMARY_KEYS}
    if crossing is None:
        return found
    own = summarize(independent_values(values, crossing), level, metric, method=method)
    return found | {key: own[key] for key in ("sem", "ci_low", "ci_high", "n")}


def summarize_values(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the keys of `summarize` except the ends of intervals, which need a level.

    Args:
        values: (replicate, point), as `summarize` takes them.

    Raises:
        ValueError: A shape that is not (replicate, point).
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"values: shape {values.shape}, must be (replicate, point)")
    mean, sd, n = moments(values)
    low, median, high = _order_statistics(values, n)
    mean = np.clip(mean, low, high)  # rounding may put the mean of equal values one ulp beside them
    with np.errstate(invalid="ignore", divide="ignore"):
        sem = sd / np.sqrt(n)
    return {"mean": mean, "sd": sd, "sem": sem, "median": median, "min": low, "max": high, "n": n}


def _ends_by(method: str, values: np.ndarray, level: float, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """The ends of each column's interval by a method; NaN where there is none."""
    of_all = [mean_interval(column, level=level, method=method, metric=metric) for column in values.T]
    ends = np.array([(one.low, one.high) if one else (math.nan, math.nan) for one in of_all]).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


def _order_statistics(values: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return least, middle and greatest finite value of each column; NaN where there is none."""
    n_points = values.shape[1]
    if not len(values):
        nothing = np.full(n_points, np.nan)
        return nothing, nothing, nothing
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=0)  # NaN goes to the end
    points = np.arange(n_points)
    last = np.maximum(n - 1, 0)
    below, above = ordered[last // 2, points], ordered[(last + 1) // 2, points]
    return ordered[0], below / 2 + above / 2, ordered[last, points]


def _t_quantiles(level: float, n: np.ndarray) -> np.ndarray:
    """Return the t quantile for each n, NaN below two; most often all n are the same."""
    quantiles = np.full(len(n), np.nan)
    for count in set(n.tolist()):
        if count > 1:
            quantiles[n == count] = t_quantile(level, count - 1)
    return quantiles
