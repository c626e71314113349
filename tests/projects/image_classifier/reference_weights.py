"""Weights and input by formula: the same in whatever program computes the reference outputs.

Each array is drawn by NumPy from a seed made of its name, so that neither PyTorch's initialisation nor the order of
parameters has a part in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np


def formula_array(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The value of one parameter or buffer, float32, such that activations neither vanish nor blow up."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    normal = np.random.default_rng(seed).standard_normal(shape)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
        return (1 + 0.2 * np.tanh(normal)).astype(np.float32)
    if len(shape) > 1:
        return (normal * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)
    return (0.1 * normal).astype(np.float32)


def formula_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """All arrays of a network, by name."""
    return {name: formula_array(name, tuple(shape)) for name, shape in shapes.items()}


def formula_input() -> np.ndarray:
    """Two images, float32 (2, 3, 64, 64)."""
    return np.random.default_rng(64).standard_normal((2, 3, 64, 64)).astype(np.float32)
