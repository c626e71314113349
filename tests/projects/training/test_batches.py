"""Which rows go into which step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.training.batches import NO_ROW, batch_rows, n_rows_of, rows_seen, steps_per_epoch


@given(batch_size=st.integers(1, 10), epochs=st.integers(1, 9), seed=st.integers(0, 2**32 - 1))
def test_every_row_is_seen_once_an_epoch(batch_size: int, epochs: int, seed: int) -> None:
    n_rows = epochs * 10
    rows = batch_rows([seed, 1], 0, -(-n_rows // batch_size), batch_size, 10, n_rows).ravel()
    assert (rows[n_rows:] == NO_ROW).all()
    for epoch in rows[:n_rows].reshape(epochs, 10):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(10))


@given(batch_size=st.integers(1, 10), epochs=st.integers(1, 9), seed=st.integers(0, 2**32 - 1))
def test_the_last_batch_of_an_epoch_has_the_rows_that_are_left(batch_size: int, epochs: int, seed: int) -> None:
    n_steps = steps_per_epoch(batch_size, 10)
    rows = batch_rows([seed, 1], 0, epochs * n_steps, batch_size, 10, ends_with_epoch=True)
    for epoch in rows.reshape(epochs, n_steps * batch_size):
        np.testing.assert_array_equal(np.sort(epoch[:10]), np.arange(10))
        assert (epoch[10:] == NO_ROW).all()
    assert [rows_seen(step, batch_size, 10) for step in range(len(rows) + 1)] == [
        int((rows[:step] != NO_ROW).sum()) for step in range(len(rows) + 1)
    ]


def test_a_batch_goes_on_with_the_next_epoch() -> None:
    rows = batch_rows([3, 1], first_step=0, n_steps=10, batch_size=3, n_train=10)  # three epochs, every batch full
    np.testing.assert_array_equal(np.bincount(rows.ravel()), np.full(10, 3))


def test_where_no_row_is_left_over_both_ways_are_one() -> None:
    whole, cut = (batch_rows([3, 1], 0, 9, 4, 12, ends_with_epoch=ends) for ends in (False, True))
    np.testing.assert_array_equal(whole, cut)


def test_half_an_epoch_is_half_of_the_rows() -> None:
    assert n_rows_of(0.5, 1257) == 628  # by hand: 628.5, ties to even


def test_epochs_are_shuffled_anew() -> None:
    rows = batch_rows([3, 1], first_step=0, n_steps=4, batch_size=50, n_train=100)
    assert not np.array_equal(rows[:2], rows[2:])


def test_seeds_and_streams_give_different_orders() -> None:
    orders = [batch_rows(stream, 0, 2, 50, 100).tobytes() for stream in ([0, 1], [1, 1], [0, 2])]
    assert len(set(orders)) == 3


@pytest.mark.parametrize("ends_with_epoch", [False, True])
@given(cut=st.integers(0, 20), batch_size=st.integers(1, 7), seed=st.integers(0, 2**32 - 1))
def test_a_run_cut_anywhere_sees_the_same_batches(cut: int, batch_size: int, seed: int, ends_with_epoch: bool) -> None:
    def rows(first: int, n: int) -> np.ndarray:
        return batch_rows([seed, 1], first, n, batch_size, 15, ends_with_epoch=ends_with_epoch)

    np.testing.assert_array_equal(np.concatenate([rows(0, cut), rows(cut, 20 - cut)]), rows(0, 20))
