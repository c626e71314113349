"""What earlier holders of a claimed trial have done: read from the search, and from the tracking store.

Apart from the trial, because this is the one place where a take-over, a retry and the next round of a race
differ. A trial that ended before stands whole in the search; one whose holder died stands in MLflow alone.
"""

from __future__ import annotations

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rothamsted import tags
from rothamsted.analysis.objectives import OBJECTIVE, objective_key
from rothamsted.records import Measured, MetricPoint, Outcome, ReplicateResult, RunStatus
from rothamsted.search import Claimed
from rothamsted.spec import Sweep
from rothamsted.sweep.assignment import Work
from rothamsted.sweep.opened import SweepContext
from rothamsted.sweep.scores import constrained
from rothamsted.sweep.worker.model_log import PARAMETERS, PREDICT_MS, ModelNote
from rothamsted.tracking import FoundRun, find_runs, read_history

OF_THE_ENGINE = frozenset({OBJECTIVE, PARAMETERS, PREDICT_MS})  # logged beside what the study measures
_ENDED = (
    (RunStatus.FINISHED, Outcome.FINISHED),
    (RunStatus.FINISHED, Outcome.DIVERGED),
    (RunStatus.KILLED, Outcome.PRUNED),
)


@dataclass(kw_only=True)
class Earlier:
    """What earlier holders have done."""

    run_id: str = ""  # of the trial
    results: dict[int, ReplicateResult] = field(default_factory=dict)  # by replicate, without histories
    told: frozenset[int] = frozenset()  # replicates that the search was told of
    failed: frozenset[int] = frozenset()  # of those, the failed ones
    interrupted: dict[int, FoundRun] = field(default_factory=dict)  # runs that can go on, by replicate
    notes: dict[int, ModelNote] = field(default_factory=dict)  # what became of models, by replicate


def restore(context: SweepContext, claimed: Claimed, work: Work) -> Earlier:
    """Everything of a claimed trial that need not be run again."""
    earlier = Earlier()
    _from_search(earlier, context, claimed, work)
    if claimed.is_taken_over:
        _from_store(earlier, context, work)
    return earlier


def with_histories(
    results: Sequence[ReplicateResult], *, tracking_uri: str, of: Container[Outcome] = (Outcome.FINISHED,)
) -> list[ReplicateResult]:
    """The results with the measurements of replicates that ended so, read back where they are missing."""
    missing = {r.run_id for r in results if r.outcome in of and not r.history}
    histories = read_history(missing, uri=tracking_uri) if missing else {}
    return [replace(r, history=as_history(histories[r.run_id])) if r.run_id in missing else r for r in results]


def result_of_told(told: Mapping[str, Any]) -> ReplicateResult:
    """A replicate from what the search was told of it, without its measurements."""
    return ReplicateResult(
        replicate=told["replicate"],
        seed=told["seed"],
        run_id=told["run_id"],
        outcome=Outcome(told["outcome"]),
        objective=told["objective"],
        others=tuple(told.get("others", ())),
        last=told.get("last", {}),
        reason=told.get("reason", ""),
        attempt=told.get("attempt", 1),
    )


def _from_search(earlier: Earlier, context: SweepContext, claimed: Claimed, work: Work) -> None:
    """Replicates that were told; a failed one is done when it has had all its attempts."""
    result = claimed.attributes.get(tags.RESULT)
    if result is None:
        return
    is_given_up = claimed.attributes.get(tags.ATTEMPTS, 1) >= 1 + context.sweep.execution.retries
    told = [result_of_told(one) for one in result["replicates"]]
    earlier.told = frozenset(r.replicate for r in told)
    earlier.failed = frozenset(r.replicate for r in told if r.outcome is Outcome.FAILED)
    earlier.results.update({r.replicate: r for r in told if r.outcome is not Outcome.FAILED or is_given_up})
    notes = {int(replicate): ModelNote(**note) for replicate, note in result.get("models", {}).items()}
    earlier.notes.update({replicate: note for replicate, note in notes.items() if replicate in earlier.results})
    if work.has_trial_run:
        earlier.run_id = claimed.attributes[tags.RUN_ID]


def _from_store(earlier: Earlier, context: SweepContext, work: Work) -> None:
    wanted = {tags.SWEEP: context.sweep.name, tags.TRIAL: str(work.trial), tags.PHASE: work.phase}
    found = find_runs([context.experiment_id], wanted, uri=context.tracking_uri)
    trials = {r.run_id for r in found if r.tags.get("mlflow.parentRunId") == work.parent_id}
    for run in sorted(found, key=lambda run: run.start_ms):
        parent = run.tags.get("mlflow.parentRunId")
        if parent != work.parent_id and parent not in trials:
            continue  # of another sweep of this name
        if run.tags[tags.ROLE] == "trial" and work.has_trial_run:
            earlier.run_id = run.run_id
        elif tags.REPLICATE in run.tags and int(run.tags[tags.REPLICATE]) in work.seeds:
            _keep(earlier, run, context.sweep)


def _keep(earlier: Earlier, run: FoundRun, sweep: Sweep) -> None:
    replicate, outcome = int(run.tags[tags.REPLICATE]), run.tags.get(tags.OUTCOME)
    if (run.status, outcome) in _ENDED:
        keys = [objective_key(index, objective.metric) for index, objective in enumerate(sweep.objectives)]
        is_finished = outcome == Outcome.FINISHED
        earlier.results[replicate] = ReplicateResult(
            replicate=replicate,
            seed=int(run.tags[tags.SEED]),
            run_id=run.run_id,
            outcome=Outcome(outcome),
            objective=run.metrics.get(keys[0]),
            others=tuple(run.metrics[key] for key in keys[1:]) if is_finished else (),
            last={name: run.metrics[name] for name in constrained(sweep)} if is_finished else {},
            reason=run.tags.get(tags.STOPPED_EARLY if is_finished else tags.REASON, ""),
            attempt=int(run.tags.get(tags.ATTEMPT, 1)),
        )
        if note := ModelNote.from_tags(run.tags):
            earlier.notes[replicate] = note
        earlier.interrupted.pop(replicate, None)
    elif replicate not in earlier.results and _is_open(run, sweep):
        earlier.interrupted[replicate] = run


def _is_open(run: FoundRun, sweep: Sweep) -> bool:
    """Whether nobody has said how it ended; a foreign process may have set its run's status itself."""
    return run.status != RunStatus.FAILED or (sweep.project is not None and tags.OUTCOME not in run.tags)


def abandon(context: SweepContext, earlier: Earlier) -> None:
    """End the runs of interrupted replicates that cannot go on: a foreign process starts anew, in a run of its own."""
    for run in earlier.interrupted.values():
        if (run.status, run.tags.get(tags.OUTCOME)) != (RunStatus.KILLED, Outcome.INTERRUPTED):
            reason = "its worker died; it was started anew in another run"
            context.recorder.log(run.run_id, tags={tags.OUTCOME: Outcome.INTERRUPTED.value, tags.REASON: reason})
            context.recorder.end_run(run.run_id, RunStatus.KILLED, run.end_ms or time.time_ns() // 1_000_000)
    earlier.interrupted.clear()


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
