"""Compute the terms of the loss on one batch, and the total.

Facts: ruflab/shimmer, modules/losses.py and contrastive_loss.py (MIT); Devillers, Maytié and VanRullen,
arXiv:2306.15711. Demi-cycle and cycle look at one domain at a time; translation, contrastive, fusion and synergy
need matched rows. Where all rows are matched, all terms see the same rows: that is the broadcast loss of two domains
(every subset of the domains enters, every domain is decoded).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from projects.global_workspace.config import TERMS
from projects.global_workspace.data.config import DOMAINS
from projects.global_workspace.model import Parameters, decode, encode, fuse, logit_scale
from projects.training.counted import mean_over_rows

_NOBODY = -1e9  # the logit of an item that only fills a place: its share is 0, and nothing becomes infinite


class Rows(NamedTuple):
    """Holds some items."""

    domains: dict[str, jax.Array]  # (row, d) by domain
    targets: jax.Array  # (row, target): 0 or 1
    counts: jax.Array | None = None  # (row,): 1, or 0 where a row fills a place of its batch; None: all count


class Coefficients(NamedTuple):
    """Holds the weight of each term: scalars, or (member,) in a population."""

    fusion: jax.Array
    demi_cycle: jax.Array
    cycle: jax.Array
    translation: jax.Array
    contrastive: jax.Array
    synergy: jax.Array


class Parts(NamedTuple):
    """Holds what the losses of one static key have in common."""

    dims: Mapping[str, int]  # size of each domain's vector
    targets: Mapping[str, Sequence[int]]  # targets that each domain's decoder gives


def terms_of(
    parameters: Parameters,
    mask: jax.Array,
    free: Rows,
    matched: Rows,
    shares: Mapping[str, jax.Array | float],
    parts: Parts,
) -> dict[str, jax.Array]:
    """Compute every term of `TERMS`, without its coefficient.

    Args:
        parameters: Of the model.
        mask: Mask of the workspace, (workspace,).
        free: Rows that are used one domain at a time.
        matched: Rows that may be used as pairs; the same object if all may.
        shares: Share of each domain in the fused workspace of the matched rows.
        parts: The decoded parts.
    """
    alone = {domain: encode(parameters, domain, x, mask) for domain, x in free.domains.items()}
    paired = alone if matched is free else {d: encode(parameters, d, x, mask) for d, x in matched.domains.items()}
    return {
        **fused_terms(parameters, paired, matched, shares, parts),
        **one_domain_terms(parameters, mask, alone, free, parts),
        "translation": translation_term(parameters, paired, matched, parts),
        "contrastive": contrastive_term(paired, logit_scale(parameters), matched.counts),
    }


def total(terms: Mapping[str, jax.Array], coefficients: Coefficients) -> jax.Array:
    """Compute the loss: the mean of coefficient * term over the terms with a coefficient above 0."""
    weights = jnp.stack([jnp.asarray(getattr(coefficients, term), jnp.float32) for term in TERMS])
    values = jnp.stack([terms[term] for term in TERMS])
    return weights @ values / jnp.sum(weights > 0)


def one_domain_terms(
    parameters: Parameters, mask: jax.Array, alone: Mapping[str, jax.Array], rows: Rows, parts: Parts
) -> dict[str, jax.Array]:
    """Compute demi-cycle (to the workspace and back) and cycle (through the other domain and back).

    Both are means over domains.
    """
    there, back = [], []
    for domain, other in (DOMAINS, DOMAINS[::-1]):
        z = jnp.tanh(alone[domain])  # (row, workspace)
        x = rows.domains[domain]
        there.append(mse(decode(parameters, domain, z, parts.dims[domain]).vector, x, rows.counts))
        translated = decode(parameters, other, z, parts.dims[other]).vector
        again = jnp.tanh(encode(parameters, other, translated, mask))
        back.append(mse(decode(parameters, domain, again, parts.dims[domain]).vector, x, rows.counts))
    return {"demi_cycle": mean(there), "cycle": mean(back)}


def translation_term(parameters: Parameters, paired: Mapping[str, jax.Array], rows: Rows, parts: Parts) -> jax.Array:
    """Compare a domain decoded from the other one alone with the truth: mean over both directions."""
    errors = []
    for source, target in (DOMAINS, DOMAINS[::-1]):
        decoded = decode(parameters, target, jnp.tanh(paired[source]), parts.dims[target])
        errors.append(mse(decoded.vector, rows.domains[target], rows.counts))
    return mean(errors)


def fused_terms(
    parameters: Parameters,
    paired: Mapping[str, jax.Array],
    rows: Rows,
    shares: Mapping[str, jax.Array | float],
    parts: Parts,
) -> dict[str, jax.Array]:
    """Compare both domains and the synergy targets, decoded from the workspace that both entered, with the truth.

    Fusion is the mean squared error, a mean over domains; synergy is the binary cross-entropy in nats, a mean over
    the decoders that give targets.
    """
    z = fuse(paired, shares)
    errors, entropies = [], []
    for domain in DOMAINS:
        decoded = decode(parameters, domain, z, parts.dims[domain])
        errors.append(mse(decoded.vector, rows.domains[domain], rows.counts))
        if parts.targets[domain]:
            targets = rows.targets[:, jnp.array(parts.targets[domain])]
            losses = optax.sigmoid_binary_cross_entropy(decoded.logits, targets)  # (row, target)
            entropies.append(mean_over_rows(losses, rows.counts))
    return {"fusion": mean(errors), "synergy": mean(entropies)}


def contrastive_term(paired: Mapping[str, jax.Array], scale: jax.Array, counts: jax.Array | None = None) -> jax.Array:
    """Compute the cross-entropy of finding an item's other half among the batch by cosine, mean of both directions.

    CLIP's loss (Radford et al., arXiv:2103.00020), on the encodings before fusion.
    """
    first, second = (unit_rows(paired[domain]) for domain in DOMAINS)
    logits = scale * first @ second.T  # (row, row)
    own = jnp.arange(len(first))
    ways = []
    for way in (logits, logits.T):
        found = way if counts is None else jnp.where(counts[None, :] > 0, way, _NOBODY)
        ways.append(mean_over_rows(optax.softmax_cross_entropy_with_integer_labels(found, own), counts))
    return (ways[0] + ways[1]) / 2


def unit_rows(x: jax.Array) -> jax.Array:
    """Divide rows by their length; a row of zeros stays, with a gradient of zero."""
    squared = jnp.sum(x * x, axis=1, keepdims=True)
    return x * jnp.where(squared > 0, jax.lax.rsqrt(jnp.where(squared > 0, squared, 1.0)), 0.0)


def mean(values: Sequence[jax.Array]) -> jax.Array:
    """Return the mean of some numbers."""
    return jnp.stack(values).mean()


def mse(predicted: jax.Array, true: jax.Array, counts: jax.Array | None = None) -> jax.Array:
    """Return the mean squared error over rows (those that count) and columns."""
    return mean_over_rows((predicted - true) ** 2, counts)
