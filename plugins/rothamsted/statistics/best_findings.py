"""Decide from p-values of being the best which conditions are in the set and which are worse, and fit limits to that.

Lower is better. All arrays may have leading axes, one entry for each simulated sweep.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.corrections import holm


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Holds what a method found about each condition, (..., condition)."""

    mean: np.ndarray
    p: np.ndarray  # of being the best; NaN where nothing was compared
    is_in_set: np.ndarray
    is_worse: np.ndarray  # none of them is in the set
    difference: np.ndarray  # mean minus the best mean of the others
    low: np.ndarray  # limits of that difference
    high: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Holds which conditions may be the best, and which are worse than the best."""

    is_in_set: np.ndarray  # (..., condition)
    is_worse: np.ndarray  # (..., condition)


def decide(p: np.ndarray, mean: np.ndarray, alpha: float, *, factor: float = 1.0) -> Decision:
    """Return the set, and the conditions that are worse: by Holm's correction over all of them, and never members.

    Args:
        p: (..., condition) p-values of being the best; a condition with NaN stays in the set.
        mean: (..., condition); the best mean is in the set whatever its p-value.
        alpha: Error rate of the set, and of the family of claims that a condition is worse.
        factor: The p-values are multiplied by it for the set.
    """
    p = np.where(np.isnan(p), 1.0, p)
    is_in_set = (factor * p > alpha) | (mean == mean.min(axis=-1, keepdims=True))
    return Decision(is_in_set=is_in_set, is_worse=(holm(p) <= alpha) & ~is_in_set)


def behind_best_other(mean: np.ndarray) -> np.ndarray:
    """Return by how much each mean is above the least of the others, NaN if there is no other."""
    if mean.shape[-1] < 2:
        return np.full(mean.shape, np.nan)
    two = np.sort(mean, axis=-1)[..., :2]
    return mean - np.where(mean == two[..., :1], two[..., 1:], two[..., :1])


def bounded_low(low: np.ndarray, difference: np.ndarray, is_worse: np.ndarray) -> np.ndarray:
    """Return lower limits that agree with the verdicts: above 0 only for "worse", and never above the difference."""
    low = np.minimum(low, difference)
    return np.where(is_worse, np.maximum(low, 0.0), np.minimum(low, 0.0))


def greatest_high(high: np.ndarray, difference: np.ndarray, is_worse: np.ndarray) -> np.ndarray:
    """Return upper limits: the greatest over the others that may be the best, and at least 0 and the difference.

    Args:
        high: (..., condition, other) upper limits of mean minus the other's mean.
        difference: (..., condition) from the best of the others.
        is_worse: (..., condition) which conditions are worse, so that they cannot be the best.
    """
    is_itself = np.eye(high.shape[-1], dtype=bool)
    greatest = np.where(is_worse[..., None, :] | is_itself, 0.0, high).max(axis=-1)
    return np.maximum(np.maximum(greatest, 0.0), difference)
