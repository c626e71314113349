"""Say whether a name is a file or a folder. A name that no file can have is neither, without an error."""

from __future__ import annotations

import os
from pathlib import Path


def is_file(path: str | Path) -> bool:
    """Say whether there is such a file; a name that is too long, or holds a NUL, is none."""
    return os.path.isfile(path)  # noqa: PTH113  (Path's own raises OSError for a long name)


def is_folder(path: str | Path) -> bool:
    """Say whether there is such a folder."""
    return os.path.isdir(path)  # noqa: PTH112


def is_there(path: str | Path) -> bool:
    """Say whether there is such a file, folder or other thing."""
    return os.path.exists(path)  # noqa: PTH110
