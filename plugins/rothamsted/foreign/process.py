"""Run one command as a process with limits: start, follow and stop it, and say how it ended.

A plain process and one forked from the zygote are the same `Running` to their owner. A keeper (`keeper`) between each
and its owner ends everything that the command started.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from rothamsted.errors import UserError
from rothamsted.foreign import keeper
from rothamsted.system import this_system

GRACE_SECONDS = 10.0  # from SIGTERM to SIGKILL
TAIL_LINES = 40
_TAIL_BYTES = 64_000
_START_SECONDS = 60.0
_END_SECONDS = 10.0  # for the keeper, after SIGKILL, to see everything dead
_KILLED = -9


class LaunchError(UserError):
    """Says that a command cannot be started."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """Says what to start.

    Attributes:
        command: an argument list, which no shell sees; or a text, which `bash -c` runs.
        folder: the working directory.
        environment: the whole environment.
        log_path: gets standard output and standard error; appended to.
        run_id: the MLflow run that the command logs to, for messages.
        mark: by which the processes of the command are found; empty where the system keeps orphans.
    """

    command: Sequence[str] | str
    folder: Path
    environment: Mapping[str, str]
    log_path: Path
    run_id: str = ""
    mark: str = field(default_factory=lambda: "" if this_system().keeps_orphans else uuid.uuid4().hex)

    @property
    def arguments(self) -> list[str]:
        """Return the argument list that is executed."""
        return ["bash", "-c", self.command] if isinstance(self.command, str) else list(self.command)

    def request(self) -> dict[str, Any]:
        """Return what the keeper is told."""
        return {
            "arguments": self.arguments,
            "folder": str(self.folder),
            "environment": dict(self.environment),
            "log_path": str(self.log_path.absolute()),
            "mark": self.mark,
        }


@dataclass(kw_only=True)
class Running:
    """Holds a started process, as its owner sees it.

    Attributes:
        launch: what was started.
        pid: the command's own process.
        keeper_pid: its keeper's, the ancestor of everything that the command starts.
        kill_reason: why its owner ended it; empty where it did not.
    """

    launch: Launch
    channel: socket.socket
    keeper_process: subprocess.Popen[bytes] | None  # None: the zygote is its parent
    pid: int = 0
    keeper_pid: int = 0
    kill_reason: str = ""
    _pending: bytearray = field(default_factory=bytearray)
    _code: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while it runs."""
        return self.wait(0.0)

    def wait(self, seconds: float) -> int | None:
        """Wait up to so long for the end; the exit status, or None."""
        if self._code is None and (b"\n" in self._pending or self._is_readable(seconds)):
            message = keeper.receive(self.channel, self._pending)
            self._code = _KILLED if message is None else int(message["exit"])
            if message is None and self.launch.mark:
                self._end_without_keeper()
            self.channel.close()
            if self.keeper_process is not None:
                self.keeper_process.wait()
        return self._code

    def stop(self, grace_seconds: float = GRACE_SECONDS, reason: str = "stopped") -> int:
        """End it and all that it started: SIGTERM to its process group, SIGKILL to everything after the grace."""
        if self.poll() is None:
            self.kill_reason = self.kill_reason or reason
            with contextlib.suppress(OSError):
                keeper.send(self.channel, {"stop": grace_seconds})
            code = self.wait(grace_seconds + _END_SECONDS)
            if code is None:
                raise LaunchError(
                    f"run {self.launch.run_id}: process {self.pid} is still there {_END_SECONDS:.0f} s after SIGKILL; "
                    "look at what it waits for (a dead network file system?)"
                )
        return self._code if self._code is not None else _KILLED

    def memory_bytes(self) -> int:
        """Return resident memory of the process and all that it started; pages that they share count once for each."""
        total = 0
        for pid in self._pids():
            with contextlib.suppress(psutil.Error):
                total += psutil.Process(pid).memory_info().rss
        return total

    def _pids(self) -> list[int]:
        """All processes of the command."""
        if not self.launch.mark:
            return keeper.descendants(self.keeper_pid)
        with contextlib.suppress(psutil.Error):  # a daemon is not counted: to find it takes too long for each look
            return [child.pid for child in psutil.Process(self.keeper_pid).children(recursive=True)]
        return []

    def _end_without_keeper(self) -> None:
        """Kill what a keeper that was killed can no longer kill, where the system does not do it."""
        kept, deadline = keeper.Marked(self.launch.mark, self.pid), time.monotonic() + _END_SECONDS
        while (left := kept.left()) and time.monotonic() < deadline:
            keeper.signal_all(left, signal.SIGKILL)
            time.sleep(0.02)

    def tail(self) -> str:
        """Return the last lines of its log."""
        return read_tail(self.launch.log_path)

    def _is_readable(self, seconds: float) -> bool:
        return bool(keeper.ready([self.channel], seconds))


