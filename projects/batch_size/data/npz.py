"""Arrays in .npz files, read and written in blocks: MNIST-1M is larger than the memory it should cost.

`numpy.load` unpacks a whole member; a block at a time is enough to standardise, choose rows or copy.
"""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from projects.files.problem import DataProblem

_BLOCK_BYTES = 1 << 24
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of the format: equal arrays give equal files


@dataclass(frozen=True, kw_only=True)
class StoredArray:
    """An array in a .npz file that has not been read yet."""

    path: Path
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype
    way_out: str  # what to do about a damaged file

    def blocks(self) -> Iterator[np.ndarray]:
        """The array from first row to last, in blocks of about 16 MB.

        Raises:
            DataProblem: the file cannot be read, is cut off or fails its checksum.
        """
        row_shape = self.shape[1:]
        row_bytes = max(1, self.dtype.itemsize * int(np.prod(row_shape, dtype=np.int64)))
        block_rows = max(1, _BLOCK_BYTES // row_bytes)
        with _member(self.path, self.key, self.way_out) as file:
            _read_header(file)
            for start in range(0, self.shape[0], block_rows):
                n_rows = min(block_rows, self.shape[0] - start)
                data = file.read(n_rows * row_bytes)
                if len(data) < n_rows * row_bytes:
                    raise EOFError(f"array {self.key!r} ends before row {start + n_rows}")
                yield np.frombuffer(data, self.dtype).reshape(n_rows, *row_shape)
            if file.read(1):  # reading to the end also has the member's checksum compared
                raise ValueError(f"array {self.key!r} goes on after its last row")


def open_array(path: Path, key: str, *, way_out: str) -> StoredArray:
    """Read the header of one array.

    Args:
        path: the .npz file.
        key: the array's name in it.
        way_out: what to do about a damaged file; ends the message.

    Returns:
        Shape and type, and blocks on request.

    Raises:
        DataProblem: the file is missing or damaged, has no such array, or holds Python objects.
    """
    with _member(path, key, way_out) as file:
        shape, is_fortran, dtype = _read_header(file)
    if not shape or dtype.hasobject or (is_fortran and len(shape) > 1):
        raise DataProblem(f"{path}: array {key!r} must hold numbers in rows (C order), got {dtype} {shape}; {way_out}")
    return StoredArray(path=path, key=key, shape=shape, dtype=dtype, way_out=way_out)


def pack_npz(target: Path, arrays: Mapping[str, Path]) -> None:
    """Bind .npy files into one .npz, unpacked inside, and give it its name when it is complete.

    Args:
        target: the file to write.
        arrays: name of each array and the .npy file that holds it.
    """
    part = target.with_name(target.name + ".part")
    with part.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for key, path in arrays.items():
                member = zipfile.ZipInfo(f"{key}.npy", _EPOCH)
                with path.open("rb") as read, archive.open(member, "w", force_zip64=True) as write:
                    shutil.copyfileobj(read, write, _BLOCK_BYTES)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


@contextmanager
def _member(path: Path, key: str, way_out: str) -> Iterator[IO[bytes]]:
    """One member of a .npz, open, with every way in which reading it can fail made one line."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = f"{key}.npy"
            if name not in archive.namelist():
                known = ", ".join(member.removesuffix(".npy") for member in archive.namelist()) or "none"
                raise DataProblem(f"{path}: has no array {key!r}, only {known}; {way_out}")
            with archive.open(name) as file:
                yield file
    except (zipfile.BadZipFile, EOFError, zlib.error, ValueError, RuntimeError) as error:
        raise DataProblem(f"{path}: is damaged or cut off ({error}); {way_out}") from error
    except OSError as error:
        raise DataProblem(f"{path}: cannot be read ({error.strerror or error}); {way_out}") from error


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)
