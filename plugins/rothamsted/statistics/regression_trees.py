"""Grow regression trees on many draws of the same rows, many trees at once, one level after another.

Each split leaves the least squared error (Breiman and others, 1984, Classification and Regression Trees, chapter 8).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

FEWEST = 2  # rows of a leaf, each counted once however often it was drawn
LEAST_GAIN = 1e-12  # as a share of all that there is to explain: less is rounding
TOGETHER = 6  # trees: more at once are hardly faster and take memory for each of their rows in each column
EQUAL = 1 - 1e-9  # of the best gain: a column that reaches it splits as well, and one of these is taken at random


@dataclass(frozen=True, kw_only=True)
class Trees:
    """Holds the nodes of all trees. The roots come first, in the order of the draws."""

    column: np.ndarray  # (node,) by which the node is split; -1: a leaf
    threshold: np.ndarray  # (node,) rows with at most this value go to the first child
    child: np.ndarray  # (node,) the first of two neighbours
    value: np.ndarray  # (node,) mean target of its rows


class _Level(NamedTuple):
    """Nodes that are looked at together: the entries of a node are neighbours, in the order of each column."""

    order: np.ndarray  # (column, entry)
    starts: np.ndarray  # (node,) where its entries begin
    sizes: np.ndarray  # (node,)


def grow(columns: np.ndarray, target: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> Trees:
    """Grow one tree for each draw, until no node can be split.

    Args:
        columns: (row, column) numbers; NaN is a separate level, below all others.
        target: (row,)
        drawn: (tree, row) how often each tree's draw has each row; each draw has at least one row.
        rng: Chooses among columns that split a node equally well.
    """
    groups = [drawn[first : first + TOGETHER] for first in range(0, len(drawn), TOGETHER)]
    return _joined([_grown(columns, target, group, rng) for group in groups], [len(group) for group in groups])


def _joined(parts: Sequence[Trees], n_roots: Sequence[int]) -> Trees:
    """All nodes with the roots of all first."""
    n_before, moved = sum(n_roots), []
    n_roots_before = np.cumsum([0, *n_roots])
    for part, n, first in zip(parts, n_roots, n_roots_before, strict=False):
        moved.append(np.concatenate([first + np.arange(n), n_before + np.arange(len(part.column) - n)]))
        n_before += len(part.column) - n
    order = np.argsort(np.concatenate(moved))

    def together(arrays: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(arrays)[order]

    return Trees(
        column=together([part.column for part in parts]),
        threshold=together([part.threshold for part in parts]),
        child=together([place[part.child] for part, place in zip(parts, moved, strict=True)]),
        value=together([part.value for part in parts]),
    )


def _grown(columns: np.ndarray, target: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> Trees:
    tree, row = np.nonzero(drawn)
    weight, centred = drawn[tree, row].astype(float), target - target.mean()
    values = np.where(np.isnan(columns), -np.inf, columns)[row].T  # (column, entry)
    sums = weight * centred[row]
    least = LEAST_GAIN * float((weight * centred[row] ** 2).sum())
    order = np.array([np.lexsort((each, tree)) for each in values])
    level = _level(order, tree)
    made: list[tuple[np.ndarray, ...]] = []
    n_nodes = len(drawn)
    while len(level.starts):
        column, gain, place = _splits(level, values, weight, sums, rng)
        split = np.flatnonzero(gain > least)
        means = np.add.reduceat(sums[level.order[0]], level.starts) / np.add.reduceat(
            weight[level.order[0]], level.starts
        )
        chosen, at = column[split], place[split]
        below, above = (values[chosen, level.order[chosen, at + step]] for step in (0, 1))
        threshold, child = np.zeros(len(column)), np.zeros(len(column), dtype=int)
        with np.errstate(invalid="ignore"):
            threshold[split] = np.where(np.isinf(below), below, below + (above - below) / 2)
        child[split] = n_nodes + 2 * np.arange(len(split))
        made.append((np.where(gain > least, column, -1), threshold, child, means + target.mean()))
        n_nodes += 2 * len(split)
        level = _divided(level, split, chosen, at)
    column, threshold, child, value = (np.concatenate(part) for part in zip(*made, strict=True))
    return Trees(column=column, threshold=threshold, child=child, value=value)


def predict(trees: Trees, roots: np.ndarray, value_at: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Walk down a tree for each query, and return the mean of the leaf.

    Args:
        trees: The trees of `grow`.
        roots: (query,) index of the tree to ask.
        value_at: Function of queries and a column for each that returns their values.
    """
    node, waiting = roots.copy(), np.arange(len(roots))
    while len(waiting):
        column = trees.column[node[waiting]]
        waiting, column = waiting[column >= 0], column[column >= 0]
        here = node[waiting]
        node[waiting] = trees.child[here] + (value_at(waiting, column) > trees.threshold[here])
    return trees.value[node]


