"""Choose the rows and matched rows of each step: each once in a pass, by projects.training.batches."""

from __future__ import annotations

import numpy as np

from projects.training.batches import batch_rows

_ALL, _CHOICE, _PAIRS = range(1, 4)  # independent streams of a seed; 0 draws the initial weights


def free_rows(seed: int, first_step: int, n_steps: int, batch_size: int, n_train: int) -> np.ndarray:
    """Return training rows of consecutive steps, (step, row) int32; both domains take the same.

    The last batch of an epoch has the remaining rows, and then NO_ROW.

    Args:
        seed: Seed of the run.
        first_step: Updates done before the first of these.
        n_steps: How many steps.
        batch_size: Rows in each step, at most n_train.
        n_train: Number of training rows.
    """
    return batch_rows([seed, _ALL], first_step, n_steps, batch_size, n_train, ends_with_epoch=True)


def matched_rows(seed: int, n_pairs: int, n_train: int) -> np.ndarray:
    """Return the matched rows, (n_pairs,) int32; those of more pairs begin with those of fewer."""
    return np.random.default_rng([seed, _CHOICE]).permutation(n_train)[:n_pairs].astype(np.int32)


def pair_rows(seed: int, first_step: int, n_steps: int, batch_size: int, n_pairs: int, n_train: int) -> np.ndarray:
    """Return matched rows of consecutive steps, (step, row) int32, with min(batch_size, n_pairs) rows in every step.

    They go round by themselves: a batch goes on with the next pass over the pairs.
    """
    matched = matched_rows(seed, n_pairs, n_train)
    return matched[batch_rows([seed, _PAIRS], first_step, n_steps, min(batch_size, n_pairs), n_pairs)]
