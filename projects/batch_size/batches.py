"""Which rows go into which step: every row once an epoch, in a fresh seeded order each time.

Made on the host, as a pure function of (seed, step): the same alone, in a population and after a resume.
"""

from __future__ import annotations

import numpy as np

NO_ROW = -1  # a place of the last batch that stays empty


def n_rows_of(epochs: float, n_train: int) -> int:
    """The rows that a training of so many passes sees, each counted as often as it is seen.

    Args:
        epochs: Passes over the training rows; may be a fraction.
        n_train: Rows there are.
    """
    return max(1, round(epochs * n_train))


def batch_rows(
    seed: int, first_step: int, n_steps: int, batch_size: int, n_train: int, n_rows: int | None = None
) -> np.ndarray:
    """The training rows of consecutive steps, (step, row) int32.

    The epochs stand one after the other, each a permutation of all rows, and are cut into batches: a batch may begin
    with the last rows of one epoch and end with the first of the next, so that no row is left out and none is seen
    twice in one epoch.

    Args:
        seed: Of the run.
        first_step: Updates done before the first of these.
        n_steps: How many steps.
        batch_size: Rows a step, at most n_train.
        n_train: Rows there are.
        n_rows: Rows that the whole run sees; places after them are NO_ROW. None: every batch is full.
    """
    first, end = first_step * batch_size, (first_step + n_steps) * batch_size
    rows = np.empty(end - first, np.int32)
    for epoch in range(first // n_train, -(-end // n_train)):
        order = np.random.default_rng([seed, 1, epoch]).permutation(n_train)
        start, stop = max(first, epoch * n_train), min(end, (epoch + 1) * n_train)
        rows[start - first : stop - first] = order[start - epoch * n_train : stop - epoch * n_train]
    if n_rows is not None:
        rows[max(n_rows - first, 0) :] = NO_ROW
    return rows.reshape(n_steps, batch_size)
