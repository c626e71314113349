"""Which rows go into which step: a fresh seeded permutation for every epoch.

Made on the host, as a pure function of (seed, step): the same alone, in a population and after a resume.
"""

from __future__ import annotations

import numpy as np


def batch_rows(seed: int, first_step: int, n_steps: int, batch_size: int, n_train: int) -> np.ndarray:
    """The training rows of consecutive steps, (step, row) int32.

    An epoch has n_train // batch_size steps; the rows left over sit that epoch out.

    Args:
        seed: Of the run.
        first_step: Updates done before the first of these.
        n_steps: How many steps.
        batch_size: Rows a step, at most n_train.
        n_train: Rows there are.
    """
    steps_per_epoch = n_train // batch_size
    rows = np.empty((n_steps, batch_size), np.int32)
    done = 0
    while done < n_steps:
        epoch, offset = divmod(first_step + done, steps_per_epoch)
        n = min(steps_per_epoch - offset, n_steps - done)
        order = np.random.default_rng([seed, 1, epoch]).permutation(n_train)
        rows[done : done + n] = order[offset * batch_size : (offset + n) * batch_size].reshape(n, batch_size)
        done += n
    return rows
