"""Turn the curve of a replicate into the number that conditions are compared by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from rothamsted.analysis.values import Series
from rothamsted.errors import StudyError
from rothamsted.spec import Objective
from rothamsted.statistics import reduce_curve

NOT_FINITE = "its objective is not finite:"  # so begins why a replicate that trained to its end has diverged
OBJECTIVE = "objective"  # the metric under which a replicate's single number is logged


def objective_key(index: int, metric: str) -> str:
    """Return the metric under which a replicate's number of an objective is logged: `objective` for the first."""
    return OBJECTIVE if index == 0 else f"{OBJECTIVE}.{metric.replace('/', '.')}"


def counted(
    steps: Sequence[int] | np.ndarray, values: Sequence[float] | np.ndarray, *, counts_step_0: bool = False
) -> np.ndarray:
    """Return the values of a curve that count as results: all but the one before the first update (step 0).

    An untrained model is not a result, unless there is no other. If all seeds start alike, its loss would be the best
    of every condition that does not learn. In a foreign project step 0 may mean anything, so it counts there.
    """
    found = np.asarray(values, dtype=np.float64)
    return found if counts_step_0 or len(found) == 1 else found[np.asarray(steps) > 0]


def number_of(
    steps: Sequence[int] | np.ndarray,
    values: Sequence[float] | np.ndarray,
    objective: Objective,
    *,
    counts_step_0: bool = False,
) -> float:
    """Return the objective's value on a curve; NaN if no value counts.

    Raises:
        StudyError: The objective is the mean of the last K values, and the curve is shorter.
    """
    results = counted(steps, values, counts_step_0=counts_step_0)
    return reduce_curve(results, objective.reduce, objective.direction) if len(results) else math.nan


def objective_of(series: Series | None, objective: Objective, *, counts_step_0: bool = False) -> float | None:
    """Return the objective's value on a recorded curve; None if the metric was not logged, or not often enough."""
    if series is None or not len(counted(series.steps, series.values, counts_step_0=counts_step_0)):
        return None
    try:
        return number_of(series.steps, series.values, objective, counts_step_0=counts_step_0)
    except StudyError:
        return None  # mean of the last k of a shorter curve: excluded, and counted as such


def not_finite(scores: Iterable[float | None], metrics: Iterable[str]) -> str:
    """Say in a line that a replicate has diverged because an objective is NaN or infinite; else empty.

    Args:
        scores: One for each objective; None if there is none, which is not a divergence.
        metrics: The objectives' names.
    """
    for score, metric in zip(scores, metrics):
        if score is not None and not math.isfinite(score):
            return f"{NOT_FINITE} {metric} is {score}"
    return ""
