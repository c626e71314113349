"""Read arrays from .npy and .npz files, never unpickled, with sizes checked against the file before memory is used."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from projects.files.archive import open_member, open_zip
from projects.files.problem import DataProblem
from projects.files.reading import open_file, reading, size_of

BLOCK_BYTES = 1 << 24
_MOST_NAMED = 10  # arrays of a file in a message
_ZIP_MAGIC, _NPY_MAGIC = b"PK\x03\x04", b"\x93NUMPY"


@dataclass(frozen=True, kw_only=True)
class StoredArray:
    """Describes an array in a .npz file that has not been read yet."""

    path: Path
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype
    is_fortran: bool  # its first index runs fastest
    way_out: str  # what to do about a damaged file

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the array from first row to last, in blocks of about 16 MB.

        It has rows, and its last index runs fastest.

        Raises:
            DataProblem: the file cannot be read, is cut off or fails its checksum.
        """
        row_shape = self.shape[1:]
        row_bytes = max(1, self.dtype.itemsize * math.prod(row_shape))
        block_rows = max(1, BLOCK_BYTES // row_bytes)
        with _member(self.path, self.key, self.way_out) as (file, _):
            _read_header(file)
            for start in range(0, self.shape[0], block_rows):
                n_rows = min(block_rows, self.shape[0] - start)
                data = file.read(n_rows * row_bytes)
                if len(data) < n_rows * row_bytes:
                    raise EOFError(f"array {self.key!r} ends before row {start + n_rows}")
                yield np.frombuffer(data, self.dtype).reshape(n_rows, *row_shape)
            if file.read(1):  # reading to the end also has the member's checksum compared
                raise ValueError(f"array {self.key!r} goes on after its last row")

    def read(self) -> np.ndarray:
        """Read the whole array; errors as in `blocks`."""
        with _member(self.path, self.key, self.way_out) as (file, _):
            _read_header(file)
            content = file.read()
            values = np.frombuffer(bytearray(content), self.dtype)
            return values.reshape(self.shape, order="F" if self.is_fortran else "C")


def open_array(path: Path, key: str, *, way_out: str) -> StoredArray:
    """Read the header of one array of a .npz file, which has rows.

    Args:
        path: the .npz file.
        key: the array's name in it.
        way_out: what to do about a damaged file; ends the message.

    Returns:
        Shape and type, and blocks on request.

    Raises:
        DataProblem: the file is missing or damaged, has no such array, or the array has no rows of numbers, or differs
            from its header.
    """
    stored = _stored(path, key, way_out)
    if not stored.shape or (stored.is_fortran and len(stored.shape) > 1):
        raise DataProblem(
            f"{path}: array {key!r} must hold numbers in rows (C order), got {stored.dtype} {stored.shape}; {way_out}"
        )
    return stored


def read_npz(path: Path, *, way_out: str, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Read arrays of a .npz file.

    Args:
        path: the file.
        way_out: ends the message.
        names: of the arrays to read; None: of all.

    Raises:
        DataProblem: it cannot be read, has another format, lacks an array, or an array holds Python objects.
    """
    _check_kind(path, _ZIP_MAGIC, "a .npz archive", way_out)
    if names is None:
        with open_zip(path, way_out=way_out) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
    return {name: _stored(path, name, way_out).read() for name in names}


def read_npy(path: Path, *, way_out: str, is_mapped: bool = False) -> np.ndarray:
    """Read the array of a .npy file.

    Args:
        path: the file.
        way_out: ends the message.
        is_mapped: leave the values in the file and read them where they are used.

    Raises:
        DataProblem: it cannot be read, has another format, holds Python objects, or has fewer values than its header
            says.
    """
    _check_kind(path, _NPY_MAGIC, "one .npy array", way_out)
    with reading(path, way_out=way_out), open_file(path, way_out=way_out) as file:
        shape, is_fortran, dtype = _read_header(file)
        start, n_bytes = file.tell(), math.prod(shape) * dtype.itemsize
        if size_of(file) - start < n_bytes:
            raise ValueError(f"it promises the shape {shape} of {dtype}, and has {size_of(file) - start} bytes")
        if is_mapped and n_bytes:
            order = "F" if is_fortran else "C"
            return np.memmap(file, dtype, mode="r", offset=start, shape=shape, order=order)
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)


def is_npz(path: Path, *, way_out: str) -> bool:
    """Say whether a file is a .npz archive, by its first bytes; errors as in `read_npy`."""
    with open_file(path, way_out=way_out) as file, reading(path, way_out=way_out):
        return file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC


def _check_kind(path: Path, magic: bytes, kind: str, way_out: str) -> None:
    """Tell .npy and .npz apart by their first bytes: files are often given the other name."""
    with open_file(path, way_out=way_out) as file, reading(path, way_out=way_out):
        start = file.read(len(_NPY_MAGIC))
    other = {_ZIP_MAGIC: "one .npy array", _NPY_MAGIC: "a .npz archive of arrays"}[magic]
    if not start.startswith(magic) and start.startswith((_ZIP_MAGIC, _NPY_MAGIC)):
        raise DataProblem(f"{path}: must be {kind}, and is {other}, whatever its name says; {way_out}")


def _stored(path: Path, key: str, way_out: str) -> StoredArray:
    with _member(path, key, way_out) as (file, n_bytes):
        shape, is_fortran, dtype = _read_header(file)
        left = n_bytes - file.tell()
        if math.prod(shape) * dtype.itemsize != left:
            raise ValueError(f"array {key!r} promises the shape {shape} of {dtype}, and has {left} bytes")
    return StoredArray(path=path, key=key, shape=shape, dtype=dtype, is_fortran=is_fortran, way_out=way_out)


@contextmanager
def _member(path: Path, key: str, way_out: str) -> Iterator[tuple[IO[bytes], int]]:
    """One member of a .npz, open, and its size; every way in which reading it can fail is one line."""
    with open_zip(path, way_out=way_out) as archive:
        name = f"{key}.npy"
        if name not in archive.namelist():
            known = ", ".join(member.removesuffix(".npy") for member in archive.namelist()[:_MOST_NAMED]) or "none"
            raise DataProblem(f"{path}: has no array {key!r}, only {known}; {way_out}")
        with open_member(archive, name) as file:
            yield file, archive.getinfo(name).file_size


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the first index runs fastest, and type of the values that follow.

    Raises:
        ValueError: it is no header, or one of Python objects, empty values or a negative dimension.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"it is of version {version} of the format .npy, which NumPy does not know")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError(f"it holds Python objects ({dtype}), which are not unpickled: save plain numbers")
    if any(n < 0 for n in shape) or (dtype.itemsize == 0 and math.prod(shape)):
        raise ValueError(f"it promises the shape {shape} of {dtype}, which no array has")
    return shape, is_fortran, dtype
