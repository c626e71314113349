"""From what a replicate measured to its scores: composite metrics, one number an objective, what constraints see.

Apart from the trial, because it is arithmetic on measurements, with nothing that runs or writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from rothamsted.analysis import constraints
from rothamsted.analysis.constraints import constraint_of
from rothamsted.analysis.objectives import counted, number_of
from rothamsted.errors import StudyError
from rothamsted.expression import Expression
from rothamsted.records import Measured, ReplicateResult
from rothamsted.spec import Objective, Sweep
from rothamsted.study import Keep

NO_NUMBER = 1.0e9  # violation of a constraint that cannot be judged; infinity is no JSON, which the dashboard reads


def scored(measured: Measured, sweep: Sweep) -> Measured:
    """A measurement with the composite metrics of the sweep, where it has all that they are made of."""
    own = measured.metrics
    more = {o.metric: _expression(o.expression).evaluate(own) for o in sweep.objectives if _can_be_made(o, own)}
    return replace(measured, metrics={**own, **more}) if more else measured


def scores_of(history: Sequence[Measured], sweep: Sweep) -> tuple[float, ...]:
    """One number for each objective of a replicate that finished.

    Raises:
        StudyError: an objective's metric was never measured, or too seldom; names those that were.
    """
    scores = []
    for objective in sweep.objectives:
        points = [(m.step, m.metrics[objective.metric]) for m in history if objective.metric in m.metrics]
        steps, values = [step for step, _ in points], [value for _, value in points]
        if not len(counted(steps, values, counts_step_0=sweep.project is not None)):
            raise StudyError(_never(objective, history))
        scores.append(number_of(steps, values, objective, counts_step_0=sweep.project is not None))
    return tuple(scores)


def keep_of(sweep: Sweep) -> Keep:
    """Whose weights a replicate keeps: those of the step that its objective, of several the first, is of."""
    first = sweep.objective
    return Keep(
        metric=first.metric,
        direction=first.direction,
        reduce=first.reduce,
        value=lambda measured: scored(measured, sweep).metrics.get(first.metric),
    )


def constrained(sweep: Sweep) -> list[str]:
    """The metrics that constraints look at."""
    return sorted({name for text in sweep.constraints for name in constraint_of(text).names})


def last_values(history: Sequence[Measured], sweep: Sweep) -> dict[str, float]:
    """The last value of each metric that a constraint names.

    Raises:
        StudyError: one of them was never measured; names those that were.
    """
    last: dict[str, float] = {}
    for text in sweep.constraints:
        for name in sorted(constraint_of(text).names):
            curve = [m.metrics[name] for m in history if name in m.metrics]
            if not curve:
                raise StudyError(f"constraint {text!r}: metric {name!r} was never logged; {_logged(history)}")
            last[name] = float(curve[-1])
    return last


def violations(results: Sequence[ReplicateResult], sweep: Sweep) -> tuple[float, ...]:
    """How far each constraint is from holding, as Optuna is told it: a number, at most 0 where it holds.

    Without a replicate that finished there is nothing to judge, and every constraint counts as violated.
    """
    amounts = dict(constraints.violations(sweep.constraints, [r.last for r in results if r.last]))
    return tuple(min(max(amounts.get(text, NO_NUMBER), -NO_NUMBER), NO_NUMBER) for text in sweep.constraints)


def _can_be_made(objective: Objective, metrics: Mapping[str, float]) -> bool:
    return objective.expression is not None and _expression(objective.expression).names <= metrics.keys()


def _never(objective: Objective, history: Sequence[Measured]) -> str:
    if objective.expression is None:
        return f"objective: metric {objective.metric!r} was never logged; {_logged(history)}"
    names = {name for m in history for name in m.metrics}
    missing = sorted(_expression(objective.expression).names - names)
    what = f"metric {missing[0]!r} was never logged" if missing else "its metrics were never logged at one step"
    return f"objective: {objective.expression!r}: {what}; {_logged(history)}"


def _logged(history: Sequence[Measured]) -> str:
    names = sorted({name for m in history for name in m.metrics})
    return f"logged: {', '.join(names)}" if names else "nothing was logged"


@lru_cache
def _expression(text: str | None) -> Expression:
    return Expression(text or "")
