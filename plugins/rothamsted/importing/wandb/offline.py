"""Read the folders of W&B's package, `wandb/offline-run-…` and `wandb/run-…`, without a network or an account.

The records are protobuf messages of the package, which must be installed. Nothing is unpickled or run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from rothamsted.errors import DataError
from rothamsted.importing.values import ImportedRun
from rothamsted.importing.wandb.frames import WAY_OUT, records
from rothamsted.importing.wandb.taken import WandbRun, imported, parsed, points_of_row
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.suggest import known_names
from rothamsted.wandb_access import check_installed
from rothamsted.wording import plain_count, verb

_ENDING = ".wandb"
_PLACES = ("run-*.wandb", "*run-*/run-*.wandb", "wandb/*run-*/run-*.wandb")
_STATES = {0: RunStatus.FINISHED, 255: RunStatus.KILLED}  # exit code; others failed


def matches(address: str) -> bool:
    """Say whether a path is a file of W&B, a folder of one run or of several, or the folder above that."""
    path = Path(address)
    return (path.is_file() and path.suffix == _ENDING) or (path.is_dir() and next(_files(path), None) is not None)


def read(address: str, options: Mapping[str, str]) -> Iterator[ImportedRun]:
    """Yield the runs of a folder, in the order of their folders' names, which begin with the time.

    The folders of a resumed run's sessions are one run.

    Raises:
        DataError: the package is missing, or none of the files can be read.
    """
    check_installed(address)
    path = Path(address)
    found: dict[str, _Sessions] = {}
    refused: list[str] = []
    for file in [path] if path.is_file() else sorted(set(_files(path)), key=lambda one: (one.parent.name, one.name)):
        try:
            session = _Session.of(file)
        except DataError as error:
            refused.append(str(error))
            continue
        found.setdefault(session.facts.source_id, _Sessions()).add(session)
    if not found and refused:
        raise DataError(refused[0])
    runs = [one for one in found.values() if "group" not in options or options["group"] in one.groups]
    if found and not runs:
        groups = sorted({group for one in found.values() for group in one.groups})
        raise DataError(f"{address}: no run has the group {options['group']}; {known_names(options['group'], groups)}")
    for number, one in enumerate(runs):
        yield one.imported(refused if number == 0 else [])


def _files(folder: Path) -> Iterator[Path]:
    for pattern in _PLACES:
        yield from folder.glob(pattern)


@dataclass(kw_only=True)
class _Session:
    """One file: everything but its history, which is read when it is asked for."""

    path: Path
    facts: WandbRun
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path) -> _Session:
        """Read a file once."""
        notes: list[str] = []
        facts = WandbRun()
        for record in _messages(path, notes):
            _take(record, facts)
        if not facts.run_id:
            raise DataError(f"{path}: names no run; it was cut off before its first record; {WAY_OUT}")
        facts.revision = str(path.stat().st_size)
        return cls(path=path, facts=facts, notes=notes)

    def points(self) -> Iterator[MetricPoint]:
        """Its history, read anew: it need not be in memory."""
        for record in _messages(self.path, []):
            if record.WhichOneof("record_type") == "history":
                row: dict[str, Any] = {"_step": record.history.step.num}
                _update(row, record.history.item)
                yield from points_of_row(row, self.facts)


@dataclass(kw_only=True)
class _Sessions:
    """All files of one run."""

    sessions: list[_Session] = field(default_factory=list)

    @property
    def groups(self) -> set[str]:
        """The group that they name; a session that resumes a run need not."""
        return {one.facts.group for one in self.sessions if one.facts.group}

    def add(self, session: _Session) -> None:
        self.sessions.append(session)

    def imported(self, more_notes: Sequence[str]) -> ImportedRun:
        """One run: the last session says how it ended."""
        last = self.sessions[-1]
        facts = last.facts.after([one.facts for one in self.sessions[:-1]])
        notes = [*more_notes, *(line for one in self.sessions for line in one.notes)]
        if len(self.sessions) > 1:
            notes.append(f"it has {len(self.sessions)} folders: sessions of one run, whose points are joined")
        if last.facts.state is None:
            notes.append("it has no record of its end: its process was killed, or still runs; it is taken as KILLED")
        facts.state = last.facts.state or RunStatus.KILLED
        return imported(facts, (point for one in self.sessions for point in one.points()), notes)


def _messages(path: Path, notes: list[str]) -> Iterator[Any]:
    """The records of a file as messages."""
    # What protobuf makes of its messages is known when it runs, not before.
    message: Any = import_module("wandb.proto.wandb_internal_pb2").Record
    n_strange = 0
    for content in records(path, notes):
        try:
            yield message.FromString(content)
        except Exception:  # whatever protobuf raises
            n_strange += 1
    if n_strange:
        left_out = f"{plain_count(n_strange, 'record')} cannot be read and {verb(n_strange, 'is', 'are')} left out"
        notes.append(f"{path.name}: {left_out}")


def _take(record: Any, facts: WandbRun) -> None:
    """Add what a record says of the run."""
    kind = record.WhichOneof("record_type")
    if kind == "run":
        run = record.run
        facts.run_id, facts.project, facts.entity = run.run_id, run.project, run.entity or facts.entity
        facts.name, facts.group, facts.job_type = run.display_name, run.run_group, run.job_type
        facts.notes, facts.tags, facts.sweep = run.notes, list(run.tags), run.sweep_id
        facts.start_ms = run.start_time.seconds * 1000 + run.start_time.nanos // 1_000_000
        _change(facts.config, run.config)
        _change(facts.summary, run.summary)
    elif kind == "config":
        _change(facts.config, record.config)
    elif kind == "summary":
        _change(facts.summary, record.summary)
    elif kind == "exit":
        facts.state = _STATES.get(record.exit.exit_code, RunStatus.FAILED)
        facts.runtime_seconds = float(record.exit.runtime)
    elif kind == "history":
        times = (item.value_json for item in record.history.item if _way(item) == ["_timestamp"])
        facts.saw(parsed(next(times, "null")))


def _change(values: dict[str, Any], record: Any) -> None:
    """Apply what a record takes away and sets."""
    for item in record.remove:
        *above, last = _way(item)
        place: Any = values
        for name in above:
            place = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.pop(last, None)
    _update(values, record.update)


def _update(values: dict[str, Any], items: Iterable[Any]) -> None:
    """Set values, some of them within mappings."""
    for item in items:
        *above, last = _way(item)
        place = values
        for name in above:
            inner = place.get(name)
            place[name] = inner if isinstance(inner, dict) else {}
            place = place[name]
        place[last] = parsed(item.value_json)


def _way(item: Any) -> list[str]:
    """A key: one name, or the way to a value within mappings."""
    return list(item.nested_key) or [item.key]
