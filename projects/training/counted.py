"""Handle batches with empty places for JAX: which places count, and means over those that do."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from projects.training.batches import NO_ROW


def filled(rows: jax.Array, dtype: jnp.dtype | type) -> tuple[jax.Array, jax.Array]:
    """Return rows of a batch with a row in every place, and which places count, 1 or 0 of a type; both (row,).

    An empty place gets the batch's first row: no number that is not finite comes in by a filler.
    """
    counts = (rows != NO_ROW).astype(dtype)
    return jnp.where(rows == NO_ROW, rows[0], rows), counts


def mean_over_rows(values: jax.Array, counts: jax.Array | None) -> jax.Array:
    """Return the mean over rows and columns.

    Args:
        values: (row,) or (row, column).
        counts: (row,), 1 where a row counts and 0 where it fills a place; None: all count.
    """
    if counts is None:
        return jnp.mean(values)
    of_rows = values if values.ndim == 1 else jnp.mean(values, axis=1)
    return jnp.sum(of_rows * counts) / jnp.sum(counts)
