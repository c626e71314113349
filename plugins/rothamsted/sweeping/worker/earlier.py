"""Read from the search and the record what earlier holders of a claimed trial have done.

The search has all results of a trial that ended before. If the holder died, the search has the ids of its runs, and the
record has their results.
"""

from __future__ import annotations

import math
import time
from collections.abc import Container
from dataclasses import dataclass, field, replace

from rothamsted import tags
from rothamsted.analysis.objectives import not_finite, objective_key
from rothamsted.analysis.told_replicates import told_replicates
from rothamsted.analysis.values import Replicate
from rothamsted.records import Outcome, RunStatus
from rothamsted.search import Lease
from rothamsted.search.lease import RUNS
from rothamsted.spec import Sweep
from rothamsted.sweeping.assignment import Assignment
from rothamsted.sweeping.attempts import Attempts
from rothamsted.sweeping.histories import History
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.scores import constrained
from rothamsted.tracking import FoundRun, find_run, find_runs

TRIAL_RUN = "trial"  # beside the replicates' numbers, among the ids of a trial's runs
_ENDED = (
    (RunStatus.FINISHED, Outcome.FINISHED),
    (RunStatus.FINISHED, Outcome.DIVERGED),
    (RunStatus.KILLED, Outcome.PRUNED),
)


@dataclass(kw_only=True)
class Earlier:
    """Holds what earlier holders have done."""

    run_id: str = ""  # of the trial
    lone_run_id: str = ""  # of what was the trial's only replicate, before the sweep grew
    results: dict[int, Replicate] = field(default_factory=dict)  # by replicate
    histories: dict[str, History] = field(default_factory=dict)  # by run: those that had to be read
    told: frozenset[int] = frozenset()  # replicates that the search was told of
    interrupted: dict[int, FoundRun] = field(default_factory=dict)  # runs that can go on, by replicate
    failed: dict[int, FoundRun] = field(default_factory=dict)  # runs of failures that were not told, by replicate

    @property
    def open(self) -> list[int]:
        """Return the replicates that were running when the last holder ended."""
        return [r for r, run in self.interrupted.items() if run.status == "RUNNING" or tags.OUTCOME not in run.tags]


def restore(context: Opened, lease: Lease, assignment: Assignment) -> Earlier:
    """Return everything of a claimed trial that need not run again.

    The runs of an earlier holder are held under this claim before they are read, so its later writes are dropped.

    Raises:
        LostError: another worker has the trial.
    """
    earlier = told_before(context, lease, assignment)
    if not lease.is_taken_over:
        return earlier
    runs = lease.runs or _found_by_tags(context, lease, assignment)
    is_there = [run_id for run_id in runs.values() if find_run(run_id, uri=context.tracking_uri) is not None]
    for run_id in is_there:
        context.recorder.hold(run_id, lease.token)
    context.recorder.flush()
    for key, run_id in runs.items():
        run = find_run(run_id, uri=context.tracking_uri) if run_id in is_there else None
        if run is not None and key == TRIAL_RUN:
            earlier.run_id = run_id
        elif run is not None and int(key) in assignment.seeds:
            _keep(earlier, int(key), run, assignment, context.sweep)
    return earlier


def told_before(context: Opened, lease: Lease, assignment: Assignment) -> Earlier:
    """Return the recorded results of a trial. A failed replicate is done if it has no attempts left."""
    earlier, attributes = Earlier(), lease.attributes
    if tags.RESULT not in attributes:
        return earlier
    attempts = Attempts.of(attributes, retries=context.sweep.execution.retries)
    told = told_replicates(attributes, context.sweep, trial=lease.number)
    earlier.told = frozenset(r.number for r in told)
    done = [r for r in told if r.outcome != Outcome.FAILED or attempts.is_given_up(r.number)]
    earlier.results.update({r.number: r for r in done})
    if assignment.has_run:
        is_lone = any(r.run_id == attributes[tags.RUN_ID] for r in told)
        earlier.run_id = "" if is_lone else attributes[tags.RUN_ID]
        earlier.lone_run_id = attributes[tags.RUN_ID] if is_lone else ""
    return earlier


