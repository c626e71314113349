"""Small sources of MNIST-1M in both of the forms that it is handed on in."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from projects.batch_size.data import DataProblem
from projects.batch_size.data.mnist1m import prepare_mnist1m

N_EACH = 30


def images_of(n_each: int = N_EACH) -> np.ndarray:
    """Random images, uint8 (10, n_each, 28, 28); the first pixel is the class, to check labels by."""
    images = np.random.default_rng(0).integers(0, 256, (10, n_each, 28, 28)).astype(np.uint8)
    images[:, :, 0, 0] = np.arange(10)[:, None]
    return images


def encode(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def write_archives(folder: Path, images: np.ndarray | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for k, of_class in enumerate(images_of() if images is None else images):
        with zipfile.ZipFile(folder / f"class_{k}_images.zip", "w") as archive:
            for i, pixels in enumerate(of_class):
                archive.writestr(f"class_{k}/image_{i:05}.png", encode(pixels))
    return folder


def write_chunks(folder: Path, images: np.ndarray, labels_as: str = ".npz") -> Path:
    """Ten chunks of the published form: classes mixed, `images` uint8 or float (10, n, 28, 28) by class."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = images.reshape(-1, 1, 28, 28)
    labels = np.repeat(np.arange(10), images.shape[1])
    order = np.random.default_rng(1).permutation(len(rows))
    for k, chosen in enumerate(np.array_split(order, 10)):
        np.savez(folder / f"MNIST_images_{k}.npz", rows[chosen])
        if labels_as == ".npz":
            np.savez(folder / f"MNIST_labels_{k}.npz", labels[chosen])
        else:
            with (folder / f"MNIST_labels_{k}{labels_as}").open("wb") as file:
                np.save(file, labels[chosen])
    return folder


def prepared(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return dict(arrays)


def rows_of(images: np.ndarray) -> list[bytes]:
    return sorted(row.tobytes() for row in images.reshape(-1, 784))


def refusal(source: Path | str | None, target: Path) -> str:
    with pytest.raises(DataProblem) as caught:
        prepare_mnist1m(None if source is None else str(source), target)
    text = str(caught.value)
    assert "\n" not in text
    return text
