"""Files that people have and files that are made to harm: each is one line with its name, at once."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import socket
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from projects.emnist_mlp.data.config import DataConfig
from projects.emnist_mlp.data.emnist import read_folder
from projects.emnist_mlp.data.mnist import read_mnist
from projects.files.archive import open_zip, read_member, read_tar
from projects.files.arrays import read_npy, read_npz
from projects.files.idx import read_idx
from projects.files.problem import DataProblem
from projects.files.reading import is_there, listed, open_file, read_bytes, read_json, read_text, read_unpacked
from projects.files.values import class_numbers, finite_numbers
from projects.image_classifier.data.decode import decode_image
from projects.language_model.data.text import read_stories
from tests.fuzz.made import idx, npy, npz

WAY_OUT = "do this"
READERS: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda path: read_bytes(path, way_out=WAY_OUT),
    "unpacked": lambda path: read_unpacked(path, way_out=WAY_OUT),
    "text": lambda path: read_text(path, way_out=WAY_OUT),
    "json": lambda path: read_json(path, way_out=WAY_OUT),
    "idx": lambda path: read_idx(path, way_out=WAY_OUT),
    "npy": lambda path: read_npy(path, way_out=WAY_OUT),
    "npz": lambda path: read_npz(path, way_out=WAY_OUT),
    "zip": lambda path: open_zip(path, way_out=WAY_OUT).__enter__(),
    "tar": lambda path: read_tar(path, {"a"}, most=10, way_out=WAY_OUT),
    "is there": lambda path: is_there(path, way_out=WAY_OUT),
}


def refusal(call: Callable[[], Any], path: Path | None = None) -> str:
    """The one printable line that a call refuses with; it names the file."""
    with pytest.raises(DataProblem) as caught:
        call()
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) <= 610
    assert path is None or path.name[:50] in line
    return line


@pytest.mark.parametrize("name", [name for name in READERS if name != "is there"])
@pytest.mark.parametrize("kind", ["nothing", "folder", "circle", "pipe", "socket", "device", "denied"])
def test_what_is_no_file_that_can_be_read_is_refused_and_nothing_waits(kind: str, name: str, tmp_path: Path) -> None:
    path = _odd(kind, tmp_path)
    rules = {"folder": "is a folder", "pipe": "is a pipe", "socket": "", "device": "is a device", "denied": "denied"}
    with _nobody() if kind == "denied" else nullcontext():
        assert rules.get(kind, "cannot be read") in refusal(lambda: READERS[name](path), path)


@contextmanager
def _nobody() -> Iterator[None]:
    """Root may read all files: be somebody else for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


def _odd(kind: str, folder: Path) -> Path:
    path = folder / "a"
    if kind == "folder":
        path.mkdir()
    if kind == "circle":
        path.symlink_to(folder / "b")
        (folder / "b").symlink_to(path)
    if kind == "pipe":
        os.mkfifo(path)
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
    if kind == "denied":
        path.write_bytes(b"x")
        path.chmod(0)
    return Path("/dev/zero") if kind == "device" else path


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("text", ["a\0b", "n" * 255 + "m", os.fsdecode(b"\xff\xfe")], ids=["NUL", "long", "no UTF-8"])
def test_a_name_that_no_file_can_have_is_one_printable_line(text: str, name: str, tmp_path: Path) -> None:
    if name == "is there" and text.startswith("\udcff"):
        assert not READERS[name](tmp_path / text)
    else:
        refusal(lambda: READERS[name](tmp_path / text))


def test_a_file_whose_name_is_no_utf_8_is_read_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.txt")
    path.write_text("a story")
    assert list(read_stories(path)) == ["a story"]


def test_links_in_a_circle_end_the_listing_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert [path.name for path in listed(tmp_path, "**/*", way_out=WAY_OUT)] == ["a", "up"]


@pytest.mark.parametrize("label", [np.nan, 0.5, -1.0, 10.0, np.inf])
def test_labels_of_an_idx_file_that_are_no_classes_are_refused(label: float, tmp_path: Path) -> None:
    """NaN became class -9223372036854775808, and 0.5 class 0."""
    labels = np.array([0.0, 1.0, label])
    for stem in ("train", "t10k"):
        (tmp_path / f"{stem}-images-idx3-ubyte").write_bytes(idx(np.zeros((3, 28, 28))))
        (tmp_path / f"{stem}-labels-idx1-ubyte").write_bytes(idx(labels, 0x0D))
    line = refusal(lambda: read_mnist(DataConfig(name="mnist", path=str(tmp_path))))
    assert f"labels-idx1-ubyte: labels of 10 classes are whole numbers from 0 to 9, got {label}" in line


@pytest.mark.parametrize(
    "labels",
    [np.array(["1"]), np.array([1j]), np.array([b"1"]), np.zeros(1, [("a", "i4")]), np.array([np.datetime64("2020")])],
    ids=["text", "complex", "bytes", "columns", "dates"],
)
def test_labels_and_numbers_of_another_type_are_refused(labels: np.ndarray) -> None:
    assert "labels must be whole numbers" in refusal(lambda: class_numbers(labels, 3, place="y", way_out=WAY_OUT))
    assert "must hold real numbers" in refusal(lambda: finite_numbers(labels, place="y", way_out=WAY_OUT))


