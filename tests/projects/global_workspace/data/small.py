"""Data that are made in a second: few items and an autoencoder of two channels and three steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
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


def write_xor_folder(path: Path, n: int = 512, n_bins: int = 8) -> pd.DataFrame:
    """A folder of exclusive-or targets as its public program leaves it; returns the table of its training part.

    The table is written by pandas' `to_records` and `to_csv(float_format="%.6f")`, labels lie one folder up.
    """
    path.mkdir(parents=True)
    tables = {}
    for number, part in enumerate(("train", "val", "test")):
        rng = np.random.default_rng([7, number])
        size, random = rng.integers(7, 15, n), rng.random(n)
        size_normalized = (size - size.min()) / (size.max() - size.min())
        edges = np.linspace(0, 1, n_bins + 1)
        bins = [np.clip(np.digitize(x, edges) - 1, 0, n_bins - 1) for x in (size_normalized, random)]
        target = (bins[0] + bins[1]) % n_bins
        tables[part] = pd.DataFrame(
            {
                "sample_idx": np.arange(n),
                "size_normalized": size_normalized,
                "random_attribute": random,
                "size_bin": bins[0],
                "random_bin": bins[1],
                "xor_target_normalized": target.astype(np.float32) / (n_bins - 1),
                "xor_target_bin": target,
            }
        )
        np.save(path / f"{part}_xor_targets.npy", tables[part].to_records(index=False))
        tables[part].to_csv(path / f"{part}_xor_targets.csv", index=False, float_format="%.6f")
        labels = draw_labels(n, rng)
        np.save(path.parent / f"{part}_labels_nosize.npy", np.column_stack([labels[:, [0, 1, 2, 4, 5, 6, 7]], random]))
        latents = path.parent / "saved_latents" / part
        latents.mkdir(parents=True)
        means = rng.standard_normal((n, 1, 12))
        np.save(latents / "vae_future.npy", np.concatenate([means, np.zeros_like(means)], axis=1).astype(np.float32))
    return tables["train"]
