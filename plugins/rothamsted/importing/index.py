"""Read indexes: a JSON file that lists runs, with their history in it or beside it (such as `sweep_registry.json`).

A run is an object. What its keys mean:

| key | |
|---|---|
| `id`, `run_id`, `trial_id`, `name` | which run it is |
| `config`, `params`, `hyperparameters`, `hparams` | its params, nested or flat |
| `history`, `metrics`, `curves` | a list of objects, an object of lists or of last values, or the path of a file |
| `metrics_file`, `history_file`, `metrics_path`, `history_path` | the path of a file |
| `summary`, `results`, `final` | last values |
| `dir`, `folder`, `path`, `output_dir` | its folder, with a history in it |
| `state`, `status`, `start_time`, `end_time`, `tags`, `notes` | |

Without an object of params, every other number, text or truth value of the run is a param, unless its name is that of a
metric. Paths are relative to the file and stay in its folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

from rothamsted.errors import DataError
from rothamsted.importing import columns as names
from rothamsted.importing.flat import flat_numbers, flat_texts, is_nothing, number_of, rows_of_columns
from rothamsted.importing.folders import WAY_OUT, FolderFiles, changed_ms, walk
from rothamsted.importing.histories import points_of
from rothamsted.importing.results import history_of, results_in
from rothamsted.importing.rows import read_json
from rothamsted.importing.times import time_ms, zone_of
from rothamsted.importing.values import ImportedRun
from rothamsted.records import MetricPoint, RunStatus

_CONFIGS = ("config", "params", "hyperparameters", "hparams", "parameters")
_HISTORIES = ("history", "metrics", "curves")
_FILES = ("metrics_file", "history_file", "metrics_path", "history_path")
_SUMMARIES = ("summary", "results", "final")
_FOLDERS = ("dir", "folder", "path", "output_dir", "run_dir")
_GROUPS = ("runs", "trials", "experiments")
_RUNS = (*_GROUPS, "results", "sweep", "sweeps")
_MEANT = {
    *_CONFIGS, *_HISTORIES, *_FILES, *_SUMMARIES, *_FOLDERS, *names.IDS, *names.NAMES, *names.STATES, *names.STARTS,
    *names.ENDS, "tags", "notes",
}  # fmt: skip


def matches(address: str) -> bool:
    """Say whether it is a JSON file."""
    path = Path(address)
    return path.is_file() and path.suffix.lower() == ".json"


def read(address: str, options: Mapping[str, str]) -> Iterator[ImportedRun]:
    """Yield the runs of an index in its order.

    Raises:
        DataError: it is not JSON, or not a list or mapping of runs.
    """
    path, zone = Path(address), zone_of(options.get("time_zone"))
    for number, (key, entry) in enumerate(_entries(path, read_json(path))):
        name = str(_value(entry, names.NAMES) or key or f"{path.stem} {number}")
        own = key or sha256(repr(entry).encode("utf-8", "replace")).hexdigest()[:16]
        yield replace(_run(path, own, entry, zone, options), name=name)


def _entries(path: Path, found: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Which run (empty: it does not say) -> its object.

    Of a list of runs, a mapping of them, a mapping that has one of these as `runs`, or columns as pandas writes them.
    """
    if isinstance(found, dict):
        found = next((found[key] for key in _RUNS if isinstance(found.get(key), list | dict)), found)
    if isinstance(found, dict) and (rows := _of_columns(found)):
        found = rows
    if isinstance(found, dict):
        pairs = [(str(key), one) for key, one in found.items()]
    elif isinstance(found, list):
        pairs = [("", one) for one in found]
    else:
        pairs = []
    if not pairs or not all(isinstance(one, dict) for _, one in pairs):
        raise DataError(
            f"{path}: must hold a list of runs, or a mapping of names to runs, each an object with config and history; "
            f"{WAY_OUT}"
        )
    for number, (key, one) in enumerate(pairs):
        own = next((str(one[name]) for name in (*names.IDS, *names.NAMES) if isinstance(one.get(name), str | int)), "")
        below = next((one[name] for name in _GROUPS if isinstance(one.get(name), list | dict)), None)
        if below is None:
            yield key or own, one
        elif below:  # a sweep with its runs
            runs = enumerate(_entries(path, below))
            yield from ((f"{key or own or number}/{inner or n}", run) for n, (inner, run) in runs)


