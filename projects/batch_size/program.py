"""The compiled part: many updates and one measurement in a single call, for one member or a population.

Apart because everything here is traced by JAX once for each static key and then reused: a learning rate, gamma or
seed is an argument, never a constant. Python, files and time stay in `train`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from projects.batch_size.config import Config
from projects.batch_size.data import DataConfig, load_dataset
from projects.batch_size.data.teacher import Teacher, make_teacher, sample_teacher
from projects.batch_size.model import Parameters, accuracy_of, loss_of, outputs
from projects.batch_size.optimizer import Hyper, apply_direction, direction
from projects.batch_size.parameterization import LayerScales, layer_scales
from projects.batch_size.schedule import lr_factor

# Rows on which the training loss and the gradient norm are measured. A mean over 1,024 rows has a 32nd of one
# row's scatter; more would let measuring cost more than training where a run sees few batches of a large set.
MOST_MEASURED_TRAIN_ROWS = 1024
_BATCHES, _MEASURED_ROWS = range(2)  # independent streams of a member's online samples


class Rows(NamedTuple):
    """Inputs and targets of some rows."""

    x: jax.Array  # (row, feature)
    y: jax.Array  # classes (row,), or targets (row, output)


class Arrays(NamedTuple):
    """The data of a study, where it computes."""

    train: Rows  # where data are online one row, for its shape
    measured: Rows | None  # training rows that are measured on; None: drawn afresh by each member
    val: Rows
    teacher: Teacher | None  # draws every batch where data are online


class Members(NamedTuple):
    """What training changes: of one member, or with a leading member axis on every leaf."""

    parameters: Parameters
    optimizer: Any  # optax's state


@dataclass(frozen=True, kw_only=True)
class Program:
    """The compiled functions of one static key.

    `start(parameters, hyper)` gives the Members at step 0. `advance(members, origin, hyper, seed, rows, arrays,
    first_step, n_steps)` gives the Members after `n_steps` updates (0 is allowed: a measurement alone) and their
    measurement: the `metric_names`, then 1 or 0 for finite or not. In a population each argument before `arrays`
    has a leading member axis.
    """

    scales: tuple[LayerScales, ...]
    metric_names: tuple[str, ...]
    start: Callable[..., Members]
    advance: Callable[..., tuple[Members, jax.Array]]


@lru_cache(maxsize=2)
def device_arrays(config: DataConfig, digest: str, dtype: str) -> Arrays:
    """Put a data set where it computes, once for many trainings.

    Args:
        config: The data set.
        digest: Of the data set, so that other rows under the same config are not taken for these.
        dtype: `float32` or `float64`; the caller has switched JAX to it.
    """
    data = load_dataset(config)
    train, val = (
        Rows(jnp.asarray(x, dtype), jnp.asarray(y, dtype if y.ndim == 2 else None))
        for x, y in ((data.train_x, data.train_y), (data.val_x, data.val_y))
    )
    n_measured = min(len(data.train_x), len(data.val_x), MOST_MEASURED_TRAIN_ROWS)
    measured = None if config.online else Rows(train.x[:n_measured], train.y[:n_measured])
    return Arrays(train, measured, val, make_teacher(config) if config.online else None)


@lru_cache(maxsize=32)  # as many compiled functions stay warm in a worker; more come back from JAX's own cache
def compiled_program(
    key: Config, *, n_features: int, n_outputs: int, n_steps: int, has_classes: bool, is_population: bool
) -> Program:
    """The functions of one static key; compiled at their first call.

    Args:
        key: From `config.static_key`.
        n_features: Columns of the input.
        n_outputs: Columns of the output.
        n_steps: Updates of a whole run, for the schedule.
        has_classes: Whether there is an accuracy.
        is_population: Whether arguments have a leading member axis.
    """
    scales = layer_scales(key, n_features, n_outputs)
    names = _metric_names(has_classes)

    def start(parameters: Parameters, hyper: Hyper) -> Members:
        return Members(parameters, direction(key.optimizer, hyper).init(parameters))

    def advance(members, origin, hyper, seed, rows, arrays, first_step, n_updates):
        recipe = _Recipe(key, scales, n_steps, origin, hyper, seed, arrays)
        update = lambda i, now: recipe.update(now, first_step + i, rows, i)  # noqa: E731
        members = jax.lax.fori_loop(0, n_updates, update, members)
        return members, recipe.measure(members, first_step + n_updates, names)

    if is_population:
        start = jax.vmap(start)
        advance = jax.vmap(advance, in_axes=(0, 0, 0, 0, 0, None, None, None))
    return Program(scales=scales, metric_names=names, start=jax.jit(start), advance=jax.jit(advance))


def _metric_names(has_classes: bool) -> tuple[str, ...]:
    losses = ("train_loss", "val_loss")
    accuracies = ("train_accuracy", "val_accuracy") if has_classes else ()
    return (*losses, *accuracies, "learning_rate", "grad_norm", "weight_norm")


class _Recipe(NamedTuple):
    """One member's update and measurement, inside a trace."""

    key: Config
    scales: Sequence[LayerScales]
    n_steps: int
    origin: Parameters | None
    hyper: Hyper
    seed: jax.Array
    arrays: Arrays

    def update(self, now: Members, step: jax.Array, rows: jax.Array | None, index: jax.Array) -> Members:
        batch = self._batch(step, rows, index)
        gradient = jax.grad(lambda parameters: self._loss(parameters, batch)[0])(now.parameters)
        rule = direction(self.key.optimizer, self.hyper)
        updates, state = rule.update(gradient, now.optimizer, now.parameters)
        lr = self._lr(step)
        moved = apply_direction(now.parameters, updates, lr, self.hyper.weight_decay, self.scales)
        return Members(moved, state)

    def measure(self, now: Members, step: jax.Array, names: Sequence[str]) -> jax.Array:
        train, val = self._measured_rows(), self.arrays.val
        (train_loss, train_out), gradient = jax.value_and_grad(self._loss, has_aux=True)(now.parameters, train)
        val_loss, val_out = self._loss(now.parameters, val)
        values = {
            "train_loss": train_loss,
            "val_loss": val_loss,
            "learning_rate": self._lr(jnp.maximum(step - 1, 0)),
            "grad_norm": optax.tree.norm(gradient),
            "weight_norm": optax.tree.norm(now.parameters),
        }
        if "train_accuracy" in names:
            values["train_accuracy"] = accuracy_of(train_out, train.y)
            values["val_accuracy"] = accuracy_of(val_out, val.y)
        leaves = [train_loss, *jax.tree.leaves(now.parameters)]
        is_finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))
        return jnp.stack([*(values[name] for name in names), is_finite.astype(train_loss.dtype)])

    def _loss(self, parameters: Parameters, rows: Rows) -> tuple[jax.Array, jax.Array]:
        out = outputs(
            parameters, self.origin, rows.x, self.hyper.gamma, self.scales, self.key.activation
        )  # (row, output)
        return loss_of(out, rows.y, self.key.loss), out

    def _lr(self, step: jax.Array) -> jax.Array:
        lr = self.hyper.lr
        return lr * lr_factor(self.key.optimizer, step, self.n_steps, lr.dtype)

    def _batch(self, step: jax.Array, rows: jax.Array | None, index: jax.Array) -> Rows:
        if rows is None:
            return self._draw(_BATCHES, step, self.key.batch_size)
        return Rows(self.arrays.train.x[rows[index]], self.arrays.train.y[rows[index]])

    def _measured_rows(self) -> Rows:
        if self.arrays.measured is not None:
            return self.arrays.measured
        n_rows = min(len(self.arrays.val.x), MOST_MEASURED_TRAIN_ROWS)
        return self._draw(_MEASURED_ROWS, jnp.int32(0), n_rows)

    def _draw(self, stream: int, step: jax.Array, n_rows: int) -> Rows:
        own = jax.random.fold_in(jax.random.key(self.seed), stream)
        return Rows(*sample_teacher(jax.random.fold_in(own, step), self.arrays.teacher, n_rows))
