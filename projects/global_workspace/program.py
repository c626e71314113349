"""Compile many updates and one measurement into a single call, for one member or a population.

JAX traces everything here once for each static key and then reuses it: a learning rate, a coefficient, a seed or the
mask of a padded workspace is an argument, never a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from projects.global_workspace.arrays import Arrays, first_rows
from projects.global_workspace.config import TERMS, Config
from projects.global_workspace.data.config import DOMAINS
from projects.global_workspace.losses import Coefficients, Parts, Rows, mean, mse, terms_of, total
from projects.global_workspace.model import Parameters, decode, encode, fixed_shares, fuse, random_shares
from projects.global_workspace.schedule import lr_factor
from projects.training.counted import filled

N_WARM_PROGRAMS = 32  # in a worker; an older one comes back from JAX's persistent cache
METRIC_NAMES = (
    "train/objective",
    *(f"{part}/{name}" for part in ("train", "validation") for name in ("loss", *TERMS)),
    "reconstruction/synergy_mse",
    "reconstruction/vectors_mse",
    "learning_rate",
)


class Hyper(NamedTuple):
    """Holds the numbers that vary inside one compiled call: scalars, or with a leading member axis."""

    lr: jax.Array
    weight_decay: jax.Array
    coefficients: Coefficients
    mask: jax.Array  # (workspace,)


class Members(NamedTuple):
    """Holds what training changes, for one member, or with a leading member axis on every leaf."""

    parameters: Parameters
    optimizer: Any  # optax's state


@dataclass(frozen=True, kw_only=True)
class Program:
    """Holds the compiled functions of one static key.

    `start(parameters)` gives the Members at step 0. `advance(members, hyper, seed, rows, pairs, arrays, first_step,
    n_updates)` gives the Members after `n_updates` updates (0 is allowed: a measurement alone) and their
    measurement: the `METRIC_NAMES`, then 1 or 0 for finite or not. `look(parameters, mask, rows)` gives the Looks at
    some rows. In a population each argument before `arrays` (and before `rows` of `look`) has a leading member axis.
    """

    start: Callable[..., Members]
    advance: Callable[..., tuple[Members, jax.Array]]
    look: Callable[..., Looks]


class Looks(NamedTuple):
    """Holds a trained model's outputs on some rows; the fused workspace has the fixed shares."""

    workspace: jax.Array  # (row, workspace)
    vectors: dict[str, jax.Array]  # domain decoded from the fused workspace, (row, d)
    logits: dict[str, jax.Array]  # of the targets that the domain's decoder gives, (row, target)
    translated: dict[str, jax.Array]  # domain decoded from the other one alone, (row, d)
    cycled: dict[str, jax.Array]  # domain through the other one and back, (row, d)


@lru_cache(maxsize=N_WARM_PROGRAMS)
def compiled_program(
    key: Config, *, dims: tuple[tuple[str, int], ...], n_steps: int, is_population: bool, has_part: bool
) -> Program:
    """Return the functions of one static key, which are compiled at their first call.

    Args:
        key: From `population.static_key`.
        dims: Domain and size of its vector.
        n_steps: Updates of a whole run, for the schedule.
        is_population: Whether arguments have a leading member axis.
        has_part: Whether the last batch of an epoch has empty places.
    """
    parts = Parts(dict(dims), {domain: key.targets_of(domain) for domain in DOMAINS})
    rule = optax.scale_by_adam(*(getattr(key.training.optimizer, name) for name in ("beta1", "beta2", "eps")))

    def start(parameters: Parameters) -> Members:
        return Members(parameters, rule.init(parameters))  # type: ignore[arg-type]  # optax's types know no TypedDict

    def advance(members, hyper, seed, rows, pairs, arrays, first_step, n_updates):
        recipe = _Recipe(key, parts, rule, n_steps, has_part, hyper, seed, arrays)

        def update(index: jax.Array, now: Members) -> Members:
            return recipe.update(now, first_step + index, rows[index], None if pairs is None else pairs[index])

        members = jax.lax.fori_loop(0, n_updates, update, members)
        return members, recipe.measure(members, first_step + n_updates)

    def look(parameters: Parameters, mask: jax.Array, rows: Rows) -> Looks:
        return _look(parameters, mask, rows, fixed_shares(key), parts)

    if is_population:
        start = jax.vmap(start)
        advance = jax.vmap(advance, in_axes=(0, 0, 0, 0, 0, None, None, None))
        look = jax.vmap(look, in_axes=(0, 0, None))
    return Program(start=jax.jit(start), advance=jax.jit(advance), look=jax.jit(look))


def _look(parameters: Parameters, mask: jax.Array, rows: Rows, shares: Mapping[str, float], parts: Parts) -> Looks:
    alone = {domain: encode(parameters, domain, x, mask) for domain, x in rows.domains.items()}
    workspace = fuse(alone, shares)
    fused = {domain: decode(parameters, domain, workspace, parts.dims[domain]) for domain in DOMAINS}
    translated, cycled = {}, {}
    for source, target in (DOMAINS, DOMAINS[::-1]):
        translated[target] = decode(parameters, target, jnp.tanh(alone[source]), parts.dims[target]).vector
        back = jnp.tanh(encode(parameters, target, translated[target], mask))
        cycled[source] = decode(parameters, source, back, parts.dims[source]).vector
    vectors = {domain: decoded.vector for domain, decoded in fused.items()}
    logits = {domain: decoded.logits for domain, decoded in fused.items()}
    return Looks(workspace, vectors, logits, translated, cycled)


