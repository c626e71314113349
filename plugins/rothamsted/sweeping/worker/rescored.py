"""Compute the scores of ended replicates again, when a sweep goes on with another objective or constraints.

Nothing is trained: the record has the measurements. This includes replicates that trained to their end and had no score
because a metric of the file was not logged.
"""

from __future__ import annotations

import math
from dataclasses import replace

from rothamsted import tags
from rothamsted.analysis.objectives import NOT_FINITE, not_finite, objective_key
from rothamsted.analysis.told_replicates import told_replicates
from rothamsted.analysis.values import Replicate
from rothamsted.errors import StudyError
from rothamsted.records import MetricPoint, Outcome, RunStatus
from rothamsted.search import Lease
from rothamsted.spec import Sweep
from rothamsted.sweeping.assignment import Assignment
from rothamsted.sweeping.histories import History, histories_of
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.scores import check_measured, is_unscored, last_values, scored, scores_of
from rothamsted.sweeping.worker.earlier import Earlier, failed_result


def rescore(context: Opened, lease: Lease, assignment: Assignment, earlier: Earlier) -> None:
    """Give the replicates of a claimed trial the scores of the present file, in the record too."""
    sweep, known = context.sweep, dict(earlier.results)
    for one in told_replicates(lease.attributes, sweep, trial=lease.number):
        known.setdefault(one.number, one)
    for replicate, run in earlier.failed.items():
        known.setdefault(replicate, failed_result(replicate, run, assignment, sweep))
    ended = [one for one in known.values() if _is_trained(one)]
    every = (Outcome.FINISHED, Outcome.DIVERGED, Outcome.FAILED)
    histories = histories_of(ended, {}, tracking_uri=context.tracking_uri, of=every)
    for one in ended:
        history = tuple(scored(measured, sweep) for measured in histories[one.run_id])
        result = _scored_anew(one, history, sweep)
        if result is None:
            continue
        earlier.results[one.number] = result
        if result.has_score:
            earlier.histories[one.run_id] = history
        earlier.failed.pop(one.number, None)
        _write(result, history, context, lease)


def _is_trained(result: Replicate) -> bool:
    """Whether its training went to its end, so that only its scores were wanting."""
    if result.outcome == Outcome.FINISHED:
        return True
    if result.outcome == Outcome.DIVERGED:
        return result.reason.startswith(NOT_FINITE)
    return result.outcome == Outcome.FAILED and is_unscored(result.reason)


def _scored_anew(result: Replicate, history: History, sweep: Sweep) -> Replicate | None:
    """The replicate with its scores; None where it has not logged what the file asks for."""
    try:
        check_measured(history, sweep)
        scores = scores_of(history, sweep)
    except StudyError:
        return None
    if reason := not_finite(scores, [objective.metric for objective in sweep.objectives]):
        nothing = replace(result, objective=math.nan, others=(), last={}, stopped_early="")
        return replace(nothing, outcome=Outcome.DIVERGED.value, reason=reason)
    return replace(
        result,
        outcome=Outcome.FINISHED.value,
        objective=scores[0],
        others=scores[1:],
        last=last_values(history, sweep),
        reason="",
    )


def _write(result: Replicate, history: History, context: Opened, lease: Lease) -> None:
    """Scores, outcome and status of a replicate's run; written twice, it is the same."""
    recorder, sweep = context.recorder, context.sweep
    recorder.hold(result.run_id, lease.token)
    if result.outcome == Outcome.FINISHED:
        last = history[-1]
        keys = [objective_key(index, objective.metric) for index, objective in enumerate(sweep.objectives)]
        made = [objective.metric for objective in sweep.objectives if objective.expression is not None]
        points = [
            MetricPoint(key, score, last.timestamp_ms, last.step)
            for key, score in zip(keys, (result.objective, *result.others), strict=True)
        ]
        points += [
            MetricPoint(name, float(measured.metrics[name]), measured.timestamp_ms, measured.step)
            for measured in history
            for name in made
            if name in measured.metrics
        ]
        recorder.replace_metrics(result.run_id, points)
    why = {tags.REASON: result.reason} if result.outcome == Outcome.DIVERGED else {}
    recorder.log(result.run_id, tags={tags.OUTCOME: result.outcome, **why})
    ended_ms = max((one.timestamp_ms for one in history), default=0)
    recorder.end_run(result.run_id, RunStatus.FINISHED, ended_ms)
