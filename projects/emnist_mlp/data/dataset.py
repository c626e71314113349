"""Define what readers of characters return and training gets: read-only images with labels and a digest."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

SIDE = 28  # pixels
# The classes of EMNIST Balanced in the order of their labels: lower-case letters that look like their capitals are
# merged with them. Cohen et al., arXiv:1702.05373.
BALANCED_CLASSES = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")
DIGITS = tuple("0123456789")


class Rows(NamedTuple):
    """Holds some images and their classes."""

    x: np.ndarray  # uint8 (row, 28, 28), upright, 0 paper, 255 ink
    y: np.ndarray  # int64 (row,)


class Source(NamedTuple):
    """Holds a data set as it is read or drawn, before it is split."""

    name: str
    train: Rows
    test: Rows
    classes: tuple[str, ...]  # character of each label


class Dataset(NamedTuple):
    """Holds the data that a run trains and is measured on."""

    train: Rows
    validation: Rows
    test: Rows
    classes: tuple[str, ...]
    digest: str  # sha256, hexadecimal, of classes and all rows


def digest_of(parts: tuple[Rows, ...], classes: tuple[str, ...]) -> str:
    """Return the digest of some rows: equal exactly if classes, shapes, types and values are."""
    sha = hashlib.sha256("".join(classes).encode())
    for array in (array for part in parts for array in part):
        sha.update(f"|{array.dtype.str}{array.shape}|".encode())
        sha.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return sha.hexdigest()


def locked(rows: Rows) -> Rows:
    """Return the rows as contiguous arrays of their final types that nobody can write to."""
    x, y = np.ascontiguousarray(rows.x, np.uint8), np.ascontiguousarray(rows.y, np.int64)
    for array in (x, y):
        array.setflags(write=False)
    return Rows(x, y)