class _Recipe(NamedTuple):
    """One member's update and measurement, inside a trace."""

    key: Config
    parts: Parts
    rule: optax.GradientTransformation
    n_steps: int
    has_part: bool
    hyper: Hyper
    seed: jax.Array
    arrays: Arrays

    def update(self, now: Members, step: jax.Array, rows: jax.Array, pairs: jax.Array | None) -> Members:
        counts = None
        if self.has_part:
            rows, counts = filled(rows, jnp.float32)
        free = _chosen(self.arrays.train, rows)._replace(counts=counts)
        matched = free if pairs is None else _chosen(self.arrays.train, pairs)
        shares = self._shares(step, len(matched.targets))
        gradient = jax.grad(self._objective)(now.parameters, free, matched, shares)
        if (longest := self.key.training.grad_clip) is not None:
            gradient, _ = optax.clip_by_global_norm(longest).update(gradient, optax.EmptyState())
        updates, state = self.rule.update(gradient, now.optimizer)
        lr, decay = self._lr(step), self.hyper.weight_decay
        moved = jax.tree.map(lambda old, change: old - lr * (change + decay * old), now.parameters, updates)
        return Members(moved, state)

    def measure(self, now: Members, step: jax.Array) -> jax.Array:
        """METRIC_NAMES, then whether all is finite; the loss has the synergy term at 1, whatever the prior's scale."""
        comparable = self.hyper.coefficients._replace(synergy=jnp.float32(1))
        train, validation = self._terms(now.parameters, self.arrays.measured, self.arrays.validation)
        objective = total(train, self.hyper.coefficients)
        values = [objective]
        for terms in (train, validation):
            values += [total(terms, comparable), *(terms[name] for name in TERMS)]
        rows = self.arrays.validation
        seen = _look(now.parameters, self.hyper.mask, rows, fixed_shares(self.key), self.parts)
        values += [synergy_mse(seen.logits, rows.targets, self.parts), validation["fusion"]]
        values += [self._lr(jnp.maximum(step - 1, 0))]
        leaves = [objective, *jax.tree.leaves(now.parameters)]
        is_finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))
        return jnp.stack([*values, is_finite.astype(jnp.float32)])

    def _objective(self, parameters: Parameters, free: Rows, matched: Rows, shares: Any) -> jax.Array:
        terms = terms_of(parameters, self.hyper.mask, free, matched, shares, self.parts)
        return total(terms, self.hyper.coefficients)

    def _terms(self, parameters: Parameters, *parts: Rows) -> list[dict[str, jax.Array]]:
        """Of each part of the data the means over blocks of one size, on which the contrastive term depends.

        A block is as large as a batch, or as the smallest part; rows left over sit out. All blocks go through one
        loop, because compiling it costs more than running it.
        """
        size = min(self.key.training.batch_size, *(len(rows.targets) for rows in parts))
        counts = [len(rows.targets) // size for rows in parts]
        whole = [first_rows(rows, count * size) for rows, count in zip(parts, counts, strict=True)]
        blocks = jax.tree.map(lambda *x: jnp.concatenate(x).reshape(-1, size, *x[0].shape[1:]), *whole)

        def of_block(block: Rows) -> dict[str, jax.Array]:
            return terms_of(parameters, self.hyper.mask, block, block, fixed_shares(self.key), self.parts)

        terms = jax.lax.map(of_block, blocks)
        ends = [sum(counts[: i + 1]) for i in range(len(counts))]
        return [
            {name: x[end - n : end].mean() for name, x in terms.items()} for end, n in zip(ends, counts, strict=True)
        ]

    def _shares(self, step: jax.Array, n_rows: int) -> Mapping[str, jax.Array | float]:
        if self.key.model.selection == "fixed":
            return fixed_shares(self.key)
        key = jax.random.fold_in(jax.random.key(self.seed), step)
        return random_shares(key, n_rows, self.key.model.temperature)

    def _lr(self, step: jax.Array) -> jax.Array:
        return self.hyper.lr * lr_factor(self.key.training.optimizer, step, self.n_steps)


def synergy_mse(logits: Mapping[str, jax.Array], targets: jax.Array, parts: Parts) -> jax.Array:
    """Return the mean squared error of the targets' decoded probabilities.

    It is a mean over the decoders, and 0.25 by guessing.
    """
    giving = [domain for domain in DOMAINS if parts.targets[domain]]
    errors = [mse(jax.nn.sigmoid(logits[d]), targets[:, jnp.array(parts.targets[d])]) for d in giving]
    return mean(errors)


def _chosen(rows: Rows, index: jax.Array) -> Rows:
    return jax.tree.map(lambda x: x[index], rows)
