"""Read the event files of one folder: scalars by tag, hyper-parameters, how the run ended."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from rothamsted.caps import MOST_IMPORTED_NAMES
from rothamsted.importing.event_records import events_of, scalar_of
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.wording import plain_count, verb

_HPARAMS = "_hparams_/"
_STARTED_AGAIN = 1  # SessionLog.START of event.proto; torch writes it with purge_step
_STATES = {1: RunStatus.FINISHED, 2: RunStatus.FAILED, 3: RunStatus.RUNNING}  # of hparams' api.proto, Status


@dataclass
class EventRun:
    """Holds the contents of one folder of event files, with 24 bytes for each point.

    Attributes:
        params: params of the plug-in hparams; empty if there are none.
        state: state of the run; None: it was not written.
        group: name of the session group that hparams puts the run into.
        first_ms, last_ms: first and last time of its events, milliseconds since 1970; 0 if it has none.
        columns: tag -> steps, times in milliseconds, values.
        others: tags of pictures, texts and others that are not scalars.
        notes: what was cut off or damaged.
    """

    params: dict[str, str] = field(default_factory=dict)
    state: RunStatus | None = None
    group: str = ""
    first_ms: int = 0
    last_ms: int = 0
    columns: dict[str, tuple[array[int], array[int], array[float]]] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    is_cut_off: bool = False

    @property
    def n_points(self) -> int:
        """Return how many there are."""
        return sum(len(values) for _, _, values in self.columns.values())

    def points(self, rename: dict[str, str] | None = None) -> Iterator[MetricPoint]:
        """Yield all points, tag by tag; `rename` gives tags another name."""
        for tag, (steps, times, values) in self.columns.items():
            name = (rename or {}).get(tag, tag)
            for step, time, value in zip(steps, times, values):
                yield MetricPoint(name, value, time, step)

    def all_notes(self) -> list[str]:
        """Return the notes, with a count of what is not a scalar."""
        lines = list(self.notes)
        if self.others:
            lines.append(f"not scalars, left out: {', '.join(f'{n} x {tag}' for tag, n in self.others.most_common(5))}")
        return lines


def read_events(paths: Sequence[Path]) -> EventRun:
    """Read the run in the event files of one folder, oldest first. Later files add to it.

    Raises:
        DataError: see `events_of`.
    """
    found = EventRun()
    for path in paths:
        faults: list[str] = []
        for event in events_of(path, faults):
            time = round(event.wall_time * 1000) if 0 < event.wall_time < 1e11 else 0
            found.first_ms = min(found.first_ms or time, time or found.first_ms)
            found.last_ms = max(found.last_ms, time)
            if event.session_log.status == _STARTED_AGAIN:
                _take_back(found, event.step)
            for value in event.summary.value:
                _add(found, value, event.step, time)
        found.notes += faults
        found.is_cut_off = bool(faults)
    return found


def _take_back(found: EventRun, step: int) -> None:
    """Leave out what an earlier session logged from a step on, as TensorBoard does where a later one begins there."""
    n_before = found.n_points
    for steps, times, values in found.columns.values():
        kept = [index for index, one in enumerate(steps) if one < step]
        values[:] = array("d", [values[index] for index in kept])
        for column in (steps, times):
            column[:] = array("q", [column[index] for index in kept])
    if n_gone := n_before - found.n_points:
        points = f"{plain_count(n_gone, 'point')} from step {step} on {verb(n_gone, 'is', 'are')}"
        found.notes.append(f"{points} left out: a later session began there again")


def _add(found: EventRun, value: Any, step: int, time: int) -> None:
    if value.tag.startswith(_HPARAMS):
        _add_hparams(found, value)
        return
    number = scalar_of(value)
    if number is None:
        found.others[value.metadata.plugin_data.plugin_name or value.tag] += 1
        return
    column = found.columns.get(value.tag)
    if column is None:
        if len(found.columns) == MOST_IMPORTED_NAMES:
            found.others["more tags"] += 1
            return
        column = found.columns[value.tag] = (array("q"), array("q"), array("d"))
    column[0].append(step)
    column[1].append(time)
    column[2].append(number)


def _add_hparams(found: EventRun, value: Any) -> None:
    """The hyper-parameters of a session, or how it ended."""
    data = import_module("tensorboard.plugins.hparams.plugin_data_pb2").HParamsPluginData
    try:
        parsed = data.FromString(value.metadata.plugin_data.content)
    except Exception:  # what protobuf raises for damaged bytes is of its own
        found.notes.append("its hyper-parameters are damaged and left out")
        return
    kind = parsed.WhichOneof("data")
    if kind == "session_start_info":
        for name, one in parsed.session_start_info.hparams.items():
            found.params[name] = _text(one)
        found.group = parsed.session_start_info.group_name
    elif kind == "session_end_info":
        found.state = _STATES.get(parsed.session_end_info.status)


def _text(value: Any) -> str:
    """A value of protobuf's `Value`; it has no whole numbers, so that 32.0 is 32."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return str(int(number)) if number == number and abs(number) < 1e15 and number == int(number) else str(number)
    return str(getattr(value, kind)) if kind in ("string_value", "bool_value") else str(value).strip()
