"""Statistics over replicates as MLflow metrics: `<metric>/mean`, `/sd`, `/ci_low`, ... at each step.

Apart, because a sweep writes them when a trial ends and an analysis writes them again, and they must be alike.
"""

from __future__ import annotations

import math

import numpy as np

from rothamsted.metric import UNKNOWN, Metric
from rothamsted.records import MetricPoint
from rothamsted.statistics import describe, summarize
from rothamsted.statistics.centres import MEAN, statistic_of
from rothamsted.statistics.crossed import Crossing


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
) -> list[MetricPoint]:
    """Summarize a metric over replicates, step by step.

    Args:
        metric: Its name.
        steps: (point,)
        values: (replicate, point); NaN where a replicate has none.
        level: Nominal coverage of ci_low to ci_high (Student's t).
        timestamp_ms: Of all points.
        known: What is known of the metric: the interval keeps to its range.
        crossing: Which combination each replicate is, where they are crossed.
        over: What stands for the values, as `objective.over`: of another than the mean ci_low and ci_high are those of
            that number, which is a statistic of its own where it is no median: iqm, quantile_0.1.

    Returns:
        One point for each statistic and step where it is defined.
    """
    points = []
    step_list = [int(step) for step in steps]
    found = summarize(values, level, known, crossing)
    if over != MEAN:
        found |= _of_centre(values, over, level, known)
    for statistic, column in found.items():
        key = f"{metric}/{statistic}"
        points += [
            MetricPoint(key, value, timestamp_ms, step)
            for step, value in zip(step_list, column.tolist(), strict=True)
            if math.isfinite(value)
        ]
    return points


def _of_centre(values: np.ndarray, over: str, level: float, known: Metric) -> dict[str, np.ndarray]:
    """The number and its interval at each point, (point,) each; NaN where undefined."""
    of_all = [describe(column, level=level, metric=known, over=over) for column in values.T]
    bounds = [(one.interval.low, one.interval.high) if one.interval else (math.nan, math.nan) for one in of_all]
    low, high = (np.array([ends[at] for ends in bounds]) for at in (0, 1))
    return {statistic_of(over): np.array([one.centre for one in of_all]), "ci_low": low, "ci_high": high}
