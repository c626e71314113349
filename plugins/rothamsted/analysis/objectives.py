"""How the curve of a replicate becomes the one number that conditions are compared by.

Apart, because sweeps, strangers' runs and comparisons have to do it alike.
"""

from __future__ import annotations

import math

import numpy as np

from rothamsted.analysis.values import Objective, Series
from rothamsted.errors import StudyError
from rothamsted.statistics import reduce_curve

OWN = "objective"  # the metric under which a replicate's single number is logged


def objective_key(index: int, metric: str) -> str:
    """The metric under which a replicate's number of one objective is logged: `objective` for the first."""
    return OWN if index == 0 else f"{OWN}.{metric.replace('/', '.')}"


def objective_of(series: Series | None, objective: Objective, *, counts_step_0: bool = False) -> float:
    """The objective's value on a curve; NaN where the metric was not logged, or not often enough.

    A measurement before the first update (step 0) is no result, unless it is the only one: where all seeds
    start alike, an untrained model's loss would be the best of every condition that does not learn. What step 0
    means in a stranger's project nobody knows: there it counts.
    """
    if series is None:
        return math.nan
    values = series.values if counts_step_0 or len(series.steps) == 1 else series.values[np.asarray(series.steps) > 0]
    try:
        return reduce_curve(values, objective.reduce, objective.direction) if len(values) else math.nan
    except StudyError:
        return math.nan  # mean of the last k of a shorter curve: excluded, and counted as such
