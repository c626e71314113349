"""Track a user's own training loop: files in a folder, and one run in MLflow, as for a run by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, final

from rothamsted.errors import StudyError, UserError, raised
from rothamsted.records import Outcome
from rothamsted.reported import Reported, is_listened_to, made, report, reporting_to
from rothamsted.studies.artifacts import artifacts_of, write_artifacts
from rothamsted.studies.atomic import check_writable
from rothamsted.studies.by_hand import check_new
from rothamsted.studies.command_line import check_name, name_folder
from rothamsted.studies.driver import unix_now_ms
from rothamsted.studies.exports import RunningExports, write_exports
from rothamsted.studies.failure import traceback_text
from rothamsted.studies.fields import spread
from rothamsted.studies.function.training import measurement_of
from rothamsted.studies.members import Members

if TYPE_CHECKING:
    from rothamsted.studies.run_record import RunRecord

_NOTHING: Mapping[str, Any] = {}


@final
class Tracker:
    """Keeps what a loop measures: metrics.csv, metrics.json, summary.json, config.json, figures, and an MLflow run.

    The files are written from the first measurement on, so that a killed loop leaves them behind. Files and run are
    those of a run by hand: `rothamsted compare` and `rt.analyze` take them. Inside the `with` block `rt.report` writes
    here too. In a training that a sweep has started, the sweep keeps the record, and the Tracker only passes numbers
    on.

    Args:
        name: name of the run, and of its folder runs/NAME.
        config: settings of the loop, nested or not; they become the run's params and config.json.
        output: another folder; files of an earlier run in it are replaced. None: runs/NAME.
        clock: function that gives seconds, which only grow.
        now_ms: function that gives milliseconds since 1970.

    Raises:
        UserError: the name cannot be a folder's name. When the block is entered: the folder has another run's files or
            cannot be written, or MLflow's tracking store cannot be reached.

    Example:
        >>> with Tracker("mine", {"lr": 0.1}) as tracker:  # doctest: +SKIP
        ...     for step in range(1, 101):
        ...         tracker.log(loss=1 / step, step=step)
    """

    def __init__(
        self,
        name: str,
        config: Mapping[str, Any] = _NOTHING,
        *,
        output: Path | str | None = None,
        clock: Callable[[], float] = time.perf_counter,
        now_ms: Callable[[], int] = unix_now_ms,
    ) -> None:
        check_name(name, place="Tracker")
        self._name, self._is_named_folder = name, output is None
        folder = name_folder(name) if output is None else Path(output)
        self._config: dict[str, Any] = json.loads(json.dumps(dict(config), default=_plain))
        self._clock, self._now_ms = clock, now_ms
        self._exports = RunningExports(folder=folder, config=self._config, clock=clock)
        self._members = Members.of(1, is_free=True)
        self._record: RunRecord | None = None
        self._stack = ExitStack()
        self._began_at = clock()

    @property
    def folder(self) -> Path:
        """Give the folder of the files.

        Example:
            >>> Tracker("mine").folder.as_posix()
            'runs/mine'
        """
        return self._exports.folder

    @property
    def run_id(self) -> str | None:
        """Give the id of the run in MLflow. It is None outside the block, and if a sweep keeps the record.

        Example:
            >>> Tracker("mine").run_id is None
            True
        """
        return self._record.run_id if self._record else None

    def log(
        self,
        metrics: Mapping[str, Any] = _NOTHING,
        /,
        *,
        step: int | None = None,
        epoch: float | None = None,
        artifacts: Mapping[str, Any] = _NOTHING,
        **more_metrics: Any,
    ) -> None:
        """Log numbers that the loop has measured.

        Args:
            metrics: name to number.
            step: step of training; it must grow. None: one more than the last, from 1.
            epoch: number of passes through the data.
            artifacts: file name to text, bytes, Path, figure, image or DataFrame.
            more_metrics: further metrics, by name.

        Raises:
            TypeError: a value is not one number.
            UserError: the step does not grow, a name is taken, or the folder cannot be written.

        Example:
            >>> with Tracker("mine") as tracker:  # doctest: +SKIP
            ...     tracker.log(loss=0.25, step=1)
        """
        told = {**metrics, **more_metrics, "step": step, "epoch": epoch, "artifacts": artifacts or None}
        told = {name: value for name, value in told.items() if value is not None}
        if self._record:
            self._take(made(told))
        elif is_listened_to():
            report(told)
        else:
            raise StudyError(f"Tracker {self._name!r}: log is called inside of its block, with Tracker(…) as t")

    def __enter__(self) -> Self:
        if is_listened_to():
            return self
        if self._is_named_folder:
            check_new(self.folder, place="Tracker")
        check_writable(self.folder)
        from rothamsted.studies.run_record import open_record  # imports MLflow

        self._record = open_record(
            name=self._name,
            params=dict(spread(self._config, frozenset())),
            tags={},
            root=Path.cwd(),
            clock=self._clock,
        )
        self._stack.enter_context(reporting_to(self._take))
        self._began_at = self._clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        record, self._record = self._record, None
        if record is None:
            return
        try:
            [ending] = self._members.endings(_outcome_of(error), **_how(error))
            write_exports(self.folder, self._config, ending)
            record.end(self._config, ending)
        except UserError as problem:
            record.abandon(_outcome_of(error).run_status)
            if error is None:
                raise
            error.add_note(f"Tracker: {problem}")

    def _take(self, reported: Reported) -> None:
        """Keep one report; its state is for sweeps, and left."""
        history = self._members.histories[0]
        step = (history[-1].step if history else 0) + 1 if reported.step is None else reported.step
        measurement = measurement_of(reported, step, state=None, place="Tracker")
        self._members.seconds = self._clock() - self._began_at
        [(_, measured)] = self._members.record(measurement, timestamp_ms=self._now_ms())
        if self._record:
            self._record.log(0, measured)
        self._exports.add(measured)
        for contents in artifacts_of(measurement, 1) if measurement.artifacts else ():
            write_artifacts(self.folder, contents)
            if self._record:
                self._record.keep(contents)


def _plain(value: Any) -> Any:
    """What JSON cannot hold: a NumPy number as a number, a path as its text."""
    return value.item() if getattr(value, "shape", None) == () else str(value)


def _outcome_of(error: BaseException | None) -> Outcome:
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return Outcome.FINISHED
    return Outcome.INTERRUPTED if isinstance(error, KeyboardInterrupt) else Outcome.FAILED


def _how(error: BaseException | None) -> dict[str, str]:
    if error is None or _outcome_of(error) is Outcome.FINISHED:
        return {}
    if isinstance(error, KeyboardInterrupt):
        return {"reason": "interrupted"}
    return {"reason": raised(error), "traceback": traceback_text(error)}
