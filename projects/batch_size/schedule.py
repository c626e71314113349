"""Compute the learning-rate schedule: a factor between 0 and 1 at each step."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from projects.batch_size.config import OptimizerConfig


def n_warmup_steps(optimizer: OptimizerConfig, n_steps: int) -> int:
    """Return the number of steps of warm-up in a run of `n_steps`."""
    return optimizer.warmup_steps or round(optimizer.warmup_fraction * n_steps)


def lr_factor(optimizer: OptimizerConfig, step: jax.Array, n_steps: int, dtype: jnp.dtype) -> jax.Array:
    """Return the factor of the learning rate in one update.

    Warm-up is linear from 1/w in the first of w steps to 1 in the last. After it the rate is constant, or
    falls as half a cosine from 1 towards 0, which it would reach in step `n_steps` (Loshchilov & Hutter,
    arXiv:1608.03983).

    Args:
        optimizer: Gives schedule and warm-up.
        step: Updates done before this one, an integer.
        n_steps: Updates of the whole run.
        dtype: Type of the factor.
    """
    n_warmup = n_warmup_steps(optimizer, n_steps)
    step = jnp.asarray(step).astype(dtype)
    factor = jnp.ones((), dtype)
    if optimizer.schedule == "cosine":
        progress = jnp.clip((step - n_warmup) / max(n_steps - n_warmup, 1), 0, 1)
        factor = (1 + jnp.cos(jnp.pi * progress)) / 2
    if n_warmup:
        factor = jnp.minimum((step + 1) / n_warmup, 1) * factor
    return factor
