"""Data that are made in a second: few items and an autoencoder of two channels and three steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from projects.global_workspace.data import DataConfig
from projects.global_workspace.data.drawing import draw_images
from projects.global_workspace.data.labels import draw_labels

VISUAL_VAE = {"n_items": 32, "steps": 3, "width": 2, "batch_size": 8}
ATTRIBUTE_VAE = {"n_items": 32, "steps": 3, "hidden": 8, "batch_size": 8}


def small_config(**settings: object) -> DataConfig:
    """A configuration of 64 + 32 + 32 rows."""
    rows = {"n_train": 64, "n_val": 32, "n_test": 32}
    return DataConfig.model_validate({**rows, "visual_vae": VISUAL_VAE, **settings})


def write_folder(path: Path, n: int = 32) -> np.ndarray:
    """A folder of the published form with n items in every part; returns the label rows of its training part."""
    for number, part in enumerate(("train", "val", "test")):
        labels = draw_labels(n, np.random.default_rng(number))
        (path / part).mkdir(parents=True)
        np.save(path / f"{part}_labels.npy", labels)
        for row, image in enumerate(draw_images(labels)):
            opaque = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
            Image.fromarray(opaque).save(path / part / f"{row}.png")
    return draw_labels(n, np.random.default_rng(0))
