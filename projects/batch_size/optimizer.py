"""Update the parameters: optax's rule, the parameterisation's learning rates, decoupled weight decay.

With learning rate lr, schedule factor s_t and the multiplier r of a parameter (`parameterization`):

    theta <- theta - lr s_t (r u_t + weight_decay theta)

where u_t is the gradient (sgd), the heavy-ball sum u_t = g_t + momentum u_(t-1) (momentum; Polyak 1964), or
Adam's bias-corrected ratio (adam; Kingma & Ba, arXiv:1412.6980). Decay is decoupled for all three (Loshchilov
& Hutter, arXiv:1711.05101), acts on weights and not on biases, and does not take the multiplier r, so that
its strength does not depend on the width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import jax
import numpy as np
import optax

from projects.batch_size.config import OptimizerConfig
from projects.batch_size.model import Parameters
from projects.batch_size.parameterization import LayerScales

Number = jax.Array | np.ndarray | np.floating


class Hyper(NamedTuple):
    """Holds the numbers that vary inside one compiled call: scalars, or (member,) in a population."""

    lr: Number
    gamma: Number
    momentum: Number
    beta1: Number
    beta2: Number
    weight_decay: Number


def direction(optimizer: OptimizerConfig, hyper: Hyper) -> optax.GradientTransformation:
    """Return the rule that turns gradients into u_t, before any learning rate."""
    if optimizer.name == "sgd":
        return optax.identity()
    if optimizer.name == "momentum":
        return optax.trace(decay=cast(float, hyper.momentum))  # traced, which optax takes as well
    return optax.scale_by_adam(b1=hyper.beta1, b2=hyper.beta2, eps=optimizer.eps)


def apply_direction(
    parameters: Parameters,
    updates: Parameters,
    lr: jax.Array,
    weight_decay: Number,
    scales: Sequence[LayerScales],
) -> Parameters:
    """Move the parameters by one update.

    Args:
        parameters: theta.
        updates: u_t, of the same form.
        lr: Learning rate of this step, schedule included.
        weight_decay: Decay per unit of learning rate.
        scales: One row for each layer.
    """
    moved = []
    for layer, update, scale in zip(parameters, updates, scales, strict=True):
        change = scale.weight_lr * update["weight"] + weight_decay * layer["weight"]
        new = {"weight": layer["weight"] - lr * change}
        if "bias" in layer and "bias" in update:
            new["bias"] = layer["bias"] - lr * scale.bias_lr * update["bias"]
        moved.append(new)
    return tuple(moved)
