"""Run a worker's process: read the job, end with the parent process, call the job's entry.

`LocalExecutor` starts it as `python -m rothamsted.executors.process`. It imports little before the entry, so that it
obeys a stop in the first seconds.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

from rothamsted.errors import UserError
from rothamsted.executors.crew import find_entry
from rothamsted.leaving import leave_at_the_end
from rothamsted.printable import end_printably, error_line, log_printably


class _Stop:
    """Whether this process was asked to leave: by a signal, or because its parent is gone."""

    def __init__(self) -> None:
        self._is_asked = False
        self._has_begun = False

    def __call__(self) -> bool:
        return self._is_asked

    def begin(self) -> None:
        """From now on there is something to finish."""
        self._has_begun = True

    def ask(self) -> None:
        """Leave when the entry next asks; at once where nothing has begun."""
        if not self._has_begun:
            os._exit(0)
        self._is_asked = True

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """The second signal ends the entry where it is."""
        if self._is_asked:
            raise KeyboardInterrupt
        self.ask()


class _Events:
    """Events as JSON lines on what was the standard output; from many threads, and never an error to the entry."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def emit(self, event: Mapping[str, Any]) -> None:
        """Write one event; where nobody can hear it, nothing happens."""
        left = memoryview(json.dumps(dict(event)).encode() + b"\n")
        with self._lock, contextlib.suppress(OSError):
            while left:
                left = left[os.write(self._fd, left) :]


def main() -> int:
    """Import the modules of the command line, do one job, and return the exit status: 2 for a user's mistake."""
    stop = _Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop.on_signal)
    tie, events = _own_pipes()
    for name in sys.argv[2:]:
        with contextlib.suppress(Exception):  # the job imports it again, and says what is wrong
            importlib.import_module(name)
    job = json.loads(_first_line(tie))
    os.environ.update(job["environment"])  # a process that was started before its job was known lacks them
    threading.Thread(target=_leave_with_parent, args=(tie, stop, job["grace_seconds"]), daemon=True).start()
    log_printably()
    end_printably()
    try:
        entry = find_entry(job["entry"])
        stop.begin()
        entry(**job["arguments"], emit=_Events(events).emit, should_stop=stop)
    except UserError as error:
        print(error_line(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _own_pipes() -> tuple[int, int]:
    """Take standard input and output for this file alone: a study reads nothing, and what it prints is no event."""
    tie, events = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return tie, events


def _first_line(fd: int) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        more = os.read(fd, 65536)
        if not more:
            os._exit(0)  # the parent died before it gave a job
        line += more
    return bytes(line)


def _leave_with_parent(tie: int, stop: _Stop, grace_seconds: float) -> None:
    """The end of the pipe means that the parent is gone: leave; after the grace, with all that was started here."""
    with contextlib.suppress(OSError):
        while os.read(tie, 65536):
            pass
    stop.ask()
    time.sleep(grace_seconds)
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(leave_at_the_end(main))
