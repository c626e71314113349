"""Turn measurements into MLflow metrics: of a replicate as they come, of a trial over its replicates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rothamsted.analysis.points import metric_points as of_metric
from rothamsted.analysis.values import Replicate
from rothamsted.metric import Metric, declared
from rothamsted.records import Ending, Measured, MetricPoint, Outcome
from rothamsted.spec import Sweep
from rothamsted.statistics import align
from rothamsted.statistics.crossed import crossing_of
from rothamsted.sweeping.scores import constrained

_THROUGHPUT = frozenset({"samples_per_second"})


def metric_points(measured: Measured, *, but: Collection[str] = ()) -> list[MetricPoint]:
    """Return one measurement as MLflow metrics, without those of `but`."""
    at, step = measured.timestamp_ms, measured.step
    points = [MetricPoint(key, float(value), at, step) for key, value in measured.metrics.items() if key not in but]
    if measured.epoch is not None:
        points.append(MetricPoint("epoch", float(measured.epoch), measured.timestamp_ms, measured.step))
    return points


def closing_points(ending: Ending, *, once: Collection[str] = ()) -> list[MetricPoint]:
    """Return the metrics that are known only at a replicate's end, at its last measurement.

    Of the metrics of `once` the last value is added.
    """
    if not ending.history:
        return []
    last = ending.history[-1]
    values = {**{key: last.metrics[key] for key in sorted(once) if key in last.metrics}, **ending.closing}
    return [MetricPoint(key, float(value), last.timestamp_ms, last.step) for key, value in values.items()]


def written_once(sweep: Sweep) -> frozenset[str]:
    """Return the metrics without a curve, written only at the end: throughput, unless the sweep judges by it."""
    return _THROUGHPUT - judged_metrics(sweep)


def curve_points(
    results: Sequence[Replicate],
    histories: Mapping[str, Sequence[Measured]],
    sweep: Sweep,
    metrics: Mapping[str, Metric],
    *,
    timestamp_ms: int,
    crossed: Mapping[str, int] | None = None,
) -> list[MetricPoint]:
    """Return `<metric>/mean`, `/ci_low`, ... over the replicates with a score, for metrics that the sweep judges by.

    Of every other metric it is the mean of the last values.
    """
    finished = [r for r in results if r.outcome == Outcome.FINISHED and histories.get(r.run_id)]
    if not finished:
        return []
    points: list[MetricPoint] = []
    judged = judged_metrics(sweep)
    cells, curves = [r.number for r in finished], [histories[r.run_id] for r in finished]
    for metric in dict.fromkeys(key for curve in curves for m in curve for key in m.metrics):
        steps, values = align(curves, metric)
        points += of_metric(
            metric,
            steps,
            values,
            is_judged=metric in judged,
            level=sweep.statistics.level,
            interval=sweep.statistics.interval,
            timestamp_ms=timestamp_ms,
            known=declared(metrics, metric),
            crossing=crossing_of(crossed or {}, cells),
        )
    return points


def judged_metrics(sweep: Sweep) -> frozenset[str]:
    """Return the metrics of objectives, constraints and early stopping."""
    stopping = [sweep.stopping[0]] if sweep.stopping is not None else []
    return frozenset([*(one.metric for one in sweep.objectives), *constrained(sweep), *stopping])
