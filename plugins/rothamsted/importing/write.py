"""Write imported runs into MLflow through the engine's recorder, many at a time, each exactly once.

A run is RUNNING until all of it is written; then it gets its state and its revision in one write. So a run that was
killed in the middle is written again, and equal rows stay one row.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from rothamsted import tags
from rothamsted.errors import DataError
from rothamsted.importing.fitted import FittedRun
from rothamsted.importing.values import ImportedRun
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking import FoundRun, ImportedRuns, Recorder

Fate = Literal["new", "updated", "there"]
POINTS_A_WRITE = 20_000
RUNS_A_WRITE = 200
SECONDS_A_WRITE = 2.0
_POINTS_A_STEP = 2_000
_MOST_REPLACED = 1_000_000  # points of a run that are held in memory to take the place of its older ones
_MOST_OF_TEXT = 1 << 20  # bytes of a file that is stored as a text, with the rest of its run
_MOST_OF_NOTE = 400  # characters of the tag


@dataclass(frozen=True, kw_only=True)
class TakenRun:
    """Describes one imported run.

    Attributes:
        name: in MLflow.
        run_id: in MLflow.
        fate: new; updated, if it was incomplete or has changed; there: nothing had to be done.
        n_points: number of points of its source; 0 if it was there.
        params: as MLflow has them.
        metrics: names of what was measured, as MLflow has them.
        notes: what could not be imported as it was.
    """

    name: str
    run_id: str
    fate: Fate
    n_points: int
    params: dict[str, str]
    metrics: Sequence[str]
    notes: Sequence[str] = ()


@dataclass
class _Ending:
    """What makes a run whole, written after all of it."""

    run_id: str
    state: RunStatus
    end_ms: int
    tags: dict[str, str] = field(default_factory=dict)


class RunWriter:
    """Writes runs of one source into one experiment; a context manager, which writes the last ones when it ends."""

    def __init__(
        self,
        recorder: Recorder,
        runs: ImportedRuns,
        *,
        experiment_id: str,
        address: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open it.

        Args:
            recorder: of the store; it is closed by whoever opened it.
            runs: which run stands for which.
            experiment_id: where they go.
            address: of the source, without secrets.
            clock: seconds since 1970.
        """
        self._recorder, self._runs, self._clock = recorder, runs, clock
        self._experiment_id, self._address = experiment_id, address
        self._endings: list[_Ending] = []
        self._seen: dict[tuple[str, str], int] = {}
        self._n_waiting = 0
        self._written_at = clock()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        if kind is None or issubclass(kind, DataError):  # what was read before a fault is kept
            self.flush()
            self.flush()

    def take(self, run: ImportedRun) -> TakenRun:
        """Write one run, or leave it as it is if it is there already.

        Raises:
            UserError: the source cannot be read any further, or the store cannot be written.
        """
        fitted = FittedRun(run)
        name = self._told_apart(fitted.name, "{} ({})")
        identity = self._told_apart(fitted.identity, "{}#{}")
        known = self._runs.known.get(identity)
        if known is not None and _is_whole(known, run):
            return TakenRun(
                name=known.name,
                run_id=known.run_id,
                fate="there",
                n_points=0,
                params=fitted.params,
                metrics=sorted(known.metrics),
            )
        points = iter(run.points)
        first = list(islice(points, _POINTS_A_STEP))
        start = run.start_ms or min((one.timestamp_ms for one in first if one.timestamp_ms > 0), default=0)
        start = start if 0 < start < 2**62 else round(self._clock() * 1000)
        run_id = self._runs.run_id(identity, name=name, start_ms=start)
        self._recorder.open_run(
            experiment_id=self._experiment_id,
            name=name,
            tags={
                **fitted.tags,
                tags.ROLE: tags.IMPORTED_ROLE,
                tags.IMPORTED: identity,
                tags.IMPORTED_FROM: self._address,
                "mlflow.source.name": self._address,
            },
            params=fitted.params,
            start_ms=start,
            run_id=run_id,
        )
        last = _Last()
        history = chain(first, points)
        every = chain(
            _fitted_points(history, fitted, last, start),
            _fitted_points(_later(lambda: _summary_points(run, fitted, last, start)), fitted, last, start),
        )
        n_points = self._log(run_id, every, replaces=known is not None)
        notes = fitted.notes()
        if identity != fitted.identity:
            notes.append("its source has an earlier run of the same identity: they are told apart by their order")
        self._keep_files(run_id, run.files)
        self._end(run_id, run, fitted, notes, start=start, last_ms=last.time_ms)
        return TakenRun(
            name=name,
            run_id=run_id,
            fate="new" if known is None else "updated",
            n_points=n_points,
            params=fitted.params,
            metrics=sorted(last.values),
            notes=notes,
        )

    def flush(self) -> None:
        """Write all that waits. Runs that are then complete get their state with the next flush."""
        endings, self._endings = self._endings, []
        self._recorder.flush()
        for one in endings:
            if one.state is not RunStatus.RUNNING:
                self._recorder.end_run(one.run_id, one.state, one.end_ms)
            self._recorder.log(one.run_id, tags=one.tags)
        self._n_waiting, self._written_at = 0, self._clock()

    def _told_apart(self, text: str, form: str) -> str:
        """A name or identity, with a number where an earlier run of this import has it."""
        n = self._seen[form, text] = self._seen.get((form, text), 0) + 1
        return text if n == 1 else form.format(text, n)

    def _log(self, run_id: str, points: Iterator[MetricPoint], *, replaces: bool) -> int:
        """Write the points; of a run that was there, in place of those that it had, as far as memory goes."""
        n_points, held = 0, list[MetricPoint]()
        while some := list(islice(points, _POINTS_A_STEP)):
            n_points += len(some)
            held += some
            replaces = replaces and len(held) <= _MOST_REPLACED
            if not replaces:
                self._recorder.log(run_id, metrics=held)
                self._n_waiting += len(held)
                held = []
            if self._n_waiting >= POINTS_A_WRITE:
                self.flush()
        if held:
            self._recorder.replace_metrics(run_id, held)
        return n_points

    def _keep_files(self, run_id: str, paths: Sequence[Path]) -> None:
        for path in paths:
            try:
                text = path.read_text(encoding="utf-8") if path.stat().st_size <= _MOST_OF_TEXT else None
            except UnicodeDecodeError:
                text = None
            if text is None:
                self._recorder.log_file(run_id, path, "files")
            else:
                self._recorder.add_text(run_id, text, f"files/{path.name}")

    def _end(
        self, run_id: str, run: ImportedRun, fitted: FittedRun, notes: list[str], *, start: int, last_ms: int
    ) -> None:
        found = {tags.IMPORTED_REVISION: run.revision or "1"}
        if fitted.description:
            found["mlflow.note.content"] = fitted.description
        if notes:
            about = {"source": self._address, "run": run.source_id, "notes": notes, "texts": fitted.long_texts}
            self._recorder.add_text(run_id, json.dumps(about, ensure_ascii=False, indent=1), tags.IMPORT_FILE)
            found[tags.IMPORT_NOTE] = "; ".join(notes)[:_MOST_OF_NOTE]
        end = run.end_ms if run.end_ms is not None and run.end_ms > 0 else last_ms
        self._endings.append(_Ending(run_id=run_id, state=run.state, end_ms=max(start, end), tags=found))
        is_late = self._clock() - self._written_at > SECONDS_A_WRITE
        if len(self._endings) >= RUNS_A_WRITE or is_late:
            self.flush()


