"""Choose rows, stratified and seeded, by one rule for every labelled data set."""

from __future__ import annotations

import numpy as np

from projects.files.problem import DataProblem

TEST_SEED = 0  # the split whose test rows are held out of every split


def stratified_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a random order of rows in which every stretch is stratified.

    The i-th row (in random order) of a class with n rows gets the rank (i + 1/2) / n, and rows are sorted by rank, ties
    at random. So any stretch has each class in proportion, to about one row if classes have similar sizes, and the head
    of the order is part of every longer head.

    Args:
        labels: class of each row, (n,).
        rng: source of all randomness.

    Returns:
        A permutation of the row numbers, int64 (n,).
    """
    n = len(labels)
    shuffled = rng.permutation(n)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    _, counts = np.unique(labels, return_counts=True)
    rank = np.concatenate([(np.arange(count) + 0.5) / count for count in counts]) if n else np.empty(0)
    return by_class[np.lexsort((rng.random(n), rank))]


def choose_rows(labels: np.ndarray, n: int | None, *, seed: int, field: str, source: str) -> np.ndarray:
    """Choose row numbers, stratified, in ascending order.

    Args:
        labels: class of each row, (rows,).
        n: how many rows; None for all.
        seed: equal seeds choose equal rows; a smaller choice is part of a larger one.
        field: the setting that asked, for the message.
        source: the data set's name, for the message.

    Returns:
        Row numbers, int64 (n,).

    Raises:
        DataProblem: more rows are asked for than there are.
    """
    if n is None:
        return np.arange(len(labels))
    if n > len(labels):
        raise DataProblem(f"data.{field}: {source} has {len(labels)} rows, got {n}; ask for at most that many")
    return np.sort(stratified_order(labels, np.random.default_rng(seed))[:n])


def train_and_test(
    labels: np.ndarray, n: int | None, *, seed: int, most: int, field: str, source: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return row numbers, ascending, of a stratified choice to train on and of at most `most` test rows.

    The test rows are those that the choice of TEST_SEED leaves; other seeds choose among the other rows. There are none
    if the choice takes all rows.

    Raises:
        DataProblem: more rows are asked for than there are.
    """
    train = choose_rows(labels, n, seed=TEST_SEED, field=field, source=source)
    test = rows_left(labels, n, seed=TEST_SEED, most=most)
    if seed != TEST_SEED:
        free = np.setdiff1d(np.arange(len(labels)), test)
        train = free[choose_rows(labels[free], n, seed=seed, field=field, source=source)]
    return train, test


def rows_left(labels: np.ndarray, n: int | None, *, seed: int, most: int) -> np.ndarray:
    """Return row numbers, ascending, of a stratified choice among those that `choose_rows` leaves."""
    if n is None:
        return np.arange(0)
    return np.sort(stratified_order(labels, np.random.default_rng(seed))[n : n + most])
