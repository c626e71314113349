"""The members of one population while they train: what each measured, who has diverged, for how long.

It is apart so that the driver reads as a loop: bookkeeping, and the checks of what a study yields, are here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from rothamsted.errors import StudyError
from rothamsted.records import Ending, Measured, Outcome
from rothamsted.study.checkpoint import Snapshot
from rothamsted.study.contract import RESERVED_METRICS, MeasurementLike

CLOCK_RESOLUTION_SECONDS = 1e-9  # two readings of a clock this close are told apart by nobody


@final
@dataclass(kw_only=True)
class Members:
    """The histories of a population, filled measurement by measurement."""

    histories: list[list[Measured]]
    diverged: list[bool]
    seconds: float = 0.0  # training time so far, over all sittings; members train together, so it is everyone's
    _names: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, n_members: int) -> Members:
        """A population that has measured nothing yet."""
        return cls(histories=[[] for _ in range(n_members)], diverged=[False] * n_members)

    @classmethod
    def restored(cls, snapshot: Snapshot) -> Members:
        """The population that a checkpoint holds."""
        histories = [list(history) for history in snapshot.histories]
        members = cls(histories=histories, diverged=list(snapshot.diverged), seconds=snapshot.seconds)
        longest = max(histories, key=len)
        members._names = _own_names(longest[0].metrics) if longest else ()
        return members

    @property
    def is_any_running(self) -> bool:
        """Whether a member is left that has not diverged."""
        return not all(self.diverged)

    def restored_points(self) -> Iterator[tuple[int, Measured]]:
        """Every measurement so far with its member, in the order in which they were made."""
        for point in range(max(map(len, self.histories))):
            for member, history in enumerate(self.histories):
                if point < len(history):
                    yield member, history[point]

    def record(self, measurement: MeasurementLike, *, timestamp_ms: int) -> list[tuple[int, Measured]]:
        """Add a measurement to every member that has not diverged; mark those that diverge at it.

        Returns:
            The members that it was added to, each with what it measured.

        Raises:
            StudyError: the measurement breaks the study contract.
        """
        values = self._checked(measurement)
        diverged = _per_member("diverged", measurement.diverged, len(self.histories)).astype(bool)
        running = [member for member, has_diverged in enumerate(self.diverged) if not has_diverged]
        added = [(member, self._measured(member, measurement, values, timestamp_ms)) for member in running]
        for member, measured in added:
            self.histories[member].append(measured)
            self.diverged[member] = bool(diverged[member])
        return added

    def snapshot(self, state: Mapping[str, np.ndarray]) -> Snapshot:
        """The population as a checkpoint keeps it."""
        return Snapshot(
            state=state,
            histories=tuple(tuple(history) for history in self.histories),
            diverged=tuple(self.diverged),
            seconds=self.seconds,
        )

    def endings(self, outcome: Outcome, *, models: Sequence[Any] | None = None, **how: Any) -> list[Ending]:
        """One ending a member: `outcome` for those still running, diverged for the others."""
        endings = []
        for member, history in enumerate(self.histories):
            if self.diverged[member]:
                seconds = history[-1].seconds
                ending = Ending(outcome=Outcome.DIVERGED, history=tuple(history), seconds=seconds)
            else:
                model = models[member] if models is not None else None
                ending = Ending(outcome=outcome, history=tuple(history), seconds=self.seconds, model=model, **how)
            endings.append(ending)
        return endings

    def _measured(
        self, member: int, measurement: MeasurementLike, values: Mapping[str, np.ndarray], timestamp_ms: int
    ) -> Measured:
        metrics = {name: float(array[member]) for name, array in values.items()}
        before = self.histories[member][-1] if self.histories[member] else None
        n_samples = metrics["samples_seen"] - (before.metrics["samples_seen"] if before else 0.0)
        n_seconds = max(self.seconds - (before.seconds if before else 0.0), CLOCK_RESOLUTION_SECONDS)
        measured = {"seconds": self.seconds, "samples_per_second": n_samples / n_seconds}
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
        if "samples_seen" not in names:
            raise StudyError(f"{place}: has no metric 'samples_seen'; yield it, got {', '.join(names) or 'none'}")
        if self._names and set(names) != set(self._names):
            changed = ", ".join(sorted(set(names) ^ set(self._names)))
            raise StudyError(f"{place}: metric names must stay the same over a run; came or went: {changed}")
        last = max((history[-1].step for history in self.histories if history), default=None)
        if last is not None and measurement.step <= last:
            raise StudyError(f"{place}: steps must grow from one measurement to the next; the last was {last}")
        self._names = self._names or names
        n_members = len(self.histories)
        return {name: _per_member(name, measurement.metrics[name], n_members) for name in self._names}


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
