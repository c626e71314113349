"""EMNIST and MNIST: every kind of file, damaged ones, preparing a folder, and the real files where they are at hand."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from projects.emnist_mlp.data import DataConfig, DataProblem, load_dataset
from projects.emnist_mlp.data.dataset import BALANCED_CLASSES
from projects.emnist_mlp.data.emnist import prepare_emnist, read_folder
from tests.conftest import ROOT
from tests.projects.emnist_mlp.files import arrays, idx_bytes, idx_files, write, write_mat
from tests.projects.files.loopback import Site, serve

SHARED = Path(os.environ.get("ROTHAMSTED_REAL_DATA", ROOT.parent / "shared" / "data"))
REAL, REAL_MNIST = SHARED / "emnist_balanced47", SHARED / "mnist"
WAY_OUT = "or set data.path to a folder that holds them"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def archive(files: dict[str, bytes]) -> bytes:
    """A zip archive with the files in a folder of its own, as the published one has them."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        for name, content in files.items():
            packed.writestr(f"gzip/{name}", content)
        packed.writestr("gzip/emnist-letters-train-images-idx3-ubyte.gz", b"another set")
    return data.getvalue()


def message(folder: Path) -> str:
    with pytest.raises(DataProblem) as caught:
        load_dataset(DataConfig(name="emnist", path=str(folder)))
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_images_come_upright_and_labels_stay_with_them(tmp_path: Path) -> None:
    # The official files hold each image with lines and columns exchanged (Cohen et al., arXiv:1702.05373).
    source, raw = read_folder(write(tmp_path, idx_files())), arrays()
    np.testing.assert_array_equal(source.train.x, raw["train-images-idx3-ubyte"].transpose(0, 2, 1))
    assert source.train.y.tolist() == list(range(47)) * 4
    assert source.classes == BALANCED_CLASSES


@pytest.mark.parametrize("kind", ["other stem", "raw", "other spelling", "matlab"])
def test_every_kind_of_file_gives_the_same_rows(kind: str, tmp_path: Path) -> None:
    files = {
        "other stem": idx_files("emnist47-balanced"),
        "raw": {name.removesuffix(".gz"): gzip.decompress(data) for name, data in idx_files().items()},
        "other spelling": {name.replace("-idx", ".idx"): data for name, data in idx_files().items()},
        "matlab": {},
    }[kind]
    folder = write(tmp_path / "other", files)
    if kind == "matlab":
        write_mat(folder / "emnist-balanced.mat")
    plain = write(tmp_path / "plain", idx_files())
    digests = {load_dataset(DataConfig(name="emnist", path=str(path))).digest for path in (plain, folder)}
    assert len(digests) == 1


def test_mnist_is_upright_in_its_files_and_has_ten_classes(tmp_path: Path) -> None:
    raw = arrays(n_classes=10)
    names = {name.replace("test-", "t10k-"): array for name, array in raw.items()}
    write(tmp_path, {name: idx_bytes(array) for name, array in names.items()})
    data = load_dataset(DataConfig(name="mnist", path=str(tmp_path), n_validation=10))
    np.testing.assert_array_equal(data.test.x, raw["test-images-idx3-ubyte"])
    assert data.classes == tuple("0123456789")
    assert (len(data.train.y), len(data.validation.y)) == (30, 10)


def test_a_split_holds_each_class_equally_and_no_row_twice(tmp_path: Path) -> None:
    # By hand: 47 classes of 4 rows; 47 for validation are one of each, 94 to train on are two of each.
    folder = write(tmp_path, idx_files())
    data = load_dataset(DataConfig(name="emnist", path=str(folder), n_validation=47, n_train=94))
    assert np.bincount(data.validation.y).tolist() == [1] * 47
    assert np.bincount(data.train.y).tolist() == [2] * 47
    rows = {row.tobytes() for row in [*data.train.x, *data.validation.x]}
    assert len(rows) == 47 + 94


