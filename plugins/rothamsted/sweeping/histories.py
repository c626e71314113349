"""Read the measurements of replicates from the record, if a worker no longer has them."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

from rothamsted.analysis.objectives import OBJECTIVE
from rothamsted.analysis.values import Replicate
from rothamsted.foreign.results import read_objective_artifact
from rothamsted.records import Measured, MetricPoint, Outcome
from rothamsted.spec import Sweep
from rothamsted.tracking import read_history

PARAMETERS, PREDICT_MS = "parameters", "predict_ms"  # metrics of a run with a model, unless the study logs them
History = tuple[Measured, ...]  # of one replicate, by step
Histories = Mapping[str, History]  # by run
OF_THE_ENGINE = frozenset({OBJECTIVE, PARAMETERS, PREDICT_MS})  # logged beside what the study measures


def histories_of(
    replicates: Iterable[Replicate],
    known: Histories,
    *,
    tracking_uri: str,
    of: Container[str] = (Outcome.FINISHED,),
) -> dict[str, History]:
    """Return the measurements of replicates by run. Those that are not known are read from the record."""
    missing = {one.run_id for one in replicates if one.outcome in of and not known.get(one.run_id)}
    found = read_history(missing, uri=tracking_uri) if missing else {}
    return {**known, **{run_id: as_history(found[run_id]) for run_id in missing}}


def with_artifacts(history: History, sweep: Sweep, run_id: str, *, uri: str, timestamp_ms: int) -> History:
    """Return the history of a run with the objectives from its artifact files as part of its last measurement.

    Raises:
        UserError: a file or its number is missing.
    """
    wanted = [objective for objective in sweep.objectives if objective.artifact is not None]
    if not wanted:
        return history
    found = {o.metric: read_objective_artifact(run_id, o.artifact or "", o.metric, uri=uri) for o in wanted}
    if history:
        return (*history[:-1], replace(history[-1], metrics={**history[-1].metrics, **found}))
    return (Measured(step=0, epoch=None, seconds=math.nan, metrics=found, timestamp_ms=timestamp_ms),)


def as_history(points: Sequence[MetricPoint]) -> History:
    """Return measurements from logged metrics, by step."""
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
