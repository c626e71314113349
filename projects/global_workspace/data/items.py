"""Draw or read the items of a part: labels, pictures, and their names in the cache.

The sources are simple_shapes and folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from projects.files.problem import DataProblem
from projects.files.reading import given_path
from projects.global_workspace.data import folder
from projects.global_workspace.data.cache import cached
from projects.global_workspace.data.config import DataConfig
from projects.global_workspace.data.labels import draw_labels

PARTS = ("train", "val", "test")
_LABELS, _BITS, _OF_AUTOENCODERS = range(3)  # independent streams of one seed


def part_labels(config: DataConfig, part: str) -> np.ndarray:
    """Draw label rows of a part, float32 (n, 12), from `config.seed`, or read the first of a folder.

    Raises:
        DataProblem: the folder's file is unusable, or has too few rows.
    """
    rows = config.n_rows(part)
    if config.path is None:
        return draw_labels(rows or 0, np.random.default_rng([config.seed, PARTS.index(part), _LABELS]))
    labels = folder.read_labels(_path(config), part)
    n = len(labels) // config.block_size * config.block_size if rows is None else rows
    if n > len(labels) or n == 0:
        raise DataProblem(
            f"{config.path}: has {len(labels)} {part} rows, but {n or config.block_size} are needed; ask for a smaller "
            f"data.n_{part} or fewer bits: the number of rows is a multiple of {config.block_size}"
        )
    return labels[:n]


def part_images(config: DataConfig, part: str) -> np.ndarray:
    """Return pictures of a part, uint8 (n, 32, 32, 3), from the cache once they have been drawn or read."""

    def make() -> dict[str, np.ndarray]:
        labels = part_labels(config, part)
        images = _draw(labels) if config.path is None else folder.read_images(_path(config), part, len(labels))
        return {"labels": labels, "images": images}

    return cached("shapes", part_parameters(config, part), make)["images"]


def part_parameters(config: DataConfig, part: str) -> dict[str, Any]:
    """Return all that labels and pictures of a part depend on."""
    if config.path is None:
        return {"drawn": config.seed, "part": part, "n": config.n_rows(part)}
    return folder.fingerprint(_path(config), part, len(part_labels(config, part)))


def bits_generator(config: DataConfig, part: str) -> np.random.Generator:
    """Return the stream of a part's bits, independent of its items."""
    return np.random.default_rng([config.seed, PARTS.index(part), _BITS])


def autoencoder_labels(config: DataConfig, seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return label rows for an autoencoder: n to train on, and an eighth of that, at least one, to measure on.

    Simple shapes are drawn for it, from its own seed, so that one autoencoder serves all data seeds. Of a folder
    they are at most n rows of the training part, and the whole validation part.
    """
    if config.path is None:
        labels = draw_labels(n + max(n // 8, 1), np.random.default_rng([seed, len(PARTS), _OF_AUTOENCODERS]))
        return labels[:n], labels[n:]
    return folder.read_labels(_path(config), "train")[:n], folder.read_labels(_path(config), "val")


def autoencoder_images(config: DataConfig, seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures of `autoencoder_labels`."""
    train, held_out = autoencoder_labels(config, seed, n)
    if config.path is None:
        return _draw(train), _draw(held_out)
    path = _path(config)
    return folder.read_images(path, "train", len(train)), folder.read_images(path, "val", len(held_out))


def autoencoder_parameters(config: DataConfig, seed: int, n: int) -> dict[str, Any]:
    """Return all that `autoencoder_labels` and their pictures depend on."""
    if config.path is None:
        return {"drawn": seed, "n": n}
    parts = zip(("train", "val"), autoencoder_labels(config, seed, n))
    return {part: folder.fingerprint(_path(config), part, len(labels)) for part, labels in parts}


def _path(config: DataConfig) -> Path:
    return given_path(str(config.path))


def _draw(labels: np.ndarray) -> np.ndarray:
    from projects.global_workspace.data.drawing import draw_images  # imports matplotlib, which a full cache spares

    return draw_images(labels)
