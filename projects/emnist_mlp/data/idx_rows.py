"""Read and check images and labels from a pair of IDX files, or from arrays of another file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from projects.emnist_mlp.data.dataset import SIDE, Rows, locked
from projects.files.idx import read_idx
from projects.files.problem import DataProblem
from projects.files.reading import is_there
from projects.files.values import class_numbers


def find_idx(folder: Path, name: str, *, way_out: str) -> Path | None:
    """Find a file, raw or packed, under either usual spelling: x-images-idx3-ubyte, x-images.idx3-ubyte; None: none."""
    paths = [folder / (stem + suffix) for stem in (name, name.replace("-idx", ".idx")) for suffix in ("", ".gz")]
    return next((path for path in paths if is_there(path, way_out=way_out)), None)


def read_rows(folder: Path, stem: str, *, classes: tuple[str, ...], is_transposed: bool, way_out: str) -> Rows:
    """Read images and labels of `<stem>-images-idx3-ubyte` and `<stem>-labels-idx1-ubyte`, each raw or with .gz.

    Args:
        folder: holds both files.
        stem: emnist-balanced-train, t10k, …
        classes: names of the classes; labels are 0 to len(classes) - 1.
        is_transposed: the file holds each image with lines and columns exchanged, as those of EMNIST do.
        way_out: what to do about a file that cannot be used; ends the message.

    Raises:
        DataProblem: a file is missing or damaged, has another shape or holds labels of other classes.
    """
    paths = []
    for part in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        path = find_idx(folder, f"{stem}-{part}", way_out=way_out)
        if path is None:
            raise DataProblem(f"{folder}: holds no {stem}-{part}[.gz]; {way_out}")
        paths.append(path)
    images, labels = (read_idx(path, way_out=way_out) for path in paths)
    return checked_rows(
        images,
        labels,
        classes=classes,
        is_transposed=is_transposed,
        places=(str(paths[0]), str(paths[1])),
        way_out=way_out,
    )


def checked_rows(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    classes: tuple[str, ...],
    is_transposed: bool,
    places: tuple[str, str],
    way_out: str,
) -> Rows:
    """Check shapes, types and labels, and return upright images and their classes.

    Args:
        images: bytes, (row, 28, 28).
        labels: whole numbers, (row,).
        classes: names of the classes.
        is_transposed: see `read_rows`.
        places: where images and labels come from, for messages.
        way_out: ends the message.

    Raises:
        DataProblem: a check fails.
    """
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise DataProblem(
            f"{places[0]}: images must be bytes of shape (n, {SIDE}, {SIDE}), one channel, "
            f"got {images.dtype} of shape {images.shape}; {way_out}"
        )
    if labels.shape != (len(images),):
        raise DataProblem(
            f"{places[1]}: there are {len(images)} images, so there must be as many labels, "
            f"got shape {labels.shape}; {way_out}"
        )
    if not len(labels):
        raise DataProblem(f"{places[0]}: holds no image; {way_out}")
    labels = class_numbers(labels, len(classes), place=places[1], way_out=way_out)
    return locked(Rows(images.transpose(0, 2, 1) if is_transposed else images, labels))
