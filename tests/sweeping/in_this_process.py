"""Executors of the tests: the worker of a sweep in the test's own process, and hands on the keyboard while it runs.

Apart, because a new process costs seconds of imports, and what most tests ask of the coordinator does not need one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self, cast

import pytest

from rothamsted.catalog import EXECUTORS
from rothamsted.executors import Event, Executor, InProcessExecutor, Job
from rothamsted.executors.in_process import InProcessCrew
from rothamsted.search import SweepLeaseLostError
from rothamsted.sweeping.coordinator.decide import Decider
from rothamsted.sweeping.opened import Opened

in_this_process = InProcessExecutor


def use(monkeypatch: pytest.MonkeyPatch, executor: Callable[[], Executor]) -> None:
    """Let `execution.executor: local` mean another executor, as long as the test lasts."""
    monkeypatch.setitem(cast("dict[str, Any]", EXECUTORS._own), "local", executor)


def deciding(opened: Opened) -> Callable[[], bool]:
    """What a worker of the tests does when it finds nothing to do: it decides what comes next, if nobody else does.

    False: it is over, or another process decides.
    """
    decider = Decider(opened)

    def decide() -> bool:
        if not opened.lease.token and not opened.lease.take(60.0):
            return False
        try:
            decider.decide()
        except SweepLeaseLostError:
            return False
        if decider.is_over:
            opened.lease.leave("over")
        return not decider.is_over

    return decide


OnEvent = Callable[[Job, Event], None]


@dataclass(kw_only=True)
class WatchedExecutor:
    """One worker in this process; `on_event` is called with each event, and work goes on after it was dealt with."""

    on_event: OnEvent = lambda job, event: None
    on_start: Callable[[Job], None] = lambda job: None

    def start(self, job: Job, n_workers: int) -> WatchedCrew:
        self.on_start(job)
        return WatchedCrew(job=job, crew=InProcessExecutor().start(job, n_workers), on_event=self.on_event)


@dataclass(kw_only=True)
class WatchedCrew:
    job: Job
    crew: InProcessCrew
    on_event: OnEvent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.crew.__exit__(*raised)

    @property
    def n_alive(self) -> int:
        return self.crew.n_alive

    def events(self, seconds: float) -> Iterator[Event]:
        for event in self.crew.events(seconds):
            self.on_event(self.job, event)
            yield event

    def end(self, worker: str, why: str) -> None:
        self.crew.end(worker, why)

    def refill(self) -> None:
        self.crew.refill()

    def stop(self, grace: float) -> None:
        self.crew.stop(grace)
