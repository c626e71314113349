"""JAX without XLA's costly optimisations, for tests that look at numbers and not at speed: compiling takes half."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def compiled_quickly() -> Iterator[None]:
    """What is compiled in here is compiled without them."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)
