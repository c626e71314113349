"""Runs a study by hand: one training, one MLflow run with params, metrics and exports, no sweep.

It is apart because a person at a terminal wants other things than a sweep: options with help, a line for each
measurement, and files to look at. The training is driven exactly as a sweep drives it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from rothamsted.errors import StudyError, UserError
from rothamsted.records import Ending, Measured, MetricPoint, Outcome
from rothamsted.study.checkpoint import Checkpoint
from rothamsted.study.command_line import parse_command_line
from rothamsted.study.contract import Study
from rothamsted.study.driver import drive, unix_now_ms
from rothamsted.study.exports import write_exports
from rothamsted.study.fields import flatten
from rothamsted.study.provenance import source_tags, study_tags
from rothamsted.study.signals import stop_on_signals

if TYPE_CHECKING:
    from rothamsted.tracking import Recorder

FLUSH_SECONDS = 1.0  # a measurement is in MLflow at most this much later
EXIT_STATUS = {Outcome.FINISHED: 0, Outcome.DIVERGED: 0, Outcome.FAILED: 1, Outcome.INTERRUPTED: 130}


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """How a run by hand goes about it; what it trains is the config."""

    is_saved: bool = True  # False: no MLflow run, no files
    checkpoint_dir: Path | None = None  # None: no checkpoints; given again, a killed run goes on from them
    checkpoint_every: float = 30.0  # seconds
    output: Path | None = None  # a folder for the exports, beside the run's artifacts


def main(study: Study, argv: Sequence[str] | None = None) -> int:
    """The command line of a study: `python -m projects.<study> --optimizer.lr 0.1`.

    Returns the exit status, or exits with it when called for `sys.argv`: 0 finished or diverged, 1 failed,
    2 a mistake of the user, 130 interrupted.
    """
    try:
        config, options = parse_command_line(study, sys.argv[1:] if argv is None else argv)
        by_hand = ByHand(
            is_saved=not options["no_save"],
            checkpoint_dir=_path(options["checkpoint_dir"]),
            checkpoint_every=options["checkpoint_every"],
            output=_path(options["output"]),
        )
        status = EXIT_STATUS[run_by_hand(study, config, by_hand).outcome]
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        status = 2
    if argv is None:
        sys.exit(status)
    return status


def run_by_hand(study: Study, config: BaseModel, by_hand: ByHand) -> Ending:
    """Train one config, log it, and say on the terminal how it goes.

    Raises:
        UserError: data or stores that cannot be used; nothing has been created then.
    """
    digest = _data_digest(study, config)
    record = _Record.open(study, config, digest) if by_hand.is_saved else None
    checkpoint = None
    if by_hand.checkpoint_dir is not None:
        checkpoint = Checkpoint(folder=by_hand.checkpoint_dir, every_seconds=by_hand.checkpoint_every)

    def on_measurement(member: int, measured: Measured) -> None:
        _print_measured(measured)
        if record is not None:
            record.log(measured)

    try:
        with stop_on_signals(lambda name: print(f"{name}: stopping at the next measurement")) as stop:
            ending = drive(
                study,
                [config],
                on_measurement=on_measurement,
                on_restored=on_measurement,
                checkpoint=checkpoint,
                should_stop=stop,
            )[0]
        _print_ending(ending, checkpoint)
        if by_hand.output is not None and by_hand.is_saved:
            write_exports(by_hand.output, config, ending)
        if record is not None:
            record.end(config, ending)
    finally:
        if record is not None:
            record.close()
    return ending


@dataclass(kw_only=True)
class _Record:
    """The MLflow run of one training."""

    recorder: Recorder
    uri: str
    experiment_id: str
    run_id: str
    is_outer: bool  # `mlflow run` has opened it, and ends it
    flushed_at: float = 0.0

    @classmethod
    def open(cls, study: Study, config: BaseModel, digest: str | None) -> _Record:
        from rothamsted import tracking

        uri = tracking.tracking_uri()
        tracking.check_reachable(uri)
        tracking.migrate(uri)
        recorder = tracking.open_recorder(uri)
        experiment_id = tracking.experiment_id(uri)
        params = {key: str(value) for key, value in flatten(config).items()}
        run_tags = {**source_tags(Path.cwd()), **study_tags(study, digest), "rothamsted.role": "by hand"}
        outer = tracking.current_run_id()
        if outer is None:
            run_id = recorder.open_run(
                experiment_id=experiment_id,
                name=study.name,
                tags=run_tags,
                params=params,
                start_ms=unix_now_ms(),
            )
        else:
            run_id = outer
            recorder.log(outer, params=params, tags=run_tags)
        recorder.flush()
        return cls(
            recorder=recorder,
            uri=uri,
            experiment_id=experiment_id,
            run_id=run_id,
            is_outer=outer is not None,
        )

    def log(self, measured: Measured) -> None:
        row = dict(measured.metrics)
        if measured.epoch is not None:
            row["epoch"] = measured.epoch
        points = [MetricPoint(k, float(v), measured.timestamp_ms, measured.step) for k, v in row.items()]
        self.recorder.log(self.run_id, metrics=points)
        if time.monotonic() - self.flushed_at > FLUSH_SECONDS:
            self.recorder.flush()
            self.flushed_at = time.monotonic()

    def end(self, config: BaseModel, ending: Ending) -> None:
        from rothamsted import tracking

        self.recorder.log(self.run_id, tags=_ending_tags(ending))
        with tempfile.TemporaryDirectory() as folder:
            for path in write_exports(Path(folder), config, ending):
                self.recorder.log_file(self.run_id, path)
        if ending.traceback:
            self.recorder.log_text(self.run_id, ending.traceback, "traceback.txt")
        if not self.is_outer or ending.outcome is not Outcome.FINISHED:
            self.recorder.end_run(self.run_id, ending.outcome.run_status, unix_now_ms())
        self.recorder.flush()
        print(f"MLflow run {self.run_id}; look at it with")
        page = tracking.run_path(self.experiment_id, self.run_id)
        print(f"  {tracking.ui_command(self.uri)}    # then /{page.lstrip('/')}")

    def close(self) -> None:
        self.recorder.close()


def _ending_tags(ending: Ending) -> dict[str, str]:
    reason = {"rothamsted.reason": ending.reason[:500]} if ending.reason else {}
    return {"rothamsted.outcome": ending.outcome.value, **reason}


def _data_digest(study: Study, config: BaseModel) -> str | None:
    if study.data_digest is None:
        return None
    try:
        return study.data_digest(config)
    except study.user_errors as error:
        raise StudyError(str(error)) from error


def _print_measured(measured: Measured) -> None:
    shown = "  ".join(f"{name} {value:.5g}" for name, value in measured.metrics.items())
    print(f"step {measured.step}  {shown}", flush=True)


def _print_ending(ending: Ending, checkpoint: Checkpoint | None) -> None:
    print(f"{ending.outcome.value} after {ending.seconds:.1f} s of training")
    if ending.reason:
        print(ending.reason, file=sys.stderr if ending.outcome is Outcome.FAILED else sys.stdout)
    if ending.traceback:
        print(ending.traceback, file=sys.stderr)
    if ending.outcome is Outcome.INTERRUPTED:
        way = "give the same command again to go on from its checkpoint"
        print(way if checkpoint else "it had no --checkpoint-dir, so it would start from the beginning")


def _path(value: Any) -> Path | None:
    return Path(os.fspath(value)) if value else None
