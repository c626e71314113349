"""Turn crossed replicates, such as all combinations of 4 training seeds and 4 data splits, into independent values.

Two replicates on one split are alike, so 16 combinations are not 16 independent values. Here they become as many
independent values as the shortest source has numbers, with the same mean. Every interval and test applies to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """Says which combination each replicate is.

    Attributes:
        cells: (replicate,) number of its combination, from 0, the last source changing first.
        sizes: how many numbers each source has.
    """

    cells: tuple[int, ...]
    sizes: tuple[int, ...]


def crossing_of(crossed: Mapping[str, int], cells: Sequence[int]) -> Crossing | None:
    """Return the crossing of replicates with these numbers, or None if nothing is crossed."""
    return Crossing(cells=tuple(cells), sizes=tuple(crossed.values())) if crossed else None


def independent_values(values: np.ndarray, crossing: Crossing) -> np.ndarray:
    """Turn crossed replicates of one condition into independent values with their mean.

    The model is value = level + one normal effect for each number of each source + rest. Value k of the result is the
    mean of all, plus, for each source, the distance of the mean at its k-th number from the mean of all. For a square
    that is row k + column k - mean. A longer source gives as many of its contrasts (cosines over its numbers).
    Contrasts of a source are independent, and sources are independent of each other, so the values are independent and
    normal. Their variance divided by their number is never less than the variance of the mean, because the rest is
    counted more than once. All conditions use the same map, so this holds for pairs and differences too.

    Args:
        values: (replicate, point); NaN and infinity are missing.
        crossing: The combination of each replicate.

    Returns:
        (min of sizes, point). A missing combination is filled in by the additive fit to the others. A point is NaN if
        all combinations with one number of a source are missing.
    """
    sizes, shortest = crossing.sizes, min(crossing.sizes)
    grid = np.full((int(np.prod(sizes)), values.shape[1]), np.nan)
    grid[list(crossing.cells)] = np.where(np.isfinite(values), values, np.nan)
    grid = _filled(grid, sizes)
    mean = grid.mean(axis=0)
    found = np.broadcast_to(mean, (shortest, grid.shape[1])).copy()
    for source, size in enumerate(sizes):
        means = level_means(grid, sizes, source)
        contrasts = _cosines(size)[: shortest - 1] @ (means - mean)
        found += np.sqrt(shortest / size) * (_cosines(shortest).T @ contrasts)
    return found


def level_means(grid: np.ndarray, sizes: Sequence[int], source: int) -> np.ndarray:
    """Return the mean at each number of a source, (number, point), of a complete grid (combination, point)."""
    table = grid.reshape(*sizes, grid.shape[1])
    return table.mean(axis=tuple(axis for axis in range(len(sizes)) if axis != source))


@lru_cache(maxsize=64)
def _cosines(size: int) -> np.ndarray:
    """Orthonormal contrasts of `size` numbers, (size - 1, size): the discrete cosine transform without its constant."""
    order, place = np.arange(1, size)[:, None], 2 * np.arange(size)[None, :] + 1
    return np.sqrt(2 / size) * np.cos(np.pi * order * place / (2 * size))


def _filled(grid: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """A grid (combination, point) with what is missing as the additive model of the other combinations gives it."""
    is_missing = np.isnan(grid)
    if not is_missing.any():
        return grid
    filled, design = grid.copy(), _design(sizes)
    for pattern in np.unique(is_missing, axis=1).T:
        points = (is_missing == pattern[:, None]).all(axis=0)
        fit, rank = (
            np.linalg.lstsq(design[~pattern], grid[np.ix_(~pattern, points)])[0::2] if (~pattern).any() else (0, 0)
        )
        full = 1 + sum(size - 1 for size in sizes)
        filled[np.ix_(pattern, points)] = design[pattern] @ fit if rank == full else np.nan
    return filled


@lru_cache(maxsize=64)
def _design(sizes: tuple[int, ...]) -> np.ndarray:
    """(combination, column): a constant, and each source's contrasts."""
    numbers = np.indices(sizes).reshape(len(sizes), -1)
    contrasts = [_cosines(size).T[of_source] for size, of_source in zip(sizes, numbers, strict=True)]
    return np.hstack([np.ones((numbers.shape[1], 1)), *contrasts])
