"""Read Ray Tune's trials: each folder with `result.json` (one result in each line) and `params.json`.

Pickles are never read: `params.pkl`, `tuner.pkl`, checkpoints.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

from rothamsted.errors import DataError
from rothamsted.given_files import open_given
from rothamsted.importing.flat import flat_texts, number_of
from rothamsted.importing.folders import WAY_OUT, FolderFiles, changed_ms, read_config, size_of, small_files, walk
from rothamsted.importing.histories import points_of
from rothamsted.importing.rows import Row, read_json, rows_of
from rothamsted.importing.times import time_ms
from rothamsted.importing.values import ImportedRun
from rothamsted.records import RunStatus

_STATE = "experiment_state"  # -2024-01-01_12-00-00.json, in the folder of the experiment
_RESULTS = ("result.json", "progress.csv")
_COUNTER = "training_iteration"  # that Ray adds to every result
_MOST_LOOKED_AT = 1 << 16  # bytes of results in which it is looked for
# What Ray writes beside the metrics of a result, and what tells trials apart.
_OWN = ("config", "trial_id", "experiment_id", "experiment_tag", "hostname", "node_ip", "pid", "date", "done")
_ABOUT = ("trial_id", "experiment_tag", "hostname")
_STATES = {
    "TERMINATED": RunStatus.FINISHED,
    "ERROR": RunStatus.FAILED,
    "RUNNING": RunStatus.RUNNING,
    "PAUSED": RunStatus.RUNNING,
    "PENDING": RunStatus.RUNNING,
}


def matches(address: str) -> bool:
    """Say whether there are trials of Ray Tune below a folder."""
    path = Path(address)
    return path.is_dir() and any(_is_trial(folder) or _state_file(folder) is not None for folder in walk(path))


def read(address: str, options: Mapping[str, str]) -> Iterator[ImportedRun]:
    """Yield the trials below a folder in the order of their paths."""
    states: dict[Path, dict[str, Any]] = {}  # experiment -> trial id -> what its state file says
    for folder in walk(Path(address)):
        if (path := _state_file(folder)) is not None:
            states[folder.path] = _states_in(path)
        if _is_trial(folder):
            yield _run(folder, states.get(folder.path.parent))


def _is_trial(folder: FolderFiles) -> bool:
    """Whether Ray made a folder: its results have Ray's own counter; of a trial without any there is the error."""
    if not folder.has("params.json"):
        return False
    path = _results(folder)
    if path is None:
        return folder.has("error.txt")
    try:
        with open_given(path, way_out=WAY_OUT) as file:
            return _COUNTER.encode() in file.read(_MOST_LOOKED_AT)
    except DataError:  # no file
        return False


def _results(folder: FolderFiles) -> Path | None:
    """The first file with results in it."""
    return next((folder.path / name for name in _RESULTS if folder.has(name) and size_of(folder.path / name)), None)


def _state_file(folder: FolderFiles) -> Path | None:
    """The newest of the files in which Ray keeps the states of an experiment's trials."""
    found = [name for name in folder.files if name.startswith(_STATE) and name.endswith(".json")]
    return folder.path / max(found) if found else None


def _states_in(path: Path) -> dict[str, Any]:
    """Trial id -> its state and error; a file that is damaged says nothing."""
    try:
        found = read_json(path)
    except DataError:
        return {}
    pairs = found.get("trial_data") if isinstance(found, dict) else None
    states: dict[str, Any] = {}
    for pair in pairs if isinstance(pairs, list) else []:
        try:  # [state, metadata] of a trial, each the text of a JSON object
            state = json.loads(pair[0])
            states[str(state["trial_id"])] = state
        except (ValueError, LookupError, TypeError):
            continue
    return states


def _run(folder: FolderFiles, states: Mapping[str, Any] | None) -> ImportedRun:
    notes: list[str] = []
    path = _results(folder)
    first = next(_rows(path, []), {})
    params = flat_texts(read_config(folder.path / "params.json", notes, what="params.json"), notes)
    trial_id = str(first.get("trial_id") or _id_in(folder.path.name, states or {}))
    state, reason = _state(folder, trial_id, states, notes)
    started = time_ms(first.get("timestamp"))
    seconds = number_of(first.get("time_this_iter_s")) or 0.0
    start = started - round(1000 * min(max(seconds, 0.0), 1e9)) if started else changed_ms(folder.path / "params.json")
    written = changed_ms(path if path is not None else folder.path / "params.json")
    points = points_of(
        _rows(path, notes),
        notes,
        step_by=_COUNTER,
        usual_ms=written,
        zone=UTC,
        without=(*_OWN, "timestamp"),
    )
    tags = {f"ray.{name}": str(first[name]) for name in _ABOUT if first.get(name) not in (None, "")}
    return ImportedRun(
        source_id=f"ray_tune:{folder.path.parent.name}/{trial_id or folder.path.name}",
        name=folder.path.name,
        params=params,
        points=points,
        tags=tags | ({"ray.error": reason} if reason else {}),
        start_ms=start,
        end_ms=None if started or state is RunStatus.RUNNING else max(start, written),  # else that of the last result
        state=state,
        files=small_files(folder.path, [name for name in ("params.json", "error.txt") if folder.has(name)]),
        notes=notes,
        revision=f"{size_of(path) if path is not None else 0} {state}",
    )


def _rows(path: Path | None, notes: list[str]) -> Iterator[Row]:
    """The results without what Ray writes beside them: `config` is the params, `date` a local time."""
    if path is None:
        return
    try:
        for row in rows_of(path, notes, as_kind=".jsonl" if path.name == "result.json" else ""):
            yield {name: value for name, value in row.items() if name != "config" and not name.startswith("config/")}
    except DataError as error:
        notes.append(f"{path.name} is read up to its fault: {error}")


def _state(
    folder: FolderFiles, trial_id: str, states: Mapping[str, Any] | None, notes: list[str]
) -> tuple[RunStatus, str]:
    """How a trial ended, and the last line of its error."""
    if folder.has("error.txt"):
        with (folder.path / "error.txt").open("rb") as file:
            lines = file.read(1 << 20).decode("utf-8", "replace").strip().splitlines()
        return RunStatus.FAILED, lines[-1].strip() if lines else ""
    said = (states or {}).get(trial_id, {}).get("status")
    if said in _STATES:
        if _STATES[said] is RunStatus.RUNNING:
            notes.append(f"Ray's experiment_state says {said}: it goes on, or Ray was killed")
        return _STATES[said], ""
    notes.append("no experiment_state of Ray's says how it ended: taken as FINISHED")
    return RunStatus.FINISHED, ""


def _id_in(name: str, states: Mapping[str, Any]) -> str:
    """The trial whose id stands in a folder's name: train_a1b2c_00000_0_lr=0.1."""
    return next((one for one in states if one and f"_{one}_" in f"{name}_"), "")
