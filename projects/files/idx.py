"""Read IDX files, the format of MNIST, with sizes checked against the header before memory is used.

The format (yann.lecun.com/exdb/mnist): two zero bytes, a byte for the type, a byte for the number of
dimensions, each dimension as a big-endian uint32, then the values, big-endian, last index fastest.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from projects.files.problem import DataProblem
from projects.files.reading import open_unpacked, read_at_most, reading

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_DIMENSIONS = 32  # as NumPy 1 has it; images with colours have 4


def read_idx(path: Path, *, way_out: str) -> np.ndarray:
    """Read an IDX file, raw or compressed with gzip (told by its first bytes, not by its name).

    Args:
        path: the file.
        way_out: what the reader should do about a damaged file; ends the message.

    Returns:
        The array in the machine's byte order, with the shape that the header states.

    Raises:
        DataProblem: the file cannot be read, is cut off or is not an IDX file.
    """
    with open_unpacked(path, way_out=way_out) as file:
        start = file.read(4)
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES:
            raise DataProblem(
                f"{path}: not an IDX file: it starts with 0x{start.hex()}, not 0x0000 and a type; {way_out}"
            )
        dtype, n_dimensions = np.dtype(_TYPES[start[2]]), start[3]
        sizes, end = file.read(4 * n_dimensions), 4 + 4 * n_dimensions
        if len(sizes) < 4 * n_dimensions:
            raise DataProblem(f"{path}: is cut off in its header at byte {4 + len(sizes)} of {end}; {way_out}")
        if n_dimensions > _MOST_DIMENSIONS:
            raise DataProblem(
                f"{path}: has {n_dimensions} dimensions, and at most {_MOST_DIMENSIONS} are allowed; {way_out}"
            )
        shape = struct.unpack(f">{n_dimensions}I", sizes)
        n_bytes = math.prod(shape) * dtype.itemsize
        content = read_at_most(file, n_bytes + 1)
    if len(content) != n_bytes:
        got = f"{end + len(content)}" if len(content) < n_bytes else "more"
        raise DataProblem(
            f"{path}: its header states the shape {shape}, so {end + n_bytes} bytes, got {got}; {way_out}"
        )
    with reading(path, way_out=way_out):  # a shape of no values may be beyond NumPy's numbers
        array = np.frombuffer(content, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="))
