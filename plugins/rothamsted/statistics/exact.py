"""Test by counting, with intervals: Wilcoxon's signed ranks, sign flips of pairs, exchanges between two samples.

p-value and interval come from the same list of counted cases, so they cannot contradict each other.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from rothamsted.statistics.effects import rounding

N_EXACT = 200_000  # cases counted one by one up to here: 17 pairs, or 10 against 10
N_DRAWN = 9_999  # cases drawn where there are more
N_RANKED = 200  # pairs up to which the signed-rank distribution is computed, by normal approximation above


class Counted(NamedTuple):
    """Holds the result of counting, with tail probability `tail` on each side."""

    estimate: float
    low: float  # p_greater is at most `tail` for every null value below it
    high: float
    p_greater: float  # of a difference above the null value
    p_less: float
    smallest: float  # the least one-sided p-value that this many replicates can give


def signed_rank(a: np.ndarray, b: np.ndarray, null: float, tail: float) -> Counted:
    """Run Wilcoxon's signed-rank test of paired differences, with the interval of Walsh averages.

    It assumes that differences are symmetric about one value. Differences equal to the null value are dropped, as
    Wilcoxon (1945), Biometrics Bulletin 1(6), did; ties share their mean rank and the distribution is that of the
    shared ranks, so p-values stay exact up to N_RANKED pairs. Estimate: Hodges & Lehmann (1963), Annals of Mathematical
    Statistics 34(2). Interval: Hollander, Wolfe & Chicken (2014), Nonparametric Statistical Methods, section 3.3.

    Args:
        a: (pair,) finite, two or more.
        b: (pair,) aligned with `a`.
        null: The difference that is tested.
        tail: Error probability of each limit.
    """
    from scipy.stats import rankdata

    differences = a - b
    tolerances = rounding(np.maximum(np.maximum(np.abs(a), np.abs(b)), abs(null)))
    shifted = differences - null
    is_zero = np.abs(shifted) <= tolerances
    shifted = shifted[~is_zero]
    ranks = rankdata(_merged(np.abs(shifted), tolerances[~is_zero]))
    plus = float(ranks[shifted > 0].sum())
    p_greater = _signed_rank_tail(ranks, plus)
    p_less = _signed_rank_tail(ranks, float(ranks.sum()) - plus)
    first, second = np.triu_indices(len(differences))
    walsh = np.sort((differences[first] + differences[second]) / 2)
    n_outside = _n_walsh_outside(len(differences), tail)
    return Counted(
        estimate=float(np.median(walsh)),
        low=_limit(walsh, n_outside),
        high=-_limit(-walsh[::-1], n_outside),
        p_greater=p_greater,
        p_less=p_less,
        smallest=0.5 ** len(shifted),
    )


def sign_flips(a: np.ndarray, b: np.ndarray, null: float, tail: float, seed: int) -> Counted:
    """Run the permutation test of the mean paired difference: under the null value each sign is random.

    Flipping the signs of a set of pairs changes the mean by twice the set's share of it. So p-value and interval can be
    read from the means of all sets of pairs: Hartigan (1969), JASA 64(328). Up to N_EXACT sets all are counted, else
    N_DRAWN are drawn.

    Args:
        a: (pair,) finite, two or more.
        b: (pair,) aligned with `a`.
        null: The difference that is tested.
        tail: Error probability of each limit.
        seed: Seed of the sets drawn.
    """
    differences = a - b
    n = len(differences)
    if 2**n <= N_EXACT:
        chosen, n_cases = _all_subsets(n), 2**n
    else:  # the observed signs are a case themselves
        chosen, n_cases = np.random.default_rng(seed).random((N_DRAWN, n)) < 0.5, N_DRAWN + 1
    chosen = chosen[chosen.any(axis=1)]
    sizes = chosen.sum(axis=1)
    means = (chosen @ differences) / sizes
    tolerances = rounding((chosen @ (np.abs(a) + np.abs(b))) / sizes + abs(null))
    return _count(float(differences.mean()), means, tolerances, n_cases, null, tail, max(0.5**n, 1 / n_cases))


def exchanges(a: np.ndarray, b: np.ndarray, null: float, tail: float, seed: int) -> Counted:
    """Run the permutation test of the difference in means of two samples: under the null value labels are exchangeable.

    It assumes that the two distributions differ by a shift only. Exchanging some values for as many of the other sample
    changes the difference in proportion to their own difference in means. p-value and interval are read from these as
    in `sign_flips`: Pitman (1937), Supplement to the JRSS 4(1). Up to N_EXACT exchanges all are counted, else N_DRAWN
    are drawn.

    Args:
        a: (replicate,) finite.
        b: (replicate,) finite.
        null: The difference that is tested.
        tail: Error probability of each limit.
        seed: Seed of the exchanges drawn.
    """
    n_a, n_b = len(a), len(b)
    n_all = math.comb(n_a + n_b, n_a)
    if n_all <= N_EXACT:
        in_a, n_cases = _all_splits(n_a, n_b), n_all
    else:  # the observed split is a case itself
        in_a, n_cases = _drawn_splits(n_a, n_b, seed), N_DRAWN + 1
    in_a = in_a[~in_a[:, :n_a].all(axis=1)]
    given, taken = ~in_a[:, :n_a], in_a[:, n_a:]  # (case, replicate): values of a given away, of b taken
    sizes = given.sum(axis=1)
    means = ((given @ a) - (taken @ b)) / sizes
    tolerances = rounding((given @ np.abs(a) + taken @ np.abs(b)) / sizes + abs(null))
    estimate = float(a.mean() - b.mean())
    return _count(estimate, means, tolerances, n_cases, null, tail, max(1 / n_all, 1 / n_cases))


def _count(
    estimate: float,
    means: np.ndarray,
    tolerances: np.ndarray,
    n_cases: int,
    null: float,
    tail: float,
    smallest: float,
) -> Counted:
    """Read p-values and limits off the means of the cases; a case without a mean never speaks against a null value."""
    n_silent = n_cases - len(means)
    n_outside = math.floor(tail * n_cases * (1 + 1e-12)) - n_silent
    ordered = np.sort(means)
    return Counted(
        estimate=estimate,
        low=_limit(ordered, n_outside),
        high=-_limit(-ordered[::-1], n_outside),
        p_greater=(n_silent + int((means <= null + tolerances).sum())) / n_cases,
        p_less=(n_silent + int((means >= null - tolerances).sum())) / n_cases,
        smallest=smallest,
    )


def _limit(ordered: np.ndarray, n_outside: int) -> float:
    """Return the value with `n_outside` below it; -inf where not even the least may be left out."""
    return -math.inf if n_outside < 0 else float(ordered[min(n_outside, len(ordered) - 1)])


def _merged(sizes: np.ndarray, tolerances: np.ndarray) -> np.ndarray:
    """Return numbers in the order of the sizes, equal where only rounding tells sizes apart."""
    order = np.argsort(sizes)
    is_next = np.diff(sizes[order], prepend=-np.inf) > tolerances[order]
    merged = np.empty(len(sizes))
    merged[order] = np.cumsum(is_next)
    return merged


def _signed_rank_tail(ranks: np.ndarray, plus: float) -> float:
    """Return the probability of a rank sum of at least `plus` when every sign is a coin's."""
    if len(ranks) > N_RANKED:
        from scipy.special import ndtr

        sd = math.sqrt(float((ranks**2).sum())) / 2
        return float(ndtr(-(plus - 0.5 - float(ranks.sum()) / 2) / sd))  # 0.5: continuity
    doubled = np.rint(2 * ranks).astype(np.int64)  # mean ranks are halves
    return float(min(1.0, _sum_distribution(doubled)[round(2 * plus) :].sum()))


