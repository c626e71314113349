"""Run one worker in a thread of this process, for tests and notebooks. Patches of this process apply to it.

A worker waits at each event until the event has been handled. So the order is the same each time, and a debugger may
stop in either thread.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from rothamsted.errors import UserError
from rothamsted.executors.crew import Death, Event, Job, find_entry
from rothamsted.printable import traceback_of

POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class InProcessExecutor:
    """Runs one worker in a thread; it cannot be killed, only asked to leave."""

    def start(self, job: Job, n_workers: int) -> InProcessCrew:
        """Start the worker.

        Raises:
            UserError: more than one worker is asked for.
        """
        if n_workers != 1:
            raise UserError(f"executor in_process: has one worker, not {n_workers}; give execution.workers: 1")
        crew = InProcessCrew(job=job, arguments=json.loads(job.as_json())["arguments"])  # as a process gets them
        crew.refill()
        return crew


@dataclass(kw_only=True, eq=False)
class _Threaded:
    """One worker."""

    name: str
    stop: threading.Event = field(default_factory=threading.Event)
    why: str = ""
    thread: threading.Thread = field(init=False)


@dataclass(kw_only=True, eq=False)
class InProcessCrew:
    """Runs one thread at a time; a `Crew`."""

    job: Job
    arguments: Mapping[str, Any]
    _worker: _Threaded | None = None  # until its end has been told
    _events: queue.Queue[tuple[Event, threading.Event]] = field(default_factory=queue.Queue)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _is_stopped: bool = False
    _is_left: bool = False  # nobody reads events any more

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._is_stopped = self._is_left = True
        if self._worker is None:
            return
        self._worker.stop.set()
        self._worker.thread.join(self.job.grace_seconds)
        if self._worker.thread.is_alive():
            raise UserError(
                f"executor in_process: {self.job.entry} has not ended within {self.job.grace_seconds:g} s, and a "
                "thread cannot be killed; end this process"
            )
        self._worker = None

    @property
    def n_alive(self) -> int:
        """Return 1 until the event of its end, then 0."""
        return int(self._worker is not None)

    def events(self, seconds: float) -> Iterator[Event]:
        """Yield its events for some seconds."""
        deadline, n_waiting = time.monotonic() + seconds, self._events.qsize()
        while self._worker is not None:
            left = deadline - time.monotonic()
            if left <= 0 and n_waiting <= 0:
                return
            try:
                event, is_heard = self._events.get(timeout=max(left, 0.0))
            except queue.Empty:
                continue
            n_waiting -= 1
            if event.death is not None:
                self._worker.thread.join()  # it has nothing left to do
                self._worker = None
            try:
                yield event
            finally:
                is_heard.set()

    def end(self, worker: str, why: str) -> None:
        """Ask the worker to leave; its death has the reason `why`."""
        if self._worker is not None and self._worker.name == worker:
            self._worker.why = self._worker.why or why
            self._worker.stop.set()

    def refill(self) -> None:
        """Start a thread if there is none."""
        if self._worker is None and not self._is_stopped:
            worker = _Threaded(name=f"worker {next(self._numbers)}")
            worker.thread = threading.Thread(target=self._work, args=(worker,), name=worker.name, daemon=True)
            self._worker = worker
            worker.thread.start()

    def stop(self, grace: float) -> None:
        """Ask the worker to leave. A thread cannot be ended, so `grace` is ignored."""
        self._is_stopped = True
        if self._worker is not None:
            self._worker.stop.set()

    # ---- within ----

    def _work(self, worker: _Threaded) -> None:
        def emit(said: Mapping[str, Any]) -> None:
            self._tell(worker, Event(worker=worker.name, said=json.loads(json.dumps(dict(said)))))

        before = {name: os.environ.get(name) for name in self.job.environment}
        os.environ.update(self.job.environment)
        code, last_lines = 0, ""
        try:
            find_entry(self.job.entry)(**self.arguments, emit=emit, should_stop=worker.stop.is_set)
        except BaseException as error:  # nothing of it may be lost: the end of a thread is silent
            code, last_lines = _status(error), traceback_of(error)
        finally:
            for name, value in before.items():
                _set(name, value)
        death = Death(exit_code=code, last_lines=last_lines, was_ended_because=worker.why)
        self._tell(worker, Event(worker=worker.name, death=death))

    def _tell(self, worker: _Threaded, event: Event) -> None:
        is_heard = threading.Event()
        self._events.put((event, is_heard))
        if event.death is None and threading.current_thread() is worker.thread:
            while not is_heard.wait(POLL_SECONDS) and not self._is_left:
                pass


def _status(error: BaseException) -> int:
    """The exit status that a process would have."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 2 if isinstance(error, UserError) else 1


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
