"""Read arrays from Matlab files of version 5 to 7.2; each size is checked against the file before it is used.

The format is that of 'MAT-File Format', The MathWorks (2023): a header of 128 bytes, then elements with type, size and
bytes; an array is an element made of elements. Only what is asked for is read.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from projects.files.reading import most_unpacked, open_file, reading, size_of

MOST_NAMES = 10_000  # variables of a file, fields of a struct: those of data sets have ten
_HEADER = 128
_ORDERS = {b"IM": "<", b"MI": ">"}  # the last bytes of the header -> the order of bytes
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15  # types of elements
_STRUCT, _NUMERIC = 2, range(6, 16)  # classes of arrays: double, single and whole numbers
_COMPLEX = 8  # of an array's flags
_MOST_DIMENSIONS = 32
_MOST_NAMED = 10  # arrays of a file in a message

Elements = Iterator[tuple[int, memoryview]]  # type and bytes of each


@dataclass(frozen=True, kw_only=True)
class _Array:
    """One array of a file, its values not read yet."""

    name: str
    kind: int  # its class
    is_complex: bool
    shape: tuple[int, ...]
    parts: Elements  # what comes after flags, dimensions and name: values, or names of fields and fields


def read_matlab(path: Path, names: Iterable[str], *, way_out: str) -> dict[str, np.ndarray]:
    """Read arrays of numbers of a Matlab file, each of the type in which the file keeps its values.

    Args:
        path: the file, compressed or not.
        names: of the arrays; `a.b.c` is the field c of the field b of the struct a.
        way_out: ends the message.

    Returns:
        Name -> array, of two dimensions or more, as every array of Matlab's.

    Raises:
        DataProblem: the file cannot be read, lacks an array, or one holds no real numbers.

    Example:
        read_matlab(Path("emnist-balanced.mat"), ["dataset.train.labels"], way_out="get it again")
    """
    with reading(path, way_out=way_out):
        with open_file(path, way_out=way_out) as file:
            most = most_unpacked(size_of(file))
            content = file.read()
        file_of = _File(content, most)
        return {name: file_of.numbers(name) for name in names}


class _File:
    """The content of a file, as its header says that it is read."""

    def __init__(self, content: bytes, most: int) -> None:
        order = _ORDERS.get(content[_HEADER - 2 : _HEADER])
        version = None if order is None else int.from_bytes(content[124:126], "little" if order == "<" else "big") >> 8
        if order is None or version != 1:
            raise ValueError("its header is not that of Matlab's versions 5 to 7.2; save it by `save -v7`")
        self._order = order
        self._variables = _by_name(self._read_variables(memoryview(content)[_HEADER:], most), "variable")
        self._fields: dict[str, dict[str, _Array]] = {}

    def numbers(self, name: str) -> np.ndarray:
        """The array under this name."""
        array = self._found(name)
        if array.kind not in _NUMERIC or array.is_complex:
            raise ValueError(f"{name} must be an array of real numbers, and is not")
        kind, data = next(array.parts, (0, memoryview(b"")))
        if kind not in _NUMBERS:
            raise ValueError(f"{name} has values of type {kind}, which are not numbers")
        dtype = np.dtype(self._order + _NUMBERS[kind])
        if math.prod(array.shape) * dtype.itemsize != len(data):
            raise ValueError(f"{name} promises the shape {array.shape} of {dtype}, and has {len(data)} bytes")
        return np.frombuffer(data, dtype).reshape(array.shape, order="F").astype(dtype.newbyteorder("="), copy=False)

    def _found(self, name: str) -> _Array:
        whole, _, last = name.rpartition(".")
        known = self._fields_of(whole) if whole else self._variables
        if last not in known:
            raise ValueError(f"it has no array {name}, only {', '.join([*known][:_MOST_NAMED]) or 'none'}")
        return known[last]

    def _fields_of(self, name: str) -> dict[str, _Array]:
        if name not in self._fields:
            array = self._found(name)
            if array.kind != _STRUCT or array.shape != (1, 1):
                raise ValueError(f"{name} must be one struct, and is of class {array.kind} and shape {array.shape}")
            self._fields[name] = _by_name(self._read_fields(array.parts), f"field of {name}")
        return self._fields[name]

    def _read_variables(self, data: memoryview, most: int) -> Iterator[_Array]:
        for kind, part in self._elements(data):
            if kind != _COMPRESSED:
                yield self._array(kind, part)
                continue
            unpacked = _unpack(part, most)
            most -= len(unpacked)
            kind, inner = next(self._elements(memoryview(unpacked)), (0, part))
            yield self._array(kind, inner)

    def _read_fields(self, parts: Elements) -> Iterator[_Array]:
        """The fields of a struct, under the names that stand before them."""
        length = self._whole_numbers(parts, _INT32)
        names = _part(parts, _INT8)
        if len(length) != 1 or length[0] < 1 or len(names) % length[0] or len(names) > MOST_NAMES * length[0]:
            raise ValueError(f"a struct has {len(names)} bytes of names, of lengths {length[:2]}")
        for start in range(0, len(names), length[0]):
            name = bytes(names[start : start + length[0]]).split(b"\0")[0].decode("ascii")
            kind, data = next(parts, (0, names))
            yield self._array(kind, data, name)

    def _array(self, kind: int, data: memoryview, name: str | None = None) -> _Array:
        if kind != _MATRIX:
            raise ValueError(f"it has an element of type {kind} in place of an array")
        if name is not None and not len(data):  # a field that was never given a value
            return _Array(name=name, kind=0, is_complex=False, shape=(0, 0), parts=iter(()))
        parts = self._elements(data)
        flags, shape = self._whole_numbers(parts, _UINT32), self._whole_numbers(parts, _INT32)
        own_name = bytes(_part(parts, _INT8)).decode("ascii")
        if len(flags) != 2 or not 2 <= len(shape) <= _MOST_DIMENSIONS or min(shape) < 0:
            raise ValueError(f"an array has {len(flags)} flags and the shape {shape[:_MOST_DIMENSIONS]}")
        is_complex = bool(flags[0] >> 8 & _COMPLEX)
        name = own_name if name is None else name
        return _Array(name=name, kind=flags[0] & 0xFF, is_complex=is_complex, shape=tuple(shape), parts=parts)

    def _whole_numbers(self, parts: Elements, kind: int) -> list[int]:
        data = _part(parts, kind)
        if len(data) % 4 or len(data) > 4 * _MOST_DIMENSIONS:
            raise ValueError(
                f"a part of an array has {len(data)} bytes, and at most {4 * _MOST_DIMENSIONS} are allowed"
            )
        return np.frombuffer(data, self._order + _NUMBERS[kind]).tolist()

    def _elements(self, data: memoryview) -> Elements:
        """Each element of so many bytes; that of up to four bytes may have its size in the tag."""
        at = 0
        while at < len(data):
            if len(data) - at < 8:
                raise ValueError(f"an element has {len(data) - at} bytes, fewer than its tag")
            kind, size = struct.unpack_from(f"{self._order}II", data, at)
            start = at + 8
            if kind >> 16:
                kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
            if size > (4 if start == at + 4 else len(data) - start):
                raise ValueError(f"an element of type {kind} promises {size} bytes, and has fewer")
            yield kind, data[start : start + size]
            stop = max(start + size, at + 8)
            at = stop if kind == _COMPRESSED else -(-stop // 8) * 8  # all others are filled up to 8 bytes


def _unpack(data: memoryview, most: int) -> bytes:
    stream = zlib.decompressobj()
    unpacked = stream.decompress(data, most + 1)
    if len(unpacked) > most:
        raise ValueError("it unpacks to more bytes than a file of its size can hold")
    if not stream.eof or stream.unused_data:
        raise ValueError("a compressed array is cut off, or goes on after its end")
    return unpacked


def _part(parts: Elements, kind: int) -> memoryview:
    found, data = next(parts, (0, memoryview(b"")))
    if found != kind:
        raise ValueError(f"a part of an array is of type {found}, and must be of {kind}")
    return data


def _by_name(arrays: Iterator[_Array], what: str) -> dict[str, _Array]:
    found: dict[str, _Array] = {}
    for array in arrays:
        if array.name in found or len(found) == MOST_NAMES:
            raise ValueError(f"{array.name[:_MOST_NAMED]!r} is a {what} given twice, or more than {MOST_NAMES}")
        found[array.name] = array
    return found