def _level(order: np.ndarray, node: np.ndarray) -> _Level:
    sizes = np.bincount(node)
    return _Level(order, np.cumsum(sizes) - sizes, sizes)


def _splits(
    level: _Level, values: np.ndarray, weight: np.ndarray, sums: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best split of each node: its column, what it explains, and the last place before it; without one -inf."""
    order, starts, sizes = level
    n_entries = order.shape[1]
    n_before = np.arange(n_entries) - np.repeat(starts, sizes) + 1
    own = np.take_along_axis(values, order, axis=1)
    is_last = np.ones_like(order, dtype=bool)  # of its value
    is_last[:, :-1] = own[:, 1:] > own[:, :-1]
    allowed = is_last & (n_before >= FEWEST) & (np.repeat(sizes, sizes) - n_before >= FEWEST)
    column, place = np.nonzero(allowed)
    del own, is_last, allowed  # as large as all entries in every order: what is not needed any more makes room
    node = np.repeat(np.arange(len(starts)), sizes)[place]
    left, whole = _sums_at(weight[order], level, column, place, node)
    left_sum, whole_sum = _sums_at(sums[order], level, column, place, node)
    gains = np.full(order.shape, -np.inf)
    rest, rest_sum = whole - left, whole_sum - left_sum
    gains[column, place] = left_sum**2 / left + rest_sum**2 / rest - whole_sum**2 / whole
    best = np.maximum.reduceat(gains, starts, axis=1)  # (column, node)
    is_best = best >= EQUAL * best.max(axis=0)
    chosen = np.where(is_best, rng.random(best.shape), -1.0).argmax(axis=0)
    top = best[chosen, np.arange(len(starts))]
    of_chosen = gains[np.repeat(chosen, sizes), np.arange(n_entries)]
    places = np.where(of_chosen == np.repeat(top, sizes), np.arange(n_entries), n_entries)
    return chosen, top, np.minimum.reduceat(places, starts)


def _sums_at(
    numbers: np.ndarray, level: _Level, column: np.ndarray, place: np.ndarray, node: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The running sums at these places, and the whole sums of their nodes."""
    running, whole = _within(numbers, level)
    return running[column, place], whole[node]


def _within(numbers: np.ndarray, level: _Level) -> tuple[np.ndarray, np.ndarray]:
    """Running sums (column, entry) that begin anew in each node, and the whole sums (node,)."""
    running = np.cumsum(numbers, axis=1)
    before = running[:, level.starts] - numbers[:, level.starts]
    ends = level.starts + level.sizes - 1
    return running - np.repeat(before, level.sizes, axis=1), running[0, ends] - before[0]


def _divided(level: _Level, split: np.ndarray, column: np.ndarray, place: np.ndarray) -> _Level:
    """The children of the nodes that are split; their entries keep their order."""
    order, sizes = level.order, level.sizes[split]
    kept = np.repeat(level.starts[split] - np.cumsum(sizes) + sizes, sizes) + np.arange(int(sizes.sum()))
    child_of = np.empty(int(order.max(initial=-1)) + 1, dtype=np.int32)  # by entry
    first = 2 * np.repeat(np.arange(len(split)), sizes)
    child_of[order[np.repeat(column, sizes), kept]] = first + (kept > np.repeat(place, sizes))
    order = order[:, kept]
    child = child_of[order]
    small = child.astype(np.uint16) if 2 * len(split) <= np.iinfo(np.uint16).max else child  # numpy sorts it faster
    moved = np.argsort(small, axis=1, kind="stable")
    return _level(np.take_along_axis(order, moved, axis=1), child[0])
