"""The format sample of the published set, where it is at hand, and labels made by hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[4]
DATA = Path(os.environ.get("ROTHAMSTED_REAL_DATA", ROOT.parent / "shared" / "data"))
SAMPLE = DATA / "simple_shapes_sample" / "sample_dataset"
PARTS = {"train": 4, "val": 2, "test": 2}  # rows of the sample

real_data = [
    pytest.mark.real_data,
    pytest.mark.skipif(not SAMPLE.is_dir(), reason="no simple_shapes_sample in ROTHAMSTED_REAL_DATA or ../shared/data"),
]


def sample_labels() -> np.ndarray:
    """All eight label rows: (8, 12)."""
    return np.concatenate([np.load(SAMPLE / f"{part}_labels.npy") for part in PARTS])


def sample_images() -> np.ndarray:
    """All eight pictures without transparency: int (8, 32, 32, 3)."""
    paths = [SAMPLE / part / f"{row}.png" for part, n in PARTS.items() for row in range(n)]
    return np.stack([np.asarray(Image.open(path))[..., :3] for path in paths]).astype(int)


def label(kind: int, *, x: int = 9, y: int = 9, size: int = 14, rotation: float = 0.0, rgb: int = 255) -> np.ndarray:
    """One label row of a grey shape; hue, lightness, saturation and unpaired are 0."""
    return np.array([[kind, x, y, size, rotation, rgb, rgb, rgb, 0, 0, 0, 0]], np.float32)
