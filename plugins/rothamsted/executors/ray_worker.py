"""Run on a node of a Ray cluster: keep one worker's process in an actor, and check what the node has.

The process is the one that `local` starts, so a stop and a death work the same. Ray is not imported here: `ray_crew`
makes an actor of the class.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rothamsted import places
from rothamsted.errors import UserError
from rothamsted.executors import below, devices
from rothamsted.executors.crew import Death, Event, Job
from rothamsted.executors.early import give_job, start_process
from rothamsted.executors.followed import Followed

TURN_SECONDS = 10.0  # a question for events is answered by then, with none


@dataclass(kw_only=True, eq=False)
class NodeWorker:
    """Keeps one worker's process on this node. Its methods are called from several threads of the actor.

    Attributes:
        name: of the worker.
        job: what it does.
        environment: variables in addition to those that Ray gave to the actor; the job's own override them.
        folder: working directory, if the node has it; None: that of the actor.
    """

    name: str
    job: Job
    environment: Mapping[str, str]
    folder: str | None
    _events: list[Event] = field(default_factory=list)  # not yet known to have arrived
    _n_gone: int = 0  # events before them
    _has_more: threading.Condition = field(default_factory=threading.Condition)
    _followed: Followed | None = None

    def begin(self) -> str:
        """Start the process, and return the name of this node."""
        if self.folder is not None:
            os.chdir(self.folder)
        try:
            seen = {devices.NAME: name} if (name := devices.name_here(os.environ)) else {}
            own = {**os.environ, **self.environment, **self.job.environment, **seen}
            make_home(own.get(places.HOME, ""))
            popen = start_process(own, self.job.python_flags)
        except UserError as error:
            self._tell(Event(worker=self.name, death=Death(exit_code=2, last_lines=f"error: {error}")))
            return socket.gethostname()
        self._followed = Followed(name=self.name, popen=popen, tell=self._tell)
        self._followed.thread.start()
        give_job(popen, self.job)
        return socket.gethostname()

    def events_after(self, n_known: int) -> list[Event]:
        """Return the events after the first `n_known`, as soon as there is one; the call can be repeated."""
        with self._has_more:
            del self._events[: max(n_known - self._n_gone, 0)]
            self._n_gone = max(self._n_gone, n_known)
            self._has_more.wait_for(lambda: self._events, TURN_SECONDS)
            return list(self._events)

    def ask_to_leave(self) -> None:
        """Send SIGTERM."""
        if self._followed is not None:
            self._followed.ask_to_leave()

    def kill(self, why: str) -> None:
        """Send SIGKILL to the process and all that it started, and return when none is left."""
        if self._followed is not None:
            left_behind = below.descendants(self._followed.pid)
            self._followed.kill(why)
            self._followed.thread.join()
            below.wait_for(left_behind)

    def _tell(self, event: Event) -> None:
        with self._has_more:
            self._events.append(event)
            self._has_more.notify_all()


def make_home(path: str) -> None:
    """Make the folder for a worker's own files, if folders are not shared and this node has none of that name.

    Raises:
        UserError: it cannot be made.
    """
    try:
        if path:
            Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{places.HOME}: {path} cannot be made on this node ({error.strerror})") from error


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Says what a node has of what workers need.

    Attributes:
        host: its name.
        version: version of the engine there.
        lacks: the folders that it does not have, or that are not the driver's folders of that name.
    """

    host: str
    version: str
    lacks: Sequence[str]


def look(marks: Mapping[str, str]) -> Seen:
    """Look for folders on this node.

    Args:
        marks: folder -> name of a file that the driver has put there; empty: only the folder is looked for.
    """
    from importlib.metadata import version

    lacks = [folder for folder, mark in marks.items() if not _is_there(Path(folder) / mark)]
    return Seen(host=socket.gethostname(), version=version("rothamsted"), lacks=lacks)


def _is_there(path: Path, seconds: float = 5.0) -> bool:
    """Whether a node sees it; a network file system may show a new file late."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
