"""Folders of class folders: layouts, splits, damaged files, what is kept, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from projects.files.problem import DataProblem
from projects.image_classifier.data import decode
from projects.image_classifier.data.config import DataConfig
from projects.image_classifier.data.dataset import ImageSet
from projects.image_classifier.data.folder import load_folder

Write = Callable[..., None]


@pytest.fixture(autouse=True)
def _own_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded images are kept below the working directory."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def write(root: Path) -> Write:
    """Writes n flat PNG files of one grey into a class folder."""

    def write(folder: str, n: int = 10, *, grey: int = 0, side: int = 8, suffix: str = "png") -> None:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for index in range(n):
            Image.new("RGB", (side, side), (grey, index, 0)).save(root / folder / f"{index:02d}.{suffix}")

    return write


def load(root: Path, **fields: Any) -> ImageSet:
    return load_folder(DataConfig(name="folder", path=str(root), image_size=8, **fields))


def test_folders_of_parts_are_taken_as_they_are(root: Path, write: Write) -> None:
    for part, n in (("train", 6), ("valid", 3), ("test", 2)):
        write(f"{part}/cat", n, grey=10)
        write(f"{part}/dog", n, grey=20)
    images = load(root)
    assert images.test is not None
    assert images.class_names == ("cat", "dog")
    assert [len(part.labels) for part in (images.train, images.val, images.test)] == [12, 6, 4]
    # By hand: class by class in the order of names; red is the grey of the class, green the number of the file.
    assert images.val.images[:, 0, 0, 0].tolist() == [10, 10, 10, 20, 20, 20]
    assert images.val.images[:, 1, 0, 0].tolist() == [0, 1, 2, 0, 1, 2]


def test_without_a_validation_folder_a_stratified_part_of_training_is_taken(root: Path, write: Write) -> None:
    write("train/a", 20), write("train/b", 10), write("test/a", 5), write("test/b", 5)
    images = load(root, val_fraction=0.2)
    assert np.bincount(images.train.labels).tolist() == [16, 8]
    assert np.bincount(images.val.labels).tolist() == [4, 2]


def test_bare_class_folders_are_split_by_seed_and_nothing_is_lost(root: Path, write: Write) -> None:
    write("a/deeper", 20, grey=1), write("b", 20, grey=2)
    images, again, other = (load(root, test_fraction=0.1, seed=seed) for seed in (0, 0, 1))
    assert images.test is not None
    parts = [images.train, images.val, images.test]
    assert [np.bincount(part.labels).tolist() for part in parts] == [[14, 14], [4, 4], [2, 2]]
    pixels = np.concatenate([part.images[:, :2, 0, 0] for part in parts]).tolist()
    assert sorted(pixels) == [[grey, index] for grey in (1, 2) for index in range(20)]
    assert images.digest == again.digest != other.digest


def test_a_smaller_choice_is_stratified(root: Path, write: Write) -> None:
    write("a", 20), write("b", 20)
    images = load(root, n_train=10, n_val=4)
    assert np.bincount(images.train.labels).tolist() == [5, 5]
    assert np.bincount(images.val.labels).tolist() == [2, 2]


def test_damaged_files_are_refused_by_name_or_skipped(root: Path, write: Write) -> None:
    write("a"), write("b")
    whole = (root / "a" / "03.png").read_bytes()
    (root / "a" / "03.png").write_bytes(whole[:40])
    (root / "b" / "04.png").write_text("no image")
    with pytest.raises(DataProblem, match=r"a/03\.png: is damaged or of another kind .*data\.damaged=skip"):
        load(root)
    images = load(root, damaged="skip", val_fraction=0.25)
    assert images.n_skipped == 2
    assert len(images.train.labels) + len(images.val.labels) == 18


def test_skipped_files_are_named_once_each(root: Path, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write("a"), write("b")
    (root / "b" / "04.png").write_text("no image")
    load(root, damaged="skip")
    assert [record.getMessage() for record in caplog.records] == [
        f"left out 1 unreadable files: {root}/b/04.png: is damaged or of another kind "
        "(it is not a picture in one of the formats BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP); "
        "repair or remove it, or leave such files out by data.damaged=skip"
    ]


def test_pixels_of_16_bits_are_refused_by_mode(root: Path, write: Write) -> None:
    write("a"), write("b")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(root / "a" / "deep.png")
    with pytest.raises(DataProblem, match=r"deep\.png: has pixels of mode 'I;16', not 8-bit"):
        load(root)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK"])
def test_other_kinds_of_8_bit_pixels_become_rgb(mode: str, root: Path, write: Write) -> None:
    write("a"), write("b")
    suffix = "tif" if mode == "CMYK" else "png"
    Image.new("RGB", (8, 8), (90, 90, 90)).convert(mode).save(root / "a" / f"00.{suffix}")
    assert load(root).train.images.shape[1:] == (3, 8, 8)


def test_an_image_is_cut_to_its_middle_square(root: Path, write: Write) -> None:
    write("a"), write("b")
    wide = np.zeros((8, 16, 3), np.uint8)
    wide[:, 4:12] = 200  # the middle square of the 8 x 16 picture
    Image.fromarray(wide).save(root / "a" / "00.png")
    decoded = decode.decode_image(root / "a" / "00.png", 8)
    assert isinstance(decoded, np.ndarray)
    assert (decoded == 200).all()


def test_decoded_images_are_kept_until_a_file_changes(
    root: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a"), write("b")
    first = load(root)
    kept = list(Path("data/folder").glob("*.npz"))
    assert len(kept) == 1

    def fail(path: Path, side: int) -> np.ndarray:
        raise AssertionError("decoded again")

    with monkeypatch.context() as patched:
        patched.setattr(decode, "decode_image", fail)
        assert load(root).digest == first.digest
    Image.new("RGB", (8, 8), (7, 7, 7)).save(root / "a" / "00.png")
    os.utime(root / "a" / "00.png", ns=(1, 1))
    assert load(root).digest != first.digest
    kept[0].write_bytes(b"cut off")
    assert load(root, seed=0).digest != first.digest


def test_what_is_no_data_set_is_refused_in_one_line(root: Path, write: Write) -> None:
    def refusal(**fields: Any) -> str:
        with pytest.raises(DataProblem) as refused:
            load(root, **fields)
        return str(refused.value)

    assert "is not a folder" in refusal()
    write("a")
    assert "has 1 class folders (a)" in refusal()
    (root / "b").mkdir()
    assert refusal().startswith(f"{root / 'b'}: has no image")
    write("b", 1)
    assert "has a class with one image" in refusal()
    write("b")
    assert "data.n_train: " in refusal(n_train=100)
    assert "data.val_fraction: of the 20 images" in refusal(val_fraction=0.01)


def test_a_class_that_training_does_not_have_is_refused(root: Path, write: Write) -> None:
    write("train/a"), write("train/b"), write("val/a"), write("val/c")
    with pytest.raises(DataProblem, match=r"val/c: is not a class of the training images"):
        load(root)


def test_a_test_fraction_beside_folders_of_parts_is_refused(root: Path, write: Write) -> None:
    write("train/a"), write("train/b")
    with pytest.raises(DataProblem, match="leave test_fraction at 0"):
        load(root, test_fraction=0.1)
