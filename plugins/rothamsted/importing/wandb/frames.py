"""Read the records of a file `run-ID.wandb`, which may be incomplete after a kill.

The format is that of LevelDB's log (https://github.com/google/leveldb/blob/main/doc/log_format.md) behind a header of
seven bytes, with the checksum of zlib over kind and data.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from rothamsted.caps import MOST_OF_HISTORY, MOST_OF_LINE
from rothamsted.errors import DataError
from rothamsted.given_files import open_given, reading
from rothamsted.wording import plain_count, verb

WAY_OUT = "give a folder of W&B, such as wandb or wandb/offline-run-…"
_HEADER = b":W&B\xe1\xbe\x00"  # name, magic number, version
_BLOCK = 1 << 15
_FRAME = struct.Struct("<IHB")  # checksum, length, kind
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def records(path: Path, notes: list[str]) -> Iterator[bytes]:
    """Yield the complete records of a file, in order.

    Args:
        path: the file.
        notes: gets lines on what is damaged or cut off.

    Raises:
        DataError: it is not such a file, or cannot be read.
    """
    with open_given(path, way_out=WAY_OUT) as file, reading(path, way_out=WAY_OUT):
        if path.stat().st_size > MOST_OF_HISTORY:
            raise DataError(f"{path}: has more than {MOST_OF_HISTORY} bytes; {WAY_OUT}")
        begin = file.read(len(_HEADER))
        if begin != _HEADER:
            raise DataError(f"{path}: does not begin as a file of W&B does; {WAY_OUT}")
        parts: list[bytes] = []
        n_damaged, is_first = 0, True
        is_cut = False
        while block := file.read(_BLOCK - len(_HEADER) if is_first else _BLOCK):
            is_last = len(block) < (_BLOCK - len(_HEADER) if is_first else _BLOCK)
            is_first = False
            for kind, data in _frames(block):
                if kind == 0:  # the rest of this block cannot be trusted
                    is_cut = is_last
                    n_damaged += not is_last
                    parts.clear()
                elif kind in (_WHOLE, _FIRST):
                    parts[:] = [data]
                elif parts:
                    parts.append(data)
                if kind in (_WHOLE, _LAST) and parts:
                    yield b"".join(parts)
                    parts.clear()
                if sum(map(len, parts)) > MOST_OF_LINE:
                    n_damaged += 1
                    parts.clear()
    if n_damaged:
        parts_are = f"{plain_count(n_damaged, 'part')} {verb(n_damaged, 'is', 'are')}"
        notes.append(f"{path.name}: {parts_are} damaged or too large, and left out")
    if is_cut or parts:
        notes.append(f"{path.name}: its last record is cut off; the whole ones before it are kept")


def _frames(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and data of each frame of a block; kind 0 and nothing more where one is damaged or cut off."""
    at = 0
    while len(block) - at >= _FRAME.size:
        checksum, length, kind = _FRAME.unpack_from(block, at)
        if checksum == length == kind == 0 and not any(block[at:]):
            return  # room that was never written
        data = block[at + _FRAME.size : at + _FRAME.size + length]
        is_sound = kind in (_WHOLE, _FIRST, _MIDDLE, _LAST) and len(data) == length
        if not is_sound or zlib.crc32(data, zlib.crc32(bytes([kind]))) != checksum:
            yield 0, b""
            return
        yield kind, data
        at += _FRAME.size + length
    if len(block) < _BLOCK - len(_HEADER) and any(block[at:]):
        yield 0, b""  # a header that is cut off
