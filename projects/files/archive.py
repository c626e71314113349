"""Read archives member by member into memory, never to a folder: zip, and tar packed by gzip, bzip2 or xz."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

from projects.files.problem import DataProblem
from projects.files.reading import Bounded, most_unpacked, open_file, reading, size_of

MOST_MEMBERS = 1_000_000  # of a zip archive; the largest here have 100,000
MOST_OF_TAR = 10_000  # members of a tar archive, which is read from its beginning; the largest here have ten
_LINK = 0o120000  # of a file mode as zip keeps it
_UNPACKERS: tuple[tuple[bytes, Callable[[BinaryIO], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
)


@contextmanager
def open_zip(path: Path, *, way_out: str) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive; reading it inside the block raises DataProblem only, as `reading` does."""
    with reading(path, way_out=way_out), open_file(path, way_out=way_out) as file, zipfile.ZipFile(file) as archive:
        if len(archive.filelist) > MOST_MEMBERS:
            raise DataProblem(
                f"{path}: has {len(archive.filelist)} members, and at most {MOST_MEMBERS} are allowed; {way_out}"
            )
        yield archive


@contextmanager
def open_member(archive: zipfile.ZipFile, name: str, *, most: int | None = None) -> Iterator[IO[bytes]]:
    """Open one member of an archive, after checking that it is a file of a plausible size.

    Raises:
        ValueError: it is a link, encrypted, or unpacks to more than `most` or than such a file can hold.
    """
    member = archive.getinfo(name)
    most = most_unpacked(member.compress_size) if most is None else most
    if (member.external_attr >> 16) & 0o170000 == _LINK:
        raise ValueError(f"its member {name} is a link, and must be a file")
    if member.flag_bits & 1:
        raise ValueError(f"its member {name} is encrypted, and must be plain")
    if member.file_size > most:
        raise ValueError(f"its member {name} unpacks to {member.file_size} bytes, and at most {most} are allowed")
    with archive.open(member) as file:  # gives no more than file_size
        yield file


def read_member(archive: zipfile.ZipFile, name: str, *, most: int | None = None) -> bytes:
    """Read the bytes of one member; errors as in `open_member`, and what zipfile raises for a damaged one."""
    with open_member(archive, name, most=most) as file:
        return file.read()


def read_tar(path: Path, wanted: Set[str], *, most: int, way_out: str) -> dict[str, bytes]:
    """Read the members of a tar archive that have a wanted name, whatever folder they lie in.

    Args:
        path: the archive; how it is packed is told by its first bytes.
        wanted: file names, without folders.
        most: bytes of a member.
        way_out: ends the message.

    Returns:
        Name -> bytes; a name that is not there is left out.

    Raises:
        DataProblem: the archive cannot be read, or a wanted member is a link or too large.
    """
    found: dict[str, bytes] = {}
    with (
        reading(path, way_out=way_out),
        _unpacked(path, way_out) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        for n_members, member in enumerate(archive, start=1):
            if n_members > MOST_OF_TAR:
                raise ValueError(f"it has more than {MOST_OF_TAR} members")
            cast("Any", archive).members.clear()  # tarfile keeps each one
            name = PurePosixPath(member.name).name
            if name in wanted:
                found[name] = _read(archive, member, most)
    return found


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    file = archive.extractfile(member) if member.isreg() else None
    if file is None:
        raise ValueError(f"its member {member.name} is a link or a folder, and must be a file")
    if member.size > most:
        raise ValueError(f"its member {member.name} has {member.size} bytes, and at most {most} are allowed")
    return file.read()


@contextmanager
def _unpacked(path: Path, way_out: str) -> Iterator[BinaryIO]:
    with open_file(path, way_out=way_out) as file:
        start = file.read(6)
        file.seek(0)
        unpack = next((unpack for magic, unpack in _UNPACKERS if start.startswith(magic)), None)
        if unpack is None:
            yield file
            return
        with unpack(file) as packed:
            bounded = Bounded(packed, most_unpacked(size_of(file)))
            yield cast("BinaryIO", io.BufferedReader(bounded, 1 << 20))
