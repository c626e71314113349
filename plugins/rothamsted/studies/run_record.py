"""Write one run by hand to MLflow while it trains: params, metrics as they come, outcome, files."""

from __future__ import annotations

import json
import logging
import tempfile
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from pydantic import BaseModel

from rothamsted.errors import StoreError, UserError
from rothamsted.given_files import read_given_text, reading
from rothamsted.records import Ending, Measured, MetricPoint, Outcome, RunStatus
from rothamsted.studies.artifacts import Contents, log_artifacts
from rothamsted.studies.atomic import write_atomically
from rothamsted.studies.contract import Study
from rothamsted.studies.driver import unix_now_ms
from rothamsted.studies.exports import write_exports
from rothamsted.studies.fields import flatten
from rothamsted.studies.final_state import final_state
from rothamsted.studies.provenance import origin_files, source_tags, without_origin
from rothamsted.tags import FINAL_STATE, ORIGIN_FILE

if TYPE_CHECKING:
    from rothamsted.tracking import Recorder

FLUSH_SECONDS = 1.0  # a measurement is in MLflow about this much later
NOTE = "run.json"  # in the checkpoint folder: which run the checkpoints belong to
KEY_TAG = "rothamsted.checkpoints"  # the note's key, by which that run is found
_log = logging.getLogger(__name__)


@final
@dataclass(kw_only=True)
class RunRecord:
    """Writes one MLflow run."""

    recorder: Recorder
    run_id: str
    experiment_id: str
    tracking_uri: str
    clock: Callable[[], float]
    is_resumed: bool
    origin: str  # where the run comes from, as its artifact has it
    _logged: set[tuple[str, int]] = field(default_factory=set, repr=False)  # (key, step) that the run has
    _flushed_at: float = 0.0
    _unwritten: dict[str, str | bytes] = field(default_factory=dict, repr=False)  # artifacts: path -> content

    def log(self, member: int, measured: Measured) -> None:
        """Add one measurement; what the run has already, from before a restart, is not added again."""
        values = dict(measured.metrics)
        if measured.epoch is not None:
            values["epoch"] = measured.epoch
        points = [
            MetricPoint(key, value, measured.timestamp_ms, measured.step)
            for key, value in values.items()
            if (key, measured.step) not in self._logged
        ]
        self.recorder.log(self.run_id, metrics=points)
        if self.clock() - self._flushed_at >= FLUSH_SECONDS:
            self._try_to_flush(self.recorder.pass_on)
            self._flushed_at = self.clock()

    def keep(self, contents: Contents) -> None:
        """Store the artifacts of a measurement; what a store that is away does not take is kept for later."""
        self._unwritten |= contents
        self._try_to_flush()

    def end(self, config: Mapping[str, Any], ending: Ending) -> None:
        """Write how training ended, and its exports as artifacts."""
        tags = {"rothamsted.outcome": str(ending.outcome), "rothamsted.reason": ending.reason}
        tags["rothamsted.kept"] = "" if ending.kept is None else str(ending.kept)
        if ending.history:
            last = ending.history[-1]
            self.log(0, replace(last, metrics={k: v for k, v in last.metrics.items() if k in ending.closing}))
        self.recorder.log(self.run_id, tags={name: value for name, value in tags.items() if value or self.is_resumed})
        if state := final_state(ending.model):
            origin = {**json.loads(self.origin), FINAL_STATE: state}
            self.recorder.add_text(self.run_id, json.dumps(origin, indent=2) + "\n", ORIGIN_FILE)
        self._flush(self.recorder.flush)
        if ending.history:
            with tempfile.TemporaryDirectory() as folder:
                for path in write_exports(Path(folder), config, ending):
                    self.recorder.log_file(self.run_id, path)
        if ending.output:
            self.recorder.log_text(self.run_id, ending.output, "output.txt")
        if ending.traceback:
            self.recorder.log_text(self.run_id, ending.traceback, "traceback.txt")
        self.recorder.end_run(self.run_id, ending.outcome.run_status, unix_now_ms())
        self.recorder.close()

    def abandon(self, status: RunStatus) -> None:
        """End the run after an error outside training; the error itself is the caller's to tell."""
        outcome = Outcome.INTERRUPTED if status is RunStatus.KILLED else Outcome.FAILED
        with suppress(UserError):
            self.recorder.log(self.run_id, tags={"rothamsted.outcome": str(outcome)})
            self.recorder.end_run(self.run_id, status, unix_now_ms())
            self.recorder.close()

    def _try_to_flush(self, write: Callable[[], None] | None = None) -> None:
        """A store that is away for a while must not end a training: what is not written stays buffered."""
        try:
            self._flush(write or self.recorder.flush)
        except StoreError as error:
            _log.warning("MLflow was not written, training goes on and it is tried again: %s", error)

    def _flush(self, write: Callable[[], None]) -> None:
        write()
        waiting, self._unwritten = self._unwritten, {}
        try:
            log_artifacts(self.recorder, self.run_id, waiting)
        except StoreError:
            self._unwritten = waiting
            raise


