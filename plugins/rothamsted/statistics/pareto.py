"""Find the Pareto set: the points that no other point dominates."""

from __future__ import annotations

import numpy as np


def pareto_set(costs: np.ndarray) -> np.ndarray:
    """Say which points no other point dominates: none is at most as large everywhere and smaller somewhere.

    Args:
        costs: (point, objective), small is good; equal points are both in the set or both not.

    Returns:
        (point,) bool; a point with a NaN is never in the set, and dominates no other.
    """
    costs = np.asarray(costs, dtype=np.float64)
    at_most = (costs[:, None] <= costs[None]).all(axis=2)  # (who, whom)
    smaller = (costs[:, None] < costs[None]).any(axis=2)
    is_dominated = (at_most & smaller).any(axis=0)
    return np.logical_not(is_dominated | np.isnan(costs).any(axis=1))
