"""The two forms of MNIST-1M's source: read whole, and refused with one line where a part is missing or damaged."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from projects.batch_size.data.mnist1m import prepare_mnist1m
from tests.projects.batch_size.mnist1m_parts import (
    encode,
    images_of,
    prepared,
    refusal,
    rows_of,
    write_archives,
    write_chunks,
)

WAY_OUT = "run: mlflow run . -e prepare_data -P dataset=mnist1m -P source=DIR"


def add_member(path: Path, data: bytes) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("image_x.png", data)


@pytest.mark.parametrize("labels_as", [".npz", ".npy", ".npz.npy"])
def test_chunks_are_read_with_labels_under_every_name(labels_as: str, tmp_path: Path) -> None:
    # The published script writes labels by numpy.save to a name that ends in .npz, which adds .npy.
    source = write_chunks(tmp_path / "source", images_of(), labels_as)
    arrays = prepared(prepare_mnist1m(str(source), tmp_path))
    assert np.array_equal(arrays["X_train"][:, 0, 0], arrays["y_train"])


def test_chunks_of_floats_become_the_nearest_bytes(tmp_path: Path) -> None:
    images = images_of()
    source = write_chunks(tmp_path / "source", (images / 255).astype(np.float32))
    arrays = prepared(prepare_mnist1m(str(source), tmp_path))
    assert rows_of(np.concatenate([arrays["X_train"], arrays["X_test"]])) == rows_of(images)


def test_an_overshoot_of_the_diffusion_model_is_clipped(tmp_path: Path) -> None:
    images = np.where(images_of() > 127, 1.2, -0.1)
    arrays = prepared(prepare_mnist1m(str(write_chunks(tmp_path / "source", images)), tmp_path))
    assert np.unique(arrays["X_train"]).tolist() == [0, 255]


@pytest.mark.parametrize(
    ("scale", "shown"), [((2, -1), "got -1 to 1"), ((255, 0), "got 0 to 255"), ((np.nan, 0), "got nan")]
)
def test_floats_of_another_range_are_refused_with_the_range(
    scale: tuple[float, float], shown: str, tmp_path: Path
) -> None:
    images = images_of() / 255 * scale[0] + scale[1]
    text = refusal(write_chunks(tmp_path / "source", images), tmp_path / "target")
    assert "MNIST_images_0.npz: expected grey values from 0 to 1" in text
    assert shown in text


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_grey_images_stored_in_colour_are_read(kind: str, tmp_path: Path) -> None:
    source = write_archives(tmp_path / "source", images_of(1))
    flat = np.full((28, 28, 3), 100, np.uint8)
    with zipfile.ZipFile(source / "class_3_images.zip", "w") as archive:
        archive.writestr("a.jpg" if kind == "JPEG" else "a.png", encode(flat, kind))
    arrays = prepared(prepare_mnist1m(str(source), tmp_path))
    everything = np.concatenate([arrays["X_train"], arrays["X_test"]])
    # A flat image survives JPEG to one level.
    assert (np.abs(everything.astype(int) - 100).max(axis=(1, 2)) <= 1).sum() == 1


def test_shadow_files_of_macos_are_not_images(tmp_path: Path) -> None:
    source = write_archives(tmp_path / "source", images_of(2))
    with zipfile.ZipFile(source / "class_0_images.zip", "a") as archive:
        archive.writestr("__MACOSX/class_0/._image_00000.png", b"shadow")
        archive.writestr("notes.txt", b"text")
    arrays = prepared(prepare_mnist1m(str(source), tmp_path))
    assert len(arrays["X_train"]) + len(arrays["X_test"]) == 20


def test_missing_archives_are_named(tmp_path: Path) -> None:
    source = write_archives(tmp_path / "source", images_of(2))
    for k in (3, 7):
        (source / f"class_{k}_images.zip").unlink()
    text = refusal(source, tmp_path / "target")
    assert text.startswith(f"{source}: 2 of ten parts missing: class_3_images.zip, class_7_images.zip")


def test_missing_labels_are_named(tmp_path: Path) -> None:
    source = write_chunks(tmp_path / "source", images_of(2))
    (source / "MNIST_labels_4.npz").unlink()
    assert "the labels of MNIST_images_4.npz are missing" in refusal(source, tmp_path / "target")


def test_too_few_labels_are_told_apart(tmp_path: Path) -> None:
    source = write_chunks(tmp_path / "source", images_of(2))
    np.savez(source / "MNIST_labels_4.npz", np.zeros(1, int))
    assert "MNIST_labels_4.npz: expected 2 labels" in refusal(source, tmp_path / "target")


def test_labels_outside_0_to_9_are_refused(tmp_path: Path) -> None:
    source = write_chunks(tmp_path / "source", images_of(2))
    np.savez(source / "MNIST_labels_4.npz", np.array([0, 10]))
    assert "MNIST_labels_4.npz: labels of 10 classes are whole numbers from 0 to 9, got 10" in refusal(
        source, tmp_path / "target"
    )


def test_a_chunk_cut_off_is_named(tmp_path: Path) -> None:
    source = write_chunks(tmp_path / "source", images_of(2))
    path = source / "MNIST_images_6.npz"
    path.write_bytes(path.read_bytes()[:-500])
    assert f"{path}: is damaged or of another kind" in refusal(source, tmp_path / "target")


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"not an image", "is damaged or of another kind"),
        (encode(np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8))[:-200], "is damaged"),
        (encode(np.zeros((32, 32), np.uint8)), "expected 28x28 grey pixels, got 32x32 in mode L"),
        (encode(np.zeros((28, 28, 4), np.uint8)), "in mode RGBA"),
        (encode(np.eye(3, dtype=np.uint8)[np.arange(784).reshape(28, 28) % 3] * 255), "is coloured"),
    ],
    ids=["text", "cut off", "size", "mode", "colour"],
)
def test_an_unreadable_image_is_named(data: bytes, rule: str, tmp_path: Path) -> None:
    source = write_archives(tmp_path / "source", images_of(2))
    add_member(source / "class_5_images.zip", data)
    text = refusal(source, tmp_path / "target")
    assert text.startswith(f"{source / 'class_5_images.zip'}: image_x.png: ")
    assert rule in text


def test_damaged_bytes_in_an_archive_are_noticed(tmp_path: Path) -> None:
    source = write_archives(tmp_path / "source", images_of(2))
    path = source / "class_5_images.zip"
    data = bytearray(path.read_bytes())
    data[300] ^= 0xFF  # inside the first image: each has some 800 bytes
    path.write_bytes(data)
    assert "class_5_images.zip: class_5/image_00000.png: is damaged or of another kind" in refusal(source, tmp_path)


def test_an_archive_that_is_none_is_named(tmp_path: Path) -> None:
    source = write_archives(tmp_path / "source", images_of(2))
    (source / "class_5_images.zip").write_bytes(b"<html>")
    assert "class_5_images.zip: is damaged or of another kind" in refusal(source, tmp_path / "target")


@pytest.mark.parametrize("source", [None, ""])
def test_no_source_is_one_line(source: str | None, tmp_path: Path) -> None:
    assert refusal(source, tmp_path).endswith(WAY_OUT)


def test_a_folder_without_parts_says_what_is_looked_for(tmp_path: Path) -> None:
    text = refusal(tmp_path, tmp_path)
    assert text.startswith(f"{tmp_path}: holds neither class_0_images.zip to class_9_images.zip nor MNIST_")


def test_a_failed_preparation_leaves_nothing(tmp_path: Path) -> None:
    source = write_archives(tmp_path / "source", images_of(2))
    add_member(source / "class_9_images.zip", b"not an image")
    refusal(source, tmp_path / "target")
    assert list((tmp_path / "target").iterdir()) == []
