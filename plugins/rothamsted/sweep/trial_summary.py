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
from rothamsted.analysis import objectives as logged
from rothamsted.analysis.points import summary_points
from rothamsted.records import Measured, MetricPoint, Outcome, ReplicateResult
from rothamsted.search import Told
from rothamsted.spec import Sweep
from rothamsted.spec.search_sections import Objective
from rothamsted.statistics import align, summarize
from rothamsted.sweep.scores import NO_NUMBER, violations

OBJECTIVE = logged.OWN  # the metric under which a replicate's single number is logged


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


def objective_key(index: int, objective: Objective) -> str:
    """The metric under which a replicate's number of one objective is logged: `objective` for the first."""
    return logged.objective_key(index, objective.metric)


def objective_points(
    results: Sequence[ReplicateResult], sweep: Sweep, *, timestamp_ms: int, step: int = 0
) -> list[MetricPoint]:
    """`objective/mean`, `objective/ci_low`, ...: what the search saw of this condition; in a race, by replicates."""
    points = []
    for index, objective in enumerate(sweep.objectives):
        if len(scores := _scores(results, index)):
            key, level = objective_key(index, objective), sweep.statistics.level
            points += summary_points(key, np.array([step]), scores[:, None], level=level, timestamp_ms=timestamp_ms)
    return points


def told(
    results: Sequence[ReplicateResult], sweep: Sweep, *, run_id: str, link: str, race: str = "", pruned: str = ""
) -> Told:
    """What Optuna is told of a trial: means over replicates with a score, +-inf where one diverged.

    A trial that was pruned has no values: what it reported last stands for it.
    """
    level = sweep.statistics.level
    n_by_outcome = Counter(r.outcome.value for r in results)
    counted = [] if pruned else results  # what stopped it chose which of its replicates have a score
    summaries = [_summary(_scores(counted, index), level) for index in range(len(sweep.objectives))]
    broken = violations(results, sweep)
    values = tuple(
        _worst(objective) if n_by_outcome[Outcome.DIVERGED.value] else summary.get("mean")
        for objective, summary in zip(sweep.objectives, summaries, strict=True)
    )
    has_values = not pruned and all(value is not None for value in values)
    result = {
        "summary": summaries[0],
        "outcomes": dict(n_by_outcome),
        "replicates": [_replicate(r) for r in results],
    }
    if len(summaries) > 1:
        result["others"] = [
            {"metric": objective.metric, "direction": objective.direction, "summary": summary}
            for objective, summary in zip(sweep.objectives[1:], summaries[1:], strict=True)
        ]
    result |= {"violations": list(broken)} if broken else {}
    result |= {"pruned": pruned} if pruned else {}
    return Told(
        values=tuple(float(value) for value in values if value is not None) if has_values else None,
        state="pruned" if pruned else None,
        constraints=broken if has_values else (),
        attributes={tags.RUN_ID: run_id, tags.RESULT: result},
        note=_note(result, sweep, link, race),
    )


def _scores(results: Sequence[ReplicateResult], index: int) -> np.ndarray:
    found = [r.objective if index == 0 else r.others[index - 1] for r in results if r.objective is not None]
    return np.array(found, dtype=float)


def _summary(scores: np.ndarray, level: float) -> dict[str, float | None]:
    return {k: _finite(v[0]) for k, v in summarize(scores[:, None], level=level).items()} if len(scores) else {}


def _worst(objective: Objective) -> float:
    return math.inf if objective.direction == "minimize" else -math.inf


def _replicate(result: ReplicateResult) -> dict[str, Any]:
    more = {"others": list(result.others)} if result.others else {}
    return {
        "replicate": result.replicate,
        "seed": result.seed,
        "run_id": result.run_id,
        "outcome": result.outcome.value,
        "objective": result.objective,
        **more,
        **({"last": dict(result.last)} if result.last else {}),
        **({"reason": result.reason[:500]} if result.reason else {}),
    }


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


def describe_violation(violation: float) -> str:
    """'holds', or by how much it does not."""
    if violation <= 0:
        return "holds"
    return "cannot be judged" if violation >= NO_NUMBER else f"broken by {violation:.4g}"


def _note(result: Mapping[str, Any], sweep: Sweep, link: str, race: str) -> str:
    level = sweep.statistics.level
    counts = ", ".join(f"{n} {outcome}" for outcome, n in result["outcomes"].items())
    parts = [f"pruned: {result['pruned']}"] if "pruned" in result else []
    parts += [f"objective: {describe_estimate(result['summary'], level)}"]
    parts += [f"{other['metric']}: {describe_estimate(other['summary'], level)}" for other in result.get("others", ())]
    broken = zip(sweep.constraints, result.get("violations", ()))
    parts += [f"constraint {text}: {describe_violation(violation)}" for text, violation in broken]
    parts += [f"replicates: {counts}"]
    parts += [f"race: {race}"] if race else []
    return "\n\n".join([*parts, f"[its run in MLflow]({link})\n"])


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
