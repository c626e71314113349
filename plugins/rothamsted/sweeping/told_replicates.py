"""Replicates as the search was told of them, with their measurements read back from the record where they matter."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rothamsted.analysis.objectives import OBJECTIVE, not_finite
from rothamsted.foreign.results import read_objective_artifact
from rothamsted.records import Measured, MetricPoint, Outcome, ReplicateResult
from rothamsted.spec import Sweep
from rothamsted.tracking import read_history

PARAMETERS, PREDICT_MS = "parameters", "predict_ms"  # metrics of a run with a model, unless the study logs them
OF_THE_ENGINE = frozenset({OBJECTIVE, PARAMETERS, PREDICT_MS})  # logged beside what the study measures


def result_of_told(told: Mapping[str, Any]) -> ReplicateResult:
    """A replicate from what the search was told of it, without its measurements.

    One that an older version called finished, with an objective that is not finite, has diverged.
    """
    if told["outcome"] == Outcome.FINISHED and (why := not_finite(*_scores(told))):
        told = {**told, "outcome": Outcome.DIVERGED.value, "objective": None, "others": (), "reason": why}
    return ReplicateResult(
        replicate=told["replicate"],
        seed=told["seed"],
        run_id=told["run_id"],
        outcome=Outcome(told["outcome"]),
        objective=told["objective"],
        others=tuple(told.get("others", ())),
        last=told.get("last", {}),
        tested=told.get("tested", {}),
        reason=told.get("reason", ""),
        attempt=told.get("attempt", 1),
    )


def _scores(told: Mapping[str, Any]) -> tuple[list[float | None], list[str]]:
    """Its scores, and a name of each."""
    scores = [told["objective"], *told.get("others", ())]
    return scores, ["objective"] * len(scores)


def with_histories(
    results: Sequence[ReplicateResult], *, tracking_uri: str, of: Container[Outcome] = (Outcome.FINISHED,)
) -> list[ReplicateResult]:
    """The results with the measurements of replicates that ended so, read back where they are missing."""
    missing = {r.run_id for r in results if r.outcome in of and not r.history}
    histories = read_history(missing, uri=tracking_uri) if missing else {}
    return [replace(r, history=as_history(histories[r.run_id])) if r.run_id in missing else r for r in results]


def with_artifacts(
    history: tuple[Measured, ...], sweep: Sweep, run_id: str, *, uri: str, timestamp_ms: int
) -> tuple[Measured, ...]:
    """The history of a run with the objectives that stand in one of its files, as part of its last measurement.

    Raises:
        UserError: a file or its number is not there.
    """
    wanted = [objective for objective in sweep.objectives if objective.artifact is not None]
    if not wanted:
        return history
    found = {o.metric: read_objective_artifact(run_id, o.artifact or "", o.metric, uri=uri) for o in wanted}
    if history:
        return (*history[:-1], replace(history[-1], metrics={**history[-1].metrics, **found}))
    return (Measured(step=0, epoch=None, seconds=math.nan, metrics=found, timestamp_ms=timestamp_ms),)


def as_history(points: Sequence[MetricPoint]) -> tuple[Measured, ...]:
    """Measurements from logged metrics, by step."""
    by_step: dict[int, dict[str, MetricPoint]] = {}
    for point in points:
        if point.key not in OF_THE_ENGINE and not point.key.startswith(f"{OBJECTIVE}."):
            by_step.setdefault(point.step, {})[point.key] = point
    history = []
    for step in sorted(by_step):
        row = by_step[step]
        metrics = {key: point.value for key, point in row.items() if key != "epoch"}
        history.append(
            Measured(
                step=step,
                epoch=row["epoch"].value if "epoch" in row else None,
                seconds=metrics.get("seconds", float("nan")),
                metrics=metrics,
                timestamp_ms=max(point.timestamp_ms for point in row.values()),
            )
        )
    return tuple(history)
