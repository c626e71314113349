"""Statistics over replicates as MLflow metrics: few of them, as each is a row and a chart in MLflow's UI.

A curve is mean, ci_low, ci_high and n at each step, of the metrics that a sweep judges by; of other metrics only the
mean of the last values is written, and of bookkeeping nothing. What describes the spread (sd, sem, median, min, max)
is written once, of the objective. Tables, exports and plots have everything: they are made from the replicates.

A sweep writes them when a trial ends and an analysis writes them again, and they must be alike.
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
    """Summarize a metric over replicates, step by step.

    Args:
        metric: Its name.
        steps: (point,)
        values: (replicate, point); NaN where a replicate has none.
        level: Nominal coverage of ci_low to ci_high.
        timestamp_ms: Of all points.
        known: What is known of the metric: the interval keeps to its range.
        crossing: Which combination each replicate is, where they are crossed.
        over: What stands for the values, as `objective.over`: of another than the mean ci_low and ci_high are those of
            that number, which is a statistic of its own where it is no median: iqm, quantile_0.1.
        interval: Of a mean, as `statistics.interval`.
        keys: Statistics to write; that of `over` is written, too.

    Returns:
        One point for each statistic and step where it is defined.
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
    """The numbers of replicates at which a condition's objective is written: as they come, ten at most, and all."""
    if n_replicates <= MOST_LOOKS:
        return list(range(min(2, n_replicates), n_replicates + 1)) if n_replicates else []
    return sorted({round(n) for n in np.linspace(2, n_replicates, MOST_LOOKS)})


def with_spread(points: list[MetricPoint], over: str) -> list[MetricPoint]:
    """The spread at step 0: MLflow's UI draws a single point there as a bar with its number, else as a dot."""
    once = {*SPREAD} - {statistic_of(over)}
    return [p._replace(step=0) if p.key.rpartition("/")[2] in once else p for p in points]


def of_curves(interval: str) -> str:
    """The kind of interval at the points of curves: values between two measurements are no shares of rows."""
    return "t" if INTERVALS[interval].is_of_rows else interval


def metric_points(
    metric: str, steps: np.ndarray, values: np.ndarray, *, is_judged: bool, interval: str, **how: Any
) -> list[MetricPoint]:
    """Summarize a study's own metric: its curve where the sweep judges by it, else the mean of the last values.

    Args:
        metric: Its name; of UNSHOWN only what is judged is written.
        steps: (point,)
        values: (replicate, point); NaN where a replicate has none.
        is_judged: An objective, a constraint or early stopping looks at it.
        interval: As `statistics.interval`; see `of_curves`.
        how: As `summary_points` takes it.
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