def test_labels_of_a_matlab_file_that_are_text_or_halves_are_refused(tmp_path: Path) -> None:
    from scipy.io import savemat

    for labels in (np.array([0.5, 1.0]), np.array(["a", "b"])):
        rows = {"images": np.zeros((2, 784), np.uint8), "labels": labels.reshape(-1, 1)}
        savemat(tmp_path / "emnist-balanced.mat", {"dataset": {"train": rows, "test": rows}})
        assert "numbers" in refusal(lambda: read_folder(tmp_path))


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_header_that_promises_a_million_million_values_takes_no_memory(
    is_packed: bool, tmp_path: Path, memory_of_one_gigabyte: None
) -> None:
    head = bytes([0, 0, 0x0E, 2]) + (10**6).to_bytes(4, "big") * 2
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(head) if is_packed else head)
    assert "its header states the shape (1000000, 1000000)" in refusal(lambda: read_idx(path, way_out=WAY_OUT), path)
    data = npy(np.zeros(3))
    path.write_bytes(data.replace(b"(3,), }" + b" " * 12, b"(1000000000000,), }"))
    assert "promises the shape (1000000000000,)" in refusal(lambda: read_npy(path, way_out=WAY_OUT), path)


@pytest.fixture
def memory_of_one_gigabyte() -> Any:
    """Whoever takes more than 1 GB beyond what the process has gets a MemoryError."""
    import resource

    n_pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (n_pages * resource.getpagesize() + 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def test_arrays_under_the_other_name_are_told_apart(tmp_path: Path) -> None:
    one, several = tmp_path / "one.npz", tmp_path / "several.npy"
    one.write_bytes(npy(np.zeros(3)))
    several.write_bytes(npz(a=np.zeros(3)))
    assert "must be a .npz archive, and is one .npy array" in refusal(lambda: read_npz(one, way_out=WAY_OUT))
    assert "must be one .npy array, and is a .npz archive" in refusal(lambda: read_npy(several, way_out=WAY_OUT))


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    objects = np.array([Bomb()], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", a=objects)
    for name, read in (("a.npy", read_npy), ("a.npz", read_npz)):
        assert "Python objects" in refusal(lambda name=name, read=read: read(tmp_path / name, way_out=WAY_OUT))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("packer", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
def test_an_archive_that_is_cut_off_or_unpacks_to_too_much_is_refused(
    packer: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    out, path = io.BytesIO(), tmp_path / "a.tar"
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("a")
        info.size = 80 << 20
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    packed = packer(out.getvalue())
    path.write_bytes(packed)
    assert "more than a file of its size can hold" in refusal(lambda: read_tar(path, {"b"}, most=1, way_out=WAY_OUT))
    path.write_bytes(packed[: len(packed) // 2])
    refusal(lambda: read_tar(path, {"b"}, most=1, way_out=WAY_OUT), path)


def test_a_gzip_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(80 << 20)))
    assert "more than a file of its size can hold" in refusal(lambda: read_unpacked(path, way_out=WAY_OUT), path)
    assert "more than a file of its size can hold" in refusal(lambda: list(read_stories(path)), path)


@pytest.mark.parametrize("kind", ["large", "link", "encrypted"])
def test_a_member_of_a_zip_that_is_large_a_link_or_encrypted_is_refused(kind: str, tmp_path: Path) -> None:
    path, member = tmp_path / "a.zip", zipfile.ZipInfo("a")
    if kind == "link":
        member.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, bytes(80 << 20) if kind == "large" else b"/etc/passwd", zipfile.ZIP_DEFLATED)
    if kind == "encrypted":
        data = path.read_bytes()
        at = data.rfind(b"PK\x01\x02") + 8
        path.write_bytes(data[:at] + b"\x01" + data[at + 1 :])

    def read() -> None:
        with open_zip(path, way_out=WAY_OUT) as archive:
            read_member(archive, "a")

    words = {"large": "unpacks to", "link": "is a link", "encrypted": "is encrypted"}
    assert words[kind] in refusal(read, path)


def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            info = tarfile.TarInfo("../a")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        assert "must be a file" in refusal(lambda: READERS["tar"](tmp_path / "a.tar"))


def test_a_picture_that_another_program_would_open_is_refused(tmp_path: Path) -> None:
    """Pillow gives EPS to Ghostscript, whatever the file is called."""
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    found = decode_image(path, 16)
    assert isinstance(found, DataProblem)
    assert "it is not a picture in one of the formats" in str(found)


def test_a_picture_of_over_a_hundred_million_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 12000 12000 255\n")
    with warnings.catch_warnings(action="error"):  # one line is said, and no warning of Pillow's beside it
        found = decode_image(path, 16)
    assert isinstance(found, DataProblem)
    assert "12000x12000 pixels" in str(found)


def test_a_piece_of_a_picture_that_states_four_gigabytes_takes_no_memory(
    tmp_path: Path, memory_of_one_gigabyte: None
) -> None:
    """Pillow asked the file for as many bytes as a piece of a PNG says that it has."""
    from PIL import Image

    path, out = tmp_path / "a.png", io.BytesIO()
    Image.new("RGB", (28, 28)).save(out, "PNG")
    at = out.getvalue().index(b"IDAT") - 4
    path.write_bytes(out.getvalue()[:at] + b"\x7f" + out.getvalue()[at + 1 :])
    assert isinstance(decode_image(path, 16), np.ndarray)


def test_json_that_is_nested_too_deep_or_has_too_many_digits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text in ("[" * 100_000, "9" * 100_000):
        path.write_text(text)
        refusal(lambda: read_json(path, way_out=WAY_OUT), path)


def test_an_error_of_another_kind_is_not_taken_for_a_damaged_file(tmp_path: Path) -> None:
    """Who ends the program by hand is heard."""
    from projects.files.reading import reading

    with pytest.raises(KeyboardInterrupt), reading(tmp_path, way_out=WAY_OUT):
        raise KeyboardInterrupt


def test_a_file_is_closed_where_it_is_refused(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        refusal(lambda: open_file(tmp_path, way_out=WAY_OUT))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
