"""Read text files of stories one story at a time, whatever their size."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from projects.files.problem import DataProblem
from projects.files.reading import open_file, open_unpacked, reading

SEPARATOR = "<|endoftext|>"
WAY_OUT = "get the file again or give another"
_BLOCK_CHARACTERS = 1 << 20


def read_stories(path: Path) -> Iterator[str]:
    """Yield the stories of a text file (.txt, or .gz of one): what stands between separators, without space around it.

    Raises:
        DataProblem: The file cannot be read, is damaged or is not UTF-8.
    """
    pieces: list[str] = []  # of the story that has not ended
    for block in _blocks(path):
        end = pieces[-1][1 - len(SEPARATOR) :] if pieces else ""
        if SEPARATOR in end + block:
            *whole, rest = "".join([*pieces, block]).split(SEPARATOR)
            yield from filter(None, (story.strip() for story in whole))
            pieces = [rest] if rest else []
        else:
            pieces.append(block)
    if last := "".join(pieces).strip():
        yield last


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, hexadecimal; read once in a process as long as it stays as it is.

    Raises:
        DataProblem: The file cannot be read.
    """
    with reading(path, way_out=WAY_OUT):
        found = path.stat()
        return _digest_of(path.absolute(), found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest_of(path: Path, n_bytes: int, mtime_ns: int) -> str:
    """`n_bytes` and `mtime_ns` are part of the key: a changed file is read again."""
    with open_file(path, way_out=WAY_OUT) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _blocks(path: Path) -> Iterator[str]:
    with open_unpacked(path, way_out=WAY_OUT) as packed, io.TextIOWrapper(packed, encoding="utf-8") as file:
        try:
            while block := file.read(_BLOCK_CHARACTERS):
                yield block
        except UnicodeDecodeError as error:
            raise DataProblem(f"{path}: is not UTF-8 text ({error.reason}); convert it") from error
