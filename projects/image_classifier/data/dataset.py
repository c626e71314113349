"""Define what every reader of images returns: read-only arrays, the names of their classes and a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from projects.files.problem import DataProblem


class Part(NamedTuple):
    """Holds the images of one part of a data set."""

    images: np.ndarray  # uint8 (n, 3, side, side), RGB
    labels: np.ndarray  # int64 (n,), class numbers


class ImageSet(NamedTuple):
    """Holds training, validation and, if there are any, test images. All arrays are read-only."""

    train: Part
    val: Part
    test: Part | None
    class_names: tuple[str, ...]
    digest: str  # sha256, hexadecimal, of the class names and of all arrays
    n_skipped: int  # files that could not be read and were left out

    @property
    def n_classes(self) -> int:
        """Say how many classes there are."""
        return len(self.class_names)


def seal(source: str, parts: Mapping[str, Part], class_names: tuple[str, ...], *, n_skipped: int = 0) -> ImageSet:
    """Check arrays, lock them and take their digest.

    Args:
        source: the data set, for messages.
        parts: `train`, `val` and perhaps `test`.
        class_names: in the order of the class numbers.
        n_skipped: files left out.

    Raises:
        DataProblem: fewer than two classes, a part or a class without training images, or a label out of range.
    """
    _check_classes(source, class_names)
    for name, part in parts.items():
        _check_part(source, name, part, class_names)
        part.images.setflags(write=False)
        part.labels.setflags(write=False)
    return ImageSet(
        train=parts["train"],
        val=parts["val"],
        test=parts.get("test"),
        class_names=class_names,
        digest=_digest(parts, class_names),
        n_skipped=n_skipped,
    )


def _check_classes(source: str, class_names: tuple[str, ...]) -> None:
    if len(class_names) < 2:
        named = f"one class, {class_names[0]!r}" if class_names else "no class"
        raise DataProblem(f"{source}: has {named}; a classifier needs two: a sub-folder each, with its images")


def _check_part(source: str, name: str, part: Part, class_names: tuple[str, ...]) -> None:
    n_classes = len(class_names)
    if not len(part.labels):
        raise DataProblem(f"{source}: no images for {name}; ask for more, or give a folder with more")
    low, high = int(part.labels.min()), int(part.labels.max())
    if low < 0 or high >= n_classes:
        raise DataProblem(
            f"{source}: {name} labels go from {low} to {high}, {n_classes} classes have labels 0 to {n_classes - 1}; "
            "get the file again"
        )
    present = np.bincount(part.labels, minlength=n_classes)
    if name == "train" and not present.all():
        missing = ", ".join(class_names[index] for index in np.flatnonzero(present == 0)[:5])
        raise DataProblem(f"{source}: no training images of class {missing}; add some, or leave the class out")


def _digest(parts: Mapping[str, Part], class_names: tuple[str, ...]) -> str:
    sha = hashlib.sha256("|".join(class_names).encode())
    for name, part in parts.items():
        for array in part:
            sha.update(f"|{name}{array.dtype.str}{array.shape}|".encode())
            sha.update(np.ascontiguousarray(array).data.cast("B"))
    return sha.hexdigest()
