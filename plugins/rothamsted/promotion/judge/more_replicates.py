"""Estimate how many more replicates would decide an open comparison.

This is a plan and not evidence: it takes the observed difference and spread for the true ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rothamsted.promotion.judge.numbers import ChallengerComparison, Samples
from rothamsted.promotion.judge.policy import Policy
from rothamsted.statistics import DEFAULT_POWER, TESTS, power_of

MOST_MORE = 1_000  # replicates of a contestant: nobody trains more than this

_CERTAIN = 1_000.0  # standard deviations beyond which the power of any test is 1, and noncentral t is lost

Obstacle = Literal["", "no spread", "last look", "at the threshold", "recorded champion"]


@dataclass(frozen=True, kw_only=True)
class More:
    """Holds how many more replicates would decide an open comparison."""

    n: int | None  # more replicates of a contestant, at least 1; None: see `obstacle`
    obstacle: Obstacle = ""  # why no number of replicates up to MOST_MORE decides


def more_replicates(comparison: ChallengerComparison, policy: Policy, *, is_champion_fixed: bool) -> More:
    """Return how many more replicates of a contestant would probably decide an open comparison.

    With that many, a one-sided t test with the observed spread finds the observed distance from the policy's threshold
    with probability 0.8, at the error rate of the next look in the family. A permutation test needs about as many, a
    guarded test a few more.

    Args:
        comparison: an open comparison, with two or more replicates of each contestant.
        policy: the policy with level and threshold.
        is_champion_fixed: whether the champion's replicates are recorded ones, to which none are added.
    """
    look = comparison.look
    if math.isnan(comparison.p_value) and look.share:
        return More(n=None, obstacle="no spread")
    if not look.next_share:
        return More(n=None, obstacle="last look")
    samples = _of_all_looks(comparison)
    distance = abs(comparison.improvement - comparison.threshold)
    alpha = policy.alpha * look.next_share / comparison.n_tests
    if TESTS[samples.test].is_paired:
        return _as_next_look(_planned(_power_of_pairs(samples, distance, alpha), samples.n), comparison.n_pairs)
    power_of_each = _power_of_two_groups(samples, distance, alpha)
    if not is_champion_fixed:
        return _planned(power_of_each, samples.n)
    found = _planned(_power_beside_fixed(samples, distance, alpha), samples.n_each[0])
    if found.n is None and _planned(power_of_each, samples.n).n is not None:
        return More(n=None, obstacle="recorded champion")
    return found


def _as_next_look(more: More, n_pairs: Sequence[int]) -> More:
    """Turn pairs to add to one sample into pairs of a look that weighs no more than each look before it.

    Looks of n_1, n_2, ... pairs tell as much as one of (sqrt(n_1) + sqrt(n_2) + ...)^2 / looks.
    """
    if more.n is None:
        return more
    total, n_looks = sum(n_pairs) + more.n, len(n_pairs) + 1
    n = math.ceil((math.sqrt(n_looks * total) - sum(math.sqrt(n) for n in n_pairs)) ** 2 - 1e-9)
    return More(n=n) if n <= MOST_MORE else More(n=None, obstacle="at the threshold")


def _of_all_looks(comparison: ChallengerComparison) -> Samples:
    """The values of all looks that count, as one sample: the next look adds to them."""
    samples = comparison.samples
    if not TESTS[samples.test].is_paired:
        return samples
    parts = [*comparison.look.earlier, samples]
    return replace(
        samples,
        challenger=np.concatenate([one.challenger for one in parts]),
        champion=np.concatenate([one.champion for one in parts]),
    )


def _planned(power: Callable[[int], float], n: int) -> More:
    """Bisect for the fewest replicates above n with the power, which rises with their number."""
    low, high = n, n + MOST_MORE
    if power(high) < DEFAULT_POWER:
        return More(n=None, obstacle="at the threshold")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= DEFAULT_POWER else (middle, high)
    return More(n=high - n)


def _power_of_pairs(samples: Samples, distance: float, alpha: float) -> Callable[[int], float]:
    differences = samples.challenger - samples.champion
    sd = float(np.std(differences[np.isfinite(differences)], ddof=1))

    def power(n: int) -> float:
        if samples.test == "paired_permutation" and 0.5**n > alpha:
            return 0.0
        if distance >= _CERTAIN * sd:
            return 1.0
        return power_of(n, sd, distance, level=1 - 2 * alpha)

    return power


def _power_of_two_groups(samples: Samples, distance: float, alpha: float) -> Callable[[int], float]:
    sd = math.sqrt((_variance(samples.challenger) + _variance(samples.champion)) / 2)

    def power(n: int) -> float:
        if distance >= _CERTAIN * sd:
            return 1.0
        return power_of(n, sd, distance, level=1 - 2 * alpha, is_paired=False)

    return power


def _power_beside_fixed(samples: Samples, distance: float, alpha: float) -> Callable[[int], float]:
    """Power of a one-sided Welch test by the number of challengers' replicates, the champion's being as they are.

    By the noncentral t distribution with Welch and Satterthwaite's degrees of freedom: approximate.
    """
    from scipy.stats import nct, t

    n_b = samples.n_each[1]
    variance_a, variance_b = _variance(samples.challenger), _variance(samples.champion)

    def power(n: int) -> float:
        if samples.test == "permutation" and math.comb(n + n_b, n) < 1 / alpha:
            return 0.0
        part_a, part_b = variance_a / n, variance_b / n_b
        error = math.sqrt(part_a + part_b)
        if distance >= _CERTAIN * error:
            return 1.0
        df = (part_a + part_b) ** 2 / (part_a**2 / (n - 1) + part_b**2 / (n_b - 1))
        return float(nct.sf(t.isf(alpha, df), df, distance / error))

    return power


def _variance(values: np.ndarray) -> float:
    """Variance of the finite values."""
    return float(np.var(values[np.isfinite(values)], ddof=1))
