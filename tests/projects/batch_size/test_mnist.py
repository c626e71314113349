"""MNIST: IDX files whole and damaged, preparing a folder, and the real files where they are at hand."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from projects.batch_size.data import DataConfig, DataProblem, load_dataset
from projects.batch_size.data.mnist import FILES, PACKED, prepare_mnist
from projects.files.idx import read_idx
from tests.projects.files.loopback import Site, serve

ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("ROTHAMSTED_REAL_DATA", ROOT.parent / "shared" / "data")) / "mnist"
WAY_OUT = "run: mlflow run . -e prepare_data -P dataset=mnist -P source=DIR"
TYPE_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}

real_data = [
    pytest.mark.real_data,
    pytest.mark.skipif(not REAL.is_dir(), reason="no folder mnist in ROTHAMSTED_REAL_DATA or ../shared/data"),
]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def idx_bytes(array: np.ndarray) -> bytes:
    """The bytes of an IDX file, from the format's description."""
    kind = array.dtype.str[1:]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, TYPE_CODES[kind], array.ndim, *array.shape)
    return header + array.astype(f">{kind}").tobytes()


def small_files() -> dict[str, bytes]:
    """Four files of MNIST's form: 40 and 20 random images."""
    rng = np.random.default_rng(0)
    files = {}
    for part, n in (("train", 40), ("t10k", 20)):
        files[f"{part}-images-idx3-ubyte"] = idx_bytes(rng.integers(0, 256, (n, 28, 28)).astype(np.uint8))
        files[f"{part}-labels-idx1-ubyte"] = idx_bytes((np.arange(n) % 10).astype(np.uint8))
    return files


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def md5s(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.md5(data).hexdigest() for name, data in files.items()}


def mnist(folder: Path, **settings: object) -> DataConfig:
    return DataConfig.model_validate({"name": "mnist", "path": str(folder), **settings})


def message(folder: Path) -> str:
    with pytest.raises(DataProblem) as caught:
        load_dataset(mnist(folder))
    return str(caught.value)


@pytest.mark.parametrize("kind", sorted(TYPE_CODES))
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "packed"])
def test_an_array_comes_back_from_idx(kind: str, pack: type, tmp_path: Path) -> None:
    array = np.arange(-3, 21).reshape(2, 3, 4).astype(kind)  # u1 wraps: its own values come back
    (tmp_path / "a").write_bytes(pack(idx_bytes(array)))
    found = read_idx(tmp_path / "a", way_out="")
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "not an IDX file"),
        (b"\x89PNG\r\n", "not an IDX file: it starts with 0x89504e47"),
        (b"\0\0\x08\x02\0\0", "cut off in its header at byte 6 of 12"),
        (b"\0\0\x08\x01\0\0\0\x05abcd", r"states the shape \(5,\), so 13 bytes, got 12"),
        (b"\0\0\x08\x01\0\0\0\x03abcd", r"states the shape \(3,\), so 11 bytes, got more"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x04abcd")[:-9], r"is damaged or of another kind"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x04abcd")[:-8] + b"01234567", r"is damaged or of another kind"),
    ],
    ids=["empty", "image", "short header", "too short", "too long", "cut gzip", "gzip checksum"],
)
def test_a_damaged_idx_file_is_told_apart(data: bytes, rule: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DataProblem, match=rf"/a: .*{rule}.*; do this$"):
        read_idx(tmp_path / "a", way_out="do this")


@pytest.mark.parametrize("spelling", ["-idx", ".idx"])
@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress)])
def test_every_spelling_is_read(spelling: str, suffix: str, pack: type, tmp_path: Path) -> None:
    files = {name.replace("-idx", spelling) + suffix: pack(data) for name, data in small_files().items()}
    plain = load_dataset(mnist(write(tmp_path / "plain", small_files())))
    assert load_dataset(mnist(write(tmp_path / "other", files))).digest == plain.digest


def test_images_are_flattened_and_standardised(tmp_path: Path) -> None:
    files = small_files()
    data = load_dataset(mnist(write(tmp_path, files)))
    # By hand from the bytes: pixel / 255, less 0.1307, divided by 0.3081, row by row.
    pixels = np.frombuffer(files["t10k-images-idx3-ubyte"][16:], np.uint8).reshape(20, 784)
    assert np.allclose(data.val_x, (pixels / 255 - 0.1307) / 0.3081, atol=1e-5)


def test_labels_stay_with_their_images(tmp_path: Path) -> None:
    data = load_dataset(mnist(write(tmp_path, small_files())))
    assert data.train_y.tolist() == [i % 10 for i in range(40)]


def test_a_subset_is_stratified_and_keeps_its_labels(tmp_path: Path) -> None:
    folder = write(tmp_path, small_files())
    whole, part = load_dataset(mnist(folder)), load_dataset(mnist(folder, n_train=20, n_val=10))
    label_of = {row.tobytes(): label for row, label in zip(whole.train_x, whole.train_y, strict=True)}
    assert [label_of[row.tobytes()] for row in part.train_x] == part.train_y.tolist()
    # 40 rows hold each class 4 times, so 20 of them hold each twice.
    assert np.bincount(part.train_y).tolist() == [2] * 10


def test_more_rows_than_there_are_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match=r"^data\.n_val: .* has 20 rows, got 21; ask for at most"):
        load_dataset(mnist(write(tmp_path, small_files()), n_val=21))


def test_a_relative_path_is_another_file_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = small_files()
    write(tmp_path / "a" / "data" / "mnist", files)
    write(tmp_path / "b" / "data" / "mnist", {**files, "train-images-idx3-ubyte": bytes_with_one_change(files)})
    digests = set()
    for name in ("a", "b"):
        monkeypatch.chdir(tmp_path / name)
        digests.add(load_dataset(DataConfig(name="mnist")).digest)
    assert len(digests) == 2


