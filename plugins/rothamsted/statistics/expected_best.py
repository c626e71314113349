"""Compute how good the best of k random conditions is expected to be: what a search gives at a smaller budget.

Dodge, Gururangan, Card, Schwartz & Smith (2019), EMNLP, arXiv:1909.03004, draw k conditions with replacement; that is
biased. Here they are drawn without, which is not (Tang, Lee, Xin, Liu, Yu & Lin 2020, ACL, arXiv:2004.13796).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.reduce import Direction

MOST_BUDGETS = 200  # points of the curve; beyond, they are spread over orders of magnitude
BAND = 0.8  # share of the searches of a budget whose best lies in the band


@dataclass(frozen=True, kw_only=True)
class ExpectedBest:
    """Holds the best of k conditions, over all choices of k of those that were tried."""

    budgets: np.ndarray  # (budget,) numbers of conditions, rising
    expected: np.ndarray  # (budget,) mean of the best
    low: np.ndarray  # (budget,) in the middle 80 % of choices the best lies between low and high
    high: np.ndarray
    n: int  # conditions that were tried
    n_without: int  # of these without a score: counted as the worst that was seen


def expected_best(scores: np.ndarray, *, direction: Direction) -> ExpectedBest:
    """Return the expected best of k conditions, for k from 1 to all.

    With the scores sorted from worst to best, the i-th is the best of k in C(i - 1, k - 1) of the C(n, k) choices. It
    is unbiased if conditions were drawn at random, independently of results. The band is over choices among the
    conditions that were tried. It shows how lucky a search can be, and is not a confidence interval.

    Args:
        scores: (condition,) one number each, such as the mean over replicates. A score that is not finite counts as the
            worst finite score.
        direction: minimize or maximize.

    Raises:
        ValueError: No finite score.
    """
    from scipy.special import gammaln

    values = np.asarray(scores, dtype=np.float64)
    is_finite = np.isfinite(values)
    if not is_finite.any():
        raise ValueError("scores: none is finite; the best of nothing is not defined")
    sign = 1.0 if direction == "maximize" else -1.0
    known = sign * values[is_finite]
    best_last = np.sort(np.where(is_finite, sign * values, known.min()))
    n = len(best_last)
    budgets = _budgets(n)
    i, k = np.arange(1, n + 1), budgets[:, None]
    # log C(i, k) - log C(n, k): the share of choices whose best is at most the i-th
    below = gammaln(i + 1) - gammaln(np.maximum(i - k, 0) + 1) - gammaln(n + 1) + gammaln(n - k + 1)
    share = np.where(i >= k, np.exp(below), 0.0)
    share[:, -1] = 1.0
    weights = np.diff(share, axis=1, prepend=0.0)
    ends = [best_last[np.argmax(share >= at - 1e-12, axis=1)] for at in ((1 - BAND) / 2, (1 + BAND) / 2)]
    low, high = (sign * end for end in (ends if sign > 0 else ends[::-1]))
    expected = sign * (weights @ best_last)
    return ExpectedBest(budgets=budgets, expected=expected, low=low, high=high, n=n, n_without=int((~is_finite).sum()))


def _budgets(n: int) -> np.ndarray:
    if n <= MOST_BUDGETS:
        return np.arange(1, n + 1)
    return np.unique(np.geomspace(1, n, MOST_BUDGETS).round().astype(int))
