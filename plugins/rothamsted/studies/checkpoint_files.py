"""Define where the checkpoints of one population are kept: a folder of this machine, or another store of named files.

The artifacts of a run keep the same files.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rothamsted.errors import StudyError
from rothamsted.given_files import open_given, reading
from rothamsted.studies.atomic import remove_unfinished, write_atomically

WAY_OUT = "correct that, or remove it to use the one before it"
_DAMAGED = ".damaged"  # put after the name of one that is set aside: it is no longer one of those kept


class CheckpointFiles(Protocol):
    """Keeps files by name. One that is half written may be among them: its content does not fit its name."""

    def place(self, name: str) -> str:
        """Return what a message calls a file."""
        ...

    def names(self) -> list[str]:
        """Return the names of all files."""
        ...

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        ...

    def write(self, name: str, content: bytes) -> bool:
        """Add a file; False: that cannot be done now, and training goes on without it."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, those that are gone already too."""
        ...

    def set_aside(self, name: str) -> None:
        """Take a damaged file out of those that are there."""
        ...

    def clear(self) -> None:
        """Remove what is left beside the checkpoints: unfinished and damaged files, and the place itself."""
        ...


@dataclass(frozen=True)
class Folder:
    """Keeps files in a folder of this machine."""

    path: Path

    def place(self, name: str) -> str:
        """See `CheckpointFiles`."""
        return str(self.path / name)

    def names(self) -> list[str]:
        """See `CheckpointFiles`."""
        return [one.name for one in self.path.iterdir()] if self.path.is_dir() else []

    def read(self, name: str) -> bytes:
        """See `CheckpointFiles`.

        Raises:
            StudyError: it is no file, or may not be read.
        """
        path = self.path / name
        with (
            open_given(path, way_out=WAY_OUT, error=StudyError) as file,
            reading(path, way_out=WAY_OUT, error=StudyError),
        ):
            return file.read()

    def write(self, name: str, content: bytes) -> bool:
        """See `CheckpointFiles`; in full or not at all.

        Raises:
            StudyError: the folder cannot be written, or the disk is full.
        """
        write_atomically(self.path / name, content)
        return True

    def remove(self, names: Iterable[str]) -> None:
        """See `CheckpointFiles`."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def set_aside(self, name: str) -> None:
        """See `CheckpointFiles`; in a folder that cannot be written it stays, and is found damaged again."""
        with suppress(OSError):
            (self.path / name).rename(self.path / (name + _DAMAGED))

    def clear(self) -> None:
        """See `CheckpointFiles`; a folder with something else of the run stays."""
        if self.path.is_dir():
            remove_unfinished(self.path)
            for path in self.path.glob(f"*{_DAMAGED}"):
                path.unlink(missing_ok=True)
            with suppress(OSError):
                self.path.rmdir()
