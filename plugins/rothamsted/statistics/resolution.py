"""Measure how coarse a metric is, and the least spread that can be assumed for it.

An accuracy on a hundred images repeats by chance, and three equal values do not show that there is no spread.
"""

from __future__ import annotations

import numpy as np

from rothamsted.metric import Metric
from rothamsted.statistics.shares import are_shares

LEAST_STEPS = 0.5  # of a metric's step: what the standard deviation of two neighbouring values is at most


def smallest_step(scores: np.ndarray) -> float:
    """Return the smallest step between scores, 0 if they are practically continuous.

    Races and comparisons use it, which see the values of many conditions at once. Rounding to a step has a variance of
    step**2 / 12, a difference at most twice that (Sheppard's correction). Steps below a millionth of the range are
    rounding errors.
    """
    finite = np.sort(scores[np.isfinite(scores)])
    if len(finite) < 2:
        return 0.0
    with np.errstate(over="ignore"):
        steps = np.diff(finite)
        steps = steps[steps > 1e-6 * (finite[-1] - finite[0])]
    return float(steps.min()) if len(steps) else 0.0


def least_sd(values: np.ndarray, metric: Metric) -> np.ndarray:
    """Return the least standard deviation that the interval of a mean may use, for each column of values.

    It is half a step of a share of a known number of rows. If replicates have one value, or two neighbouring values,
    their true standard deviation is at most that, and few replicates cannot estimate it better. With this floor a 95 %
    t interval covers such a mean in 95 % of cases or more: docs/statistics.md.

    Args:
        values: (replicate, point), NaN where there is none.
        metric: Only a metric with `rows` has a floor.

    Returns:
        (point,), 0 if there is no floor: no rows are declared, values are not shares of them, or all lie on an end of
        the range, where a spread would not show.
    """
    if metric.rows is None or not len(values):
        return np.zeros(values.shape[1])
    is_missing = ~np.isfinite(values)
    is_grid = (are_shares(values, metric.rows) | is_missing).all(axis=0)
    is_end = np.logical_or(*(((values == end) | is_missing).all(axis=0) for end in (0, 1)))
    return np.where(is_grid & ~is_end, LEAST_STEPS / metric.rows, 0.0)


def why_this_wide(values: np.ndarray, metric: Metric) -> str:
    """Say that the width of an interval of finite values (replicate,) comes from the metric's step; else empty."""
    least = float(least_sd(values[:, None], metric)[0])
    if len(values) < 2 or not least or (sd := float(values.std(ddof=1))) >= least:
        return ""
    is_constant = values.min() == values.max()
    seen = f"all {len(values)} values are equal" if is_constant else f"their spread is {sd:.2g}"
    return (
        f"{seen}, and the metric moves in steps of 1 / {metric.rows}: "
        f"the interval is as wide as for a standard deviation of half a step, {least:.2g}"
    )