def bytes_with_one_change(files: dict[str, bytes]) -> bytes:
    data = bytearray(files["train-images-idx3-ubyte"])
    data[-1] ^= 1
    return bytes(data)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    files = small_files()
    del files[name]
    text = message(write(tmp_path, files))
    assert text.startswith(f"{tmp_path}: holds neither {name}[.gz] nor ")
    assert text.endswith(WAY_OUT)


def test_a_cut_off_file_says_what_to_do(tmp_path: Path) -> None:
    files = {f"{name}.gz": gzip.compress(data) for name, data in small_files().items()}
    files["train-images-idx3-ubyte.gz"] = files["train-images-idx3-ubyte.gz"][:-100]
    text = message(write(tmp_path, files))
    assert text.startswith(f"{tmp_path}/train-images-idx3-ubyte.gz: is damaged or of another kind")
    assert text.endswith(WAY_OUT)


@pytest.mark.parametrize(
    ("name", "array", "rule"),
    [
        ("train-labels-idx1-ubyte", np.zeros(39, np.uint8), "expected 40 labels"),
        (
            "t10k-labels-idx1-ubyte",
            np.full(20, 10, np.uint8),
            "are whole numbers from 0 to 9, got 10",
        ),
        ("train-images-idx3-ubyte", np.zeros((40, 8, 8), np.uint8), "expected bytes of shape"),
        ("train-images-idx3-ubyte", np.zeros((40, 28, 28), np.float32), "expected bytes of shape"),
    ],
)
def test_files_that_do_not_fit_are_told_apart(name: str, array: np.ndarray, rule: str, tmp_path: Path) -> None:
    text = message(write(tmp_path, {**small_files(), name: idx_bytes(array)}))
    assert text.startswith(f"{tmp_path}/{name}: ")
    assert rule in text


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress)])
def test_preparing_copies_a_folder(suffix: str, pack: type, tmp_path: Path) -> None:
    files = small_files()
    source = write(tmp_path / "source", {name + suffix: pack(data) for name, data in files.items()})
    target = prepare_mnist(str(source), tmp_path / "target", files=md5s(files))
    assert load_dataset(mnist(target)).digest == load_dataset(mnist(source)).digest


def test_preparing_into_the_source_itself_keeps_it(tmp_path: Path) -> None:
    files = small_files()
    folder = write(tmp_path, files)
    prepare_mnist(str(folder), folder, files=md5s(files))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_preparing_refuses_other_content(tmp_path: Path) -> None:
    files = small_files()
    source = write(tmp_path / "source", {**files, "train-images-idx3-ubyte": bytes_with_one_change(files)})
    with pytest.raises(DataProblem, match=r"/train-images-idx3-ubyte: its content has the md5 .*, MNIST's has"):
        prepare_mnist(str(source), tmp_path / "target", files=md5s(files))


@pytest.mark.parametrize("by", ["url", "source"])
def test_preparing_downloads_from_an_address(by: str, tmp_path: Path) -> None:
    files = small_files()
    packed = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in files.items()}
    sums = {name: hashlib.md5(packed[f"{name}.gz"]).hexdigest() for name in files}
    with serve(Site(files=packed)) as server:
        source, url = (server.url, None) if by == "source" else ("", f"{server.url}/")
        target = prepare_mnist(source, tmp_path / "target", url=url, files=md5s(files), packed=sums)
    assert load_dataset(mnist(target)).digest == load_dataset(mnist(write(tmp_path / "raw", files))).digest


def test_a_download_that_fails_names_the_way_by_hand(tmp_path: Path) -> None:
    with serve(Site(files={})) as server, pytest.raises(DataProblem) as caught:
        prepare_mnist(None, tmp_path, url=server.url)
    text = str(caught.value)
    assert text.startswith(f"{server.url}/train-images-idx3-ubyte.gz: the server answered 404")
    assert text.endswith(WAY_OUT)
    assert "\n" not in text


class TestRealFiles:
    pytestmark = real_data

    def test_mnist_has_its_published_size(self) -> None:
        # LeCun, Cortes, Burges: 60,000 training and 10,000 test images of 28 x 28.
        data = load_dataset(mnist(REAL))
        assert (data.train_x.shape, data.val_x.shape) == ((60_000, 784), (10_000, 784))

    def test_the_training_images_have_the_published_mean_and_deviation(self) -> None:
        # 0.1307 and 0.3081, as known from the four-digit constants of PyTorch's MNIST example.
        x = load_dataset(mnist(REAL)).train_x.astype(np.float64) * 0.3081 + 0.1307
        assert (x.mean(), x.std()) == pytest.approx((0.1307, 0.3081), abs=5e-5)

    def test_the_labels_are_counted_as_published(self) -> None:
        # The first ten training labels and the counts of the test classes of the original files.
        data = load_dataset(mnist(REAL))
        assert data.train_y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
        assert np.bincount(data.val_y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]

    def test_the_packed_files_have_the_known_checksums(self) -> None:
        # The md5 of the four original files, as torchvision publishes them.
        found = {name: hashlib.md5((REAL / f"{name}.gz").read_bytes()).hexdigest() for name in PACKED}
        assert found == PACKED

    def test_the_real_files_pass_preparation(self, tmp_path: Path) -> None:
        target = prepare_mnist(str(REAL), tmp_path)
        assert sorted(path.name for path in target.iterdir()) == sorted(f"{name}.gz" for name in FILES)
