"""Text files of stories, read one story at a time whatever their size."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from projects.files.problem import DataProblem

SEPARATOR = "<|endoftext|>"
_BLOCK_CHARACTERS = 1 << 20


def read_stories(path: Path) -> Iterator[str]:
    """The stories of a text file (.txt, or .gz of one): what stands between separators, without space around it.

    Raises:
        DataProblem: The file cannot be read, is damaged or is not UTF-8.
    """
    rest = ""
    for block in _blocks(path):
        *whole, rest = (rest + block).split(SEPARATOR)
        yield from filter(None, (story.strip() for story in whole))
    if rest.strip():
        yield rest.strip()


def file_digest(path: Path) -> str:
    """The sha256 of a file, hexadecimal; read once in a process as long as it stays as it is.

    Raises:
        DataProblem: The file cannot be read.
    """
    try:
        found = path.stat()
        return _digest_of(path.absolute(), found.st_size, found.st_mtime_ns)
    except OSError as error:
        raise _unreadable(path, error) from error


@lru_cache(maxsize=64)
def _digest_of(path: Path, n_bytes: int, mtime_ns: int) -> str:
    """`n_bytes` and `mtime_ns` are part of the key: a changed file is read again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_bytes(path: Path) -> gzip.GzipFile | io.BufferedReader:
    """Open a file, unpacked where its name ends in .gz.

    Raises:
        DataProblem: The file cannot be read.
    """
    try:
        return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error


def _blocks(path: Path) -> Iterator[str]:
    try:
        with io.TextIOWrapper(open_bytes(path), encoding="utf-8") as file:
            while block := file.read(_BLOCK_CHARACTERS):
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataProblem(f"{path}: is damaged or cut off (gzip: {error}); get the file again") from error
    except UnicodeDecodeError as error:
        raise DataProblem(f"{path}: is not UTF-8 text ({error.reason}); convert it") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataProblem:
    return DataProblem(f"{path}: cannot be read ({error.strerror or error}); get the file again or give another")
