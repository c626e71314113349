"""Count how often a replicate of a condition beats one of the reference, with an interval, for each comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rothamsted.analysis.values import Better, Comparisons
from rothamsted.statistics.effects import finite_pairs, finite_values, probability_better
from rothamsted.statistics.reduce import Direction


def with_better(
    found: Comparisons, values: np.ndarray, numbers: Sequence[int], *, is_paired: bool, direction: Direction
) -> Comparisons:
    """Return the comparisons with how often the condition was better in each row.

    Args:
        found: Comparisons with one reference.
        values: (condition, seed), NaN if missing.
        numbers: The conditions' numbers, in the order of `values`.
        is_paired: Whether only replicates of the same seed are compared; else each with each.
        direction: Which way is better.
    """
    row_of = {number: row for row, number in enumerate(numbers)}
    against = values[row_of[found.reference]]
    rows = [
        replace(row, better=_better(values[row_of[row.condition]], against, found.level, is_paired, direction))
        for row in found.rows
    ]
    return replace(found, rows=tuple(rows))


def _better(own: np.ndarray, against: np.ndarray, level: float, is_paired: bool, direction: Direction) -> Better | None:
    interval = probability_better(own, against, direction=direction, is_paired=is_paired, level=level)
    if interval is None:
        return None
    n = len(finite_pairs(own, against)[0]) if is_paired else len(finite_values(own)[0]) * len(finite_values(against)[0])
    return Better(
        n_better=round(2 * interval.estimate * n) / 2,
        n_compared=n,
        low=interval.low,
        high=interval.high,
        level=level,
        is_paired=is_paired,
    )
