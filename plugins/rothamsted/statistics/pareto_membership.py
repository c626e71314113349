"""Compute how often a condition is in the Pareto set if replicates are drawn again: how sure the set is.

The set itself takes means as they are, and does not show how clearly a condition is a member.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.pareto import pareto_set

N_RESAMPLES = 2000  # Monte-Carlo error of a frequency: at most 0.011
MOST_CONDITIONS = 1000  # each resample compares all pairs
MOST_PAIRS = 4e8  # over all resamples: seconds


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Holds how often each condition was in the set of a resample."""

    frequency: np.ndarray  # (condition,) share of resamples; a resampling frequency, no probability of the truth
    whole: float  # share of resamples in which the set was exactly that of the means
    n_resamples: int
    is_paired: bool  # all conditions were resampled by the same seeds


def pareto_membership(
    scores: Sequence[np.ndarray], signs: Sequence[float], *, is_paired: bool, n_resamples: int = N_RESAMPLES, seed: int
) -> Membership:
    """Draw the replicates of all conditions again many times, and count who is in the Pareto set of the means.

    A replicate is drawn with all its objectives, so their correlation stays. All conditions are drawn at once, so the
    frequencies can be compared. The mean of n values drawn from n has the standard deviation s sqrt((n - 1) / n) /
    sqrt(n). That is too small by the first root, with 3 replicates by a fifth. So its distance from the observed mean
    is stretched by the inverse.

    Args:
        scores: (replicate, objective) of each condition, finite, two replicates or more.
        signs: (objective,) 1 if small is good, -1 if large is good.
        is_paired: Whether row r of every condition has the same seed. If so, all conditions draw the same rows.
        n_resamples: Number of resamples; fewer are made for many conditions.
        seed: Seed of the resamples.
    """
    rng = np.random.default_rng(seed)
    n_drawn = max(200, min(n_resamples, int(MOST_PAIRS / max(len(scores), 1) ** 2)))
    means = np.array([of_one.mean(axis=0) for of_one in scores]) * signs
    drawn = np.empty((n_drawn, *means.shape))  # (resample, condition, objective)
    rows = rng.integers(0, len(scores[0]), (n_drawn, len(scores[0]))) if is_paired else None
    for place, of_one in enumerate(scores):
        n = len(of_one)
        chosen = rng.integers(0, n, (n_drawn, n)) if rows is None else rows
        stretched = math.sqrt(n / (n - 1)) * (of_one[chosen].mean(axis=1) - of_one.mean(axis=0))
        drawn[:, place] = means[place] + stretched * signs
    members = np.array([pareto_set(np.asarray(costs)) for costs in drawn])
    found = pareto_set(means)
    return Membership(
        frequency=members.mean(axis=0),
        whole=float((members == found).all(axis=1).mean()),
        n_resamples=n_drawn,
        is_paired=is_paired,
    )
