"""Scores of replicates that have ended, anew: of a sweep that goes on with another objective or other constraints.

Nothing is trained: what a replicate has measured stands in the record. A replicate that trained to its end and had no
score because its file asked for a metric that it does not log is one of them, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rothamsted import tags
from rothamsted.analysis.objectives import NOT_FINITE, not_finite, objective_key
from rothamsted.errors import StudyError
from rothamsted.records import MetricPoint, Outcome, ReplicateResult, RunStatus
from rothamsted.search import Lease
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.scores import check_measured, is_unscored, last_values, scored, scores_of
from rothamsted.sweeping.told_replicates import result_of_told, with_histories
from rothamsted.sweeping.worker.earlier import Earlier, failed_result


def rescore(context: Opened, lease: Lease, earlier: Earlier) -> None:
    """Give the replicates of a claimed trial the scores that the file asks for now; the record is told, too."""
    known = dict(earlier.results)
    told: Mapping[str, Any] = lease.attributes.get(tags.RESULT, {"replicates": ()})
    for one in map(result_of_told, told["replicates"]):
        known.setdefault(one.replicate, one)
    for replicate, run in earlier.failed.items():
        known.setdefault(replicate, failed_result(replicate, run, context.sweep))
    ended = [one for one in known.values() if _is_trained(one)]
    every = (Outcome.FINISHED, Outcome.DIVERGED, Outcome.FAILED)
    for one in with_histories(ended, tracking_uri=context.tracking_uri, of=every):
        result = _scored_anew(one, context)
        if result is None:
            continue
        earlier.results[one.replicate] = result
        earlier.failed.pop(one.replicate, None)
        _write(result, context, lease)


def _is_trained(result: ReplicateResult) -> bool:
    """Whether its training went to its end, so that only its scores were wanting."""
    if result.outcome is Outcome.FINISHED:
        return True
    if result.outcome is Outcome.DIVERGED:
        return result.reason.startswith(NOT_FINITE)
    return result.outcome is Outcome.FAILED and is_unscored(result.reason)


def _scored_anew(result: ReplicateResult, context: Opened) -> ReplicateResult | None:
    """The replicate with its scores; None where it has not logged what the file asks for."""
    sweep = context.sweep
    history = tuple(scored(measured, sweep) for measured in result.history)
    try:
        check_measured(history, sweep)
        scores = scores_of(history, sweep)
    except StudyError:
        return None
    if reason := not_finite(scores, [objective.metric for objective in sweep.objectives]):
        return replace(result, outcome=Outcome.DIVERGED, objective=None, others=(), last={}, reason=reason)
    is_same = result.outcome is Outcome.FINISHED
    return replace(
        result,
        outcome=Outcome.FINISHED,
        objective=scores[0],
        others=scores[1:],
        last=last_values(history, sweep),
        reason=result.reason if is_same else "",  # why it stopped early
        history=history,
    )


def _write(result: ReplicateResult, context: Opened, lease: Lease) -> None:
    """Scores, outcome and status of a replicate's run; written twice, it is the same."""
    recorder, sweep = context.recorder, context.sweep
    recorder.hold(result.run_id, lease.token)
    if result.outcome is Outcome.FINISHED:
        last = result.history[-1]
        keys = [objective_key(index, objective.metric) for index, objective in enumerate(sweep.objectives)]
        made = [objective.metric for objective in sweep.objectives if objective.expression is not None]
        points = [
            MetricPoint(key, score, last.timestamp_ms, last.step)
            for key, score in zip(keys, (result.objective, *result.others), strict=True)
            if score is not None
        ]
        points += [
            MetricPoint(name, float(measured.metrics[name]), measured.timestamp_ms, measured.step)
            for measured in result.history
            for name in made
            if name in measured.metrics
        ]
        recorder.replace_metrics(result.run_id, points)
    why = {tags.REASON: result.reason} if result.outcome is Outcome.DIVERGED else {}
    recorder.log(result.run_id, tags={tags.OUTCOME: result.outcome.value, **why})
    ended_ms = max((one.timestamp_ms for one in result.history), default=0)
    recorder.end_run(result.run_id, RunStatus.FINISHED, ended_ms)
