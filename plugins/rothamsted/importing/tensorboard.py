"""Read TensorBoard's files: each folder with event files is a run.

Folders that torch's writer makes below a run belong to the run: `add_hparams` makes one named by the time,
`add_scalars("loss", {"a": …})` one named loss_a for each line.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from rothamsted.errors import DataError
from rothamsted.importing.event_records import check_tensorboard, is_event_file
from rothamsted.importing.event_run import EventRun, read_events
from rothamsted.importing.flat import flat_texts
from rothamsted.importing.folders import FolderFiles, read_config, size_of, small_files, walk
from rothamsted.importing.results import CONFIGS, is_history
from rothamsted.importing.values import ImportedRun, UnreadRun
from rothamsted.records import MetricPoint, RunStatus

_BY_TIME = re.compile(r"\d{9,11}\.\d+")  # how torch's add_hparams calls its folder


def matches(address: str) -> bool:
    """Say whether there are event files below a folder, or it is one."""
    path = Path(address)
    if path.is_file():
        return is_event_file(path.name)
    return path.is_dir() and any(any(map(is_event_file, folder.files)) for folder in walk(path))


def read(address: str, options: Mapping[str, str]) -> Iterator[ImportedRun | UnreadRun]:
    """Yield the runs below a folder, or in one event file, in the order of their paths.

    Raises:
        DataError: the package tensorboard is missing.
    """
    check_tensorboard()
    root = Path(address)
    if root.is_file():
        found = FolderFiles(path=root.parent, files=[root.name], folders=[])
        yield from _runs(_Found(folder=found), root.parent, {})
        return
    waiting: _Found | None = None
    configured: dict[Path, FolderFiles] = {}  # folders with a configuration, for all that is below them
    for folder in walk(root):
        if folder.has(*CONFIGS):
            configured[folder.path] = folder
        if not any(map(is_event_file, folder.files)):
            continue
        if waiting is not None and folder.path.parent == waiting.folder.path and _is_part(folder.path):
            waiting.parts.append(folder)
            continue
        if waiting is not None:
            yield from _runs(waiting, root, configured)
        waiting = _Found(folder=folder)
    if waiting is not None:
        yield from _runs(waiting, root, configured)


@dataclass
class _Found:
    """A folder of event files, and those below it that may be parts of its run."""

    folder: FolderFiles
    parts: list[FolderFiles] = field(default_factory=list)


def _is_part(path: Path) -> bool:
    """Whether a folder may be one that torch's writer made below a run; `_runs` looks into it."""
    return bool(_BY_TIME.fullmatch(path.name)) or "_" in path.name


def _runs(found: _Found, root: Path, configured: Mapping[Path, FolderFiles]) -> Iterator[ImportedRun | UnreadRun]:
    """The run of a folder with its parts, then those that turn out to be runs of their own."""
    try:
        yield from list(_read_runs(found, root, configured))  # a list: what whoever takes them raises is not ours
    except DataError as error:
        yield UnreadRun(reason=str(error))


def _read_runs(found: _Found, root: Path, configured: Mapping[Path, FolderFiles]) -> Iterator[ImportedRun]:
    hparams: list[EventRun] = []
    lines: list[tuple[EventRun, dict[str, str]]] = []
    own: list[tuple[FolderFiles, EventRun]] = []
    sessions = [one for one in found.parts if _BY_TIME.fullmatch(one.path.name)]
    for part in found.parts:
        events = read_events(_event_files(part))
        if len(sessions) == 1 and part is sessions[0] and events.params:
            hparams.append(events)
        elif rename := _line_of(part.path.name, events):
            lines.append((events, rename))
        else:
            own.append((part, events))
    parts = [part for part in found.parts if all(part is not one for one, _ in own)]
    yield _run(found.folder, root, read_events(_event_files(found.folder)), configured, hparams, lines, parts)
    for part, events in own:
        yield _run(part, root, events, configured)


def _line_of(name: str, events: EventRun) -> dict[str, str]:
    """What the one tag of `add_scalars` is called in the run, loss of the folder loss_a is loss/a; empty: no such."""
    if len(events.columns) != 1 or events.params:
        return {}
    [tag] = events.columns
    start = f"{tag.replace('/', '_')}_"
    return {tag: f"{tag}/{name.removeprefix(start)}"} if name.startswith(start) and name != start else {}


def _run(
    folder: FolderFiles,
    root: Path,
    events: EventRun,
    configured: Mapping[Path, FolderFiles],
    hparams: Sequence[EventRun] = (),
    lines: Sequence[tuple[EventRun, dict[str, str]]] = (),
    parts: Sequence[FolderFiles] = (),
) -> ImportedRun:
    every = [events, *hparams, *(part for part, _ in lines)]
    notes = [line for one in every for line in one.all_notes()]
    params: dict[str, str] = {}
    above = next((configured[one] for one in (folder.path, *folder.path.parents) if one in configured), folder)
    configs = [name for name in CONFIGS if name in above.files]
    for name in configs:
        params |= flat_texts(read_config(above.path / name, notes, what=name), notes)
    if beside := [name for name in folder.files if is_history(name)]:
        notes.append(f"{', '.join(beside)} beside the events: left out; kind=folder reads both")
    for one in [events, *hparams]:
        params |= one.params
    state = next((one.state for one in [*hparams, events] if one.state is not None), None)
    if state is None:
        state = RunStatus.KILLED if events.is_cut_off else RunStatus.FINISHED
    points: list[Iterator[MetricPoint]] = [one.points() for one in [events, *hparams]]
    points += [part.points(rename) for part, rename in lines]
    group = next((one.group for one in [*hparams, events] if one.group), "")
    first, inside = _event_files(folder)[0], os.path.relpath(folder.path, root)
    return ImportedRun(
        source_id=f"tensorboard:{first.name}:{_start_of(first)}",
        name=folder.path.name if inside == "." else inside,
        params=params,
        points=chain.from_iterable(points),
        tags={"tensorboard.group": group} if group else {},
        start_ms=min((one.first_ms for one in every if one.first_ms), default=0),
        end_ms=None if state is RunStatus.RUNNING else max(one.last_ms for one in every) or None,
        state=state,
        files=small_files(above.path, configs),
        notes=notes,
        revision=str(sum(size_of(path) for part in [folder, *parts] for path in _event_files(part))),
    )


def _event_files(folder: FolderFiles) -> list[Path]:
    """Oldest first: their names begin with the second in which they were opened."""
    return [folder.path / name for name in folder.files if is_event_file(name)]


def _start_of(path: Path) -> str:
    """The first record of a file, which has the microsecond in which it was opened; the same while it grows."""
    with path.open("rb") as file:
        return hashlib.sha256(file.read(24)).hexdigest()[:12]
