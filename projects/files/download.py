"""Download files: streamed, resumed, checked, and with their name only when complete."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from projects.files.problem import DataProblem
from projects.files.reading import is_there, open_file

TIMEOUT_SECONDS = 30.0  # without a byte from the server
MOST_BYTES = 16 << 30  # of one file; the largest here has 2 GB
N_ATTEMPTS = 3  # connections a call makes before it hands a broken download back to its caller
_BLOCK_BYTES = 1 << 18
_WAY_OUT = "remove it, or choose another folder"
_RANGE_NOT_SATISFIABLE = 416
_N_DIGITS_OF_MD5 = 32  # a sha256 has 64


NETWORK_ERRORS = (OSError, http.client.HTTPException, ValueError)  # what urllib raises; URLError is an OSError


class _BrokenConnectionError(Exception):
    """The connection ended before the file did; the part on disk can be resumed."""


def download(url: str, target: Path, *, checksum: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Path:
    """Fetch one file. A part is kept in `<target>.part`, from which a later call goes on.

    Args:
        url: http or https address.
        target: the file to write; one that is there already with the right checksum is kept.
        checksum: hexadecimal md5 or sha256 of the whole file; the length says which.
        timeout_seconds: longest silence of the server.

    Returns:
        The target, complete and checked.

    Raises:
        DataProblem: the server cannot be reached or refuses, the connection breaks N_ATTEMPTS times,
            the checksum differs, or the folder cannot be written.
    """
    if not url.startswith(("http://", "https://")):
        raise DataProblem(f"{url}: only http and https addresses can be downloaded; give one of these")
    part = target.with_name(target.name + ".part")
    try:
        if is_there(target, way_out=_WAY_OUT) and _digest(target, checksum) == checksum:
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        _fill(url, part, checksum, timeout_seconds)
        part.replace(target)
    except OSError as error:  # those of the network have been told apart by now
        raise _unwritable(target, error) from error
    return target


def write_atomically(target: Path, data: bytes) -> None:
    """Write a file in one step: a reader sees the old file or the complete new one, whatever else writes it meanwhile.

    Raises:
        DataProblem: the folder cannot be written.
    """
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(data)
            _sync(file)
        part.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error


def _fill(url: str, part: Path, checksum: str, timeout_seconds: float) -> None:
    """Bring the part to its full length and check it; a resumed part that turns out wrong is fetched anew."""
    for attempt in range(1, N_ATTEMPTS + 1):
        resumed_at = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part, resumed_at, timeout_seconds)
        except _BrokenConnectionError as reason:
            if attempt == N_ATTEMPTS:
                raise DataProblem(f"{url}: {reason}; run it again: it goes on where it stopped") from reason
            continue
        found = _digest(part, checksum)
        if found == checksum:
            return
        part.unlink()
        if resumed_at == 0:
            raise DataProblem(
                f"{url}: the file has the {_algorithm(checksum)} {found}, expected {checksum}: damaged or "
                f"another file; run it again or give another address"
            )
    raise DataProblem(f"{url}: no complete file after {N_ATTEMPTS} attempts; run it again")


def _receive(url: str, part: Path, start: int, timeout_seconds: float) -> None:
    """One connection: append what the server sends from byte `start` on, or write anew if it sends all."""
    try:
        request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
        response = urllib.request.urlopen(request, timeout=timeout_seconds)
    except NETWORK_ERRORS as error:
        if getattr(error, "code", None) == _RANGE_NOT_SATISFIABLE and start:
            return  # nothing lies beyond `start`: the part is complete, or wrong, as its checksum will say
        raise no_answer(url, error, way_out="check the address, or give a folder that holds the file") from error
    with response:
        is_rest = response.status == http.client.PARTIAL_CONTENT
        with part.open("ab" if is_rest else "wb") as file:
            try:
                _stream(response, file, start if is_rest else 0)
            except DataProblem:  # nothing to go on from
                part.unlink()
                raise
            finally:
                _sync(file)


def no_answer(url: str, error: Exception, *, way_out: str) -> DataProblem:
    """Say in one line why a server gave no answer: a wrong address, no network, a refusal."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return DataProblem(f"{url}: the server answered {error.code} {error.reason}; {way_out}")
    reason = getattr(error, "reason", None) or error or type(error).__name__
    return DataProblem(f"{url}: the server cannot be reached ({reason}); {way_out}")


def _stream(response: http.client.HTTPResponse, file: IO[bytes], start: int) -> None:
    expected = response.length  # None where the server states none
    received = 0
    name = response.url.rsplit("/", 1)[-1]
    with _progress() as progress:
        task = progress.add_task(name, total=None if expected is None else start + expected, completed=start)
        while block := _read_block(response):
            file.write(block)
            received += len(block)
            if start + received > MOST_BYTES:
                raise DataProblem(f"{response.url}: sends more than {MOST_BYTES} bytes; give another address")
            progress.advance(task, len(block))
    if expected is not None and received < expected:
        raise _BrokenConnectionError(f"the connection ended after {start + received} of {start + expected} bytes")


def _read_block(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_BLOCK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenConnectionError(f"the connection broke ({error or type(error).__name__})") from error


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _algorithm(checksum: str) -> str:
    return "md5" if len(checksum) == _N_DIGITS_OF_MD5 else "sha256"


def _digest(path: Path, checksum: str) -> str:
    """The digest of a file by the algorithm of a checksum."""
    with open_file(path, way_out=_WAY_OUT) as file:
        return hashlib.file_digest(file, lambda: hashlib.new(_algorithm(checksum), usedforsecurity=False)).hexdigest()


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _unwritable(target: Path, error: OSError) -> DataProblem:
    return DataProblem(f"{target}: cannot be written ({error.strerror or error}); free space or choose another folder")