def _of_columns(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of {"lr": {"0": 0.1, "1": 0.5}, …}, which `DataFrame.to_json()` writes; empty: it is something else."""
    columns = [one for one in found.values() if isinstance(one, dict)]
    rows = list(columns[0]) if columns else []
    is_table = len(columns) == len(found) and all(row.isdecimal() for row in rows)
    if not is_table or any(column.keys() != columns[0].keys() for column in columns):
        return []
    return [{name: column[row] for name, column in found.items() if column[row] is not None} for row in rows]


def _run(path: Path, key: str, entry: dict[str, Any], zone: tzinfo | None, options: Mapping[str, str]) -> ImportedRun:
    notes, step_by = list[str](), options.get("step_by")
    known = next((entry[name] for name in _CONFIGS if isinstance(entry.get(name), dict)), None)
    free = {name: one for name, one in entry.items() if name not in _MEANT and not isinstance(one, dict | list)}
    measured = {
        name: number
        for name, one in free.items()
        if (number := number_of(one)) is not None and names.is_metric_name(name)
    }
    missing = {name for name, one in free.items() if is_nothing(one) and names.is_metric_name(name)}
    set_ = {name: one for name, one in free.items() if name not in measured.keys() | missing}
    params = flat_texts({**set_, **(known or {})}, notes)
    summary = dict(measured)
    for name in _SUMMARIES:
        if isinstance(entry.get(name), dict):
            summary |= flat_numbers(entry[name])
    start = time_ms(_value(entry, names.STARTS), zone)
    end = time_ms(_value(entry, names.ENDS), zone)
    usual = start or changed_ms(path)
    parts: list[Iterator[MetricPoint]] = []
    for name in _HISTORIES:
        rows = _rows_in(entry.get(name))
        if rows is not None:
            parts.append(points_of(rows, notes, step_by=step_by, usual_ms=usual, zone=zone))
        elif isinstance(entry.get(name), dict):
            summary |= flat_numbers(entry[name])
        elif isinstance(entry.get(name), list) and entry[name]:
            notes.append(f"{name} is a list of other things than objects: left out")
    for there in _beside(path, entry, notes):
        if there.is_file():
            parts.append(history_of(there, notes, at=start or changed_ms(there), zone=zone, step_by=step_by))
        else:
            found = results_in(_inside(path, there), notes, zone=zone, usual_ms=start or 0, step_by=step_by)
            summary |= found.summary
            parts.append(found.points)
    state = _value(entry, names.STATES)
    status = names.state_of(state, notes) if state is not None else RunStatus.FINISHED
    tags = entry.get("tags")
    tags = {str(one): "true" for one in tags} if isinstance(tags, list) else tags
    return ImportedRun(
        source_id=f"index:{path.resolve()}#{key}",
        params=params,
        points=chain.from_iterable(parts),
        summary=summary,
        tags=flat_texts(tags, notes) if isinstance(tags, dict) else {},
        description=str(entry.get("notes") or ""),
        start_ms=usual,
        end_ms=None if status is RunStatus.RUNNING else end,
        state=status,
        notes=notes,
        revision=sha256(repr(entry).encode("utf-8", "replace")).hexdigest()[:16],
    )


def _value(entry: Mapping[str, Any], known: Sequence[str]) -> Any:
    return next((entry[name] for name in known if entry.get(name) not in (None, "")), None)


def _rows_in(value: Any) -> list[dict[str, Any]] | None:
    """The rows of a history that stands in the index; None: it is none."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return value
    return (rows_of_columns(value) or None) if isinstance(value, dict) else None


def _beside(path: Path, entry: Mapping[str, Any], notes: list[str]) -> Iterator[Path]:
    """The files and folders beside the index that a run names."""
    home = path.resolve().parent
    for name in (*_FILES, *_HISTORIES, *_FOLDERS):
        given = entry.get(name)
        if not isinstance(given, str) or not given:
            continue
        there = _within(home, given)
        if there is not None and (there.is_file() or there.is_dir()):
            yield there
        else:
            why = "lies elsewhere, and only what is beside the index is read" if there is None else "is not there"
            notes.append(f"{name} {given[:80]}: {why}")


def _inside(path: Path, folder: Path) -> list[FolderFiles]:
    """A folder and all below it, without what its links lead to outside the folder of the index."""
    home = path.resolve().parent
    return [
        replace(one, files=[name for name in one.files if _within(home, str(one.path / name)) is not None])
        for one in walk(folder)
        if _within(home, str(one.path)) is not None
    ]


def _within(home: Path, given: str) -> Path | None:
    """A path beside the index, its links followed; None where it leads elsewhere."""
    try:
        there = (home / given).resolve()
    except (OSError, ValueError, RuntimeError):  # a NUL, links in a circle
        return None
    return there if there.is_relative_to(home) else None
