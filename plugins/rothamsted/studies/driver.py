"""Drive one population of a study: take its measurements, checkpoint it, stop it, say how it ended.

Workers, runs by hand and tests all use it. The caller's `on_measurement` decides what is done with a measurement.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from pydantic import BaseModel

from rothamsted.errors import StudyError
from rothamsted.records import Ending, Measured, Outcome, Stopped
from rothamsted.studies.artifacts import Contents, artifacts_of
from rothamsted.studies.checkpoint import Checkpoint, Snapshot
from rothamsted.studies.contract import MeasurementLike, Study, Training, check_population
from rothamsted.studies.failure import failure_of
from rothamsted.studies.keep import Keep
from rothamsted.studies.members import Members

OnMeasurement = Callable[[int, Measured], None]
OnArtifacts = Callable[[int, Measured, Contents], None]
Judge = Callable[[Sequence[int]], Mapping[int, Stopped]]
ENDED = (Outcome.FINISHED, Outcome.DIVERGED, Outcome.PRUNED)  # nothing will go on from a checkpoint


def unix_now_ms() -> int:
    """Return the time of day in milliseconds, as MLflow keeps it."""
    return time.time_ns() // 1_000_000


def never() -> bool:
    """Return False: the `should_stop` of a training that nobody stops."""
    return False


def spare(members: Sequence[int]) -> Mapping[int, Stopped]:
    """Stop nobody: the `judge` of a training that goes on to its end."""
    return {}


def drive(
    study: Study,
    configs: Sequence[BaseModel],
    *,
    on_measurement: OnMeasurement,
    on_restored: OnMeasurement | None = None,
    on_artifacts: OnArtifacts | None = None,
    judge: Judge = spare,
    checkpoint: Checkpoint | None = None,
    start: Snapshot | None = None,
    keeps_last_state: bool = False,
    should_stop: Callable[[], bool] = never,
    timeout_seconds: float | None = None,
    keep: Keep | None = None,
    on_set_up: Callable[[], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    now_ms: Callable[[], int] = unix_now_ms,
) -> list[Ending]:
    """Train one population to its end, or until it is stopped, fails or runs out of time.

    Args:
        study: what is trained.
        configs: the members; equal in every field that may not vary.
        on_measurement: called with member and measurement for each new measurement. Two metrics are added
            to the study's own: `seconds` of training so far (over all sessions, without set-up and the time spent in
            `on_measurement` and in writing checkpoints) and `samples_per_second` since the last measurement.
            A member's last call is the measurement at which it diverged. What it raises goes to the caller.
        on_restored: called likewise for each measurement that a checkpoint brought back, before training.
        on_artifacts: called after `on_measurement` with the artifacts of a member, where a measurement has any; what it
            raises fails the training. None: the study is not asked for them.
        judge: called after each measurement with the members that still run; says which of them end now, and how.
        checkpoint: where to keep checkpoints; training goes on from the newest one there. They are removed
            once every member has ended, and kept where it failed or was interrupted.
        start: what to go on from where there is no checkpoint: the end of a shorter training.
        keeps_last_state: write the last measurement as a checkpoint and keep it, for a longer training to start from.
        should_stop: asked before the first and after each measurement; True writes a checkpoint and ends.
        timeout_seconds: most seconds of training over all sessions, set-up apart; checked after each measurement,
            so training that never measures must be stopped from outside.
        keep: whose weights the study is to keep for its model; None: the last.
        on_set_up: called once, when set-up is over: the study has yielded None first, or measured at step 0. Where it
            does neither, nobody can tell set-up from training, and all counts as training.
        clock: seconds that only grow.
        now_ms: time of day in milliseconds.

    Returns:
        One ending a member. A failure or an interruption is that of every member that had not ended before. Its last
        measurement has what is known at the end only: setup_seconds and, of a model, its test metrics.

    Raises:
        StudyError: the configs do not make a population, or the checkpoint is of another one or unwritable.
    """
    check_population(study, configs)
    snapshot = _whole(checkpoint.load(study.name, configs) if checkpoint else None) or start
    is_free = study.function is not None
    members = (
        Members.restored(snapshot, keep, is_free=is_free)
        if snapshot
        else Members.of(len(configs), keep, is_free=is_free)
    )
    if on_restored:
        for member, measured in members.restored_points():
            on_restored(member, measured)
    if should_stop():
        return members.endings(Outcome.INTERRUPTED, reason="stopped before training")
    session = _Session(
        study=study,
        configs=configs,
        training=study.train(configs, snapshot.state if snapshot else None),
        members=members,
        on_artifacts=on_artifacts,
        judge=judge,
        checkpoint=checkpoint,
        keeps_last_state=keeps_last_state and checkpoint is not None,
        timeout_seconds=timeout_seconds,
        on_set_up=on_set_up,
        clock=clock,
        last_state=snapshot.state if snapshot else None,
    )
    endings = session.train_and_close(on_measurement, should_stop, now_ms)
    if checkpoint and not session.has_kept_state and all(ending.outcome in ENDED for ending in endings):
        checkpoint.remove()
    return endings


def _whole(snapshot: Snapshot | None) -> Snapshot | None:
    """A snapshot that every member can go on from; not one that had lost a member, which was not ours to train."""
    if snapshot is None or any(how is not None and how.outcome not in ENDED for how in snapshot.stopped):
        return None
    return snapshot


@final
@dataclass(kw_only=True)
class _Session:
    """One stretch of training, from the start or a checkpoint until it ends or is stopped."""

    study: Study
    configs: Sequence[BaseModel]
    training: Training
    members: Members
    on_artifacts: OnArtifacts | None
    judge: Judge
    checkpoint: Checkpoint | None
    keeps_last_state: bool
    timeout_seconds: float | None
    on_set_up: Callable[[], None] | None
    clock: Callable[[], float]
    last_state: Mapping[str, np.ndarray] | None  # of the newest measurement that it was taken of
    has_kept_state: bool = False
    is_set_up: bool = False

    def train_and_close(
        self, on_measurement: OnMeasurement, should_stop: Callable[[], bool], now_ms: Callable[[], int]
    ) -> list[Ending]:
        """Train to whichever end comes first; the study's generator is closed after it."""
        try:
            endings = self.train(on_measurement, should_stop, now_ms)
        except KeyboardInterrupt:
            endings = self.members.endings(Outcome.INTERRUPTED, reason="interrupted between two checkpoints")
        except BaseException:
            with suppress(Exception):  # what the caller's own code raised is what it has to hear of
                self.training.close()
            raise
        try:
            self.training.close()
        except Exception as error:  # a study that cannot be closed breaks the contract
            endings = self.failed(error)
        function = self.study.function
        return endings if function is None else [replace(one, output=function.printed()) for one in endings]

    def train(
        self, on_measurement: OnMeasurement, should_stop: Callable[[], bool], now_ms: Callable[[], int]
    ) -> list[Ending]:
        saved_at = self.clock()
        while True:
            try:
                measurement, returned = self._next()
                if measurement is None:
                    return self._finished(returned)
                added = self.members.record(measurement, timestamp_ms=now_ms())
                self.members.keep_better(measurement, added)
            except (Exception, SystemExit) as error:
                return self.failed(error)
            for member, measured in added:
                on_measurement(member, measured)
            if self.on_artifacts and (failed := self._keep_artifacts(self.on_artifacts, measurement, added)):
                return failed
            self.members.stop(self.judge([member for member, _ in added if self.members.stopped[member] is None]))
            if not self.members.is_any_running:
                return self.members.endings(Outcome.FINISHED)
            if self.keeps_last_state and (failed := self._hold(measurement)):
                return failed
            if self._is_out_of_time():
                return self._timed_out(measurement.step)
            is_stopping = should_stop()
            if is_stopping or self._is_due(saved_at):
                if failed := self._save(measurement):
                    return failed
                saved_at = self.clock()
            if is_stopping:
                return self.members.endings(Outcome.INTERRUPTED, reason=f"stopped at step {measurement.step}")

    def _next(self) -> tuple[MeasurementLike | None, Any]:
        """The next measurement, or None and what the study returned; its time is set-up, training, or neither.

        Up to the None of a study, and to a measurement at step 0, nothing has been trained: that is set-up. After
        the last measurement models are made and tested.
        """
        started = self.clock()
        try:
            item = next(self.training)
        except StopIteration as ended:
            return None, ended.value
        except BaseException:
            self.members.seconds += self.clock() - started
            raise
        if item is None and self.is_set_up:
            raise StudyError(
                f"study {self.study.name!r}: yielded None after training had begun; yield it once, at first"
            )
        if item is None or item.step == 0:
            self.members.setup_seconds += self.clock() - started
        else:
            self.members.seconds += self.clock() - started
        if not self.is_set_up and self.on_set_up:
            self.on_set_up()
        self.is_set_up = True
        return self._next() if item is None else (item, None)

    def _keep_artifacts(
        self, keep: OnArtifacts, measurement: MeasurementLike, added: Sequence[tuple[int, Measured]]
    ) -> list[Ending] | None:
        """Hand on the artifacts of a measurement; the endings of a failure if they cannot be made or kept."""
        try:
            contents = artifacts_of(measurement, len(self.configs))
            for member, measured in added if contents else ():
                keep(member, measured, contents[member])
        except (Exception, SystemExit) as error:
            return self.failed(error)
        return None

    def _is_out_of_time(self) -> bool:
        return self.timeout_seconds is not None and self.members.seconds > self.timeout_seconds

    def _is_due(self, saved_at: float) -> bool:
        return self.checkpoint is not None and self.clock() - saved_at >= self.checkpoint.every_seconds

    def _save(self, measurement: MeasurementLike) -> list[Ending] | None:
        """Write a checkpoint; the endings of a failure if the study cannot give its state."""
        if self.checkpoint is None:
            return None
        failed = None if self.keeps_last_state else self._hold(measurement)
        if failed is None and self.last_state is not None:
            self.checkpoint.save(self.study.name, self.configs, self.members.snapshot(self.last_state))
        return failed

    def _hold(self, measurement: MeasurementLike) -> list[Ending] | None:
        """Keep the state of a measurement; if `state()` raises, return failed endings."""
        try:
            self.last_state = None if measurement.state is None else measurement.state()
        except (Exception, SystemExit) as error:
            return self.failed(error)
        return None

    def _finished(self, models: Any) -> list[Ending]:
        if not any(self.members.histories):
            raise StudyError(f"study {self.study.name!r}: train ended without a measurement; yield at least one")
        if models is not None and len(models) != len(self.configs):
            raise StudyError(
                f"study {self.study.name!r}: train must return one model a member, {len(self.configs)}, "
                f"and returned {len(models)}"
            )
        if self.keeps_last_state and self.checkpoint is not None and self.last_state is not None:
            self.checkpoint.save(self.study.name, self.configs, self.members.snapshot(self.last_state))
            self.has_kept_state = True
        return self.members.endings(Outcome.FINISHED, models=models)

    def _timed_out(self, step: int) -> list[Ending]:
        reason = f"timeout after {self.timeout_seconds:g} s (at step {step}, {self.members.seconds:.1f} s)"
        return self.members.endings(Outcome.FAILED, reason=reason)

    def failed(self, error: BaseException) -> list[Ending]:
        """The endings of a population whose training raised."""
        return self.members.endings(Outcome.FAILED, **failure_of(error, self.study))
