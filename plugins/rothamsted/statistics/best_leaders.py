"""Run the method "leaders": test each condition against leaders chosen by the other seeds, with moderated variances.

It needs 4 conditions or more. docs/statistics.md states what it estimates, how often it errs and where it fails.
Calibrated and checked by simulation: tests/statistics/best_settings.py.
"""

from __future__ import annotations

import numpy as np

from rothamsted.statistics.best_findings import (
    Decision,
    Findings,
    behind_best_other,
    bounded_low,
    decide,
)
from rothamsted.statistics.leaders import LeaderTest, greatest_loss, meet_leaders
from rothamsted.statistics.spread_model import SpreadModel, fit_spread

SET_FACTOR = 1.3  # of a p-value, for the set: found by simulation, so that the truly best is lost in 5 % of sweeps


def by_leaders(x: np.ndarray, alpha: float, resolution: np.ndarray) -> Findings:
    """Test each condition against its leaders.

    Args:
        x: (..., condition, seed), lower is better, NaN marks a missing value; at least 4 conditions, 3 of them with two
            values, and no condition or seed without any. If seeds are not paired, columns are in recorded order.
        alpha: 1 - level.
        resolution: (condition,) differences up to this are rounding.
    """
    n_conditions = x.shape[-2]
    model, contest, decision = _decided(x, alpha, resolution)
    difference = behind_best_other(model.mean)
    greatest = greatest_loss(x, model, alpha / (n_conditions - 1), decision.is_worse)
    return Findings(
        mean=model.mean,
        p=contest.p,
        is_in_set=decision.is_in_set,
        is_worse=decision.is_worse,
        difference=difference,
        low=bounded_low(contest.least_loss(alpha / n_conditions), difference, decision.is_worse),
        high=np.maximum(greatest, difference),
    )


def decide_by_leaders(x: np.ndarray, alpha: float, resolution: np.ndarray) -> Decision:
    """Return only the set and the conditions that are worse; see `by_leaders`. Its limits take most of its time."""
    return _decided(x, alpha, resolution)[2]


def _decided(x: np.ndarray, alpha: float, resolution: np.ndarray) -> tuple[SpreadModel, LeaderTest, Decision]:
    model = fit_spread(x, resolution)
    contest = meet_leaders(x, model)
    return model, contest, decide(contest.p, model.mean, alpha, factor=SET_FACTOR)
