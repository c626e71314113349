"""The course of the learning rate against optax's schedules and by hand."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from projects.batch_size.config import OptimizerConfig
from projects.batch_size.schedule import lr_factor, n_warmup_steps


def course(optimizer: OptimizerConfig, n_steps: int) -> np.ndarray:
    return np.array([lr_factor(optimizer, jnp.int32(step), n_steps, jnp.float32) for step in range(n_steps)])


def test_cosine_matches_optax() -> None:
    authority = optax.cosine_decay_schedule(init_value=1.0, decay_steps=20)
    expected = [authority(step) for step in range(20)]
    np.testing.assert_allclose(course(OptimizerConfig(schedule="cosine"), 20), expected, atol=1e-6)


def test_cosine_after_warm_up_matches_optax() -> None:
    # optax counts its warm-up from 0 in step 0; ours starts at 1/w, so it is optax's one step on.
    decay = optax.cosine_decay_schedule(init_value=1.0, decay_steps=16)
    warm_up = optax.linear_schedule(init_value=0.25, end_value=1.0, transition_steps=3)
    expected = [warm_up(step) for step in range(4)] + [decay(step) for step in range(16)]
    factor = course(OptimizerConfig(schedule="cosine", warmup_steps=4), 20)
    np.testing.assert_allclose(factor, expected, atol=1e-6)


def test_a_constant_schedule_stays_at_one_after_warm_up() -> None:
    # By hand: thirds in the first three steps, then 1.
    factor = course(OptimizerConfig(warmup_steps=3), 6)
    np.testing.assert_allclose(factor, [1 / 3, 2 / 3, 1, 1, 1, 1], rtol=1e-6)


def test_a_warm_up_fraction_is_of_all_steps() -> None:
    assert n_warmup_steps(OptimizerConfig(warmup_fraction=0.1), 300) == 30  # by hand


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_factor_stays_between_zero_and_one(schedule: str) -> None:
    factor = course(OptimizerConfig(schedule=schedule, warmup_fraction=0.3), 37)
    assert factor.min() >= 0
    assert factor.max() <= 1