class _Last:
    """The latest value of each metric, and the time of the latest point."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[int, int, float]] = {}  # metric -> step, time, value
        self.time_ms = 0

    def see(self, point: MetricPoint) -> None:
        key, value, at, step = point
        self.time_ms = max(self.time_ms, at)
        if key not in self.values or (step, at) >= self.values[key][:2]:
            self.values[key] = (step, at, value)


def _fitted_points(points: Iterable[MetricPoint], fitted: FittedRun, last: _Last, start: int) -> Iterator[MetricPoint]:
    """The points as MLflow can hold them, each seen once it is given."""
    for point in points:
        if (kept := fitted.point(point, start)) is not None:
            last.see(kept)
            yield kept


def _later(make: Callable[[], Sequence[MetricPoint]]) -> Iterator[MetricPoint]:
    """Points that are made when those before them are over."""
    yield from make()


def _summary_points(run: ImportedRun, fitted: FittedRun, last: _Last, start: int) -> list[MetricPoint]:
    """Numbers of the whole run that its history does not end with: at the last step, of a metric of its own name.

    One that the history has with another last value is the best of it, or a mean: it is called summary/NAME.
    """
    points = []
    step = max((seen[0] for seen in last.values.values()), default=0)
    at = run.end_ms if run.end_ms is not None and run.end_ms >= start else (last.time_ms or start)
    for name, value in run.summary.items():
        known = fitted.point(MetricPoint(name, value, at, step), start)
        if known is None:
            continue
        there = last.values.get(known.key)
        if there is None:
            points.append(MetricPoint(name, value, at, step))
        elif there[2] != value and not (there[2] != there[2] and value != value):
            points.append(MetricPoint(f"summary/{name}", value, at, step))
    return points


def _is_whole(known: FoundRun, run: ImportedRun) -> bool:
    """Whether a run is there with all that its source has now."""
    is_over = known.status != RunStatus.RUNNING
    return is_over and known.tags.get(tags.IMPORTED_REVISION) == (run.revision or "1")
