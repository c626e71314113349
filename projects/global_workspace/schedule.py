"""Compute the learning-rate schedule: a factor between 0 and 1 at each step."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from projects.global_workspace.config import OptimizerConfig

# As PyTorch's OneCycleLR has them: the cycle begins at 1/25 of the highest rate and ends at 1/250,000 of it.
_START, _END = 1 / 25, 1 / 25e4


def lr_factor(optimizer: OptimizerConfig, step: jax.Array, n_steps: int) -> jax.Array:
    """Return the factor of the learning rate in one update.

    `one_cycle` rises along half a cosine for `pct_start` of the steps and falls along another one, to its end in
    the last step: Smith and Topin, arXiv:1708.07120, in PyTorch's form.

    Args:
        optimizer: Gives the schedule.
        step: Updates done before this one, an integer.
        n_steps: Updates of the whole run.
    """
    step = jnp.asarray(step, jnp.float32)
    if optimizer.schedule == "constant":
        return jnp.ones_like(step)
    peak = optimizer.pct_start * n_steps - 1  # the step with the highest rate
    last = n_steps - 1
    rise = _cosine(_START, 1.0, jnp.clip(step / max(peak, 1e-9), 0, 1))
    fall = _cosine(1.0, _END, jnp.clip((step - peak) / max(last - peak, 1e-9), 0, 1))
    return jnp.where(step <= peak, rise, fall)


def _cosine(start: float, end: float, progress: jax.Array) -> jax.Array:
    return end + (start - end) * (1 + jnp.cos(jnp.pi * progress)) / 2
