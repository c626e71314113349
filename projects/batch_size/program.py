"""Compile many updates and one measurement into a single call, for one member or a population.

JAX traces everything here once for each static key and then reuses it: a learning rate, gamma or seed is an argument,
never a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from projects.batch_size.arrays import Arrays, Rows
from projects.batch_size.config import MOST_MEASURED_TRAIN_ROWS, Config
from projects.batch_size.data.teacher import sample_teacher
from projects.batch_size.model import Parameters, accuracy_of, loss_of, network
from projects.batch_size.optimizer import Hyper, apply_direction, direction
from projects.batch_size.parameterization import LayerScales, layer_scales
from projects.batch_size.schedule import lr_factor
from projects.training.counted import filled

N_WARM_PROGRAMS = 32  # in a worker; an older one comes back from JAX's persistent cache
ORIGIN_CHUNK_ROWS = 8192  # the hidden units of a million rows would not fit in memory
_BATCHES, _MEASURED_ROWS = range(2)  # independent streams of a member's online samples


class OriginOutputs(NamedTuple):
    """Holds the network's output at theta_0 on rows that are used repeatedly, (row, output)."""

    train: jax.Array
    measured: jax.Array
    val: jax.Array


class Origin(NamedTuple):
    """Holds what a centred model subtracts. Both are None if it is not centred."""

    parameters: Parameters | None  # theta_0
    outputs: OriginOutputs | None  # None: computed where they are needed


class Members(NamedTuple):
    """Holds what training changes, for one member, or with a leading member axis on every leaf."""

    parameters: Parameters
    optimizer: Any  # optax's state


@dataclass(frozen=True, kw_only=True)
class Program:
    """Holds the compiled functions of one static key.

    `start(parameters, hyper)` gives the Members at step 0. `origin_outputs(parameters, arrays)` gives what a
    centred model may keep. `advance(members, origin, hyper, seed, rows, arrays, first_step, n_updates)` gives
    the Members after `n_updates` updates (0 is allowed: a measurement alone) and their measurement: the
    `metric_names`, then 1 or 0 for finite or not. In a population each argument before `arrays` has a leading
    member axis.
    """

    scales: tuple[LayerScales, ...]
    metric_names: tuple[str, ...]
    start: Callable[..., Members]
    origin_outputs: Callable[..., OriginOutputs]
    advance: Callable[..., tuple[Members, jax.Array]]


@lru_cache(maxsize=N_WARM_PROGRAMS)
def compiled_program(
    key: Config,
    *,
    n_features: int,
    n_outputs: int,
    n_steps: int,
    has_classes: bool,
    is_population: bool,
    has_part: bool,
) -> Program:
    """Return the functions of one static key, which are compiled at their first call.

    Args:
        key: From `config.static_key`.
        n_features: Columns of the input.
        n_outputs: Columns of the output.
        n_steps: Updates of the whole run, for the schedule.
        has_classes: Whether there is an accuracy.
        is_population: Whether arguments have a leading member axis.
        has_part: Whether the last batch may have empty places.
    """
    scales = layer_scales(key, n_features, n_outputs)
    names = _metric_names(has_classes)

    def start(parameters: Parameters, hyper: Hyper) -> Members:
        rule: Any = direction(key.optimizer, hyper)  # optax's types know no TypedDict
        return Members(parameters, rule.init(parameters))

    def origin_outputs(parameters: Parameters, arrays: Arrays) -> OriginOutputs:
        return _outputs_on_all_rows(key, scales, parameters, arrays)

    def advance(members, origin, hyper, seed, rows, arrays, first_step, n_updates):
        recipe = _Recipe(key, scales, n_steps, has_part, origin, hyper, seed, arrays)

        def update(index: jax.Array, now: Members) -> Members:
            return recipe.update(now, first_step + index, rows, index)

        members = jax.lax.fori_loop(0, n_updates, update, members)
        return members, recipe.measure(members, first_step + n_updates, names)

    if is_population:
        start = jax.vmap(start)
        origin_outputs = jax.vmap(origin_outputs, in_axes=(0, None))
        advance = jax.vmap(advance, in_axes=(0, 0, 0, 0, 0, None, None, None))
    return Program(
        scales=scales,
        metric_names=names,
        start=jax.jit(start),
        origin_outputs=jax.jit(origin_outputs),
        advance=jax.jit(advance),
    )


