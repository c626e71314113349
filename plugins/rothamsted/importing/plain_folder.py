"""Read plain folders: each folder with a configuration and a history of metrics is a run, at any depth."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from rothamsted.importing.flat import flat_texts
from rothamsted.importing.folders import FolderFiles, changed_ms, read_config, size_of, small_files, walk
from rothamsted.importing.results import CONFIGS, history_of, is_result, results_in
from rothamsted.importing.times import zone_of
from rothamsted.importing.values import ImportedRun
from rothamsted.records import RunStatus


def matches(address: str) -> bool:
    """Return whether some folder below has results with a configuration, or only a history."""
    path = Path(address)
    return path.is_dir() and any(map(_is_run, walk(path)))


def read(address: str, options: Mapping[str, str]) -> Iterator[ImportedRun]:
    """Yield the runs below a folder in the order of their paths.

    Raises:
        DataError: none of the files can be read.
    """
    root, zone = Path(address), zone_of(options.get("time_zone"))
    if root.is_file():
        yield _run_in_file(root, options)
        return
    for folder in walk(root):
        if not _is_run(folder):
            continue
        notes: list[str] = []
        params: dict[str, str] = {}
        configs = [name for name in CONFIGS if name in folder.files]
        for name in configs:
            params |= flat_texts(read_config(folder.path / name, notes, what=name), notes)
        found = results_in([folder], notes, zone=zone, step_by=options.get("step_by"))
        start = min((changed_ms(folder.path / name) for name in configs), default=0) or found.end_ms
        inside = os.path.relpath(folder.path, root)
        yield ImportedRun(
            source_id=f"folder:{folder.path.resolve()}",
            name=folder.path.name if inside == "." else inside,
            params=params,
            points=found.points,
            summary=found.summary,
            start_ms=min(start, found.end_ms),
            end_ms=found.end_ms,
            state=RunStatus.FINISHED,
            files=small_files(folder.path, configs),
            notes=notes,
            revision=str(found.size),
        )


def _run_in_file(path: Path, options: Mapping[str, str]) -> ImportedRun:
    """The run of which one file is the history, asked for with kind=folder; a configuration may lie beside it."""
    notes: list[str] = []
    params: dict[str, str] = {}
    for name in CONFIGS:
        params |= flat_texts(read_config(path.parent / name, notes, what=name), notes)
    at, zone = changed_ms(path), zone_of(options.get("time_zone"))
    return ImportedRun(
        source_id=f"folder:{path.resolve()}",
        name=path.stem,
        params=params,
        points=history_of(path, notes, at=at, zone=zone, step_by=options.get("step_by")),
        start_ms=at,
        end_ms=at,
        files=small_files(path.parent, CONFIGS),
        notes=notes,
        revision=str(size_of(path)),
    )


def _is_run(folder: FolderFiles) -> bool:
    return any(map(is_result, folder.files))
