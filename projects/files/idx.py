"""IDX files, the format of MNIST: read whole and checked against their own header.

The format (yann.lecun.com/exdb/mnist): two zero bytes, a byte for the type, a byte for the number of
dimensions, each dimension as a big-endian uint32, then the values, big-endian, last index fastest.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from projects.files.problem import DataProblem

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"


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
    return parse_idx(read_bytes(path, way_out=way_out), path=path, way_out=way_out)


def read_bytes(path: Path, *, way_out: str) -> bytes:
    """The bytes of a file, unpacked where gzip has packed them; errors as in `read_idx`."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise DataProblem(f"{path}: is damaged or cut off (gzip: {error}); {way_out}") from error
    except OSError as error:
        raise DataProblem(f"{path}: cannot be read ({error.strerror or error}); {way_out}") from error


def parse_idx(data: bytes, *, path: Path, way_out: str) -> np.ndarray:
    """The array in the bytes of an IDX file; `path` and `way_out` are for messages, as in `read_idx`."""
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES:
        raise DataProblem(
            f"{path}: not an IDX file: it starts with 0x{data[:4].hex()}, not 0x0000 and a type; {way_out}"
        )
    dtype, n_dimensions = np.dtype(_TYPES[data[2]]), data[3]
    start = 4 + 4 * n_dimensions
    if len(data) < start:
        raise DataProblem(f"{path}: is cut off in its header at byte {len(data)} of {start}; {way_out}")
    shape = struct.unpack(f">{n_dimensions}I", data[4:start])
    n_bytes = start + math.prod(shape) * dtype.itemsize
    if len(data) != n_bytes:
        raise DataProblem(
            f"{path}: its header states the shape {shape}, so {n_bytes} bytes, got {len(data)}; {way_out}"
        )
    array = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="))
