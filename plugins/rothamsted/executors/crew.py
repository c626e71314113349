"""Define the interface of executors: a job, a crew of workers, and their events.

An executor is one class with `start`. It sees a job as plain data and events as mappings, and does not interpret them.
`tests/executors/test_executor_contract.py` runs over every executor.
"""

from __future__ import annotations

import importlib
import json
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

GRACE_SECONDS = 30.0  # a worker writes a checkpoint at its next measurement, then leaves


@dataclass(frozen=True, kw_only=True)
class Job:
    """Says what each worker of a crew does. It is plain data that can be sent to any machine.

    Attributes:
        entry: the function that a worker calls, as "module:function". Besides `arguments` it gets `emit`, which takes
            an event (a mapping of JSON values), and `should_stop`, which it must call often.
        arguments: its keyword arguments, JSON values.
        environment: variables that a worker has in addition.
        python_flags: flags of the worker's interpreter, such as "-P", if a worker has its own interpreter.
        grace_seconds: how long a worker may take to leave after its parent died, and by default.
        options: options of the executor in the sweep file, such as the address of a cluster.
        most: most workers that are useful, if the file leaves their number to the executor. None: the file says it.
        files: databases that are files, which only processes of one machine can share.
        folders: folders that all workers must see, with what one leaves for another.
    """

    entry: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    python_flags: tuple[str, ...] = ()
    grace_seconds: float = GRACE_SECONDS
    options: Mapping[str, Any] = field(default_factory=dict)
    most: int | None = None
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def as_json(self) -> str:
        """Return the job as one line of JSON."""
        given = {"entry": self.entry, "arguments": self.arguments, "grace_seconds": self.grace_seconds}
        return json.dumps({**given, "environment": dict(self.environment)})


@dataclass(frozen=True, kw_only=True)
class Death:
    """Says how a worker ended.

    Attributes:
        exit_code: exit code of its process; negative: the signal that killed it. It is also 0 if the signal to leave
            ended it.
        last_lines: the last lines that it wrote besides its events.
        was_ended_because: why its executor was asked to end it; empty if it ended by itself.
    """

    exit_code: int
    last_lines: str = ""
    was_ended_because: str = ""

    @property
    def is_orderly(self) -> bool:
        """Say whether it had nothing more to do, or left when it was asked to."""
        return self.exit_code == 0 and not self.was_ended_because

    @property
    def reason(self) -> str:
        """Say in one line how it ended."""
        if self.was_ended_because:
            return f"its worker was ended: {self.was_ended_because}"
        if self.exit_code >= 0:
            return f"its worker process ended with exit status {self.exit_code}"
        name = _signal_name(-self.exit_code)
        hint = ", perhaps out of memory" if name == "SIGKILL" else ""
        return f"its worker process was killed by {name}{hint}"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Holds what a worker said, or how it ended. The end is the last event of a worker.

    Attributes:
        worker: its name, which no other worker of the crew ever has.
        said: what it emitted; empty at its end.
        death: how it ended; None while it lives.
    """

    worker: str
    said: Mapping[str, Any] = field(default_factory=dict)
    death: Death | None = None


class Crew(Protocol):
    """Runs the workers of one job; a context manager. After its end no worker lives, even after an exception."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, *raised: object) -> None:
        """End at once whoever is still there, and all that they started."""
        ...

    @property
    def n_alive(self) -> int:
        """Return the number of workers without an event of their end."""
        ...

    def events(self, seconds: float) -> Iterator[Event]:
        """Yield the events of workers for some seconds, or until no worker is left."""
        ...

    def end(self, worker: str, why: str) -> None:
        """End one worker at once; its death has the reason `why`. Nothing happens if it has ended."""
        ...

    def refill(self) -> None:
        """Replace the workers that have ended, unless the crew was stopped."""
        ...

    def stop(self, grace: float) -> None:
        """Ask all workers to leave. Those that stay longer than `grace` seconds are ended while events are read."""
        ...


class Executor(Protocol):
    """Starts the workers of a job."""

    def start(self, job: Job, n_workers: int) -> Crew:
        """Start so many workers.

        Raises:
            UserError: it cannot have so many.
        """
        ...


@runtime_checkable
class AsksFirst(Protocol):
    """Describes an executor that can refuse a job before anything is made for it."""

    def check(self, job: Job, n_workers: int) -> list[str]:
        """Check that the job can have what it needs, and return lines to show.

        Raises:
            UserError: it cannot.
        """
        ...


def ask_first(executor: Executor, job: Job, n_workers: int) -> list[str]:
    """Return what an executor says about a job before it starts; nothing if it checks nothing.

    Raises:
        UserError: it cannot do the job.
    """
    return executor.check(job, n_workers) if isinstance(executor, AsksFirst) else []


def find_entry(entry: str) -> Callable[..., Any]:
    """Find the function that a job names."""
    module, _, name = entry.partition(":")
    return getattr(importlib.import_module(module), name)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
