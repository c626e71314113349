"""Draw the default data: 47 balanced classes from fonts, each image with its own distortion, kept in a cache.

Training and validation images come from the DejaVu and STIX faces, test images only from Computer Modern. So test
accuracy says how well a network reads letters in a new face.
"""

from __future__ import annotations

import hashlib
import io
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

from projects.emnist_mlp.data.config import FOLDER, DataConfig
from projects.emnist_mlp.data.dataset import BALANCED_CLASSES, Rows, Source
from projects.emnist_mlp.data.glyphs import TEST_FACES, TRAIN_FACES, draw_glyphs
from projects.emnist_mlp.data.idx_rows import checked_rows
from projects.files.arrays import read_npz
from projects.files.download import write_atomically
from projects.files.reading import is_there

DISTORTION = {"affine": 1.0, "elastic": 1.0, "noise": 0.1}
_FORM = 1  # of the cache: another number where drawing changes, so that old files are not taken for new ones
_BLOCK_ROWS = 1024  # distorted at a time


def read_fonts(config: DataConfig, cache: Path = FOLDER / "fonts") -> Source:
    """Return the drawn characters, from the cache, or drawn now and put there.

    Args:
        config: gives per_class, test_per_class and seed.
        cache: folder; a file is named by the digest of all that its images depend on.

    Raises:
        DataProblem: the cache cannot be written or its file is damaged.
    """
    path = cache / f"{cache_digest(config)[:16]}.npz"
    way_out = "remove it; it will be drawn again"
    if not is_there(path, way_out=way_out):
        write_atomically(path, _packed(draw_source(config)))
    names = [f"{part}_{of}" for part in ("train", "test") for of in ("x", "y")]
    kept = read_npz(path, names=names, way_out=way_out)
    train, test = (
        checked_rows(
            kept[f"{part}_x"],
            kept[f"{part}_y"],
            classes=BALANCED_CLASSES,
            is_transposed=False,
            places=(f"{path}: {part}_x", f"{path}: {part}_y"),
            way_out=way_out,
        )
        for part in ("train", "test")
    )
    return Source("fonts", train, test, BALANCED_CLASSES)


def cache_digest(config: DataConfig) -> str:
    """Return the sha256 of everything that the drawn images depend on: settings, faces, versions."""
    content = {
        "form": _FORM,
        "per_class": config.per_class,
        "test_per_class": config.test_per_class,
        "seed": config.seed,
        "faces": [TRAIN_FACES, TEST_FACES],
        "distortion": DISTORTION,
        "versions": {name: version(name) for name in ("matplotlib", "pillow", "torch")},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def draw_source(config: DataConfig) -> Source:
    """Draw training and test part anew; equal configs give equal pixels."""
    train = _draw(TRAIN_FACES, config.per_class, config.seed, 0)
    test = _draw(TEST_FACES, config.test_per_class, config.seed, 1)
    return Source("fonts", train, test, BALANCED_CLASSES)


def _draw(faces: tuple[str, ...], per_class: int, seed: int, part: int) -> Rows:
    """`per_class` images of each class, faces in turn, every image distorted by itself."""
    glyphs = draw_glyphs(faces)  # (face, class, 28, 28)
    face = np.arange(per_class) % len(faces)
    images = glyphs[face].reshape(-1, *glyphs.shape[2:])  # (image of a class * class, 28, 28)
    labels = np.tile(np.arange(len(BALANCED_CLASSES)), per_class)
    return Rows(distorted(images, DISTORTION, seed=seed, part=part), labels)


def distorted(images: np.ndarray, distortion: dict[str, float], *, seed: int, part: int) -> np.ndarray:
    """Return images as bytes, each with its own distortion.

    Args:
        images: uint8 (row, 28, 28).
        distortion: fields of `distort.Strength`; those that are missing are 0.
        seed: seed of all randomness. A row's distortion depends only on the number of rows before it.
        part: number of the part of a data set.
    """
    import torch

    from projects.emnist_mlp.distort import Strength, distort
    from projects.emnist_mlp.streams import Purpose, generator_of

    strength = Strength(**{name: distortion.get(name, 0.0) for name in Strength._fields})
    out = np.empty_like(images)
    for block, start in enumerate(range(0, len(images), _BLOCK_ROWS)):
        rows = slice(start, start + _BLOCK_ROWS)
        ink = torch.from_numpy(np.array(images[rows])).float() / 255
        found = distort(ink, strength, generator_of(seed, Purpose.DRAWN_DATA, (part << 32) + block))
        out[rows] = (found * 255).round().to(torch.uint8).numpy()
    return out


def _packed(source: Source) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(
        file, train_x=source.train.x, train_y=source.train.y, test_x=source.test.x, test_y=source.test.y
    )
    return file.getvalue()
