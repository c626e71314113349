"""Real photographs: CIFAR-10 as a folder of JPEG files, and ants and bees, as their archives hold them."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from projects.image_classifier.data.config import DataConfig
from projects.image_classifier.data.folder import load_folder

REAL = Path(os.environ.get("ROTHAMSTED_REAL_DATA") or Path(__file__).parents[4] / "shared" / "data")
CIFAR10 = REAL / "cifar10_jpg" / "cifar10_jpg_1000x200.tar.gz"
ANTS_AND_BEES = REAL / "hymenoptera_160" / "hymenoptera_160.tar.gz"
CIFAR10_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not (CIFAR10.is_file() and ANTS_AND_BEES.is_file()),
        reason=f"no cifar10_jpg and hymenoptera_160 in {REAL} (ROTHAMSTED_REAL_DATA names the folder)",
    ),
]


def unpacked(archive: Path, folder: Path, *, classes: set[str], most: int) -> Path:
    """The first images of some classes, by name."""
    counts: dict[str, int] = {}
    with tarfile.open(archive) as packed:
        for member in packed:
            place = str(Path(member.name).parent)
            if member.isfile() and Path(place).name in classes and counts.get(place, 0) < most:
                counts[place] = counts.get(place, 0) + 1
                packed.extract(member, folder, filter="data")
    return next(folder.iterdir())


def test_cifar10_as_jpeg_has_ten_classes_and_a_validation_part_cut_off_its_training_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = unpacked(CIFAR10, tmp_path / "images", classes=set(CIFAR10_CLASSES), most=20)
    images = load_folder(DataConfig(name="folder", path=str(root)))
    assert images.class_names == tuple(CIFAR10_CLASSES)
    assert images.test is not None
    # By hand: 20 a class to train on, of which 20 % go to validation; 20 a class to test.
    assert np.bincount(images.train.labels).tolist() == [16] * 10
    assert np.bincount(images.val.labels).tolist() == [4] * 10
    assert np.bincount(images.test.labels).tolist() == [20] * 10


def test_photographs_of_other_shapes_become_squares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = unpacked(ANTS_AND_BEES, tmp_path / "images", classes={"ants", "bees"}, most=12)
    images = load_folder(DataConfig(name="folder", path=str(root), image_size=64))
    assert images.class_names == ("ants", "bees")
    assert images.train.images.shape == (24, 3, 64, 64)
    assert images.test is None
    assert 20 < images.train.images.std() < 110  # photographs, not flat squares
