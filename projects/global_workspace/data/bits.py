"""Draw bits with exact synergistic, unique and redundant information: a complete design in random order.

A domain's bits are columns of the design. Every block of rows holds each combination of all bits once, in random
order. So over whole blocks the plug-in mutual information is exact: an exclusive or of a visual and an attribute
bit shares 0 bits with all bits of either domain together, and 1 bit with both domains.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from projects.global_workspace.data.config import DOMAINS, DataConfig


class Bits(NamedTuple):
    """Holds bits of n items, int8, 0 or 1."""

    carried: dict[str, np.ndarray]  # domain -> (n, n_synergy): what the domain gives to each target
    unique: dict[str, np.ndarray]  # domain -> (n, n_unique)
    redundant: np.ndarray  # (n, n_redundant)

    @property
    def synergy(self) -> np.ndarray:
        """Return the targets, (n, n_synergy): exclusive or of what the two domains carry."""
        visual, attributes = (self.carried[domain] for domain in DOMAINS)
        return visual ^ attributes

    def of_domain(self, domain: str) -> np.ndarray:
        """Return all bits of a domain, in the order of its columns: (n, n_synergy + n_unique + n_redundant)."""
        return np.hstack([self.carried[domain], self.unique[domain], self.redundant])


def draw_bits(config: DataConfig, n: int, rng: np.random.Generator) -> Bits:
    """Draw bits of n items, independently of everything else about them.

    Args:
        config: numbers of bits.
        n: items, a multiple of `config.block_size`.
        rng: orders each block; the bits of fewer items are the head of those of more.

    Returns:
        The bits; any two different ones are balanced and independent over every whole block.
    """
    if n % config.block_size:
        raise ValueError(f"n={n} is not a multiple of the block of {config.block_size} combinations")
    codes = np.concatenate([rng.permutation(config.block_size) for _ in range(n // config.block_size)])
    n_bits = config.block_size.bit_length() - 1
    design = (codes[:, None] >> np.arange(n_bits) & 1).astype(np.int8)  # (n, n_bits)
    sizes = [config.n_synergy, config.n_synergy, config.n_unique, config.n_unique]
    parts = np.split(design, np.cumsum(sizes), axis=1)
    return Bits(dict(zip(DOMAINS, parts[:2])), dict(zip(DOMAINS, parts[2:4])), parts[4])
