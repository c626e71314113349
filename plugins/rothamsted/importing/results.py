"""Read the measurements in the folder of one run: histories, event files, results."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from itertools import chain
from pathlib import Path

from rothamsted.errors import DataError
from rothamsted.importing.event_records import is_event_file
from rothamsted.importing.event_run import read_events
from rothamsted.importing.flat import flat_numbers
from rothamsted.importing.folders import FolderFiles, changed_ms, size_of
from rothamsted.importing.histories import points_of
from rothamsted.importing.rows import rows_of
from rothamsted.records import MetricPoint

CONFIGS = tuple(
    f"{stem}{end}" for stem in ("config", "params", "hparams", "args") for end in (".json", ".yaml", ".yml")
)
_PLAIN = (
    "metrics",
    "history",
    "progress",
    "log",
    "logs",
    "results",
    "result",
    "train_log",
)  # in files of these names a metric is called as it is there
_HISTORIES = (*(f"{stem}{end}" for stem in _PLAIN for end in (".csv", ".tsv")), "metrics.json", "history.json")
_EVENTS = "tfevents"
_RESULTS = ("results.json", "result.json", "summary.json", "scores.json", "final.json", "test_results.json")


@dataclass
class Results:
    """Holds what was measured in a run.

    Attributes:
        points: the history, read once.
        summary: numbers of the whole run.
        paths: the files that they are in.
        notes: what was left out; complete after the last point.
    """

    points: Iterator[MetricPoint]
    summary: dict[str, float]
    paths: Sequence[Path]
    notes: list[str] = field(default_factory=list)

    @property
    def end_ms(self) -> int:
        """Say when the last of the files was written, milliseconds since 1970; 0 without any."""
        return max((changed_ms(path) for path in self.paths), default=0)

    @property
    def size(self) -> int:
        """Return the bytes of all of them."""
        return sum(size_of(path) for path in self.paths)


def is_history(name: str) -> bool:
    """Say whether a file is a history of metrics, by its name."""
    return name in _HISTORIES or name.endswith((".jsonl", ".ndjson"))


def is_result(name: str) -> bool:
    """Say whether a file holds what a run measured, by its name."""
    return is_history(name) or name in _RESULTS or is_event_file(name)


def results_in(
    folders: Sequence[FolderFiles],
    notes: list[str],
    *,
    zone: tzinfo | None = UTC,
    usual_ms: int = 0,
    step_by: str | None = None,
) -> Results:
    """Return what was measured in a run, from all its folders.

    If a history is not called `metrics`, `history`, `results` or similar, its metrics begin with its name: loss of
    `val.jsonl` is `val/loss`. If several folders have a file of one name, or event files, their metrics begin with the
    folder: `train/loss`.

    Args:
        folders: folders of the run, its own first.
        notes: gets lines for what is left out.
        zone: time zone of times that name none.
        usual_ms: time of points without one; 0: when the file was written last.
        step_by: the column of the step; None: as it is found.
    """
    parts: list[Iterator[MetricPoint]] = []
    summary: dict[str, float] = {}
    paths: list[Path] = []
    befores = _befores(folders)
    for folder in folders:
        if events := [folder.path / name for name in folder.files if is_event_file(name)]:
            paths += events
            parts.append(_of_events(events, notes, befores.get((folder.path, _EVENTS), "")))
        for name in folder.files:
            path = folder.path / name
            if is_history(name):
                paths.append(path)
                at = usual_ms or changed_ms(path)
                before = befores.get((folder.path, name), "") + ("" if path.stem in _PLAIN else f"{path.stem}/")
                parts.append(history_of(path, notes, at=at, zone=zone, step_by=step_by, before=before))
            elif name in _RESULTS:
                paths.append(path)
                before = befores.get((folder.path, name), "")
                summary |= {f"{before}{key}": value for key, value in _summary(path, notes).items()}
    return Results(points=chain.from_iterable(parts), summary=summary, paths=paths, notes=notes)


def history_of(
    path: Path, notes: list[str], *, at: int, zone: tzinfo | None, step_by: str | None = None, before: str = ""
) -> Iterator[MetricPoint]:
    """Yield the points of one history. If it is damaged, a note says so, and points before the fault are kept.

    Args:
        path: the file.
        notes: gets lines for what is left out.
        at: time of points without one, milliseconds since 1970.
        zone: time zone of times that name none.
        step_by: the column of the step; None: as it is found.
        before: beginning of the name of each metric.
    """
    try:
        for point in points_of(rows_of(path, notes), notes, usual_ms=at, zone=zone, step_by=step_by):
            yield point._replace(key=f"{before}{point.key}") if before else point
    except DataError as error:
        notes.append(f"{path.name} is read up to its fault: {error}")


def _befores(folders: Sequence[FolderFiles]) -> dict[tuple[Path, str], str]:
    """What tells the metrics of several folders apart: folder and file -> its path below what they have in common."""
    places: dict[str, list[Path]] = {}
    for folder in folders:
        kinds = {_EVENTS if is_event_file(name) else name for name in folder.files if is_result(name)}
        for kind in kinds:
            places.setdefault(kind, []).append(folder.path)
    found: dict[tuple[Path, str], str] = {}
    for kind, paths in places.items():
        common = os.path.commonpath(paths)
        for path in paths:
            inside = os.path.relpath(path, common)
            found[path, kind] = "" if inside == "." else f"{inside}/"
    return found


def _of_events(paths: Sequence[Path], notes: list[str], before: str) -> Iterator[MetricPoint]:
    try:
        found = read_events(paths)
    except DataError as error:
        notes.append(f"event files are left out: {error}")
        return
    notes += found.all_notes()
    yield from found.points({tag: f"{before}{tag}" for tag in found.columns} if before else None)


def _summary(path: Path, notes: list[str]) -> dict[str, float]:
    try:
        found: dict[str, float] = {}
        for row in rows_of(path, notes):
            found |= flat_numbers(row)
        return found
    except DataError as error:
        notes.append(f"{path.name} is left out: {error}")
        return {}
