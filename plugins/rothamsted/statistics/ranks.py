"""Compare conditions across several data sets by their ranks: Friedman's test and Nemenyi's critical difference.

Scores on different data sets have no common scale, so only their order on each is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.intervals import DEFAULT_LEVEL, check_level
from rothamsted.statistics.reduce import Direction


@dataclass(frozen=True, kw_only=True)
class RankComparison:
    """Holds the ranks of conditions over data sets; rank 1 is the best."""

    mean_ranks: tuple[float, ...]  # (condition,) NaN without data sets
    statistic: float  # Friedman's chi squared, corrected for ties; NaN where undefined
    p_value: float  # of the F form, more accurate than chi squared
    f_statistic: float  # Iman & Davenport's F; inf where every data set gives the same order
    critical_difference: float  # mean ranks that differ by as much or more differ at the level
    pair_p_values: np.ndarray  # (condition, condition) of Nemenyi's test, corrected for all pairs; NaN on the diagonal
    level: float
    n: int  # data sets
    n_excluded: int  # data sets that lack a finite score of some condition
    note: str = ""  # why something is undefined


def compare_ranks(scores: np.ndarray, *, direction: Direction, level: float = DEFAULT_LEVEL) -> RankComparison:
    """Compare conditions over data sets, as Demšar (2006), JMLR 7, section 3.2.2, recommends.

    Friedman's test (1937), JASA 32(200), asks whether some condition ranks differently from the others, in the F form
    of Iman & Davenport (1980), Communications in Statistics A9(6). Nemenyi's test (1963) compares all pairs of mean
    ranks. Both are for many data sets: Demšar names ten data sets and five conditions as enough.

    Args:
        scores: (data set, condition), one number each, such as a mean over replicates. A data set without a finite
            score of some condition is left out and counted.
        direction: "minimize" (lower is better) or "maximize". Equal scores share their mean rank.
        level: 1 - level is the probability that any of the pairs is wrongly called different.

    Raises:
        ValueError: A shape that is not (data set, condition), fewer than two conditions, unknown direction.
    """
    check_level(level)
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction: {direction!r} is not known; use minimize or maximize")
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError(f"scores: shape {values.shape}, must be (data set, condition) with two conditions or more")
    complete = np.isfinite(values).all(axis=1)
    kept = values[complete] if direction == "minimize" else -values[complete]
    n, n_conditions = kept.shape
    ranks = _ranks(kept)
    mean_ranks = ranks.mean(axis=0) if n else np.full(n_conditions, np.nan)
    statistic, f_statistic, p_value, note = _friedman(ranks)
    return RankComparison(
        mean_ranks=tuple(mean_ranks.tolist()),
        statistic=statistic,
        p_value=p_value,
        f_statistic=f_statistic,
        critical_difference=critical_difference(n_conditions, n, level) if n else math.nan,
        pair_p_values=_nemenyi(mean_ranks, n),
        level=level,
        n=n,
        n_excluded=len(values) - n,
        note=note,
    )


def critical_difference(n_conditions: int, n_datasets: int, level: float = DEFAULT_LEVEL) -> float:
    """Return the difference in mean ranks from which Nemenyi's test calls a pair different.

    Demšar (2006), section 3.2.2: q sqrt(k (k + 1) / (6 N)), where q is the quantile of the studentized range over
    sqrt(2).
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(level, n_conditions, math.inf)) / math.sqrt(2)
    return q * _rank_error(n_conditions, n_datasets)


def alike(mean_ranks: Sequence[float], critical_difference: float) -> tuple[tuple[int, ...], ...]:
    """Return the largest groups of conditions whose mean ranks do not differ by the critical difference.

    Each group is a list of positions in `mean_ranks`, best first; groups of one are left out. These are the bars of
    Demšar's diagram.
    """
    order = sorted(range(len(mean_ranks)), key=lambda i: (mean_ranks[i], i))
    groups: list[tuple[int, ...]] = []
    last = 0
    for first in range(len(order)):
        end = first
        while end + 1 < len(order) and mean_ranks[order[end + 1]] - mean_ranks[order[first]] < critical_difference:
            end += 1
        if end > first and end > last:
            groups.append(tuple(order[first : end + 1]))
            last = end
    return tuple(groups)


def _rank_error(n_conditions: int, n_datasets: int) -> float:
    """Return the standard error of a difference in mean ranks when no condition is better."""
    return math.sqrt(n_conditions * (n_conditions + 1) / (6 * n_datasets))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks within each data set, 1 for the least; ties share their mean."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=1)) if len(values) else values


def _friedman(ranks: np.ndarray) -> tuple[float, float, float, str]:
    """Return Friedman's chi squared, Iman & Davenport's F, its p-value, and a note where they are undefined."""
    from scipy.special import fdtrc

    n, k = ranks.shape
    if n < 2:
        return math.nan, math.nan, math.nan, f"{n} data sets: ranks need two or more"
    spread = float(((ranks - (k + 1) / 2) ** 2).sum())  # less than n k (k^2 - 1) / 12 with ties
    if spread == 0:
        return 0.0, math.nan, 1.0, "all conditions score alike on every data set"
    between = n * float(((ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum())
    statistic = n * (k - 1) * between / spread
    if spread - between <= 1e-12 * spread:
        return statistic, math.inf, _agreement_probability(ranks), "every data set gives the same order: exact p-value"
    f_statistic = (n - 1) * between / (spread - between)
    return statistic, f_statistic, float(fdtrc(k - 1, (k - 1) * (n - 1), f_statistic)), ""


def _agreement_probability(ranks: np.ndarray) -> float:
    """Return the probability that all data sets agree on an order, whatever it is, when no condition is better."""
    n, k = ranks.shape
    _, ties = np.unique(ranks[0], return_counts=True)
    n_orders = math.factorial(k) / math.prod(math.factorial(int(size)) for size in ties)
    return n_orders ** (1 - n)


def _nemenyi(mean_ranks: np.ndarray, n_datasets: int) -> np.ndarray:
    """Return the p-value of each pair, from the studentized range."""
    from scipy.stats import studentized_range

    k = len(mean_ranks)
    p_values = np.full((k, k), np.nan)
    if n_datasets:
        first, second = np.triu_indices(k, 1)
        q = np.abs(mean_ranks[first] - mean_ranks[second]) / _rank_error(k, n_datasets) * math.sqrt(2)
        p_values[first, second] = p_values[second, first] = studentized_range.sf(q, k, math.inf)
    return p_values
