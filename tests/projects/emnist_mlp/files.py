"""EMNIST and MNIST in small: random images in files of their formats; shared by the tests of this folder."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from scipy.io import savemat

N_CLASSES = 47


def idx_bytes(array: np.ndarray) -> bytes:
    """The bytes of an IDX file of bytes, from the format's description."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 0x08, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def arrays(n_classes: int = N_CLASSES, per_class: int = 4, test_per_class: int = 1) -> dict[str, np.ndarray]:
    """Images as they lie in the files, and labels, of train and test."""
    rng = np.random.default_rng(0)
    found = {}
    for part, n_each in (("train", per_class), ("test", test_per_class)):
        labels = np.tile(np.arange(n_classes), n_each)
        found[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (len(labels), 28, 28)).astype(np.uint8)
        found[f"{part}-labels-idx1-ubyte"] = labels.astype(np.uint8)
    return found


def idx_files(stem: str = "emnist-balanced", **changed: np.ndarray) -> dict[str, bytes]:
    """The four packed files; `changed` replaces arrays: train_images, test_labels, …"""
    found = arrays()
    for name, array in changed.items():
        kind = "idx3" if name.endswith("images") else "idx1"
        found[f"{name.replace('_', '-')}-{kind}-ubyte"] = array
    return {f"{stem}-{name}.gz": gzip.compress(idx_bytes(array), 1, mtime=0) for name, array in found.items()}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def write_mat(path: Path) -> Path:
    """The same images in the published Matlab layout: a struct `dataset` of structs, a row of 784 an image."""
    found = arrays()
    parts = {
        part: {
            "images": found[f"{part}-images-idx3-ubyte"].reshape(-1, 784),
            "labels": found[f"{part}-labels-idx1-ubyte"].reshape(-1, 1),
            "writers": np.zeros((len(found[f"{part}-labels-idx1-ubyte"]), 1)),
        }
        for part in ("train", "test")
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"dataset": {**parts, "mapping": np.zeros((47, 2), np.uint8)}}, do_compression=True)
    return path
