"""Open data files: only regular files, of bounded size; each fault is one line with the file's name."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from projects.files.problem import DataProblem, one_line

MOST_TEXT_BYTES = 256 << 20  # of a file that is read as one text
MOST_TIMES = 200  # what is unpacked, in sizes of the packed file: text and pictures unpack to some ten times
FREELY_UNPACKED = 64 << 20  # bytes: a small file may unpack to so much, whatever its size
_BLOCK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


def given_path(text: str) -> Path:
    """Return a path with `~` replaced by the home folder; an unknown `~name` stays as it is."""
    return Path(os.path.expanduser(text))  # noqa: PTH111  (that of pathlib raises for nobody)


@contextmanager
def reading(place: Path | str, *, way_out: str) -> Iterator[None]:
    """Turn every error of reading a file into a DataProblem of one line, inside the `with` block.

    Args:
        place: the file, or the file and the part of it that is read.
        way_out: what to do about a file that cannot be used; ends the message.

    Example:
        >>> with reading("a.json", way_out="make it again"):
        ...     json.loads("{")
        Traceback (most recent call last):
        projects.files.problem.DataProblem: a.json: is damaged or of another kind (...); make it again
    """
    try:
        yield
    except DataProblem:
        raise
    except OSError as error:
        if error.errno is None:  # raised by a parser
            raise _damaged(place, error, way_out) from error
        raise DataProblem(f"{place}: cannot be read ({error.strerror or error}); {way_out}") from error
    except Exception as error:  # a damaged file can make a parser raise anything
        raise _damaged(place, error, way_out) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what a parser written in Rust raises where it gives up
            raise
        raise _damaged(place, error, way_out) from error


def _damaged(place: Path | str, error: BaseException, way_out: str) -> DataProblem:
    reason = one_line(str(error), 200) or type(error).__name__
    if isinstance(error, (KeyError, RecursionError, MemoryError)):
        reason = {KeyError: f"it lacks {reason}", RecursionError: "too deeply nested"}.get(type(error), "too large")
    return DataProblem(f"{place}: is damaged or of another kind ({reason}); {way_out}")


def is_there(path: Path, *, way_out: str) -> bool:
    """Say whether a file lies there.

    Raises:
        DataProblem: it is not known (a folder that cannot be entered, a name that is too long, links in a circle), or
            it is not a file.
    """
    with reading(path, way_out=way_out):
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
    _check_kind(path, found, way_out)
    return True


def is_folder(path: Path, *, way_out: str) -> bool:
    """Say whether a folder lies there; errors as in `is_there`."""
    with reading(path, way_out=way_out):
        try:
            return stat.S_ISDIR(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False


def is_same(path: Path, other: Path) -> bool:
    """Say whether two names are of the same file; False if one of them does not exist."""
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return False


def listed(folder: Path, pattern: str = "*", *, way_out: str) -> list[Path]:
    """Return the contents of a folder, sorted by name; `**/*` for all below it. Without a folder it is empty.

    Links to folders are not followed.

    Raises:
        DataProblem: the folder cannot be read.
    """
    if not is_folder(folder, way_out=way_out):
        return []
    with reading(folder, way_out=way_out):
        os.scandir(folder).close()  # glob says nothing of a folder that may not be read
        return sorted(folder.glob(pattern))


def open_file(path: Path, *, way_out: str) -> io.BufferedReader:
    """Open a file for reading bytes, after checking that it is a regular file, not a pipe or a device.

    Raises:
        DataProblem: it is missing, cannot be read, or is a folder, pipe, socket or device.
    """
    with reading(path, way_out=way_out):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _check_kind(path, os.fstat(descriptor), way_out)
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise


def _check_kind(path: Path, found: os.stat_result, way_out: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "a device")
        raise DataProblem(f"{path}: must be a file, and is {kind}; {way_out}")


def size_of(file: BinaryIO) -> int:
    """Return the size in bytes of a file that is open."""
    return os.fstat(file.fileno()).st_size


def most_unpacked(n_packed: int) -> int:
    """Return to how many bytes a packed file may unpack; a larger one is refused."""
    return max(FREELY_UNPACKED, MOST_TIMES * n_packed)


class Bounded(io.RawIOBase):
    """Wraps a stream, and raises a ValueError if it gives more than `most` bytes."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream, self._most, self._n_read = stream, most, 0

    def readable(self) -> bool:
        """Return True, as every stream that is read does."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as many bytes as the buffer takes, and count them."""
        data = self._stream.read(min(len(buffer), _BLOCK_BYTES))
        self._n_read += len(data)
        if self._n_read > self._most:
            raise ValueError(f"it unpacks to more than {self._most} bytes, more than a file of its size can hold")
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def open_unpacked(path: Path, *, way_out: str) -> Iterator[BinaryIO]:
    """Open the bytes of a file as a stream, unpacked if gzip has packed them, as its first bytes say.

    Reading it inside the block raises only DataProblem, as `reading` does.
    """
    with reading(path, way_out=way_out), open_file(path, way_out=way_out) as file:
        is_packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        file.seek(0)
        if not is_packed:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as packed:
            bounded = Bounded(cast("BinaryIO", packed), most_unpacked(size_of(file)))
            yield cast("BinaryIO", io.BufferedReader(bounded, _BLOCK_BYTES))


def read_at_most(stream: IO[bytes], most: int) -> bytes:
    """Read a stream to its end, or to `most` bytes, using memory only for bytes that come."""
    blocks = []
    while most > 0 and (block := stream.read(min(most, _BLOCK_BYTES))):
        blocks.append(block)
        most -= len(block)
    return b"".join(blocks)


def read_bytes(path: Path, *, way_out: str, most: int | None = None) -> bytes:
    """Return the bytes of a file as they are.

    Args:
        path: the file.
        way_out: ends the message.
        most: refuse a larger file; None: of any size.

    Raises:
        DataProblem: it cannot be read or is too large.
    """
    with reading(path, way_out=way_out), open_file(path, way_out=way_out) as file:
        if most is not None and size_of(file) > most:
            raise DataProblem(f"{path}: has {size_of(file)} bytes, and at most {most} are read; {way_out}")
        return file.read()


def read_unpacked(path: Path, *, way_out: str) -> bytes:
    """Read the bytes of a file, unpacked if gzip has packed them; errors as in `read_bytes`."""
    with open_unpacked(path, way_out=way_out) as file:
        return file.read()


def read_text(path: Path, *, way_out: str) -> str:
    """Read the text of a file in UTF-8.

    Raises:
        DataProblem: it cannot be read, is too large or is no UTF-8.
    """
    content = read_bytes(path, way_out=way_out, most=MOST_TEXT_BYTES)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataProblem(f"{path}: is not UTF-8 text ({error.reason}); {way_out}") from error


def read_json(path: Path, *, way_out: str) -> Any:
    """Return the value of a JSON file; errors as in `read_text`, and if it is not JSON."""
    text = read_text(path, way_out=way_out)
    with reading(path, way_out=way_out):
        return json.loads(text)
