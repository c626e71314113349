"""Find replicates that lie far outside the others of their condition, such as runs that fail badly on some seeds.

What a seed adds to all conditions is removed first. The distance of a replicate from the mean of the others of its
condition is measured in units of their spread. Few values estimate a spread poorly, so it is mixed with the spread of
all conditions, as if that were known from a fixed number of replicates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.adjusted_centres import polished_parts

FAR = 15.0  # in units of the spread of the others: of 3,000 simulated sweeps of normal values none has such a replicate
PRIOR_DF = 6.0  # replicates, beyond the first, that the spread of all conditions counts for
LEAST_N, LEAST_N_ALONE = 3, 6  # replicates of a condition; where there are too few conditions to know a spread
LEAST_CONDITIONS = 4


@dataclass(frozen=True, kw_only=True)
class Outlying:
    """Holds one replicate that lies far outside."""

    row: int  # condition
    column: int  # seed
    value: float
    low: float  # the least and the greatest of the others of its condition
    high: float
    distance: float  # in units of the spread of the others


def outlying(values: np.ndarray, *, is_paired: bool) -> list[Outlying]:
    """Return the replicates that lie far outside, the farthest first, at most one for each condition.

    Args:
        values: (condition, seed), NaN marks a missing value.
        is_paired: Whether columns are seeds.
    """
    x = np.where(np.isfinite(values), np.asarray(values, dtype=np.float64), np.nan)
    rest = polished_parts(x)[2] if is_paired and len(x) >= LEAST_CONDITIONS else x
    n = np.isfinite(x).sum(axis=1)
    is_enough = int((n >= LEAST_N).sum()) >= LEAST_CONDITIONS
    rows = np.flatnonzero(n >= (LEAST_N if is_enough else LEAST_N_ALONE))
    column, apart, variance, known = _farthest(rest, rows, n)
    typical, prior = (float(np.median(known)), PRIOR_DF) if is_enough else (0.0, 0.0)
    df = n[rows] - 2
    spreads = np.sqrt((prior * typical + df * variance) / (prior + df) * (1 + 1 / (n[rows] - 1)))
    far = []
    for at in np.flatnonzero(apart > FAR * spreads):
        row, spread = rows[at], spreads[at]
        others = np.delete(x[row], column[at])
        others = others[np.isfinite(others)]
        is_beyond = x[row, column[at]] < others.min() or x[row, column[at]] > others.max()
        if spread > 0 and is_beyond:
            far.append(
                Outlying(
                    row=int(row),
                    column=int(column[at]),
                    value=float(x[row, column[at]]),
                    low=float(others.min()),
                    high=float(others.max()),
                    distance=float(apart[at] / spread),
                )
            )
    return sorted(far, key=lambda one: -one.distance)


def _farthest(x: np.ndarray, rows: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return which value of each row lies farthest from the mean of the others, how far, their variance, that of all.

    Args:
        x: (condition, seed) with NaN for a missing value.
        rows: Which conditions.
        n: (condition,) their values.
    """
    column = np.zeros(len(rows), dtype=int)
    apart, variance, whole = np.full(len(rows), -1.0), np.zeros(len(rows)), np.zeros(len(rows))
    for n_values in np.unique(n[rows]):  # rows of as many values at once, without the gaps
        of_size = np.flatnonzero(n[rows] == n_values)
        some = x[rows[of_size]]
        columns = np.flatnonzero(np.isfinite(some).ravel()).reshape(len(some), n_values) % x.shape[1]
        values = np.take_along_axis(some, columns, axis=1)  # (condition, value)
        whole[of_size] = values.var(axis=1, ddof=1)
        for place in range(n_values):
            others = np.delete(values, place, axis=1)
            distance = np.abs(values[:, place] - others.mean(axis=1))
            is_farther = distance > apart[of_size]
            at = of_size[is_farther]
            column[at], apart[at] = columns[is_farther, place], distance[is_farther]
            variance[at] = others[is_farther].var(axis=1, ddof=1)
    return column, apart, variance, whole