def _outputs_on_all_rows(
    key: Config, scales: Sequence[LayerScales], parameters: Parameters, arrays: Arrays
) -> OriginOutputs:
    if arrays.measured is None:
        raise ValueError("data: online rows are seen once, so their outputs cannot be kept")

    def of_row(x: jax.Array) -> jax.Array:
        return network(parameters, x[None], scales, key.activation)[0]

    train, val = (jax.lax.map(of_row, rows.x, batch_size=ORIGIN_CHUNK_ROWS) for rows in (arrays.train, arrays.val))
    return OriginOutputs(train, train[: len(arrays.measured.x)], val)


def _metric_names(has_classes: bool) -> tuple[str, ...]:
    losses = ("train_loss", "val_loss")
    accuracies = ("train_accuracy", "val_accuracy") if has_classes else ()
    return (*losses, *accuracies, "learning_rate", "grad_norm", "weight_norm")


class _Recipe(NamedTuple):
    """One member's update and measurement, inside a trace."""

    key: Config
    scales: Sequence[LayerScales]
    n_steps: int
    has_part: bool
    origin: Origin
    hyper: Hyper
    seed: jax.Array
    arrays: Arrays

    def update(self, now: Members, step: jax.Array, rows: jax.Array | None, index: jax.Array) -> Members:
        batch, origin_out, counts = self._batch(step, rows, index)
        gradient, _ = jax.grad(self._loss, has_aux=True)(now.parameters, batch, origin_out, counts)
        rule: Any = direction(self.key.optimizer, self.hyper)
        updates, state = rule.update(gradient, now.optimizer, now.parameters)
        lr = self._lr(step)
        moved = apply_direction(now.parameters, updates, lr, self.hyper.weight_decay, self.scales)
        return Members(moved, state)

    def measure(self, now: Members, step: jax.Array, names: Sequence[str]) -> jax.Array:
        train, val = self._measured_rows(), self.arrays.val
        kept = self.origin.outputs
        (train_loss, train_out), gradient = jax.value_and_grad(self._loss, has_aux=True)(
            now.parameters, train, kept and kept.measured
        )
        val_loss, val_out = self._loss(now.parameters, val, kept and kept.val)
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

    def _loss(
        self, parameters: Parameters, rows: Rows, origin_out: jax.Array | None, counts: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """The loss, and f = (f(x; theta) - f(x; theta_0)) / gamma, (row, output)."""
        out = network(parameters, rows.x, self.scales, self.key.activation)
        if origin_out is None and self.origin.parameters is not None:
            origin_out = network(self.origin.parameters, rows.x, self.scales, self.key.activation)
        out = (out if origin_out is None else out - origin_out) / self.hyper.gamma
        return loss_of(out, rows.y, self.key.loss, counts), out

    def _lr(self, step: jax.Array) -> jax.Array:
        lr = self.hyper.lr
        return jnp.asarray(lr) * lr_factor(self.key.optimizer, step, self.n_steps, lr.dtype)

    def _batch(
        self, step: jax.Array, rows: jax.Array | None, index: jax.Array
    ) -> tuple[Rows, jax.Array | None, jax.Array | None]:
        """The rows of one step; where they are kept, the network's outputs on them at theta_0; which rows count."""
        if rows is None:
            return self._draw(_BATCHES, step, self.key.batch_size), None, None
        chosen, counts = rows[index], None  # (row,)
        if self.has_part:
            chosen, counts = filled(chosen, self.hyper.gamma.dtype)
        kept = self.origin.outputs
        batch = Rows(self.arrays.train.x[chosen], self.arrays.train.y[chosen])
        return batch, None if kept is None else kept.train[chosen], counts

    def _measured_rows(self) -> Rows:
        if self.arrays.measured is not None:
            return self.arrays.measured
        n_rows = min(len(self.arrays.val.x), MOST_MEASURED_TRAIN_ROWS)
        return self._draw(_MEASURED_ROWS, jnp.int32(0), n_rows)

    def _draw(self, stream: int, step: jax.Array, n_rows: int) -> Rows:
        if self.arrays.teacher is None:
            raise ValueError("data: only online data can be drawn afresh; set data.online")
        of_stream = jax.random.fold_in(jax.random.key(self.seed), stream)
        return Rows(*sample_teacher(jax.random.fold_in(of_stream, step), self.arrays.teacher, n_rows))
