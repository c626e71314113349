"""Fetch a file from an http(s) address, or unpack a zip archive, into a folder, within bounds."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from rothamsted import __version__
from rothamsted.caps import MOST_FETCHED, MOST_LOOKED_AT
from rothamsted.errors import DataError, UserError
from rothamsted.given_files import open_given, reading
from rothamsted.importing.folders import WAY_OUT
from rothamsted.masking import masked, without_secrets

TIMEOUT_SECONDS = 30.0  # without a byte from the server
_BLOCK = 1 << 18
_ZIP = b"PK\x03\x04"
_LINK = 0o120000  # of a file mode as zip keeps it
_CHECKSUM = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
_KINDS = {"text/csv": ".csv", "application/json": ".json", "application/zip": ".zip", "application/x-ndjson": ".jsonl"}


def is_web_address(address: str) -> bool:
    """Say whether it is an address of http or https."""
    return address.startswith(("http://", "https://"))


def checked_checksum(text: str | None) -> str | None:
    """Return the SHA-256 that a file must have, in small letters; None: any.

    Raises:
        UserError: it is not a SHA-256.
    """
    if text is None:
        return None
    found = _CHECKSUM.fullmatch(text)
    if found is None:
        raise UserError(f"checksum={text[:80]}: must be the SHA-256 of the file, 64 hexadecimal digits")
    return found[1].lower()


@contextmanager
def at_hand(address: str, *, checksum: str | None = None) -> Iterator[tuple[str, str, str]]:
    """Provide what is read for an address, while the `with` block lasts.

    Args:
        address: a path or an address; a file behind http(s) is fetched, a zip archive unpacked.
        checksum: see `checked_checksum`.

    Yields:
        The path or address to read, a temporary folder that begins paths (empty: none), and what replaces this folder
        in the identity of runs.

    Raises:
        DataError: it cannot be fetched or unpacked, is too large, or has another checksum.
    """
    if not is_web_address(address) and not _is_zip(Path(address)):
        if checksum is not None:
            _check(Path(address), checksum, address)
        yield address, "", ""
        return
    with TemporaryDirectory(prefix="rothamsted-import-") as made:
        folder = Path(made).resolve()
        if is_web_address(address):
            path = _fetched(address, folder)
            place = without_secrets(address)
        else:
            path, place = Path(address), str(Path(address).resolve())
        if checksum is not None:
            _check(path, checksum, masked(address))
        if not _is_zip(path):
            yield str(path), str(path), place
            return
        unpacked = folder / "unpacked"
        _unpack(path, unpacked, masked(address))
        inside = list(unpacked.iterdir())
        one = inside[0] if len(inside) == 1 else unpacked
        yield str(one), str(unpacked), place


def _fetched(address: str, folder: Path) -> Path:
    shown = masked(address)
    try:
        request = _request(address)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            path = folder / _file_name(address, response.headers.get_content_type())
            expected, n_bytes = response.length, 0
            with path.open("wb") as file:
                while block := response.read(_BLOCK):
                    n_bytes += len(block)
                    if n_bytes > MOST_FETCHED:
                        raise DataError(
                            f"{shown}: sends more than {MOST_FETCHED} bytes; fetch it yourself and split it"
                        )
                    file.write(block)
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(f"{shown}: the server answered {error.code} {error.reason}; correct the address") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise DataError(
            f"{shown}: cannot be fetched ({masked(str(reason))}); look at the network and the address, or fetch the "
            "file yourself and give its path"
        ) from error
    if expected and n_bytes < expected:
        raise DataError(f"{shown}: the connection ended after {n_bytes} of {expected} bytes; run it again")
    return path


def _request(address: str) -> urllib.request.Request:
    """What is asked; user and password of the address go into a header, and to no server that it sends us to."""
    parts = urllib.parse.urlsplit(address)
    bare = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(bare, headers={"User-Agent": f"rothamsted/{__version__}"})
    if parts.username is not None:
        given = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(given.encode()).decode()}")
    return request


def _file_name(address: str, kind: str) -> str:
    """A name with the ending that says what the file is: of the address, else of what the server says."""
    name = PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(address).path)).name
    name = re.sub(r"[^\w.-]", "_", name)[-100:].lstrip(".") or "download"
    return name if "." in name else f"{name}{_KINDS.get(kind, '')}"


def _check(path: Path, checksum: str, shown: str) -> None:
    with open_given(path, way_out=WAY_OUT) as file, reading(path, way_out=WAY_OUT):
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != checksum:
        raise DataError(
            f"{shown}: has the sha256 {found}, not {checksum}; it is damaged, or another file: fetch it again, or "
            "correct the address"
        )


def _is_zip(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() in (".xlsx", ".npz"):
        return False
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def _unpack(path: Path, folder: Path, shown: str) -> None:
    """Files alone, below the folder alone, and not more than was said."""
    with reading(shown, way_out=WAY_OUT), zipfile.ZipFile(path) as archive:
        members = [one for one in archive.infolist() if not one.is_dir()]
        if len(members) > MOST_LOOKED_AT or sum(one.file_size for one in members) > 2 * MOST_FETCHED:
            raise DataError(
                f"{shown}: unpacks to more than {2 * MOST_FETCHED} bytes or {MOST_LOOKED_AT} files; split it"
            )
        for one in members:
            inside = PurePosixPath(one.filename.replace("\\", "/"))
            if inside.is_absolute() or ".." in inside.parts or (one.external_attr >> 16) & 0o170000 == _LINK:
                raise DataError(f"{shown}: its member {one.filename[:80]} points outside of it; {WAY_OUT}")
            target = folder / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(one) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, _BLOCK)
            os.utime(target, (written := _written(one), written))


def _written(member: zipfile.ZipInfo) -> float:
    """When a member was written, seconds since 1970: zip keeps a local time without a zone."""
    try:
        return max(0.0, datetime(*member.date_time).timestamp())
    except (ValueError, OverflowError, OSError):
        return 0.0
