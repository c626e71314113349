"""Do the same for several names in several processes at once, if this process may fork; else one after the other.

Drawing takes a tenth of a second for each plot. A child has everything imported and read already. It opens nothing, and
exits without any clean-up.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

from rothamsted.system import this_system
from rothamsted.threads_left import threads_left

T = TypeVar("T")
MOST_PROCESSES = 4  # of a dozen plots, the slowest takes a fifth of the time
_MOST_NAMES = 255  # a ticket is a byte


@dataclass(kw_only=True)
class SideBySide(Generic[T]):
    """Starts work on names; a context manager. After its end no child lives.

    Attributes:
        do: function of a name; its result can be pickled.
        names: the names, in the order of work.
        n_processes: greatest number of processes, including this one; None: one for each core.
    """

    do: Callable[[str], T]
    names: Sequence[str]
    n_processes: int | None = None
    _tickets: int = -1  # a pipe with the place of each name that nobody has taken
    _children: dict[int, int] = field(default_factory=dict)  # process -> a pipe with its results

    def __enter__(self) -> Self:
        n = min(self.n_processes or _n_cores(), MOST_PROCESSES, len(self.names))
        if n > 1 and len(self.names) <= _MOST_NAMES and this_system().forks_after_imports and not threads_left():
            self._tickets, writing = os.pipe()
            os.write(writing, bytes(range(len(self.names))))
            os.close(writing)
            for _ in range(n - 1):
                self._fork()
        return self

    def __exit__(self, *raised: object) -> None:
        for pid, reading in self._children.items():
            os.close(reading)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._children.clear()
        if self._tickets >= 0:
            os.close(self._tickets)
            self._tickets = -1

    def results(self) -> dict[str, T]:
        """Do the remaining work too, and return the result of each name, in their order.

        Work of a child that raised an error or died is done again here.
        """
        found = self._taken()
        for reading in self._children.values():
            with os.fdopen(reading, "rb", closefd=False) as pipe, contextlib.suppress(EOFError, pickle.UnpicklingError):
                found |= pickle.load(pipe)
        return {name: found[name] if name in found else self.do(name) for name in self.names}

    # ---- within ----

    def _taken(self) -> dict[str, T]:
        """The results of the tickets that this process takes."""
        found: dict[str, T] = {}
        while self._tickets >= 0 and (ticket := os.read(self._tickets, 1)):
            name = self.names[ticket[0]]
            found[name] = self.do(name)
        return found

    def _fork(self) -> None:
        reading, writing = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            os.close(writing)
            self._children[pid] = reading
            return
        try:
            gc.disable()  # it lives for a second
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(self._taken_by_child(parent), pipe)
        finally:
            os._exit(0)

    def _taken_by_child(self, parent: int) -> dict[str, T]:
        found: dict[str, T] = {}
        while os.getppid() == parent and (ticket := os.read(self._tickets, 1)):  # nobody waits when it was killed
            name = self.names[ticket[0]]
            with contextlib.suppress(Exception):  # raised again where it is done again
                found[name] = self.do(name)
        return found


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
