"""Workers as processes of this machine: started warm, watched, replaced when they die.

Apart from the sweep because it sees command lines and lines of JSON only. A worker writes its events to its
standard output, one JSON object a line; what it writes to standard error is kept and shown if it dies.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GRACE_SECONDS = 30.0  # from SIGTERM to SIGKILL: a worker checkpoints at its next measurement
POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Death:
    """A worker that ended otherwise than by finishing."""

    pid: int
    exit_code: int  # negative: the signal that killed it
    last_lines: str  # the end of its standard error

    @property
    def reason(self) -> str:
        """One line on how it ended."""
        if self.exit_code >= 0:
            return f"its worker process ended with exit status {self.exit_code}"
        name = signal.Signals(-self.exit_code).name
        hint = ", perhaps out of memory" if name == "SIGKILL" else ""
        return f"its worker process was killed by {name}{hint}"


@dataclass(kw_only=True)
class _Process:
    popen: subprocess.Popen[str]
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    threads: list[threading.Thread] = field(default_factory=list)


@dataclass(kw_only=True)
class LocalExecutor:
    """Keeps `n_workers` processes of one command alive for as long as there is work.

    Attributes:
        command: the worker's command line.
        environment: its whole environment.
        n_workers: how many at a time.
        on_event: called, in the caller's thread, with the pid and each event that a worker writes.
        on_death: called, in the caller's thread, when a worker dies.
        has_work: asked before a dead worker is replaced.
        on_tick: called a few times a second.
        grace_seconds: from SIGTERM to SIGKILL where the workers are stopped.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    n_workers: int
    on_event: Callable[[int, Mapping[str, Any]], None]
    on_death: Callable[[Death], None]
    has_work: Callable[[], bool]
    on_tick: Callable[[], None] = lambda: None
    grace_seconds: float = GRACE_SECONDS
    _processes: list[_Process] = field(default_factory=list)
    _events: queue.Queue[tuple[int, dict[str, Any]]] = field(default_factory=queue.Queue)

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Run until every worker has ended and no work is left, or until stopped; then no worker is alive."""
        try:
            self._start_missing()
            while self._processes:
                self._pass_events_on(POLL_SECONDS)
                self.on_tick()
                self._reap(should_stop)
                if should_stop():
                    self._stop_all()
                    return
        finally:
            self._kill_all()

    def kill(self, pid: int) -> None:
        """Kill one worker that does not answer (its training is over its time)."""
        for process in self._processes:
            if process.popen.pid == pid:
                process.popen.kill()

    # ---- within ----

    def _start_missing(self) -> None:
        while len(self._processes) < self.n_workers:
            popen = subprocess.Popen(
                list(self.command),
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C reaches the coordinator only, which asks workers to stop
            )
            process = _Process(popen=popen)
            for target in (self._read_events, self._read_errors):
                thread = threading.Thread(target=target, args=(process,), daemon=True)
                thread.start()
                process.threads.append(thread)
            self._processes.append(process)

    def _read_events(self, process: _Process) -> None:
        for line in process.popen.stdout or ():
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                event = None
            if isinstance(event, dict) and "event" in event:
                self._events.put((process.popen.pid, event))
            else:
                process.last_lines.append(line)  # something that the study printed

    def _read_errors(self, process: _Process) -> None:
        for line in process.popen.stderr or ():
            process.last_lines.append(line)

    def _pass_events_on(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                pid, event = self._events.get(timeout=left)
            except queue.Empty:
                return
            self.on_event(pid, event)

    def _reap(self, should_stop: Callable[[], bool]) -> None:
        ended = [process for process in self._processes if process.popen.poll() is not None]
        if not ended:
            return
        self._processes = [process for process in self._processes if process not in ended]
        deaths = 0
        for process in ended:
            for thread in process.threads:
                thread.join(timeout=5)
            self._drain()
            if process.popen.returncode != 0:
                deaths += 1
                self.on_death(
                    Death(
                        pid=process.popen.pid,
                        exit_code=process.popen.returncode,
                        last_lines="".join(process.last_lines),
                    )
                )
        if deaths and not should_stop() and self.has_work():
            self._start_missing()

    def _drain(self) -> None:
        while not self._events.empty():
            pid, event = self._events.get_nowait()
            self.on_event(pid, event)

    def _stop_all(self) -> None:
        for process in self._processes:
            process.popen.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self.grace_seconds
        while self._processes and time.monotonic() < deadline:
            self._pass_events_on(POLL_SECONDS)
            self.on_tick()
            self._reap(lambda: True)

    def _kill_all(self) -> None:
        for process in self._processes:
            process.popen.kill()
            process.popen.wait()
        self._processes = []


def worker_environment(n_workers: int, extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with the cores shared out among the workers, where nobody has said so."""
    n_threads = max(1, (os.cpu_count() or 1) // n_workers)
    shared = {name: str(n_threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return {**shared, **os.environ, **extra}