def _sum_distribution(weights: np.ndarray) -> np.ndarray:
    """Return the probability of each sum of a random subset of whole weights."""
    probabilities = np.zeros(int(weights.sum()) + 1)
    probabilities[0] = 1.0
    for weight in weights:
        moved = np.zeros_like(probabilities)
        moved[weight:] = probabilities[: len(probabilities) - weight]
        probabilities = (probabilities + moved) / 2
    return probabilities


@lru_cache(maxsize=64)
def _n_walsh_outside(n: int, tail: float) -> int:
    """Return how many Walsh averages may lie beyond a limit, -1 for none and no limit."""
    if n > N_RANKED:
        from scipy.special import ndtri

        sd = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return max(-1, math.floor(n * (n + 1) / 4 + float(ndtri(tail)) * sd - 0.5))
    below = np.cumsum(_sum_distribution(np.arange(1, n + 1)))  # P(W <= w)
    return int((below <= tail * (1 + 1e-12)).sum()) - 1


@lru_cache(maxsize=8)
def _all_subsets(n: int) -> np.ndarray:
    """Return every subset of n pairs, the empty one included: (2 ** n, n) bool."""
    return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


@lru_cache(maxsize=8)
def _all_splits(n_a: int, n_b: int) -> np.ndarray:
    """Return every way to call n_a of all values the first sample, theirs included: (case, n_a + n_b) bool."""
    members = np.array(list(combinations(range(n_a + n_b), n_a)))
    splits = np.zeros((len(members), n_a + n_b), dtype=bool)
    np.put_along_axis(splits, members, True, axis=1)
    return splits


def _drawn_splits(n_a: int, n_b: int, seed: int) -> np.ndarray:
    """Return N_DRAWN random ways to call n_a of all values the first sample."""
    rows = np.zeros((N_DRAWN, n_a + n_b), dtype=bool)
    rows[:, :n_a] = True
    return np.random.default_rng(seed).permuted(rows, axis=1)
