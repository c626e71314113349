"""Write a file completely or not at all, whatever kills the process or the machine.

Checkpoints and the note of a run by hand use it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from rothamsted.errors import StudyError


def write_atomically(path: Path, content: bytes, *, outlives_a_power_cut: bool = True) -> None:
    """Write to a file beside `path`, bring it to the disk, and move it into place in one step.

    Args:
        path: where it is to be; its folder is made where it is missing.
        content: all of it.
        outlives_a_power_cut: wait for the disk; without it the file outlives a kill of the process all the same.

    Raises:
        StudyError: the folder cannot be written, or the disk is full.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            if outlives_a_power_cut:
                os.fsync(file.fileno())
        unfinished.replace(path)
        if outlives_a_power_cut:
            _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):  # not there, or its folder is not
            unfinished.unlink()
        raise StudyError(f"{path}: cannot be written ({error.strerror or error}); give a folder with room") from error


def check_writable(folder: Path) -> None:
    """Refuse a folder that could not be made or written to, without making anything.

    Raises:
        StudyError: what is there already, or the nearest folder above it, forbids it.
    """
    above = folder.absolute()
    while not above.exists():
        above = above.parent
    if not above.is_dir():
        raise StudyError(f"{folder}: cannot be written ({above} is not a folder); give another folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise StudyError(f"{folder}: cannot be written ({above} is read-only for you); give another folder")


def remove_unfinished(folder: Path) -> None:
    """Remove what writers that were killed left in a folder. No other process may be writing there."""
    for path in folder.glob("*.unfinished"):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Bring the folder's own entry to the disk: without it a power cut can undo the move (POSIX)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
