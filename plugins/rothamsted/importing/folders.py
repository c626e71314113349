"""Walk folders of runs in order, with each link once, and read only regular files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rothamsted.caps import MOST_KEPT_FILE, MOST_LOOKED_AT, MOST_OF_CONFIG
from rothamsted.errors import DataError, SpecError
from rothamsted.given_files import open_given, reading
from rothamsted.yaml_text import load, load_json

WAY_OUT = "give another folder or file as source="


@dataclass(frozen=True, kw_only=True)
class FolderFiles:
    """Holds one folder with the names in it, sorted."""

    path: Path
    files: Sequence[str]
    folders: Sequence[str]

    def has(self, *names: str) -> bool:
        """Say whether it holds a file of one of these names."""
        return any(name in self.files for name in names)

    @property
    def size(self) -> int:
        """Return the bytes of its files: they grow while a run goes on."""
        return sum(size_of(self.path / name) for name in self.files)


def walk(root: Path) -> Iterator[FolderFiles]:
    """Yield a folder and all below it, each once, in the order of names; folders behind links come last.

    Raises:
        DataError: there are too many, or the first one cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    n_seen = 0
    waiting = [root]
    while waiting:
        path = waiting.pop()
        try:
            status = path.stat()
            entries = sorted(os.scandir(path), key=lambda one: one.name)
        except OSError as error:  # a link in a circle or to nothing, a folder that may not be entered
            if path == root:
                raise DataError(f"{root}: cannot be read: {error.strerror or error}; {WAY_OUT}") from error
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        n_seen += len(entries)
        if n_seen > MOST_LOOKED_AT:
            raise DataError(f"{root}: holds more than {MOST_LOOKED_AT} files and folders; {WAY_OUT}")
        folders = [one for one in entries if _is_folder(one)]
        folders.sort(key=lambda one: (one.is_symlink(), one.name))
        files = [one.name for one in entries if not _is_folder(one)]
        yield FolderFiles(path=path, files=files, folders=[one.name for one in folders])
        waiting += [Path(one.path) for one in reversed(folders)]


def size_of(path: Path) -> int:
    """Return the bytes of a file; 0 if it is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def changed_ms(path: Path) -> int:
    """Say when a file was written last, milliseconds since 1970, UTC; 0 if it is gone."""
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except OSError:
        return 0


def read_config(path: Path, notes: list[str], *, what: str = "its configuration") -> dict[str, Any]:
    """Return the mapping in a YAML or JSON file. If it cannot be read, a note says so, because the run has more.

    Args:
        path: the file; it need not exist.
        notes: gets a line if the file is damaged, too long, or not a mapping.
        what: name of the file in the note.
    """
    if not path.is_file():
        return {}
    try:
        return config_in(path)
    except (DataError, SpecError) as error:
        notes.append(f"{what} is left out: {error}")
        return {}


def config_in(path: Path) -> dict[str, Any]:
    """Read the mapping in a file of YAML or JSON.

    Raises:
        DataError: it is missing, damaged, too long, or not a mapping.
    """
    with open_given(path, way_out=WAY_OUT) as file, reading(path, way_out=WAY_OUT):
        content = file.read(MOST_OF_CONFIG + 1)
        if len(content) > MOST_OF_CONFIG:
            raise DataError(
                f"{path}: has more than {MOST_OF_CONFIG} bytes, too many for a file of settings; shorten it"
            )
        text = content.decode("utf-8-sig")
        is_json = path.suffix == ".json"
        try:
            found = load_json(text) if is_json else load(text)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}: is not JSON at line {error.lineno}: {error.msg}; correct it") from None
        except yaml.YAMLError as error:
            raise DataError(f"{path}: is not plain YAML: {_problem(error)}; correct it") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: must hold a mapping, and is {type(found).__name__}; correct it")
    return found


def small_files(folder: Path, names: Sequence[str]) -> list[Path]:
    """Return the files of a folder that can become artifacts: regular files that are not too large."""
    paths = [folder / name for name in names]
    return [path for path in paths if path.is_file() and not path.is_symlink() and size_of(path) <= MOST_KEPT_FILE]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _problem(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or str(error)
    mark = getattr(error, "problem_mark", None)
    return f"{problem} (line {mark.line + 1})" if mark is not None else str(problem)