def _found_by_tags(context: Opened, lease: Lease, assignment: Assignment) -> dict[str, str]:
    """The runs of a trial whose ids are not in the search: older sweeps, and a server's before they were written.

    Of several of one replicate the last; they stand in the search from now on.
    """
    wanted = {tags.SWEEP: context.sweep.name, tags.TRIAL: str(assignment.of), tags.PHASE: assignment.phase}
    found = find_runs([context.experiment_id], wanted, uri=context.tracking_uri)
    trials = {r.run_id for r in found if r.tags.get("mlflow.parentRunId") == assignment.parent_run_id}
    runs: dict[str, str] = {}
    for run in sorted(found, key=lambda run: run.start_ms):
        if run.tags.get("mlflow.parentRunId") not in {assignment.parent_run_id, *trials}:
            continue  # of another sweep of this name
        if run.tags[tags.ROLE] == "trial" and assignment.has_run:
            runs[TRIAL_RUN] = run.run_id
        elif tags.REPLICATE in run.tags:
            runs[run.tags[tags.REPLICATE]] = run.run_id
    lease.set_attributes({RUNS: runs})
    return runs


def _keep(earlier: Earlier, replicate: int, run: FoundRun, assignment: Assignment, sweep: Sweep) -> None:
    outcome = run.tags.get(tags.OUTCOME)
    if (run.status, outcome) in _ENDED:
        earlier.results[replicate] = _result_of_run(replicate, run, assignment, sweep)
    elif run.status != RunStatus.FAILED or (sweep.is_foreign and outcome is None):
        earlier.interrupted[replicate] = run  # nobody has said how it ended; a foreign process may set the status
    else:
        earlier.failed[replicate] = run


def _result_of_run(replicate: int, run: FoundRun, assignment: Assignment, sweep: Sweep) -> Replicate:
    metrics = [objective.metric for objective in sweep.objectives]
    keys = [objective_key(index, metric) for index, metric in enumerate(metrics)]
    outcome, reason = Outcome(run.tags[tags.OUTCOME]), run.tags.get(tags.REASON, "")
    if outcome is Outcome.FINISHED and (why := not_finite([run.metrics.get(key) for key in keys], metrics)):
        outcome, reason = Outcome.DIVERGED, why
    is_finished = outcome is Outcome.FINISHED
    return assignment.replicate(
        replicate,
        run.run_id,
        outcome.value,
        objective=run.metrics.get(keys[0], math.nan) if is_finished else math.nan,
        others=tuple(run.metrics[key] for key in keys[1:]) if is_finished else (),
        last={name: run.metrics[name] for name in constrained(sweep)} if is_finished else {},
        reason="" if is_finished else reason,
        stopped_early=run.tags.get(tags.STOPPED_EARLY, "") if is_finished else "",
        attempt=int(run.tags.get(tags.ATTEMPT, 1)),
        model=run.tags.get(tags.MODEL, ""),
        model_problem=run.tags.get(tags.MODEL_PROBLEM, ""),
    )


def failed_result(replicate: int, run: FoundRun, assignment: Assignment, sweep: Sweep) -> Replicate:
    """Return a replicate with a failed run as the search keeps it."""
    return replace(_result_of_run(replicate, run, assignment, sweep), outcome=Outcome.FAILED.value, objective=math.nan)


def abandon(context: Opened, earlier: Earlier, *, keep: Container[int]) -> None:
    """End the runs of interrupted replicates that cannot go on. A foreign process starts anew, in a new run."""
    for replicate in [replicate for replicate in earlier.interrupted if replicate not in keep]:
        run = earlier.interrupted.pop(replicate)
        if (run.status, run.tags.get(tags.OUTCOME)) != (RunStatus.KILLED, Outcome.INTERRUPTED):
            reason = "its worker died; it was started again in another run"
            context.recorder.log(run.run_id, tags={tags.OUTCOME: Outcome.INTERRUPTED.value, tags.REASON: reason})
            context.recorder.end_run(run.run_id, RunStatus.KILLED, run.end_ms or time.time_ns() // 1_000_000)
