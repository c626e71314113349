"""Handle the end of an earlier holder of a trial that was taken over: count crashes and failures, start new runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rothamsted import tags
from rothamsted.analysis.values import Replicate
from rothamsted.records import Outcome, RunStatus
from rothamsted.search.lease import DEATHS
from rothamsted.sweeping.assignment import Assignment
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.trial_summary import now_ms
from rothamsted.sweeping.worker.earlier import Earlier, abandon, failed_result
from rothamsted.sweeping.worker.trial_runs import TrialRuns, by_text


def count_failures(runs: TrialRuns, earlier: Earlier) -> dict[int, Replicate]:
    """Count failures under earlier holders. Return results of replicates without attempts left; others start anew.

    Raises:
        LostError: another worker has the trial.
    """
    results: dict[int, Replicate] = {}
    for replicate, run in earlier.failed.items():
        n_failed = int(run.tags.get(tags.ATTEMPT, 1))  # the run's own failure included
        failures = {**runs.attempts.failures, replicate: n_failed - 1}
        runs.lease.attributes = {**runs.lease.attributes, tags.ATTEMPTS: by_text(failures)}
        if runs.attempts.has_crashed_out(replicate):
            results[replicate] = failed_result(replicate, run, runs.assignment, runs.context.sweep)
        elif n_failed >= runs.attempts.limit:
            runs.fail_for_good(replicate)
            results[replicate] = failed_result(replicate, run, runs.assignment, runs.context.sweep)
        else:
            runs.fail(replicate)
    return results


def lay_blame(runs: TrialRuns, earlier: Earlier, pending: Sequence[int]) -> dict[int, str]:
    """Count deaths of earlier holders for the replicates that were running, and return those with an ended worker.

    If the record shows none, because the worker died before it wrote anything, the death counts for those that it would
    have run first. This happens only once: after a crash of a trial, a run is written when it starts.

    Raises:
        LostError: another worker has the trial.
    """
    deaths = runs.lease.deaths
    if not deaths:
        return {}
    running = [replicate for replicate in earlier.open if replicate in pending]
    whys = [why for why in deaths if why and running]
    crashes = dict(runs.attempts.crashes)
    population = runs.context.sweep.execution.population  # auto begins with one
    first = [] if crashes else pending[: 1 if population == "auto" else population]
    for replicate in running or first:
        crashes[replicate] = crashes.get(replicate, 0) + len(deaths) - len(whys)
    runs.lease.set_attributes({tags.CRASHES: by_text(crashes), DEATHS: whys})
    return dict.fromkeys(running, whys[-1]) if whys else {}


def start_anew(runs: TrialRuns, earlier: Earlier, *, keep: Collection[int]) -> None:
    """End the runs of a foreign project's interrupted replicates; each gets another one.

    Raises:
        LostError: another worker has the trial.
    """
    left = [replicate for replicate in earlier.interrupted if replicate not in keep]
    if left:
        abandon(runs.context, earlier, keep=keep)
        runs.context.recorder.flush()
        runs.rename(left)


def end_pruned(context: Opened, assignment: Assignment, earlier: Earlier, reason: str) -> dict[int, Replicate]:
    """End the runs of replicates if the worker died after it had pruned their trial, and return their results."""
    results: dict[int, Replicate] = {}
    for replicate, run in earlier.interrupted.items():
        context.recorder.log(run.run_id, tags={tags.OUTCOME: Outcome.PRUNED.value, tags.PRUNED_BECAUSE: reason[:500]})
        context.recorder.end_run(run.run_id, RunStatus.KILLED, now_ms())
        results[replicate] = assignment.replicate(replicate, run.run_id, Outcome.PRUNED.value)
    return results
