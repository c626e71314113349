"""Define the model: a multi-layer perceptron, its initial weights, its losses.

All are pure functions of parameters. `parameterization` has the scales of each width; `program` centres the output and
divides it by gamma.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
import optax

from projects.batch_size.config import Config
from projects.batch_size.parameterization import LayerScales
from projects.training.counted import mean_over_rows

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "gelu": jax.nn.gelu, "linear": lambda h: h}


class Layer(TypedDict):
    """Holds the parameters of one layer; `bias` only if the config has biases."""

    weight: jax.Array  # (fan_in, fan_out)
    bias: NotRequired[jax.Array]  # (fan_out,)


Parameters = tuple[Layer, ...]


def initial_parameters(config: Config, scales: Sequence[LayerScales], dtype: np.dtype) -> Parameters:
    """Draw the initial weights of one member.

    They are drawn on the host in float64, so that, up to rounding, they are the same alone and in a population, in
    float32 and in float64, on a CPU and on a GPU.

    Args:
        config: Gives seed, init_scale and bias.
        scales: One row for each layer.
        dtype: Type of the returned arrays.
    """
    rng = np.random.default_rng([config.seed, 0])
    layers = []
    for scale in scales:
        sd = config.init_scale * scale.init_sd
        layer = {"weight": (sd * rng.standard_normal((scale.fan_in, scale.fan_out))).astype(dtype)}
        if config.bias:
            layer["bias"] = np.zeros(scale.fan_out, dtype)
        layers.append(layer)
    return tuple(layers)


def preactivations(
    parameters: Parameters, x: jax.Array, scales: Sequence[LayerScales], activation: str
) -> list[jax.Array]:
    """Return what each layer computes before its activation; the last is the network's output."""
    act = ACTIVATIONS[activation]
    hidden, layers = x, []  # (row, feature)
    for layer, scale in zip(parameters, scales, strict=True):
        # HIGHEST: a GPU would round to 10 bits otherwise; CPUs always compute this way.
        h = scale.multiplier * jnp.matmul(hidden, layer["weight"], precision=jax.lax.Precision.HIGHEST)
        h = h + layer["bias"] if "bias" in layer else h  # (row, fan_out)
        layers.append(h)
        hidden = act(h)
    return layers


def network(parameters: Parameters, x: jax.Array, scales: Sequence[LayerScales], activation: str) -> jax.Array:
    """Compute the network's output f(x; theta), (row, output), before centring and division by gamma."""
    return preactivations(parameters, x, scales, activation)[-1]


def loss_of(out: jax.Array, y: jax.Array, loss: str, counts: jax.Array | None = None) -> jax.Array:
    """Return the mean loss.

    Args:
        out: (row, output).
        y: Classes (row,) or targets (row, output).
        loss: `cross_entropy` (nats, mean over rows) or `mse` (mean over rows and outputs, classes as one-hot
            rows).
        counts: (row,), 1 if a row counts and 0 if it fills a place; None: all count.
    """
    if loss == "cross_entropy":
        losses = optax.softmax_cross_entropy_with_integer_labels(out, y)  # (row,)
    else:
        targets = jax.nn.one_hot(y, out.shape[1], dtype=out.dtype) if y.ndim == 1 else y
        losses = (out - targets) ** 2  # (row, output)
    return mean_over_rows(losses, counts)


def accuracy_of(out: jax.Array, y: jax.Array) -> jax.Array:
    """Return the share of rows whose largest output is at their class."""
    return jnp.mean((jnp.argmax(out, axis=1) == y).astype(out.dtype))
