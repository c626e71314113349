"""Which rows go into which step."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from projects.batch_size.batches import NO_ROW, batch_rows, n_rows_of


@given(batch_size=st.integers(1, 10), epochs=st.integers(1, 9), seed=st.integers(0, 2**32 - 1))
def test_every_row_is_seen_once_an_epoch(batch_size: int, epochs: int, seed: int) -> None:
    n_rows = epochs * 10
    rows = batch_rows(seed, 0, -(-n_rows // batch_size), batch_size, 10, n_rows).ravel()
    assert (rows[n_rows:] == NO_ROW).all()
    for epoch in rows[:n_rows].reshape(epochs, 10):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(10))


def test_a_batch_goes_on_with_the_next_epoch() -> None:
    rows = batch_rows(seed=3, first_step=0, n_steps=10, batch_size=3, n_train=10)  # three epochs, every batch full
    np.testing.assert_array_equal(np.bincount(rows.ravel()), np.full(10, 3))


def test_half_an_epoch_is_half_of_the_rows() -> None:
    assert n_rows_of(0.5, 1257) == 628  # by hand: 628.5, ties to even


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
