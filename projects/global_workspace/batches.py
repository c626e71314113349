"""Which rows go into which step: a fresh seeded permutation for every pass, of all rows and of the matched ones.

Made on the host, as a pure function of (seed, step): the same alone, in a population and after a resume.
"""

from __future__ import annotations

import numpy as np

_ALL, _CHOICE, _PAIRS = range(1, 4)  # independent streams of a seed; 0 draws the initial weights


def batch_rows(seed: int, first_step: int, n_steps: int, batch_size: int, n_train: int) -> np.ndarray:
    """Training rows of consecutive steps, (step, row) int32; both domains take the same.

    An epoch has n_train // batch_size steps; the rows left over sit that epoch out.

    Args:
        seed: Of the run.
        first_step: Updates done before the first of these.
        n_steps: How many steps.
        batch_size: Rows a step, at most n_train.
        n_train: Rows there are.
    """
    return _permuted([seed, _ALL], first_step, n_steps, batch_size, n_train)


def matched_rows(seed: int, n_pairs: int, n_train: int) -> np.ndarray:
    """The rows whose pairing may be used, (n_pairs,) int32: those of more pairs begin with those of fewer."""
    return np.random.default_rng([seed, _CHOICE]).permutation(n_train)[:n_pairs].astype(np.int32)


def pair_rows(seed: int, first_step: int, n_steps: int, batch_size: int, n_pairs: int, n_train: int) -> np.ndarray:
    """Matched rows of consecutive steps, (step, row) int32, with min(batch_size, n_pairs) rows a step."""
    matched = matched_rows(seed, n_pairs, n_train)
    return matched[_permuted([seed, _PAIRS], first_step, n_steps, min(batch_size, n_pairs), n_pairs)]


def _permuted(stream: list[int], first_step: int, n_steps: int, batch_size: int, n: int) -> np.ndarray:
    steps_per_epoch = n // batch_size
    rows = np.empty((n_steps, batch_size), np.int32)
    done = 0
    while done < n_steps:
        epoch, offset = divmod(first_step + done, steps_per_epoch)
        n_here = min(steps_per_epoch - offset, n_steps - done)
        order = np.random.default_rng([*stream, epoch]).permutation(n)
        chosen = order[offset * batch_size : (offset + n_here) * batch_size]
        rows[done : done + n_here] = chosen.reshape(n_here, batch_size)
        done += n_here
    return rows
