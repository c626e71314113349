"""Compute the statistics over replicates that are logged to MLflow: few, as each is a row and a chart in its UI.

Metrics that a sweep judges by have curves: mean, ci_low, ci_high and n at each step. Of other metrics only the mean of
the last values is written, and of bookkeeping nothing. The spread (sd, sem, median, min, max) is written once, for the
objective. Tables, exports and plots have everything: they are made from the replicates.

A sweep writes them when a trial ends, and an analysis may write them again.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np

from rothamsted.catalog import INTERVALS
from rothamsted.metric import UNKNOWN, Metric
from rothamsted.records import MetricPoint
from rothamsted.statistics import describe, summarize
from rothamsted.statistics.centres import MEAN, statistic_of
from rothamsted.statistics.crossed import Crossing

CURVE = ("mean", "ci_low", "ci_high", "n")  # of a metric, at each step
SPREAD = ("sd", "sem", "median", "min", "max")  # of the objective, once
MOST_LOOKS = 10
UNSHOWN = frozenset(  # what says nothing of a result
    {"epoch", "samples_seen", "samples_per_second", "learning_rate", "seconds", "setup_seconds"}
)


def summary_points(
    metric: str,
    steps: np.ndarray,
    values: np.ndarray,
    *,
    level: float,
    timestamp_ms: int,
    known: Metric = UNKNOWN,
    crossing: Crossing | None = None,
    over: str = MEAN,
    interval: str = "t",
    keys: Collection[str] = CURVE,
) -> list[MetricPoint]:
    """Summarise a metric over replicates, step by step.

    Args:
        metric: Name of the metric.
        steps: (point,) the steps.
        values: (replicate, point); NaN if a replicate has none.
        level: Nominal coverage of ci_low to ci_high.
        timestamp_ms: Time of all points, milliseconds since 1970.
        known: What is known of the metric: the interval stays in its range.
        crossing: The combination of each replicate, if they are crossed.
        over: The number of a condition, as `objective.over`. ci_low and ci_high are for that number. If it is neither
            mean nor median it is written as a further statistic: iqm, quantile_0.1.
        interval: Kind of interval for a mean, as `statistics.interval`.
        keys: Statistics to write; that of `over` is always written.

    Returns:
        One point for each statistic and step at which it is defined.
    """
    points = []
    step_list = [int(step) for step in steps]
    found = summarize(values, level, known, crossing, method=interval)
    if over != MEAN:
        found |= _of_centre(values, over, level, known)
    for statistic in [name for name in found if name in {*keys, statistic_of(over)}]:
        column = found[statistic]
        key = f"{metric}/{statistic}"
        points += [
            MetricPoint(key, value, timestamp_ms, step)
            for step, value in zip(step_list, column.tolist(), strict=True)
            if math.isfinite(value)
        ]
    return points


def looks_of(n_replicates: int) -> list[int]:
    """Return the numbers of replicates at which a condition's objective is written: at most ten, the last being all."""
    if n_replicates <= MOST_LOOKS:
        return list(range(min(2, n_replicates), n_replicates + 1)) if n_replicates else []
    return sorted({round(n) for n in np.linspace(2, n_replicates, MOST_LOOKS)})


def with_spread(points: list[MetricPoint], over: str) -> list[MetricPoint]:
    """Return points of the spread at step 0, where MLflow's UI draws a single point as a bar with its number."""
    once = {*SPREAD} - {statistic_of(over)}
    return [p._replace(step=0) if p.key.rpartition("/")[2] in once else p for p in points]


def of_curves(interval: str) -> str:
    """Return the kind of interval for points of curves: values between two measurements are not shares of rows."""
    return "t" if INTERVALS[interval].is_of_rows else interval


def metric_points(
    metric: str, steps: np.ndarray, values: np.ndarray, *, is_judged: bool, interval: str, **how: Any
) -> list[MetricPoint]:
    """Summarise a study's own metric: its curve if the sweep judges by it, else the mean of the last values.

    Args:
        metric: Name of the metric. A metric of UNSHOWN is written only if it is judged.
        steps: (point,) the steps.
        values: (replicate, point); NaN if a replicate has none.
        is_judged: Whether an objective, a constraint or early stopping uses it.
        interval: Kind of interval, as `statistics.interval`; see `of_curves`.
        how: Further arguments of `summary_points`.
    """
    if is_judged:
        return summary_points(metric, steps, values, **how, interval=of_curves(interval))
    if metric in UNSHOWN or not len(steps):
        return []
    last = values.shape[1] - 1 - np.argmax(np.isfinite(values[:, ::-1]), axis=1)  # (replicate,)
    final = np.take_along_axis(values, last[:, None], axis=1)  # (replicate, 1)
    return summary_points(metric, steps[-1:], final, **how, keys=["mean"])


def _of_centre(values: np.ndarray, over: str, level: float, known: Metric) -> dict[str, np.ndarray]:
    """The number and its interval at each point, (point,) each; NaN where undefined."""
    of_all = [describe(column, level=level, metric=known, over=over) for column in values.T]
    bounds = [(one.interval.low, one.interval.high) if one.interval else (math.nan, math.nan) for one in of_all]
    low, high = (np.array([ends[at] for ends in bounds]) for at in (0, 1))
    return {statistic_of(over): np.array([one.centre for one in of_all]), "ci_low": low, "ci_high": high}