def test_validation_does_not_depend_on_the_number_of_training_rows(tmp_path: Path) -> None:
    folder = str(write(tmp_path, idx_files()))
    few, all_rows = (load_dataset(DataConfig(name="emnist", path=folder, n_train=n)) for n in (20, None))
    np.testing.assert_array_equal(few.validation.x, all_rows.validation.x)
    assert {row.tobytes() for row in few.train.x} <= {row.tobytes() for row in all_rows.train.x}


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"train_labels": np.full(188, 47)}, "labels of 47 classes are whole numbers from 0 to 46, got 47"),
        ({"train_labels": np.zeros(187)}, "there are 188 images, so there must be as many labels, got shape (187,)"),
        ({"train_images": np.zeros((188, 28, 28, 3))}, "(n, 28, 28), one channel, got uint8 of shape (188, 28, 28, 3)"),
        ({"test_images": np.zeros((47, 32, 32))}, "one channel, got uint8 of shape (47, 32, 32)"),
        ({"test_images": np.zeros((0, 28, 28)), "test_labels": np.zeros(0)}, "holds no image"),
    ],
    ids=["label out of range", "labels missing", "channels", "size", "empty"],
)
def test_files_that_do_not_fit_are_told_apart(changed: dict[str, np.ndarray], rule: str, tmp_path: Path) -> None:
    text = message(write(tmp_path, idx_files(**changed)))
    assert text.startswith(f"{tmp_path}/emnist-balanced-")
    assert rule in text
    assert text.endswith(WAY_OUT)


def test_one_class_is_refused(tmp_path: Path) -> None:
    text = message(write(tmp_path, idx_files(train_labels=np.full(188, 3))))
    assert text == "data: the 188 training rows have 1 class; a classifier needs two or more: add images"


def test_images_of_one_grey_are_refused(tmp_path: Path) -> None:
    from tests.projects.emnist_mlp.training import quick, run

    folder = write(tmp_path, idx_files(train_images=np.full((188, 28, 28), 51)))
    with pytest.raises(DataProblem, match=r"all training pixels of 'emnist' have one grey, 0\.2; give other images"):
        run([quick(data={"name": "emnist", "path": str(folder)})])


def test_a_folder_without_files_says_where_they_come_from(tmp_path: Path) -> None:
    text = message(tmp_path)
    assert text.startswith(f"{tmp_path}: holds neither *balanced-train-images-idx3-ubyte[.gz] nor emnist-balanced.mat")
    assert "prepare_data -P dataset=emnist" in text


def test_a_missing_or_cut_off_file_is_named(tmp_path: Path) -> None:
    files = idx_files()
    cut = {
        **files,
        "emnist-balanced-test-images-idx3-ubyte.gz": files["emnist-balanced-test-images-idx3-ubyte.gz"][:-99],
    }
    assert "emnist-balanced-test-images-idx3-ubyte.gz: is damaged or of another kind" in message(
        write(tmp_path / "cut", cut)
    )
    del files["emnist-balanced-train-labels-idx1-ubyte.gz"]
    assert "holds no emnist-balanced-train-labels-idx1-ubyte[.gz]" in message(write(tmp_path / "missing", files))


def test_two_sets_in_one_folder_are_refused(tmp_path: Path) -> None:
    text = message(write(tmp_path, {**idx_files(), **idx_files("emnist47-balanced")}))
    assert "training images of several sets, emnist-balanced, emnist47-balanced; leave one of them there" in text


@pytest.mark.parametrize("content", [b"no Matlab file", None], ids=["damaged", "other layout"])
def test_a_matlab_file_of_another_kind_is_one_line(content: bytes | None, tmp_path: Path) -> None:
    from scipy.io import savemat

    path = tmp_path / "emnist-balanced.mat"
    if content is None:
        savemat(path, {"dataset": {"train": np.zeros(3)}})
    else:
        path.write_bytes(content)
    assert message(tmp_path).startswith(f"{path}: is damaged or of another kind")