@dataclass(frozen=True, kw_only=True)
class Exit:
    """Says how a process ended.

    Attributes:
        code: its exit status, negative for a signal.
        reason: "timeout", "memory", "stopped" or "pruned" where its owner ended it; empty where it ended itself.
        seconds: from the start of watching to the end.
        peak_memory_bytes: the most memory seen, of the whole tree.
        tail: the last lines of its log.
    """

    code: int
    reason: str
    seconds: float
    peak_memory_bytes: int
    tail: str

    def failure(self) -> str:
        """Say in a line why it counts as failed; empty if it ended well or its owner ended it for another reason."""
        if self.reason == "memory":
            return f"took {self.peak_memory_bytes / 1e6:.0f} MB, more than the memory_limit of its sweep"
        if self.code == 0 or self.reason:
            return ""
        how = f"exit status {self.code}" if self.code >= 0 else f"killed by signal {-self.code}"
        last = next((line.strip() for line in reversed(self.tail.splitlines()) if line.strip()), "")
        return f"its process ended with {how}" + (f": {last[:300]}" if last else "")


def start(launch: Launch) -> Running:
    """Start a plain process.

    Raises:
        LaunchError: the program, the folder or the log cannot be opened.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        flags = ["-I"] if launch.mark else ["-I", "-S"]  # without site-packages it starts in half the time
        program = [sys.executable, *flags, keeper.__file__, str(theirs.fileno())]
        process = subprocess.Popen(
            program, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )
    keeper.send(ours, launch.request())
    return confirm(Running(launch=launch, channel=ours, keeper_process=process))


def confirm(running: Running) -> Running:
    """Wait for the keeper's word that the command has started."""
    running.channel.settimeout(_START_SECONDS)
    try:
        message = keeper.receive(running.channel, running._pending)
    except TimeoutError:
        message = {"error": f"its keeper has not answered for {_START_SECONDS:.0f} s"}
    running.channel.settimeout(None)
    if message is None or "error" in message:
        running.channel.close()
        if running.keeper_process is not None:
            running.keeper_process.kill()
            running.keeper_process.wait()
        problem = "its keeper died" if message is None else message["error"]
        raise LaunchError(f"run {running.launch.run_id}: cannot be started: {problem}; correct the command")
    running.pid, running.keeper_pid = int(message["pid"]), int(message["keeper"])
    return running


def watch(
    running: Running,
    *,
    time_limit: float | None = None,
    memory_limit: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_tick: Callable[[], bool] = lambda: False,
    poll_seconds: float = 0.5,
    grace_seconds: float = GRACE_SECONDS,
) -> Exit:
    """Wait for the end, looking at the limits at each tick.

    Args:
        running: what to watch.
        time_limit: seconds from now.
        memory_limit: bytes of resident memory of the whole tree.
        should_stop: asked at each tick; true ends the process as "stopped".
        on_tick: called at each tick; true ends the process as "pruned".
        poll_seconds: from tick to tick; the end itself is noticed at once.
        grace_seconds: from SIGTERM to SIGKILL where it is ended.
    """
    begun = time.monotonic()
    peak = 0
    try:
        while running.wait(poll_seconds) is None:
            used = running.memory_bytes()
            peak = max(peak, used)
            if should_stop():
                running.stop(grace_seconds, "stopped")
            elif memory_limit is not None and used > memory_limit:
                running.stop(0.0, "memory")  # no grace: what is over its memory endangers the others
            elif time_limit is not None and time.monotonic() - begun > time_limit:
                running.stop(grace_seconds, "timeout")
            elif on_tick():
                running.stop(grace_seconds, "pruned")
    except BaseException:
        running.stop(grace_seconds, "stopped")
        raise
    return Exit(
        code=running.stop(0.0),
        reason=running.kill_reason,
        seconds=time.monotonic() - begun,
        peak_memory_bytes=peak,
        tail=running.tail(),
    )


def read_tail(path: Path, n_lines: int = TAIL_LINES) -> str:
    """Return the last lines of a text file; empty where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(deque(text.splitlines(), maxlen=n_lines))
