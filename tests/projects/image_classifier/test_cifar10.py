"""CIFAR-10's files, made small: both versions, archives, downloads, and files that are something else."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from projects.files.problem import DataProblem
from projects.image_classifier.data.cifar10 import CLASSES, FILES, load_cifar10, prepare_cifar10
from projects.image_classifier.data.config import DataConfig
from tests.projects.files.loopback import Site, serve

RNG = np.random.default_rng(0)
PIXELS = {name: RNG.integers(0, 256, (20, 3072), dtype=np.uint8) for files in FILES.values() for name, _ in files}
LABELS = np.arange(20) % 10


def binary(pixels: np.ndarray, labels: np.ndarray = LABELS) -> bytes:
    return np.concatenate([labels[:, None].astype(np.uint8), pixels], axis=1).tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The binary version, 20 images a file."""
    path = tmp_path / "cifar-10-batches-bin"
    path.mkdir()
    for name, pixels in PIXELS.items():
        (path / name).write_bytes(binary(pixels))
    return path


@pytest.fixture
def archive(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        packed.add(folder, arcname="cifar-10-batches-bin")
    return path


def config(path: Path, **fields: object) -> DataConfig:
    return DataConfig.model_validate({"name": "cifar10", "path": str(path), **fields})


def test_rows_of_the_binary_version_are_read_by_the_published_layout(folder: Path) -> None:
    # A label byte, then 1,024 bytes each of red, green and blue, by rows of 32 (cs.toronto.edu/~kriz/cifar.html).
    images = load_cifar10(config(folder))
    assert images.class_names == CLASSES
    assert (len(images.train.labels), len(images.val.labels)) == (100, 20)
    assert images.train.labels[:12].tolist() == LABELS[:12].tolist()
    assert images.train.images[20, 1, 2, 3] == PIXELS["data_batch_2.bin"][0, 1024 + 2 * 32 + 3]
    assert np.array_equal(images.val.images[19].ravel(), PIXELS["test_batch.bin"][19])


def test_the_python_version_gives_the_same_images(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "py").mkdir()
    for name, pixels in PIXELS.items():
        batch = {b"data": pixels, b"labels": LABELS.tolist(), b"filenames": [b"x.png"] * 20}
        (tmp_path / "py" / name.removesuffix(".bin")).write_bytes(pickle.dumps(batch, protocol=2))
    assert load_cifar10(config(tmp_path / "py")).digest == load_cifar10(config(folder)).digest


def test_a_pickle_that_would_run_code_is_refused_and_runs_none(folder: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    (folder / "test_batch.bin").unlink()
    (folder / "test_batch").write_bytes(pickle.dumps({b"data": Bomb()}))
    with pytest.raises(DataProblem, match="which plain data do not need"):
        load_cifar10(config(folder))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (binary(PIXELS["test_batch.bin"])[:-1], "are not a whole number of rows of 3073"),
        (binary(PIXELS["test_batch.bin"], LABELS + 1), "labels of 10 classes are whole numbers from 0 to 9, got 10"),
    ],
)
def test_a_damaged_file_is_refused(data: bytes, rule: str, folder: Path) -> None:
    (folder / "test_batch.bin").write_bytes(data)
    with pytest.raises(DataProblem, match=rule):
        load_cifar10(config(folder))


def test_a_missing_file_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match=r"data_batch_1\.bin: is not there.*prepare_data -P dataset=cifar10"):
        load_cifar10(config(tmp_path))


def test_images_of_another_size_are_scaled_and_fewer_are_chosen_by_class(folder: Path) -> None:
    images = load_cifar10(config(folder, image_size=16, n_train=50))
    assert images.train.images.shape == (50, 3, 16, 16)
    assert np.bincount(images.train.labels).tolist() == [5] * 10


def test_an_archive_is_taken_apart_and_anything_else_in_it_left(archive: Path, folder: Path, tmp_path: Path) -> None:
    target = prepare_cifar10(source=str(archive), target=tmp_path / "out")
    assert {path.name for path in target.iterdir()} == set(PIXELS)
    assert load_cifar10(config(target)).digest == load_cifar10(config(folder)).digest


def test_the_archive_is_downloaded_and_checked(archive: Path, tmp_path: Path) -> None:
    md5 = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
    with serve(Site(files={"cifar-10-binary.tar.gz": archive.read_bytes()})) as server:
        url = f"{server.url}/cifar-10-binary.tar.gz"
        prepare_cifar10(target=tmp_path / "out", url=url, md5=md5)
        assert (tmp_path / "out" / "data_batch_5.bin").read_bytes() == binary(PIXELS["data_batch_5.bin"])
        with pytest.raises(DataProblem, match="md5"):
            prepare_cifar10(target=tmp_path / "other", url=url, md5="0" * 32)


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as packed:
        packed.addfile(tarfile.TarInfo("readme"), io.BytesIO())
    with pytest.raises(DataProblem, match=r"has neither data_batch_1\.bin nor data_batch_1"):
        prepare_cifar10(source=str(tmp_path / "a.tar.gz"), target=tmp_path / "out")
