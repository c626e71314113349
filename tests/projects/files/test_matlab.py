"""Matlab's files: read as SciPy reads them, and refused where SciPy takes the memory that a size promises, or ends."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from projects.files.matlab import MOST_NAMES, read_matlab
from projects.files.problem import DataProblem

WAY_OUT = "do this"
TYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")


def refusal(path: Path, *names: str) -> str:
    """The one printable line that the file is refused with."""
    with pytest.raises(DataProblem) as caught:
        read_matlab(path, names or ["x"], way_out=WAY_OUT)
    line = str(caught.value)
    assert line.isprintable()
    assert line.startswith(f"{path}: ")
    assert line.endswith(WAY_OUT)
    return line


def element(kind: int, data: bytes, order: str = "<", size: int | None = None) -> bytes:
    """An element of the format, filled up to 8 bytes; `size` is what it promises."""
    return struct.pack(f"{order}II", kind, len(data) if size is None else size) + data + b"\0" * (-len(data) % 8)


def file(*elements: bytes, order: str = "<") -> bytes:
    """A file of version 5, by hand after 'MAT-File Format'."""
    return b"MATLAB 5.0".ljust(124) + (b"\0\1IM" if order == "<" else b"\1\0MI") + b"".join(elements)


def matrix(name: bytes, shape: tuple[int, ...], values: bytes, kind: int = 6, order: str = "<") -> bytes:
    """An array: flags, dimensions, name, and an element of values."""
    flags = element(6, struct.pack(f"{order}II", kind, 0), order)
    sizes = element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    return element(14, flags + sizes + element(1, name, order) + values, order)


@pytest.mark.parametrize("is_packed", [True, False])
def test_arrays_are_what_scipy_reads(is_packed: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {f"x{kind}": (100 * rng.random((2, 3, 4))).astype(kind) for kind in TYPES}
    nested: dict[str, Any] = {"empty": np.zeros((0, 3)), "short": np.uint8([[7]]), "text": "no number", "more": arrays}
    savemat(tmp_path / "a.mat", {"data": nested, "other": ["a", 1], **arrays}, do_compression=is_packed)
    names = [*arrays, "data.empty", "data.short", *(f"data.more.{name}" for name in arrays)]
    found = read_matlab(tmp_path / "a.mat", names, way_out=WAY_OUT)
    plain = loadmat(tmp_path / "a.mat")
    structs = plain["data"][0, 0]
    for name in names:
        whole, _, last = name.rpartition(".")
        wanted = {"": plain, "data": structs, "data.more": structs["more"][0, 0]}[whole][last]
        np.testing.assert_array_equal(found[name], wanted, strict=True)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes_and_values_kept_shorter_are_read(order: str, tmp_path: Path) -> None:
    # By hand: a double array [1 3; 2 4], which Matlab keeps as bytes, columns first, in one small element.
    small = struct.pack(f"{order}HH" if order == ">" else "<HH", *((4, 2) if order == ">" else (2, 4))) + bytes(
        [1, 2, 3, 4]
    )
    path = tmp_path / "a.mat"
    path.write_bytes(file(matrix(b"x", (2, 2), small, order=order), order=order))
    [found] = read_matlab(path, ["x"], way_out=WAY_OUT).values()
    assert found.tolist() == [[1, 3], [2, 4]]
    assert found.tolist() == loadmat(path)["x"].tolist()


@pytest.mark.parametrize("shape", [(2**31 - 1, 2**31 - 1), (2**30, 1), (2, 3), (-1, 4), (4, -(2**31)), (0, 2**31 - 1)])
def test_a_shape_that_the_bytes_do_not_fill_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(file(matrix(b"x", shape, element(2, bytes(4)))))
    assert "shape" in refusal(path)


@pytest.mark.parametrize("size", [2**32 - 1, 2**31, 2**20, 9])
def test_an_element_that_promises_more_than_follows_is_refused(size: int, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(file(matrix(b"x", (8, 1), element(2, bytes(8), size=size))))
    assert f"promises {size} bytes" in refusal(path)
    path.write_bytes(file(element(14, bytes(8), size=size)))
    assert f"promises {size} bytes" in refusal(path)


def test_what_unpacks_to_too_much_or_goes_on_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    whole = matrix(b"x", (100 << 20, 1), element(2, bytes(100 << 20)))
    path.write_bytes(file(element(15, zlib.compress(whole))))
    assert "unpacks to more" in refusal(path)
    small = zlib.compress(matrix(b"x", (4, 1), element(2, bytes(4))))
    for packed in (small[:-5], small + b"more"):
        path.write_bytes(file(struct.pack("<II", 15, len(packed)) + packed))
        assert "is cut off, or goes on" in refusal(path)
    path.write_bytes(file(struct.pack("<II", 15, len(small)) + small))
    assert read_matlab(path, ["x"], way_out=WAY_OUT)["x"].shape == (4, 1)


def test_structs_in_structs_and_many_variables_take_no_time(tmp_path: Path) -> None:
    """A thousand levels: only the way to what is asked for is walked."""
    path, deep = tmp_path / "a.mat", matrix(b"", (1, 1), element(2, b"\1"))
    for _ in range(1000):
        names = element(5, struct.pack("<i", 2)) + element(1, b"a\0")
        deep = matrix(b"", (1, 1), names + deep, kind=2)
    top = element(5, struct.pack("<i", 2)) + element(1, b"a\0") + deep
    path.write_bytes(file(matrix(b"x", (1, 1), top, kind=2)))
    assert "x must be an array of real numbers" in refusal(path)
    assert "x.a.a.a must be an array of real numbers" in refusal(path, "x.a.a.a")
    one = matrix(b"", (1, 1), element(2, b"\1"))
    path.write_bytes(file(one, one))
    assert "given twice" in refusal(path)
    path.write_bytes(file(*(matrix(b"%d" % n, (1, 1), element(2, b"\1")) for n in range(MOST_NAMES + 1))))
    assert f"more than {MOST_NAMES}" in refusal(path)


def test_other_versions_and_what_is_no_number_say_so(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + b"\x89HDF\r\n\x1a\n")
    assert "save it by `save -v7`" in refusal(path)
    savemat(path, {"x": np.ones(3)}, format="4")
    assert "save it by `save -v7`" in refusal(path)
    savemat(path, {"x": np.ones(3) + 1j, "t": "text", "c": ["a", 1], "s": {"y": 1}})
    for name in ("x", "t", "c", "s"):
        assert f"{name} must be an array of real numbers" in refusal(path, name)
    assert "it has no array s.z, only y" in refusal(path, "s.z")
    assert "it has no array z, only x, t, c, s" in refusal(path, "z")
    assert "t must be one struct" in refusal(path, "t.y")
