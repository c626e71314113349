"""Adjust medians, interquartile means and quantiles of conditions for missing seeds.

A missing value is filled in by the level of its condition plus the effect of its seed, both from median polish (Tukey
1977, Exploratory Data Analysis). The number is then taken over the filled row. The least squares of `adjusted` would
let one bad seed move what is filled in.
"""

from __future__ import annotations

import numpy as np

from rothamsted.statistics.adjusted import AdjustedMeans, adjusted_means, linked
from rothamsted.statistics.centres import MEAN, centre_of

N_POLISHES = 10


def adjusted_centres(values: np.ndarray, over: str) -> AdjustedMeans:
    """Return the numbers of conditions, adjusted for the seeds that they lack. For `over: mean` use `adjusted_means`.

    Only conditions that are linked by common seeds are adjusted to each other. A condition that lacks none of their
    seeds keeps the number of its own values, bit for bit.

    Args:
        values: (condition, seed) NaN and infinity mark a missing value.
        over: See `centres.centre_of`.

    Raises:
        ValueError: A shape that is not (condition, seed).
    """
    if over == MEAN:
        return adjusted_means(values)
    x = np.array(values, dtype=np.float64)
    if x.ndim != 2:
        raise ValueError(f"values: shape {x.shape}, must be (condition, seed)")
    x[~np.isfinite(x)] = np.nan
    is_there = np.isfinite(x)
    raw = np.array([centre_of(row, over) for row in x])
    group, n_missing = linked(is_there)
    adjusted = raw.copy()
    for one in np.unique(group[n_missing > 0]):
        rows = np.flatnonzero((group == one) & is_there.any(axis=1))
        columns = np.flatnonzero(is_there[rows].any(axis=0))
        filled = polished(x[np.ix_(rows, columns)])
        for row, whole in zip(rows, filled, strict=True):
            if n_missing[row] > 0:
                adjusted[row] = centre_of(whole, over)
    n = is_there.sum(axis=1)
    is_alone = (n > 0) & (group != int(np.argmax(np.bincount(group, weights=n > 0))))
    return AdjustedMeans(mean=adjusted, raw=raw, n=n, n_missing=n_missing, is_alone=is_alone)


def polished(x: np.ndarray) -> np.ndarray:
    """Return values (condition, seed) with missing ones (NaN) filled in by level of the row plus effect of the column.

    Every row and every column must have a value.
    """
    level, effect, _ = polished_parts(x)
    return np.where(np.isfinite(x), x, level[:, None] + effect)


def polished_parts(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return levels (condition,), effects of the seeds (seed,), and values without the latter, by median polish.

    Args:
        x: (condition, seed), NaN marks a missing value; every row and every column has one.
    """
    level, effect = np.zeros(len(x)), np.zeros(x.shape[1])
    for _ in range(N_POLISHES):
        level = np.nanmedian(x - effect, axis=1)
        effect = np.nanmedian(x - level[:, None], axis=0)
        effect = effect - np.median(effect)
    return level, effect, x - effect
