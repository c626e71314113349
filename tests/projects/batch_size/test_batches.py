"""Which rows go into which step."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from projects.batch_size.batches import batch_rows


def test_an_epoch_shows_each_row_at_most_once() -> None:
    rows = batch_rows(seed=3, first_step=0, n_steps=3, batch_size=3, n_train=10)
    assert len(np.unique(rows)) == 9  # three steps of three rows, one row left over


def test_epochs_are_shuffled_anew() -> None:
    rows = batch_rows(seed=3, first_step=0, n_steps=4, batch_size=50, n_train=100)
    assert not np.array_equal(rows[:2], rows[2:])


def test_seeds_give_different_orders() -> None:
    orders = [batch_rows(seed=seed, first_step=0, n_steps=2, batch_size=50, n_train=100) for seed in (0, 1)]
    assert not np.array_equal(*orders)


@given(cut=st.integers(0, 20), batch_size=st.integers(1, 7), seed=st.integers(0, 2**32 - 1))
def test_a_run_cut_anywhere_sees_the_same_batches(cut: int, batch_size: int, seed: int) -> None:
    whole = batch_rows(seed, 0, 20, batch_size, 15)
    parts = [batch_rows(seed, 0, cut, batch_size, 15), batch_rows(seed, cut, 20 - cut, batch_size, 15)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
