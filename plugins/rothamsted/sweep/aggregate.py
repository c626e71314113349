"""From the replicates of a trial to its numbers: metric curves with intervals, and the objective's summary.

Apart from the worker because it is arithmetic on values, with nothing that runs or writes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rothamsted import tags
from rothamsted.analysis.points import summary_points
from rothamsted.records import Measured, MetricPoint, Outcome, ReplicateResult
from rothamsted.search import Told
from rothamsted.statistics import align, summarize

OBJECTIVE = "objective"  # the metric under which a replicate's single number is logged


def metric_points(measured: Measured) -> list[MetricPoint]:
    """One measurement as MLflow metrics."""
    points = [
        MetricPoint(key, float(value), measured.timestamp_ms, measured.step) for key, value in measured.metrics.items()
    ]
    if measured.epoch is not None:
        points.append(MetricPoint("epoch", float(measured.epoch), measured.timestamp_ms, measured.step))
    return points


def curve_points(results: Sequence[ReplicateResult], *, level: float, timestamp_ms: int) -> list[MetricPoint]:
    """`<metric>/mean`, `/ci_low`, ... at every step that was measured, over the replicates with a score."""
    histories = [r.history for r in results if r.outcome is Outcome.FINISHED and r.history]
    if not histories:
        return []
    points = []
    for metric in dict.fromkeys(key for history in histories for m in history for key in m.metrics):
        steps, values = align(histories, metric)
        points += summary_points(metric, steps, values, level=level, timestamp_ms=timestamp_ms)
    return points


def objective_points(
    results: Sequence[ReplicateResult], *, level: float, timestamp_ms: int, step: int = 0
) -> list[MetricPoint]:
    """`objective/mean`, `objective/ci_low`, ...: what the search saw of this condition; in a race, by replicates."""
    scores = [r.objective for r in results if r.objective is not None]
    if not scores:
        return []
    values = np.array(scores, dtype=float)[:, None]
    return summary_points(OBJECTIVE, np.array([step]), values, level=level, timestamp_ms=timestamp_ms)


def told(
    results: Sequence[ReplicateResult], *, direction: str, level: float, run_id: str, link: str, race: str = ""
) -> Told:
    """What Optuna is told of a trial: mean over replicates with a score, +-inf where one diverged."""
    scores = np.array([r.objective for r in results if r.objective is not None], dtype=float)
    n_by_outcome = Counter(r.outcome.value for r in results)
    summary = {k: _finite(v[0]) for k, v in summarize(scores[:, None], level=level).items()} if len(scores) else {}
    value: float | None = float(scores.mean()) if len(scores) else None
    if n_by_outcome[Outcome.DIVERGED.value]:
        value = math.inf if direction == "minimize" else -math.inf
    result = {
        "summary": summary,
        "outcomes": dict(n_by_outcome),
        "replicates": [
            {
                "replicate": r.replicate,
                "seed": r.seed,
                "run_id": r.run_id,
                "outcome": r.outcome.value,
                "objective": r.objective,
            }
            for r in results
        ],
    }
    return Told(
        value=value,
        attributes={tags.RUN_ID: run_id, tags.RESULT: result},
        note=_note(summary, n_by_outcome, level, link, race),
    )


def describe_estimate(summary: Mapping[str, Any], level: float) -> str:
    """'0.123, 95 % interval 0.11 to 0.14 (t, n = 3)', or why there is no interval."""
    if not summary or summary.get("mean") is None:
        return "no score"
    n = int(summary["n"])
    if summary.get("ci_low") is None:
        return f"{summary['mean']:.6g} (n = {n}: no interval)"
    return (
        f"{summary['mean']:.6g}, {100 * level:g} % interval {summary['ci_low']:.6g} to "
        f"{summary['ci_high']:.6g} (t, n = {n})"
    )


def _note(summary: Mapping[str, Any], n_by_outcome: Mapping[str, int], level: float, link: str, race: str) -> str:
    counts = ", ".join(f"{n} {outcome}" for outcome, n in n_by_outcome.items())
    parts = [f"objective: {describe_estimate(summary, level)}", f"replicates: {counts}"]
    parts += [f"race: {race}"] if race else []
    return "\n\n".join([*parts, f"[its run in MLflow]({link})\n"])


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
