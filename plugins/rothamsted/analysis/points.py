"""Statistics over replicates as MLflow metrics: `<metric>/mean`, `/sd`, `/ci_low`, ... at each step.

Apart, because a sweep writes them when a trial ends and an analysis writes them again, and they must be alike.
"""

from __future__ import annotations

import math

import numpy as np

from rothamsted.metric import UNKNOWN, Metric
from rothamsted.records import MetricPoint
from rothamsted.statistics import summarize
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

    Returns:
        One point for each statistic and step where it is defined.
    """
    points = []
    step_list = [int(step) for step in steps]
    for statistic, column in summarize(values, level, known, crossing).items():
        key = f"{metric}/{statistic}"
        points += [
            MetricPoint(key, value, timestamp_ms, step)
            for step, value in zip(step_list, column.tolist(), strict=True)
            if math.isfinite(value)
        ]
    return points
