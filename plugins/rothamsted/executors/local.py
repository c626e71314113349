"""Run workers as processes of this machine: start them, follow them, replace them when they die.

A worker writes its events to its standard output, one JSON object a line. The last lines of its standard error are kept
and shown if it dies. The first line of its standard input is the job; the end of its standard input means that this
process is gone.
"""

from __future__ import annotations

import itertools
import os
import queue
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from rothamsted.executors import below, devices
from rothamsted.executors.crew import Event, Job
from rothamsted.executors.early import EarlyWorkers, give_job, shared_out, start_process
from rothamsted.executors.followed import Followed

POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class LocalExecutor:
    """Starts each worker as a process.

    Attributes:
        environment: the whole environment of a worker before the job's own variables; None: this process's.
        early: processes that were started earlier; they are taken first.
    """

    environment: Mapping[str, str] | None = None
    early: EarlyWorkers | None = None

    def check(self, job: Job, n_workers: int) -> list[str]:
        """Check for the GPUs that the job asks for, and return a line if workers get GPUs.

        Raises:
            UserError: one does not exist.
        """
        slots = devices.slots_of(job.options, self.environment)
        return [devices.said_of(slots)] if slots else []

    def start(self, job: Job, n_workers: int) -> LocalCrew:
        """Start the processes. If the number is left to the executor, it is what the GPUs have room for.

        Raises:
            UserError: the system has no more processes or memory.
        """
        own = os.environ if self.environment is None else self.environment
        slots = devices.slots_of(job.options, self.environment, n_workers if job.most is None else 0)
        n_workers = min(job.most, len(slots)) if slots and job.most is not None else n_workers
        shared = shared_out(n_workers, own)
        crew = LocalCrew(job=job, n_workers=n_workers, environment=shared, early=self.early, slots=slots)
        try:
            crew.refill()
        except BaseException:
            crew.__exit__()
            raise
        return crew


@dataclass(kw_only=True, eq=False)
class LocalCrew:
    """Runs the processes of one job; a `Crew`."""

    job: Job
    n_workers: int
    environment: Mapping[str, str]  # without the job's variables
    early: EarlyWorkers | None = None
    slots: Sequence[Mapping[str, str]] = ()  # variables by which workers see a GPU each
    _taken: dict[str, int] = field(default_factory=dict)  # worker -> its slot
    _living: dict[str, Followed] = field(default_factory=dict)  # by name; those whose end has not been told
    _events: queue.Queue[Event] = field(default_factory=queue.Queue)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _kill_at: float | None = None  # on the monotonic clock; None: nobody was asked to leave
    _grace: float = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._kill_at = time.monotonic()
        left_behind = [child for one in self._living.values() for child in below.descendants(one.pid)]
        for one in self._living.values():
            one.kill("the sweep's own process has ended")
        for one in self._living.values():
            one.thread.join()
        self._living.clear()
        below.wait_for(left_behind)

    @property
    def n_alive(self) -> int:
        """Return the number of processes without an event of their end."""
        return len(self._living)

    def events(self, seconds: float) -> Iterator[Event]:
        """Yield their events for some seconds."""
        deadline, n_waiting = time.monotonic() + seconds, self._events.qsize()
        while self._living:
            self._kill_who_stays()
            left = deadline - time.monotonic()
            if left <= 0 and n_waiting <= 0:
                return
            try:
                event = self._events.get(timeout=min(max(left, 0.0), POLL_SECONDS))
            except queue.Empty:
                continue
            n_waiting -= 1
            if event.death is not None:
                del self._living[event.worker]
                self._taken.pop(event.worker, None)
            yield event

    def end(self, worker: str, why: str) -> None:
        """Kill one."""
        if worker in self._living:
            self._living[worker].kill(why)

    def refill(self) -> None:
        """Start as many as are missing."""
        while self._kill_at is None and len(self._living) < self.n_workers:
            name = f"worker {next(self._numbers)}"
            followed = Followed(name=name, popen=self._start(self._seen_by(name)), tell=self._events.put)
            self._living[name] = followed
            followed.thread.start()

    def stop(self, grace: float) -> None:
        """Send each SIGTERM."""
        if self._kill_at is None:
            self._grace, self._kill_at = grace, time.monotonic() + grace
            for one in self._living.values():
                one.ask_to_leave()

    # ---- within ----

    def _seen_by(self, worker: str) -> Mapping[str, str]:
        """The variables by which a worker sees its GPU: the one that fewest others have."""
        if not self.slots:
            return devices.without_gpu(self.job.options)
        taken = list(self._taken.values())
        self._taken[worker] = min(range(len(self.slots)), key=lambda slot: (taken.count(slot), slot))
        return self.slots[self._taken[worker]]

    def _start(self, seen: Mapping[str, str]) -> subprocess.Popen[bytes]:
        flags = self.job.python_flags
        popen = self.early.take(self.environment, flags) if self.early is not None else None
        if popen is None:
            popen = start_process({**self.environment, **self.job.environment, **seen}, flags)
        give_job(popen, replace(self.job, environment={**self.job.environment, **seen}))
        return popen

    def _kill_who_stays(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            for one in self._living.values():
                one.kill(f"it was asked to end and had not ended after {self._grace:g} s")
