"""Read the published set's folder: <part>_labels.npy with a row for each item, <part>/<row>.png with its picture.

As ruflab/simple-shapes-dataset writes it (Zenodo 8112838). Its <part>_latent.npy are BERT's latents of captions,
a third domain that this study does not have; its captions and splits are not read either.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from projects.files.arrays import read_npy
from projects.files.picture import open_picture
from projects.files.problem import DataProblem
from projects.files.reading import read_bytes, reading
from projects.files.values import class_numbers, single_precision
from projects.global_workspace.data.labels import N_CLASSES, N_LABELS, SIDE
from projects.global_workspace.data.progress import track

_WAY_OUT = "give the folder of the published set, or name=simple_shapes to draw one"


def read_labels(folder: Path, part: str) -> np.ndarray:
    """Read the label rows of a part: float32 (n, 12).

    Raises:
        DataProblem: the file is missing, damaged or of another form.
    """
    path = folder / f"{part}_labels.npy"
    labels = read_npy(path, way_out=_WAY_OUT)
    if labels.ndim != 2 or labels.shape[1] != N_LABELS:
        raise DataProblem(f"{path}: labels have the shape (n, {N_LABELS}), got {labels.shape}; {_WAY_OUT}")
    class_numbers(labels[:, 0], N_CLASSES, place=f"{path}: column 0", way_out=_WAY_OUT)
    return single_precision(labels, place=str(path), way_out=_WAY_OUT)


def read_images(folder: Path, part: str, n: int) -> np.ndarray:
    """Read pictures of the first n rows of a part: uint8 (n, 32, 32, 3), transparency dropped.

    Raises:
        DataProblem: a picture is missing, damaged or of another size.
    """
    images = np.empty((n, SIDE, SIDE, 3), np.uint8)
    with track(f"reading {folder / part}", n) as advance:
        for row in range(n):
            images[row] = _read_image(folder / part / f"{row}.png")
            advance(1)
    return images


def fingerprint(folder: Path, part: str, n: int) -> dict[str, Any]:
    """Return what shows whether a folder has changed, without reading its pictures: labels, and sizes in bytes.

    Raises:
        DataProblem: a picture is missing.
    """
    sha = hashlib.sha256(read_labels(folder, part)[:n].tobytes())
    for row in range(n):
        path = folder / part / f"{row}.png"
        with reading(path, way_out=_WAY_OUT):
            sha.update(f"{path.stat().st_size},".encode())
    return {"folder": sha.hexdigest(), "part": part, "n": n}


def _read_image(path: Path) -> np.ndarray:
    with open_picture(read_bytes(path, way_out=_WAY_OUT), path, way_out=_WAY_OUT) as image:
        if image.size != (SIDE, SIDE):
            raise DataProblem(
                f"{path}: a picture has {SIDE} x {SIDE} pixels, got {image.width} x {image.height}; {_WAY_OUT}"
            )
        return np.asarray(image.convert("RGB"))
