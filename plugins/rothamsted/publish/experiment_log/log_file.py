"""Read, change and replace the file of the log, one writer at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rothamsted.errors import StoreError, UserError
from rothamsted.given_files import read_given_text
from rothamsted.publish.experiment_log.section import LogSection, put_in
from rothamsted.studies.atomic import write_atomically

EXPERIMENT_LOG = "EXPERIMENT_LOG.md"
WAIT_SECONDS = 20.0  # for other writers, each of which takes milliseconds
_WAY_OUT = "give another file"


def write_section(path: Path, section: LogSection) -> bool:
    """Write a section into a log, which is made if it is missing, and return whether the file has changed.

    The folder is locked meanwhile, so that writers do not lose each other's sections. The file is replaced in one step.

    Args:
        path: of the log; a link is followed.
        section: of one sweep.

    Raises:
        UserError: it is not a UTF-8 text file, its section of this sweep has no end, or it cannot be written.
    """
    place, target = f"experiment log {path}", path.resolve()
    with _alone_in(target.parent, place):
        text, mode = "", None
        if os.path.lexists(target):
            text = read_given_text(target, way_out=_WAY_OUT, source=place, error=StoreError)
            mode = target.stat().st_mode
        has_crlf = "\r\n" in text and text.count("\r\n") == text.count("\n")
        try:
            new = put_in(text.replace("\r\n", "\n") if has_crlf else text, section)
        except ValueError as error:
            raise UserError(f"{place}: {error}; put it back, or remove the section") from None
        if new is None:
            return False
        write_atomically(target, (new.replace("\n", "\r\n") if has_crlf else new).encode(), outlives_a_power_cut=False)
        if mode is not None:
            with suppress(OSError):
                target.chmod(mode)
    return True


@contextmanager
def _alone_in(folder: Path, place: str) -> Iterator[None]:
    """Hold the lock of a folder, which is made where missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"{place}: cannot be written: {error.strerror or error}; {_WAY_OUT}") from error
    try:
        _lock(descriptor, place)
        yield
    finally:
        os.close(descriptor)  # gives the lock back


def _lock(descriptor: int, place: str) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise UserError(f"{place}: another process is writing it; give the command again") from None
            time.sleep(0.02)
        except OSError as error:  # a file system without locks
            raise UserError(f"{place}: its folder cannot be locked: {error.strerror}; {_WAY_OUT}") from error
