"""The published set's folder: rows as they lie there, and a clear line for each way it can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from projects.files.problem import DataProblem
from projects.global_workspace.data.drawing import draw_images
from projects.global_workspace.data.folder import fingerprint, read_images, read_labels
from projects.global_workspace.data.items import part_labels
from tests.projects.global_workspace.data.sample import PARTS, SAMPLE, real_data, sample_images, sample_labels
from tests.projects.global_workspace.data.small import small_config, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_folder(tmp_path / "set", 3)
    return tmp_path / "set"


def test_pictures_arrive_as_they_were_drawn(folder: Path) -> None:
    assert np.array_equal(read_images(folder, "train", 3), draw_images(read_labels(folder, "train")))


def test_labels_that_are_missing_are_named(folder: Path) -> None:
    (folder / "val_labels.npy").unlink()
    with pytest.raises(DataProblem, match=r"val_labels\.npy: cannot be read .* give the folder of the published set"):
        read_labels(folder, "val")


def test_labels_of_another_form_are_refused(folder: Path) -> None:
    np.save(folder / "val_labels.npy", np.zeros((3, 11)))
    with pytest.raises(DataProblem, match=r"labels have the shape \(n, 12\), got \(3, 11\)"):
        read_labels(folder, "val")


def test_a_missing_picture_is_named(folder: Path) -> None:
    (folder / "train" / "1.png").unlink()
    for read in (read_images, fingerprint):
        with pytest.raises(DataProblem, match=r"train/1\.png: cannot be read \(No such file"):
            read(folder, "train", 3)


def test_a_damaged_picture_is_named(folder: Path) -> None:
    (folder / "train" / "1.png").write_bytes(b"no picture")
    with pytest.raises(DataProblem, match=r"train/1\.png: is damaged or of another kind"):
        read_images(folder, "train", 3)


def test_a_picture_of_another_size_is_refused(folder: Path) -> None:
    Image.new("RGB", (31, 32)).save(folder / "train" / "1.png")
    with pytest.raises(DataProblem, match="a picture has 32 x 32 pixels, got 31 x 32"):
        read_images(folder, "train", 3)


@pytest.mark.parametrize("name", ["train_labels.npy", "train/1.png"])
def test_a_changed_file_changes_the_fingerprint(name: str, folder: Path) -> None:
    before = fingerprint(folder, "train", 3)
    if name.endswith("npy"):
        labels = read_labels(folder, "train")
        labels[:, 1] += 1
        np.save(folder / name, labels)
    else:
        Image.effect_noise((32, 32), 50).convert("RGB").save(folder / name)
    assert fingerprint(folder, "train", 3) != before


def test_as_many_whole_blocks_as_the_folder_has_are_taken(tmp_path: Path) -> None:
    labels = write_folder(tmp_path / "set", 70)
    config = small_config(name="folder", path=str(tmp_path / "set"), n_train=None)
    assert np.array_equal(part_labels(config, "train"), labels[:64])  # two blocks of 32


@pytest.mark.parametrize("n_train", [None, 64])
def test_a_folder_with_too_few_rows_is_refused(n_train: int | None, folder: Path) -> None:
    config = small_config(name="folder", path=str(folder), n_train=n_train)
    with pytest.raises(DataProblem, match=rf"has 3 train rows, but {n_train or 32} are needed"):
        part_labels(config, "train")


class TestSample:
    pytestmark = real_data

    def test_the_published_sample_is_read(self) -> None:
        images = np.concatenate([read_images(SAMPLE, part, n) for part, n in PARTS.items()])
        labels = np.concatenate([read_labels(SAMPLE, part) for part in PARTS])
        assert np.array_equal(images, sample_images())
        assert np.array_equal(labels, sample_labels())
