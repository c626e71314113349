"""Define what every reader of data returns: read-only arrays and their digest."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np


class Dataset(NamedTuple):
    """Holds the arrays of one data set. All are C-contiguous and read-only."""

    train_x: np.ndarray  # float32 (n, d)
    train_y: np.ndarray  # int32 (n,) class numbers, or float32 (n, 1) targets
    val_x: np.ndarray  # float32 (m, d)
    val_y: np.ndarray  # as train_y, (m,) or (m, 1)
    n_classes: int | None  # None: regression
    digest: str  # sha256, hexadecimal, of the source's name and the arrays
    test_x: np.ndarray | None  # rows that no choice looks at; None where the data have none left
    test_y: np.ndarray | None


def seal(
    source: str,
    *,
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray] | None = None,
    n_classes: int | None,
) -> Dataset:
    """Bring arrays to their final types, lock them and take their digest.

    Args:
        source: name of the data set; part of the digest.
        train: inputs (n, d) and targets (n,) or (n, 1).
        val: the same for the validation part.
        test: the same for the test rows, which no choice uses; None or empty: there are none.
        n_classes: number of classes, or None for regression.

    Returns:
        The data set. Two data sets have equal digests exactly if source, types, shapes and values agree.
    """
    target_type = np.float32 if n_classes is None else np.int32
    arrays = []
    for x, y in (train, val, *([test] if test is not None and len(test[1]) else [])):
        arrays += [np.ascontiguousarray(x, dtype=np.float32), np.ascontiguousarray(y, dtype=target_type)]
    for array in arrays:
        array.setflags(write=False)
    test_x, test_y = arrays[4:] or (None, None)
    digest = _digest(source, arrays)
    return Dataset(*arrays[:4], n_classes=n_classes, digest=digest, test_x=test_x, test_y=test_y)


def _digest(source: str, arrays: list[np.ndarray]) -> str:
    sha = hashlib.sha256(source.encode())
    for array in arrays:
        sha.update(f"|{array.dtype.str}{array.shape}|".encode())
        sha.update(array.data.cast("B") if array.size else b"")
    return sha.hexdigest()
