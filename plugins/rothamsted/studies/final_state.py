"""Compute the digest of a training's final state: the arrays of its model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np


def final_state(model: Any) -> str:
    """Return the SHA-256, in hex, of the names, types, shapes and bytes of a model's arrays; empty if it shows none.

    Args:
        model: with `parameters`, a mapping of names to arrays, as a study returns it; or of torch, with `state_dict`.

    Example:
        >>> from types import SimpleNamespace
        >>> final_state(SimpleNamespace(parameters={"w": np.zeros(2, "float32")}))[:12]
        '09dc64bb9231'
        >>> final_state(object())
        ''
    """
    arrays = _arrays(model)
    if not arrays:
        return ""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _arrays(model: Any) -> dict[str, np.ndarray]:
    found = getattr(model, "parameters", None)
    if not isinstance(found, Mapping):
        found = model.state_dict() if callable(getattr(model, "state_dict", None)) else None
    if not isinstance(found, Mapping):
        return {}
    arrays = {str(name): _array(value) for name, value in found.items()}
    return {name: value for name, value in arrays.items() if value.dtype != object}


def _array(value: Any) -> np.ndarray:
    """A tensor on any device, or what NumPy takes; bfloat16, which NumPy lacks, is widened without loss."""
    if callable(getattr(value, "detach", None)):
        value = value.detach().cpu()
        try:
            return value.numpy()
        except TypeError:
            return value.float().numpy()
    return np.asarray(value)
