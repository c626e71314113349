"""Open files that a user gives: only regular files, and each fault is one line."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

from rothamsted.errors import DataError, UserError

MOST_BYTES = 256 << 20  # of a file that is read whole
T = TypeVar("T")
_JSON_NAMES = {dict: "a JSON object", list: "a JSON list"}
_REFUSED = frozenset(
    {errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOSPC, errno.EDQUOT}
)
_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


@contextmanager
def reading(source: str | Path, *, way_out: str, error: type[UserError] = DataError) -> Iterator[None]:
    """Turn whatever reading a file raises into one line with its name.

    Args:
        source: what the message calls the file.
        way_out: what to do about a file that cannot be used; ends the message.
        error: the kind of error to raise.

    Example:
        >>> with reading("a.json", way_out="give another"):
        ...     float("x")
        Traceback (most recent call last):
        rothamsted.errors.DataError: a.json: is damaged or of another kind (could not convert ...); give another
    """
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise error(f"{source}: there is no such file; {way_out}") from None
    except UnicodeDecodeError as found:
        raise error(f"{source}: is not UTF-8 text ({found.reason}); save it as UTF-8") from None
    except OSError as found:
        raise error(f"{source}: cannot be read: {found.strerror or found}; {way_out}") from found
    except Exception as found:  # a damaged file can make a parser raise anything
        reason = {RecursionError: "nested too deep", MemoryError: "too large"}.get(type(found)) or _reason(found)
        raise error(f"{source}: is damaged or of another kind ({reason}); {way_out}") from found


def _reason(found: Exception) -> str:
    text = " ".join(str(found).split())
    return f"it lacks {text}" if isinstance(found, KeyError) else text or type(found).__name__


def refused_place(error: OSError) -> UserError | None:
    """Return the line for a file or folder that the system refuses for its name, its rights or its disk, or None.

    Only what says which file it was, and what no mistake of ours brings about: that a file is missing is not among it.

    Example:
        >>> print(refused_place(OSError(errno.ENAMETOOLONG, "File name too long", "nnn")))
        nnn: File name too long; name another file or folder
    """
    if error.filename is None or error.errno not in _REFUSED:
        return None
    name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else str(error.filename)
    return UserError(f"{name}: {error.strerror}; name another file or folder")


def open_given(
    path: str | Path, *, way_out: str, source: str | None = None, error: type[UserError] = DataError
) -> BufferedReader:
    """Open a file for reading bytes, once it is known to be a regular file: nothing waits for a pipe or a device.

    Args:
        path: the file.
        way_out: what to do instead; ends the message.
        source: what the message calls it, if not its path.
        error: the kind of error to raise.

    Raises:
        UserError: of the kind `error`: it is missing, cannot be read, or is a folder, pipe, socket or device.
    """
    source = source or str(path)
    with reading(source, way_out=way_out, error=error):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "a device")
                raise error(f"{source}: must be a file, and is {kind}; {way_out}")
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise


def read_given(
    path: str | Path, *, way_out: str, source: str | None = None, error: type[UserError] = DataError
) -> bytes:
    """Read the bytes of a file of at most MOST_BYTES; arguments and errors as in `open_given`."""
    source = source or str(path)
    with (
        open_given(path, way_out=way_out, source=source, error=error) as file,
        reading(source, way_out=way_out, error=error),
    ):
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise error(f"{source}: has more than {MOST_BYTES} bytes; {way_out}")
    return content


def read_given_text(
    path: str | Path, *, way_out: str, source: str | None = None, error: type[UserError] = DataError
) -> str:
    """Read the text of a file in UTF-8; arguments and errors as in `open_given`."""
    content = read_given(path, way_out=way_out, source=source, error=error)
    with reading(source or path, way_out=way_out, error=error):
        return content.decode("utf-8-sig")


def check_folder_to_make(folder: Path, *, place: str, way_out: str, error: type[UserError] = UserError) -> None:
    """Check that files can be written into a folder, which is there or can be made; makes nothing.

    Args:
        folder: absolute.
        place: what the message calls it; begins the message.
        way_out, error: as in `reading`.

    Raises:
        UserError: of the kind `error`: its name is too long, a file is in the way, or it may not be written.
    """
    with reading(place, way_out=way_out, error=error):
        for above in (folder, *folder.parents):
            try:
                above.lstat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            break
        if not above.is_dir():
            raise error(f"{place}: {above} is a file, and must be a folder; {way_out}")
        longest = os.pathconf(above, "PC_NAME_MAX")
        if any(len(os.fsencode(part)) > longest for part in folder.relative_to(above).parts):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    check_writable(above, place=place, way_out=way_out, error=error)


def check_writable(folder: Path, *, place: str, way_out: str, error: type[UserError] = UserError) -> None:
    """Check that a file can be made in a folder that is there; leaves nothing behind. Arguments as above.

    Raises:
        UserError: of the kind `error`: it cannot; permissions alone do not tell.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as found:
        raise error(f"{place}: cannot write in {folder} ({found.strerror}); {way_out}") from found


def json_of(
    text: str | bytes, kind: type[T], *, source: str | Path, way_out: str, error: type[UserError] = DataError
) -> T:
    """Read the value of a JSON text of a record: a file, a tag or an artifact that somebody may have damaged.

    Args:
        text: as it was read.
        kind: `dict` or `list`, which the value must be.
        source, way_out, error: as in `reading`.

    Raises:
        UserError: of the kind `error`: it is not JSON, too deep, or another kind of value.

    Example:
        >>> json_of("[1]", dict, source="a.json", way_out="make it again")
        Traceback (most recent call last):
        rothamsted.errors.DataError: a.json: must hold a JSON object, and holds another value; make it again
    """
    with reading(source, way_out=way_out, error=error):
        found = json.loads(text)
    if not isinstance(found, kind):
        raise error(f"{source}: must hold {_JSON_NAMES.get(kind, 'another')}, and holds another value; {way_out}")
    return found
