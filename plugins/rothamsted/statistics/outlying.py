"""Whether one replicate lies far outside the others of its condition: runs that fail badly on some seeds.

Apart from the intervals, which do not look at single values. What a seed adds to all conditions is taken out first. The
distance of a replicate from the mean of the others of its condition counts in units of their spread, which few values
tell poorly: so it is mixed with the spread of all conditions, as if that were known from so many replicates.
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
    """One replicate far outside."""

    row: int  # condition
    column: int  # seed
    value: float
    low: float  # the least and the greatest of the others of its condition
    high: float
    distance: float  # in units of the spread of the others


def outlying(values: np.ndarray, *, is_paired: bool) -> list[Outlying]:
    """Return the replicates that lie far outside, the farthest first; at most one a condition.

    Args:
        values: (condition, seed), NaN marks a missing value.
        is_paired: Whether columns are seeds.
    """
    x = np.where(np.isfinite(values), np.asarray(values, dtype=np.float64), np.nan)
    rest = polished_parts(x)[2] if is_paired and len(x) >= LEAST_CONDITIONS else x
    n = np.isfinite(x).sum(axis=1)
    is_enough = int((n >= LEAST_N).sum()) >= LEAST_CONDITIONS
    rows = np.flatnonzero(n >= (LEAST_N if is_enough else LEAST_N_ALONE))
    found = {row: _farthest(rest[row]) for row in rows}
    known = [float(np.nanvar(rest[row], ddof=1)) for row in rows]
    typical, prior = (float(np.median(known)), PRIOR_DF) if is_enough else (0.0, 0.0)
    far = []
    for row, (column, apart, variance) in found.items():
        df = n[row] - 2
        spread = np.sqrt((prior * typical + df * variance) / (prior + df) * (1 + 1 / (n[row] - 1)))
        others = np.delete(x[row], column)
        others = others[np.isfinite(others)]
        is_beyond = x[row, column] < others.min() or x[row, column] > others.max()
        if spread > 0 and apart / spread > FAR and is_beyond:
            far.append(
                Outlying(
                    row=int(row),
                    column=column,
                    value=float(x[row, column]),
                    low=float(others.min()),
                    high=float(others.max()),
                    distance=float(apart / spread),
                )
            )
    return sorted(far, key=lambda one: -one.distance)


def _farthest(values: np.ndarray) -> tuple[int, float, float]:
    """Return which value lies farthest from the mean of the others, how far, and their variance."""
    best, apart, variance = 0, -1.0, 0.0
    for column in np.flatnonzero(np.isfinite(values)):
        others = np.delete(values, column)
        others = others[np.isfinite(others)]
        if (distance := abs(values[column] - others.mean())) > apart:
            best, apart, variance = int(column), float(distance), float(others.var(ddof=1))
    return best, apart, variance
