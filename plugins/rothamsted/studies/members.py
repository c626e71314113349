"""Track the members of one population while they train: measurements, divergence, times.

It also checks what a study yields.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np

from rothamsted.errors import StudyError
from rothamsted.recordable import MAX_STEP, metric_fault
from rothamsted.records import Ending, Kept, Measured, Outcome, Stopped
from rothamsted.studies.checkpoint import Snapshot
from rothamsted.studies.contract import RESERVED_METRICS, SETUP_SECONDS, MeasurementLike
from rothamsted.studies.keep import Keep
from rothamsted.studies.trained import test_metrics_of

CLOCK_RESOLUTION_SECONDS = 1e-9  # two readings of a clock this close are told apart by nobody


@final
@dataclass(kw_only=True)
class Members:
    """Holds the histories of a population, filled measurement by measurement."""

    histories: list[list[Measured]]
    stopped: list[Stopped | None]  # how a member ended before the others; None: it is running
    seconds: float = 0.0  # training time so far, over all sessions; members train together, so it is everyone's
    setup_seconds: float = 0.0  # before training: imports, data, compilation; over all sessions
    keep: Keep | None = None  # whose weights are kept; None: the last
    kept: list[Measured | None] = field(default_factory=list)  # whose weights the study holds; None: the last
    is_free: bool = False  # the study measures at each step what it likes, and need not count samples
    _names: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, n_members: int, keep: Keep | None = None, *, is_free: bool = False) -> Members:
        """Return a population that has measured nothing yet."""
        nothing = [None] * n_members
        histories: list[list[Measured]] = [[] for _ in range(n_members)]
        return cls(histories=histories, stopped=[*nothing], keep=keep, kept=[*nothing], is_free=is_free)

    @classmethod
    def restored(cls, snapshot: Snapshot, keep: Keep | None = None, *, is_free: bool = False) -> Members:
        """Return the population that a checkpoint holds."""
        histories = [list(history) for history in snapshot.histories]
        members = cls(
            histories=histories,
            stopped=list(snapshot.stopped),
            seconds=snapshot.seconds,
            setup_seconds=snapshot.setup_seconds,
            keep=keep,
            kept=[keep.best_of(history) if keep else None for history in histories],
            is_free=is_free,
        )
        longest = max(histories, key=len)
        members._names = _own_names(longest[0].metrics) if longest else ()
        return members

    @property
    def is_any_running(self) -> bool:
        """Say whether a member is left that has neither diverged nor been stopped."""
        return any(stopped is None for stopped in self.stopped)

    def restored_points(self) -> Iterator[tuple[int, Measured]]:
        """Yield every measurement so far with its member, in the order in which they were made."""
        for point in range(max(map(len, self.histories))):
            for member, history in enumerate(self.histories):
                if point < len(history):
                    yield member, history[point]

    def record(self, measurement: MeasurementLike, *, timestamp_ms: int) -> list[tuple[int, Measured]]:
        """Add a measurement to every member that still runs; mark those that diverge at it.

        Returns:
            The members that it was added to, each with what it measured.

        Raises:
            StudyError: the measurement breaks the study contract.
        """
        values = self._checked(measurement)
        diverged = _per_member("diverged", measurement.diverged, len(self.histories)).astype(bool)
        running = [member for member, stopped in enumerate(self.stopped) if stopped is None]
        added = [(member, self._measured(member, measurement, values, timestamp_ms)) for member in running]
        for member, measured in added:
            self.histories[member].append(measured)
            if diverged[member]:
                self.stopped[member] = Stopped(outcome=Outcome.DIVERGED, reason=f"diverged at step {measurement.step}")
        return added

    def keep_better(self, measurement: MeasurementLike, added: Sequence[tuple[int, Measured]]) -> None:
        """Have the study hold the weights of those members whose value is the best so far; see `Keep`."""
        hold = getattr(measurement, "keep", None)
        if self.keep is None or hold is None:
            return
        better = np.zeros(len(self.histories), bool)
        for member, measured in added:
            if self.stopped[member] is None and self.keep.is_better(measured, self.kept[member]):
                self.kept[member], better[member] = measured, True
        if better.any():
            hold(better)

    def stop(self, stopped: Mapping[int, Stopped]) -> None:
        """End some members now; one that has ended already stays as it is."""
        for member, how in stopped.items():
            self.stopped[member] = self.stopped[member] or how

    def snapshot(self, state: Mapping[str, np.ndarray]) -> Snapshot:
        """Return the population as a checkpoint keeps it."""
        return Snapshot(
            state=state,
            histories=tuple(tuple(history) for history in self.histories),
            stopped=tuple(self.stopped),
            seconds=self.seconds,
            setup_seconds=self.setup_seconds,
        )

    def endings(self, outcome: Outcome, *, models: Sequence[Any] | None = None, **how: Any) -> list[Ending]:
        """Return one ending a member: `outcome` for those still running, their own for the others.

        Raises:
            StudyError: a model's test metrics break the study contract.
        """
        endings = []
        for member, history in enumerate(self.histories):
            stopped = self.stopped[member]
            model = models[member] if models is not None and stopped is None else None
            is_known = history and self.setup_seconds  # a study need not say where set-up ends
            closing = {SETUP_SECONDS: self.setup_seconds} if is_known else {}
            if model is not None:
                closing |= test_metrics_of(model, history[-1].metrics)
            shared = {
                "history": (*history[:-1], _closed(history[-1], closing)) if history else (),
                "closing": closing,
                "kept": self._kept(member) if model is not None else None,
            }
            if stopped is not None:
                seconds = history[-1].seconds
                ending = Ending(outcome=stopped.outcome, seconds=seconds, reason=stopped.reason, **shared)
            else:
                ending = Ending(outcome=outcome, seconds=self.seconds, model=model, **shared, **how)
            endings.append(ending)
        return endings

    def _kept(self, member: int) -> Kept:
        """Whose weights a member's model has."""
        measured = self.kept[member] or self.histories[member][-1]
        if self.keep is None:
            return Kept(step=measured.step, metric="", reduce="last", value=math.nan)
        reduce = self.keep.reduce if self.kept[member] or not self.keep.takes_best else "last"
        return replace(self.keep.noted(measured), reduce=reduce)

    def _measured(
        self, member: int, measurement: MeasurementLike, values: Mapping[str, np.ndarray], timestamp_ms: int
    ) -> Measured:
        metrics = {name: float(array[member]) for name, array in values.items()}
        before = self.histories[member][-1] if self.histories[member] else None
        measured = {"seconds": self.seconds}
        if "samples_seen" in metrics:
            n_samples = metrics["samples_seen"] - (before.metrics.get("samples_seen", 0.0) if before else 0.0)
            n_seconds = max(self.seconds - (before.seconds if before else 0.0), CLOCK_RESOLUTION_SECONDS)
            measured["samples_per_second"] = n_samples / n_seconds
        return Measured(
            step=int(measurement.step),
            epoch=None if measurement.epoch is None else float(measurement.epoch),
            seconds=self.seconds,
            metrics=metrics | measured,
            timestamp_ms=timestamp_ms,
        )

    def _checked(self, measurement: MeasurementLike) -> dict[str, np.ndarray]:
        names = tuple(measurement.metrics)
        place = f"measurement at step {measurement.step}"
        if reserved := sorted(RESERVED_METRICS & set(names)):
            raise StudyError(f"{place}: metric {reserved[0]!r} is measured by the engine; do not yield it")
        if "samples_seen" not in names and not self.is_free:
            raise StudyError(f"{place}: has no metric 'samples_seen'; yield it, got {', '.join(names) or 'none'}")
        if self._names and set(names) != set(self._names) and not self.is_free:
            changed = ", ".join(sorted(set(names) ^ set(self._names)))
            raise StudyError(f"{place}: metric names must stay the same over a run; came or went: {changed}")
        if fault := next(filter(None, map(metric_fault, names)), ""):
            raise StudyError(f"{place}: {fault}")
        if not -MAX_STEP < measurement.step < MAX_STEP:
            raise StudyError(f"{place}: a step must be below 2**63")
        last = max((history[-1].step for history in self.histories if history), default=None)
        if last is not None and measurement.step <= last:
            raise StudyError(f"{place}: steps must grow from one measurement to the next; the last was {last}")
        self._names = names if self.is_free else self._names or names
        n_members = len(self.histories)
        return {name: _per_member(name, measurement.metrics[name], n_members) for name in self._names}


def _closed(last: Measured, closing: Mapping[str, float]) -> Measured:
    return replace(last, metrics={**last.metrics, **closing})


def _own_names(metrics: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(name for name in metrics if name not in RESERVED_METRICS)


def _per_member(name: str, values: Any, n_members: int) -> np.ndarray:
    array = np.asarray(values)
    if array.shape != (n_members,):
        raise StudyError(
            f"{name!r} must hold one value a member, shape ({n_members},), and has the shape {array.shape}; "
            "yield an array with a leading member axis, also for one member"
        )
    return array
