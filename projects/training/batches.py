"""Choose the rows of each step: every row once in an epoch, in a new seeded order each time.

It is a pure function of (seed, step) on the host: the same alone, in a population and after a resume.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NO_ROW = -1  # a place of a batch that stays empty


def n_rows_of(epochs: float, n_train: int) -> int:
    """Return the number of rows that a training sees, each counted as often as it is seen.

    Args:
        epochs: Passes over the training rows; may be a fraction.
        n_train: Number of training rows.
    """
    return max(1, round(epochs * n_train))


def steps_per_epoch(batch_size: int, n_train: int) -> int:
    """Count the updates in one pass whose last batch has the rows that are left.

    Example:
        >>> steps_per_epoch(32, 100)
        4
    """
    return -(-n_train // batch_size)


def rows_seen(step: int, batch_size: int, n_train: int) -> int:
    """Return how many rows `step` updates have seen, with repeats, if every epoch ends with the remaining rows.

    Example:
        >>> [rows_seen(step, 32, 100) for step in (3, 4, 5)]
        [96, 100, 132]
    """
    epochs, rest = divmod(step, steps_per_epoch(batch_size, n_train))
    return epochs * n_train + rest * batch_size


def batch_rows(
    stream: Sequence[int],
    first_step: int,
    n_steps: int,
    batch_size: int,
    n_train: int,
    n_rows: int | None = None,
    *,
    ends_with_epoch: bool = False,
) -> np.ndarray:
    """Return the training rows of consecutive steps, (step, row) int32.

    The epochs follow each other, each a permutation of all rows, and are cut into batches. A batch may begin with the
    last rows of one epoch and end with the first of the next, so that no row is left out or seen twice in one epoch.

    Args:
        stream: The seed of the run and the number of the stream.
        first_step: Updates done before the first of these.
        n_steps: How many steps.
        batch_size: Rows in each step, at most n_train.
        n_train: Number of training rows.
        n_rows: Rows that the whole run sees; places after them are NO_ROW. None: every batch is full.
        ends_with_epoch: The last batch of an epoch has the rows that are left, and then NO_ROW.
    """
    length = steps_per_epoch(batch_size, n_train) * batch_size if ends_with_epoch else n_train  # places of an epoch
    first, end = first_step * batch_size, (first_step + n_steps) * batch_size
    rows = np.empty(end - first, np.int32)
    for epoch in range(first // length, -(-end // length)):
        order = np.full(length, NO_ROW)
        order[:n_train] = np.random.default_rng([*stream, epoch]).permutation(n_train)
        start, stop = max(first, epoch * length), min(end, (epoch + 1) * length)
        rows[start - first : stop - first] = order[start - epoch * length : stop - epoch * length]
    if n_rows is not None:
        rows[max(n_rows - first, 0) :] = NO_ROW
    return rows.reshape(n_steps, batch_size)
