"""Batches, the one-cycle schedule, fusion shares, and probes: pure functions, each against its authority."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.global_workspace.batches import free_rows, matched_rows, pair_rows
from projects.global_workspace.config import OptimizerConfig
from projects.global_workspace.model import random_shares
from projects.global_workspace.probes import chance_accuracy, normalised_cross_entropy, random_features, read_bits
from projects.global_workspace.schedule import lr_factor
from projects.training.batches import NO_ROW


def test_an_epoch_holds_each_row_once() -> None:
    rows = free_rows(seed=3, first_step=0, n_steps=5, batch_size=8, n_train=35)  # the last batch has three
    assert sorted(rows.ravel()) == [NO_ROW] * 5 + list(range(35))


def test_pairs_are_matched_rows_only_and_those_of_more_pairs_begin_with_those_of_fewer() -> None:
    drawn = pair_rows(seed=1, first_step=0, n_steps=20, batch_size=8, n_pairs=20, n_train=100)
    assert drawn.shape == (20, 8)
    assert set(drawn.ravel()) == set(matched_rows(1, 20, 100))
    np.testing.assert_array_equal(matched_rows(1, 20, 100), matched_rows(1, 50, 100)[:20])


def test_every_pair_is_seen_equally_often() -> None:
    drawn = pair_rows(seed=1, first_step=0, n_steps=5, batch_size=8, n_pairs=20, n_train=100)
    assert np.bincount(drawn.ravel(), minlength=100)[matched_rows(1, 20, 100)].tolist() == [2] * 20


def test_a_batch_of_fewer_pairs_than_its_size_holds_them_all() -> None:
    drawn = pair_rows(seed=1, first_step=0, n_steps=3, batch_size=8, n_pairs=5, n_train=100)
    assert [sorted(step) for step in drawn] == [sorted(matched_rows(1, 5, 100))] * 3


def test_one_cycle_begins_low_is_highest_after_its_share_of_the_steps_and_ends_lower() -> None:
    # By hand: 1/25 at first, 1 in step 0.3 * 40 - 1 = 11, 1/250,000 in the last; halfway up the mean of both ends.
    mine = lr_factor(OptimizerConfig(pct_start=0.3), jnp.array([0.0, 5.5, 11.0, 39.0]), 40)
    assert mine.tolist() == pytest.approx([0.04, 0.52, 1.0, 4e-6], rel=1e-4, abs=1e-7)


@pytest.mark.slow
def test_one_cycle_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=40, pct_start=0.3)
    expected = []
    for _ in range(40):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step() if len(expected) < 40 else None
    mine = lr_factor(OptimizerConfig(pct_start=0.3), jnp.arange(40), 40)
    np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-7)


def test_a_constant_rate_has_the_factor_1() -> None:
    assert lr_factor(OptimizerConfig(schedule="constant"), jnp.arange(5), 5).tolist() == [1.0] * 5


def test_random_shares_add_to_one_and_sharpen_as_the_temperature_falls() -> None:
    cold, warm = (random_shares(jax.random.key(0), 1000, temperature) for temperature in (0.01, 10.0))
    np.testing.assert_allclose(cold["visual"] + cold["attributes"], 1, rtol=1e-5)
    assert float(np.mean(np.abs(cold["visual"] - 0.5))) > 0.4 > 0.1 > float(np.mean(np.abs(warm["visual"] - 0.5)))


def xor_rows(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers with the signs of two bits, and the bits' exclusive or."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (n, 2))
    return (2 * bits - 1) + 0.1 * rng.standard_normal((n, 2)), (bits[:, :1] ^ bits[:, 1:])


def test_a_probe_reads_an_open_bit_and_not_an_exclusive_or() -> None:
    # Theory: no line separates an exclusive or; with the four corners equally often it can be right on 3 of 4 at most.
    x, hidden = xor_rows(400)
    open_bit = (x[:, :1] > 0).astype(int)
    assert read_bits(x[:200], open_bit[:200], x[200:], open_bit[200:]).accuracy == 1
    of_hidden = read_bits(x[:200], hidden[:200], x[200:], hidden[200:])
    assert of_hidden.accuracy < 0.76
    assert of_hidden.normalised_cross_entropy > 0.9


def test_random_features_let_a_probe_read_an_exclusive_or() -> None:
    x, hidden = xor_rows(400)
    features = random_features(x)
    reading = read_bits(features[:200], hidden[:200], features[200:], hidden[200:])
    assert reading.accuracy == 1
    assert reading.normalised_cross_entropy < 0.2


def test_predicting_the_frequency_has_a_normalised_cross_entropy_of_1() -> None:
    bits = np.array([[1], [0], [0], [0]])
    assert normalised_cross_entropy(np.full((4, 1), 0.25), bits) == pytest.approx(1.0)
    # By hand: certain to 0.9 on all four, so -log 0.9 over the entropy of 1/4, 0.562335 nats.
    sure = np.array([[0.9], [0.1], [0.1], [0.1]])
    assert normalised_cross_entropy(sure, bits) == pytest.approx(-math.log(0.9) / 0.562335, rel=1e-5)


def test_chance_is_the_share_of_what_is_more_frequent() -> None:
    assert chance_accuracy(np.array([[1, 0], [0, 0], [0, 1], [0, 1]])) == pytest.approx((0.75 + 0.5) / 2)