def open_record(
    *,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    root: Path,
    clock: Callable[[], float],
    make_key: Callable[[], str] | None = None,
) -> RunRecord:
    """Open the run that a training is to be logged in.

    That is the run of `mlflow run` where it started this process, else the run that the checkpoints belong
    to, else a new one.

    Args:
        name: what MLflow shows; of the run of `mlflow run` it stays as it is.
        params: kept as text.
        tags: beside those of the code.
        root: the folder whose git commit is noted.
        clock: seconds that only grow.
        make_key: gives the key of the checkpoints, by which their run is found; called when the store has been reached.

    Raises:
        StoreError: the tracking store cannot be reached or written; then nothing has been created.
    """
    from rothamsted import tracking

    uri = tracking.tracking_uri()
    tracking.check_reachable(uri)
    key = make_key() if make_key else None
    tracking.migrate(uri)
    experiment_id = tracking.experiment_id(uri)
    tags, origin = without_origin(source_tags(root) | dict(tags))
    tags |= {KEY_TAG: key} if key else {}
    params = {name: str(value) for name, value in params.items()}
    found = tracking.find_runs(None, {KEY_TAG: key}, uri=uri)[-1:] if key else []
    run_id = tracking.current_run_id() or next((run.run_id for run in found), None)
    recorder = tracking.open_recorder(uri)
    if run_id is None:
        run_id = recorder.open_run(
            experiment_id=experiment_id, name=name, tags=tags, params=params, start_ms=unix_now_ms()
        )
        logged = set()
    else:
        if found and found[0].run_id != run_id:
            tags["rothamsted.continues"] = found[0].run_id
        elif found:
            experiment_id = found[0].experiment_id
        logged = _go_on(recorder, run_id, params, tags, uri)
    for path, text in origin_files(root, origin).items():
        recorder.add_text(run_id, text, path)
    recorder.flush()
    return RunRecord(
        recorder=recorder,
        run_id=run_id,
        experiment_id=experiment_id,
        tracking_uri=uri,
        clock=clock,
        is_resumed=bool(found),
        origin=origin,
        _logged=logged,
        _flushed_at=clock(),
    )


def forget(checkpoint_dir: Path) -> None:
    """Remove the note of a run that has ended, and the folder if nothing else is in it."""
    (checkpoint_dir / NOTE).unlink(missing_ok=True)
    with suppress(OSError):  # not empty, or gone already
        checkpoint_dir.rmdir()


def _go_on(
    recorder: Recorder, run_id: str, params: Mapping[str, str], tags: Mapping[str, str], uri: str
) -> set[tuple[str, int]]:
    """Go on in a run that is there already; gives the (metric, step) that it has."""
    from rothamsted import tracking

    recorder.resume_run(run_id)
    recorder.log(run_id, params=params, tags=tags)
    return {(point.key, point.step) for point in tracking.read_history([run_id], uri=uri)[run_id]}


def checkpoint_key(checkpoint_dir: Path, study: Study, config: BaseModel) -> str:
    """Return the key of the run that the folder's checkpoints belong to; a new one if it is of another config."""
    path = checkpoint_dir / NOTE
    identity = {"study": study.name, "config": flatten(config)}
    # A damaged note costs a second run, never a wrong one.
    with suppress(UserError), reading(path, way_out="remove it"):
        note = json.loads(read_given_text(path, way_out="remove it"))
        if {name: note[name] for name in identity} == identity:
            return str(note["key"])
    note = {"key": uuid.uuid4().hex, **identity}
    write_atomically(path, json.dumps(note, indent=2).encode())
    return note["key"]
