"""MNIST-1M: prepared once into one file, split and shuffled, and read from it in blocks."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from projects.batch_size.data import DataConfig, DataProblem, load_dataset
from projects.batch_size.data.mnist1m import prepare_mnist1m
from projects.batch_size.data.mnist1m_prepare import n_test_rows
from projects.files import arrays as arrays_module
from tests.projects.batch_size.mnist1m_parts import images_of, prepared, refusal, rows_of, write_archives


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archives(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def ready(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_mnist1m(str(archives), tmp_path_factory.mktemp("ready"))


def test_the_file_holds_the_four_arrays_as_bytes(ready: Path) -> None:
    arrays = prepared(ready)
    # 300 rows: a tenth of them for testing, by the documented rule.
    assert {key: (array.shape, array.dtype) for key, array in arrays.items()} == {
        "X_train": ((270, 28, 28), np.uint8),
        "y_train": ((270,), np.uint8),
        "X_test": ((30, 28, 28), np.uint8),
        "y_test": ((30,), np.uint8),
    }


def test_every_image_arrives_once(ready: Path) -> None:
    arrays = prepared(ready)
    found = np.concatenate([arrays["X_train"], arrays["X_test"]])
    assert rows_of(found) == rows_of(images_of())


@pytest.mark.parametrize("part", ["train", "test"])
def test_labels_stay_with_their_images(part: str, ready: Path) -> None:
    arrays = prepared(ready)
    assert np.array_equal(arrays[f"X_{part}"][:, 0, 0], arrays[f"y_{part}"])


def test_the_split_is_stratified(ready: Path) -> None:
    # 30 of each of ten equal classes: 3 of each in the test part's 30 rows.
    assert np.bincount(prepared(ready)["y_test"]).tolist() == [3] * 10


def test_the_training_rows_are_not_in_order_of_class(ready: Path) -> None:
    labels = prepared(ready)["y_train"].astype(int)
    # Sorted by class, 260 of 269 neighbours are equal. By chance a tenth: binomial, mean 27, deviation 5.
    assert (np.diff(labels) == 0).sum() < 27 + 5 * 5


def test_the_training_rows_do_not_come_in_rounds_of_all_classes(ready: Path) -> None:
    rounds = np.sort(prepared(ready)["y_train"].reshape(27, 10), axis=1)
    # As the split orders them, all 27 rounds hold every class once; by chance 10!/10^10 = 0.04 % of them.
    assert (rounds == np.arange(10)).all(axis=1).sum() <= 1


def test_equal_sources_give_equal_files(archives: Path, ready: Path, tmp_path: Path) -> None:
    assert prepare_mnist1m(str(archives), tmp_path / "x.npz").read_bytes() == ready.read_bytes()


def test_the_file_carries_no_time_of_its_making(ready: Path) -> None:
    # 1980-01-01, the earliest date of the zip format (APPNOTE 4.4.6), stands for none.
    with zipfile.ZipFile(ready) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_nothing_but_the_file_is_left(archives: Path, tmp_path: Path) -> None:
    prepare_mnist1m(str(archives), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mnist1m.npz"]


@pytest.mark.parametrize(
    ("n_rows", "expected"), [(1_000_000, 50_000), (500_000, 50_000), (499_999, 49_999), (300, 30), (5, 1)]
)
def test_the_test_part_is_50_000_rows_or_a_tenth(n_rows: int, expected: int) -> None:
    # 50,000 of a million: the split of the published form; the rest by the documented rule.
    assert n_test_rows(n_rows) == expected


def test_too_small_a_disk_is_told_before_the_work(
    archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    assert "are needed for 300 rows, twice the result, 0 MB are free" in refusal(archives, tmp_path)


def mnist1m(path: Path, **settings: object) -> DataConfig:
    return DataConfig.model_validate({"name": "mnist1m", "path": str(path), **settings})


@pytest.mark.parametrize("place", ["file", "folder"])
def test_the_prepared_file_is_read_flat_and_standardised(place: str, ready: Path) -> None:
    data = load_dataset(mnist1m(ready if place == "file" else ready.parent))
    # By hand from the bytes: pixel / 255, less 0.1307, divided by 0.3081 (MNIST's constants).
    expected = (prepared(ready)["X_test"].reshape(30, 784) / 255 - 0.1307) / 0.3081
    assert np.allclose(data.val_x, expected, atol=1e-5)


def test_a_subset_read_in_many_blocks_is_that_of_one_block(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_dataset(mnist1m(ready, n_train=100, seed=1))
    copy = ready.with_name("copy.npz")  # another path, as a data set is read once in a process
    copy.write_bytes(ready.read_bytes())
    monkeypatch.setattr(arrays_module, "BLOCK_BYTES", 7 * 784)
    assert load_dataset(mnist1m(copy, n_train=100, seed=1)).digest == whole.digest


def test_a_subset_keeps_its_labels_and_proportions(ready: Path) -> None:
    data = load_dataset(mnist1m(ready, n_train=50))
    first_pixels = np.rint((data.train_x[:, 0] * 0.3081 + 0.1307) * 255)
    assert np.array_equal(first_pixels, data.train_y)
    assert np.bincount(data.train_y).tolist() == [5] * 10  # 50 rows, ten equal classes


def test_a_compressed_file_of_flat_rows_is_read_too(ready: Path, tmp_path: Path) -> None:
    arrays = prepared(ready)
    flat = {key: array.reshape(len(array), -1) if key[0] == "X" else array for key, array in arrays.items()}
    np.savez_compressed(tmp_path / "mnist1m.npz", **flat)
    assert load_dataset(mnist1m(tmp_path)).digest == load_dataset(mnist1m(ready)).digest


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match=r"mnist1m\.npz: there is no such file; run: mlflow run \. -e prep"):
        load_dataset(mnist1m(tmp_path))


@pytest.mark.parametrize("at", [0.0001, 0.5, 0.999])
def test_a_file_cut_off_anywhere_is_noticed(at: float, ready: Path, tmp_path: Path) -> None:
    data = ready.read_bytes()
    path = tmp_path / "mnist1m.npz"
    path.write_bytes(data[: int(at * len(data))])
    with pytest.raises(DataProblem, match=r"mnist1m\.npz: is damaged or of another kind \(.*run: mlflow run"):
        load_dataset(mnist1m(path))


def test_a_changed_byte_is_noticed(ready: Path, tmp_path: Path) -> None:
    data = bytearray(ready.read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / "mnist1m.npz"
    path.write_bytes(data)
    with pytest.raises(DataProblem, match="Bad CRC-32"):
        load_dataset(mnist1m(path))


def test_an_array_longer_than_its_header_is_noticed(ready: Path, tmp_path: Path) -> None:
    path = tmp_path / "mnist1m.npz"
    with zipfile.ZipFile(ready) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b"more" if name == "X_test.npy" else b""))
    with pytest.raises(DataProblem, match="array 'X_test' promises the shape"):
        load_dataset(mnist1m(path))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"y_test": None}, "has no array 'y_test', only X_train, y_train, X_test"),
        ({"y_train": np.zeros(3, np.uint8)}, "y_train must hold 270 whole numbers"),
        ({"y_test": np.full(30, 11)}, "y_test: labels of 10 classes are whole numbers from 0 to 9, got 11"),
        ({"X_test": np.zeros((30, 28, 28))}, "X_test must hold bytes of shape"),
        ({"X_test": np.zeros((30, 28, 28), np.uint8, order="F")}, "X_test' must hold numbers in rows"),
    ],
    ids=["missing", "count", "range", "type", "order"],
)
def test_a_file_of_another_kind_is_refused(
    change: dict[str, np.ndarray | None], rule: str, ready: Path, tmp_path: Path
) -> None:
    arrays = {key: array for key, array in {**prepared(ready), **change}.items() if array is not None}
    np.savez(tmp_path / "mnist1m.npz", **arrays)
    with pytest.raises(DataProblem) as caught:
        load_dataset(mnist1m(tmp_path))
    assert rule in str(caught.value)
