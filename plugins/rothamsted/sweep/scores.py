"""From what a replicate measured to its scores: composite metrics, one number an objective, what constraints see.

Apart from the trial, because it is arithmetic on measurements, with nothing that runs or writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from rothamsted.errors import StudyError
from rothamsted.expression import Constraint, Expression
from rothamsted.records import Measured, ReplicateResult
from rothamsted.spec import Sweep
from rothamsted.spec.search_sections import Objective
from rothamsted.statistics import reduce_curve

NO_NUMBER = 1.0e9  # violation of a constraint that cannot be judged; infinity is no JSON, which the dashboard reads


def scored(measured: Measured, sweep: Sweep) -> Measured:
    """A measurement with the composite metrics of the sweep, where it has all that they are made of."""
    own = measured.metrics
    more = {o.metric: _expression(o.expression).evaluate(own) for o in sweep.objectives if _can_be_made(o, own)}
    return replace(measured, metrics={**own, **more}) if more else measured


def curve_of(history: Iterable[Measured], metric: str, *, is_foreign: bool = False) -> list[float]:
    """A metric along a replicate's measurements, without one before the first update.

    An untrained model is no result: where all seeds start alike, its loss would be the best of every condition
    that does not learn, with no spread at all. What step 0 means in a stranger's project nobody knows: there it
    counts.
    """
    points = [m for m in history if metric in m.metrics]
    return [float(m.metrics[metric]) for m in points if m.step > 0 or len(points) == 1 or is_foreign]


def scores_of(history: Sequence[Measured], sweep: Sweep) -> tuple[float, ...]:
    """One number for each objective of a replicate that finished.

    Raises:
        StudyError: an objective's metric was never measured, or too seldom; names those that were.
    """
    scores = []
    for objective in sweep.objectives:
        curve = curve_of(history, objective.metric, is_foreign=sweep.project is not None)
        if not curve:
            raise StudyError(_never(objective, history))
        scores.append(reduce_curve(curve, objective.reduce, objective.direction))
    return tuple(scores)


def constrained(sweep: Sweep) -> list[str]:
    """The metrics that constraints look at."""
    return sorted({name for text in sweep.constraints for name in _constraint(text).names})


def last_values(history: Sequence[Measured], sweep: Sweep) -> dict[str, float]:
    """The last value of each metric that a constraint names.

    Raises:
        StudyError: one of them was never measured; names those that were.
    """
    last: dict[str, float] = {}
    for text in sweep.constraints:
        for name in sorted(_constraint(text).names):
            curve = [m.metrics[name] for m in history if name in m.metrics]
            if not curve:
                raise StudyError(f"constraint {text!r}: metric {name!r} was never logged; {_logged(history)}")
            last[name] = float(curve[-1])
    return last


def violations(results: Sequence[ReplicateResult], sweep: Sweep) -> tuple[float, ...]:
    """How far each constraint is from holding for the means over replicates of the last values; at most 0: it holds.

    Without a replicate that finished there is nothing to judge, and every constraint counts as violated.
    """
    if not sweep.constraints:
        return ()
    seen = [r.last for r in results if r.last]
    if not seen:
        return tuple(NO_NUMBER for _ in sweep.constraints)
    means = {name: sum(last[name] for last in seen) / len(seen) for name in seen[0]}
    found = (_constraint(text).violation(means) for text in sweep.constraints)
    return tuple(max(v, -NO_NUMBER) if v <= NO_NUMBER else NO_NUMBER for v in found)  # NaN is not <= anything


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


@lru_cache
def _constraint(text: str) -> Constraint:
    return Constraint(text)
