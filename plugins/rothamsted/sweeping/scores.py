"""Compute the scores of a replicate: composite metrics, one number for each objective, values of constraints."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from rothamsted.analysis import constraints
from rothamsted.analysis.constraints import constraint_of
from rothamsted.analysis.objectives import counted, not_finite, number_of
from rothamsted.analysis.values import Replicate
from rothamsted.errors import StudyError
from rothamsted.expression import Expression
from rothamsted.records import Ending, Measured, Outcome
from rothamsted.spec import Objective, Sweep
from rothamsted.studies import Keep
from rothamsted.suggest import known_names

NO_NUMBER = 1.0e9  # violation of a constraint that cannot be judged; infinity is not JSON, which the dashboard reads


def scored(measured: Measured, sweep: Sweep) -> Measured:
    """Return a measurement with the composite metrics of the sweep, if it has all their parts."""
    own = measured.metrics
    more = {o.metric: _expression(o.expression).evaluate(own) for o in sweep.objectives if _can_be_made(o, own)}
    return replace(measured, metrics={**own, **more}) if more else measured


def scores_of(history: Sequence[Measured], sweep: Sweep) -> tuple[float, ...]:
    """Return one number for each objective of a finished replicate.

    Raises:
        StudyError: an objective's metric was never measured, or too rarely; the message names those that were.
    """
    scores = []
    for objective in sweep.objectives:
        points = [(m.step, m.metrics[objective.metric]) for m in history if objective.metric in m.metrics]
        steps, values = [step for step, _ in points], [value for _, value in points]
        if not len(counted(steps, values, counts_step_0=sweep.is_foreign)):
            raise StudyError(_never(objective, history))
        scores.append(number_of(steps, values, objective, counts_step_0=sweep.is_foreign))
    return tuple(scores)


def check_measured(history: Sequence[Measured], sweep: Sweep) -> None:
    """Check that a finished replicate has measured all metrics of the sweep's file.

    Args:
        history: its measurements, with composite metrics.
        sweep: the sweep.

    Raises:
        StudyError: the metric of an objective, a constraint or early stopping was never measured; the message names the
            nearest. Or a pruner counts epochs, and there are none.
    """
    scores_of(history, sweep)
    last_values(history, sweep)
    if sweep.stopping is not None and not any(sweep.stopping[0] in one.metrics for one in history):
        raise StudyError(f"early_stopping: {_never_logged(sweep.stopping[0], history)}")
    if sweep.pruner is not None and sweep.pruner.in_epochs and not any(one.epoch for one in history):
        raise StudyError("pruner: counts epochs, and no measurement says its epoch; give its numbers in steps")


def completed(ending: Ending, sweep: Sweep) -> Ending:
    """Return an ending with its composite metrics.

    If a metric of the file is missing, the replicate has failed. If an objective is not finite, it has diverged.
    """
    ending = replace(ending, history=tuple(scored(measured, sweep) for measured in ending.history))
    if ending.outcome is not Outcome.FINISHED:
        return ending
    try:
        check_measured(ending.history, sweep)
        scores = scores_of(ending.history, sweep)
    except StudyError as error:
        return replace(ending, outcome=Outcome.FAILED, reason=str(error), model=None)
    if reason := not_finite(scores, [objective.metric for objective in sweep.objectives]):
        return replace(ending, outcome=Outcome.DIVERGED, reason=reason, model=None)
    return ending


def is_unscored(reason: str) -> bool:
    """Return whether a replicate failed only because a metric of the sweep's file was missing."""
    return reason.startswith(("objective: ", "constraint ", "early_stopping: ")) and "never logged" in reason


def sources_of(wanted: Collection[str], sweep: Sweep) -> set[str]:
    """Return metrics, with the parts of composite ones."""
    made = {o.metric: o.expression for o in sweep.objectives if o.expression is not None}
    return {*wanted}.union(*(_expression(made[name]).names for name in wanted if name in made))


def keep_of(sweep: Sweep) -> Keep:
    """Return which weights a replicate keeps: those of the step of its (first) objective."""
    first = sweep.objective
    return Keep(
        metric=first.metric,
        direction=first.direction,
        reduce=first.reduce,
        value=lambda measured: scored(measured, sweep).metrics.get(first.metric),
    )


def constrained(sweep: Sweep) -> list[str]:
    """Return the metrics of constraints."""
    return sorted({name for text in sweep.constraints for name in constraint_of(text).names})


def last_values(history: Sequence[Measured], sweep: Sweep) -> dict[str, float]:
    """Return the last value of each metric that a constraint names.

    Raises:
        StudyError: one of them was never measured; the message names those that were.
    """
    last: dict[str, float] = {}
    for text in sweep.constraints:
        for name in sorted(constraint_of(text).names):
            curve = [m.metrics[name] for m in history if name in m.metrics]
            if not curve:
                raise StudyError(f"constraint {text!r}: {_never_logged(name, history)}")
            last[name] = float(curve[-1])
    return last


def violations(results: Sequence[Replicate], sweep: Sweep) -> tuple[float, ...]:
    """Return how far each constraint is from holding, as Optuna takes it: at most 0 if it holds.

    Without a finished replicate every constraint counts as violated.
    """
    amounts = dict(constraints.violations(sweep.constraints, [r.last for r in results if r.last]))
    return tuple(min(max(amounts.get(text, NO_NUMBER), -NO_NUMBER), NO_NUMBER) for text in sweep.constraints)


def _can_be_made(objective: Objective, metrics: Mapping[str, float]) -> bool:
    return objective.expression is not None and _expression(objective.expression).names <= metrics.keys()


def _never(objective: Objective, history: Sequence[Measured]) -> str:
    if objective.expression is None:
        return f"objective: {_never_logged(objective.metric, history)}"
    missing = sorted(_expression(objective.expression).names - set(_names(history)))
    if missing:
        return f"objective: {objective.expression!r}: {_never_logged(missing[0], history)}"
    return f"objective: {objective.expression!r}: its metrics were never logged at one step"


def _never_logged(metric: str, history: Sequence[Measured]) -> str:
    names = _names(history)
    logged = known_names(metric, names, word="logged") if names else "nothing was logged"
    return f"metric {metric!r} was never logged; {logged}"


def _names(history: Sequence[Measured]) -> list[str]:
    return sorted({name for m in history for name in m.metrics})


@lru_cache
def _expression(text: str | None) -> Expression:
    return Expression(text or "")