@pytest.mark.parametrize("by", ["address of the study", "address as source"])
def test_preparing_downloads_the_archive_and_takes_the_four_files(by: str, tmp_path: Path) -> None:
    data = archive(idx_files())
    md5 = hashlib.md5(data).hexdigest()
    with serve(Site(files={"gzip.zip": data})) as server:
        url = f"{server.url}/gzip.zip"
        source = url if by == "address as source" else None
        target = prepare_emnist(source, tmp_path / "target", url=url, md5=md5)
        prepare_emnist(source, target, url=url, md5=md5)
        assert len(server.ranges) == 1  # what is there is not fetched again
    assert sorted(path.name for path in target.iterdir()) == sorted(idx_files())
    plain = write(tmp_path / "plain", idx_files())
    digests = {load_dataset(DataConfig(name="emnist", path=str(path))).digest for path in (plain, target)}
    assert len(digests) == 1


def test_preparing_refuses_an_archive_with_another_checksum(tmp_path: Path) -> None:
    with serve(Site(files={"gzip.zip": archive(idx_files())})) as server:
        url = f"{server.url}/gzip.zip"
        with pytest.raises(DataProblem, match=r"the file has the md5 .*, expected 58c8d27c78d21e728a6bc7b3cc06412e"):
            prepare_emnist(None, tmp_path, url=url)


def test_preparing_unpacks_an_archive_that_is_there_and_copies_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "gzip.zip"
    path.write_bytes(archive(idx_files()))
    unpacked = prepare_emnist(str(path), tmp_path / "unpacked")
    copied = prepare_emnist(str(unpacked), tmp_path / "copied")
    assert path.is_file()
    assert {p.name: p.read_bytes() for p in copied.iterdir()} == idx_files()
    (tmp_path / "matlab").mkdir()
    write_mat(tmp_path / "matlab" / "emnist-balanced.mat")
    assert [p.name for p in prepare_emnist(str(tmp_path / "matlab"), tmp_path / "m").iterdir()] == [
        "emnist-balanced.mat"
    ]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"no archive", r"is damaged or of another kind \(File is not a zip file"),
        (archive({}), "holds no emnist-balanced-train-images"),
    ],
    ids=["damaged", "of another set"],
)
def test_preparing_refuses_another_archive(content: bytes, rule: str, tmp_path: Path) -> None:
    (tmp_path / "gzip.zip").write_bytes(content)
    with pytest.raises(DataProblem, match=rule):
        prepare_emnist(str(tmp_path / "gzip.zip"), tmp_path / "target")


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ({"path": "somewhere"}, "path='somewhere' has no effect on data set 'fonts'"),
        ({"name": "emnist", "per_class": 5}, "per_class=5 has no effect on data set 'emnist'"),
        ({"name": "cifar"}, "'fonts', 'emnist' or 'mnist'"),
        ({"n_train": 0}, "greater than or equal to 1"),
    ],
)
def test_a_bad_setting_is_refused_with_its_rule(setting: dict, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        DataConfig.model_validate(setting)


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="no folder emnist_balanced47 in ROTHAMSTED_REAL_DATA or ../shared/data")
class TestRealFiles:
    def test_the_classes_are_balanced_and_as_many_as_stated(self) -> None:
        # The data's own README: 22,842 training rows, 486 a class, and 4,700 test rows, 100 a class.
        source = read_folder(REAL)
        assert np.bincount(source.train.y).tolist() == [486] * 47
        assert np.bincount(source.test.y).tolist() == [100] * 47

    def test_letters_are_upright(self) -> None:
        # An upright L has its bar at the bottom, a T at the top; lying on their side they would be alike above and
        # below. Means over 486 images each, without the middle eight lines.
        source = read_folder(REAL)
        mean = {c: source.train.x[source.train.y == BALANCED_CLASSES.index(c)].mean(axis=0) for c in "LT"}
        assert mean["L"][18:].sum() > 1.2 * mean["L"][:10].sum()
        assert mean["T"][:10].sum() > 1.2 * mean["T"][18:].sum()

    def test_the_mapping_is_the_one_that_comes_with_the_files(self) -> None:
        lines = (REAL / "emnist-balanced-mapping.txt").read_text().split("\n")
        found = [chr(int(line.split()[1])) for line in lines if line.strip()]
        assert tuple(found) == BALANCED_CLASSES
