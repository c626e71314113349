"""Small files of the formats of data sets, and what must hold of what is read from them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np

from tests.fuzz.harness import FaultError


def idx(array: np.ndarray, kind: int = 0x08) -> bytes:
    """The bytes of an IDX file."""
    types = {0x08: ">u1", 0x0C: ">i4", 0x0D: ">f4"}
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.astype(types[kind]).tobytes()


def npy(array: np.ndarray) -> bytes:
    """The bytes of a .npy file."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    """The bytes of a .npz file."""
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]  # its stub takes them for allow_pickle
    return out.getvalue()


def check_finite(arrays: Iterable[Any]) -> None:
    """Arrays of numbers hold no NaN and no infinite one."""
    for array in arrays:
        array = np.asarray(array)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise FaultError("an array holds NaN or an infinite number")
        if array.dtype.kind not in "biufU":
            raise FaultError(f"an array is of {array.dtype}")


def check_labels(labels: Any, n_classes: int) -> None:
    """Labels are those of classes."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or (len(labels) and not 0 <= labels.min() <= labels.max() < n_classes):
        raise FaultError(f"labels of {labels.dtype} go from {labels.min()} to {labels.max()}")
