"""Keep one process and all that it starts: when it ends, is stopped, or its owner dies, none of them is left.

It uses only the standard library, because it runs as a small process between a worker and the command: as a program
(`python keeper.py FD`) for a plain command, as a function in a fork of the zygote for a script.

The keeper talks with its owner through a socket, one line of JSON a message. It says `{"pid": …, "keeper": …}` or
`{"error": …}` once, then `{"exit": …}`; it hears `{"stop": grace_seconds}`. The end of the socket means that the
owner is gone, SIGKILL included.

On Linux it is a subreaper: it stays the ancestor of every process that the command starts, also of daemons, so that
it can end them all; and if the keeper itself is killed the kernel kills the command. Elsewhere (a request with a
`mark`) it knows them by their session and by the mark in their environment, and its owner ends them if it is killed.
What then escapes is a daemon that empties its environment, and everything if keeper and owner are killed at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

OWNER_GONE_GRACE_SECONDS = 2.0
LEFTOVER_SECONDS = 1.0  # what a command leaves behind may end by itself for so long, then is asked, then killed
_TICK_SECONDS = 0.05  # while something is being ended
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_NEVER = float("inf")
MARK = "ROTHAMSTED_KEPT"  # variable of a command and all that it starts, where the system keeps no orphans

Request = Mapping[str, Any]


def keep(channel: socket.socket, request: Request, body: Callable[[Request], None]) -> None:
    """Run `body(request)` in a child process and stay until nothing of it is left; never returns in the keeper.

    In the child, `body` either replaces the process or ends in SystemExit, which passes through here.
    """
    ways = Marked(request["mark"]) if request.get("mark") else _Subreaper()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ready, started = os.pipe()  # closed by exec or by the start of the body; a line in it says why it failed
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(ready)
        channel.close()
        _become_child(keeper, request, started, ways)
        body({**request, "environment": {**request["environment"], **ways.environment}, "started": started})
        return
    os.close(started)
    with os.fdopen(ready, encoding="utf-8") as pipe:
        failure = pipe.read()
    _say(channel, {"error": failure} if failure else {"pid": pid, "keeper": keeper})
    code = _wait(channel, pid, ways)
    _end_leftovers(ways)
    _say(channel, {"exit": code})
    os._exit(0)


def execute(request: Request) -> None:
    """Replace this process by the command; the pipe `started` closes by itself or says why not."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them; a command must not
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(request["arguments"][0], request["arguments"], request["environment"])
    except OSError as error:
        os.write(request["started"], f"{request['arguments'][0]}: {error.strerror}".encode())
        os._exit(127)


def send(channel: socket.socket, message: Mapping[str, Any]) -> None:
    """Write one message."""
    channel.sendall(json.dumps(message).encode() + b"\n")


def receive(channel: socket.socket, pending: bytearray) -> dict[str, Any] | None:
    """Read one message, waiting for it; None at the end of the socket. `pending` holds what came after it."""
    while b"\n" not in pending:
        try:
            more = channel.recv(65536)
        except ConnectionError:
            return None
        if not more:
            return None
        pending += more
    line, _, rest = bytes(pending).partition(b"\n")
    pending[:] = rest
    return json.loads(line)


def descendants(pid: int) -> list[int]:
    """List all processes below one, from /proc; zombies too, which cost nothing."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208  (a Path for each process of the machine, twenty times a second)
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError):
                stat = Path("/proc", entry, "stat").read_text(encoding="utf-8", errors="replace")
                children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


class _Subreaper:
    """Linux: what the command starts stays below the keeper."""

    environment: Mapping[str, str] = {}  # of the command, in addition

    def __init__(self) -> None:
        _set_option(_PR_SET_CHILD_SUBREAPER, 1)
        self._pidfd = -1

    def tie(self, keeper: int) -> None:
        """In the command's process: end with the keeper."""
        _set_option(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)  # the keeper died before it was asked for its death

    def look(self, pid: int, channels: list[socket.socket], seconds: float | None) -> tuple[int | None, bool]:
        """Wait for the command's end or for a word; its exit status if it ended, and whether there is a word."""
        if self._pidfd < 0:
            self._pidfd = os.pidfd_open(pid)
        readable = ready([self._pidfd, *channels], seconds)
        return (_reap(pid), False) if self._pidfd in readable else (None, bool(readable))

    def left(self) -> list[int]:
        """All that the command has started and that has not ended."""
        return descendants(os.getpid())

    def rest(self) -> list[int]:
        """The same after the command's end; what has ended is forgotten."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return []
        return self.left()


def ready(channels: Sequence[socket.socket | int], seconds: float | None) -> list[socket.socket | int]:
    """Wait for channels that have something to read, and return them; a process may have thousands of open files."""
    with selectors.DefaultSelector() as selector:
        for channel in channels:
            selector.register(channel, selectors.EVENT_READ)
        return [key.fileobj for key, _ in selector.select(seconds)]  # type: ignore[misc]


class Marked:
    """Finds what a command has started, on any Unix.

    It is in its session, below it, or has the mark in its environment.
    """

    def __init__(self, mark: str, pid: int = 0) -> None:
        self.environment: Mapping[str, str] = {MARK: mark}
        self._mark, self._pid = mark, pid  # of the command, once it has been started

    def tie(self, keeper: int) -> None:
        """Do nothing: the owner ends the command if the keeper is killed."""

    def look(self, pid: int, channels: list[socket.socket], seconds: float | None) -> tuple[int | None, bool]:
        """Wait as above; the end is asked for twenty times a second."""
        self._pid = pid
        at_most = _TICK_SECONDS if seconds is None else min(seconds, _TICK_SECONDS)
        readable = ready(channels, at_most)
        ended, status = os.waitpid(pid, os.WNOHANG)
        return (os.waitstatus_to_exitcode(status), False) if ended else (None, bool(readable))

    def left(self) -> list[int]:
        """List what is left, as above; zombies are no longer there."""
        import psutil  # not on Linux, where the keeper starts without site-packages

        found: list[int] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                is_own = process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE
                if is_own and (os.getsid(process.pid) == self._pid or process.environ().get(MARK) == self._mark):
                    found.append(process.pid)
        return found

    def rest(self) -> list[int]:
        """List the rest, as above."""
        return self.left()


Ways = _Subreaper | Marked


# ---- within ----


def _become_child(keeper: int, request: Request, started: int, ways: Ways) -> None:
    """Own session, end with the keeper, log, folder: what a process has before its first instruction."""
    os.setsid()
    ways.tie(keeper)
    try:
        log = os.open(request["log_path"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.chdir(request["folder"])
    except OSError as error:
        os.write(started, f"{error.filename}: {error.strerror}".encode())
        os._exit(127)
    for opened, standard in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(opened, standard)
    os.close(nothing)
    os.close(log)


def _wait(channel: socket.socket, pid: int, ways: Ways) -> int:
    """Wait for the main process, stopping it where asked; its exit status, negative for a signal."""
    pending, channels = bytearray(), [channel]
    kill_at = _NEVER
    while True:
        left = None if kill_at == _NEVER else max(0.0, kill_at - time.monotonic())
        code, is_told = ways.look(pid, channels, left)
        if code is not None:
            return code
        if is_told:
            message = receive(channel, pending)
            if message is None:
                channels.clear()
            grace = OWNER_GONE_GRACE_SECONDS if message is None else float(message["stop"])
            _signal_group(pid, signal.SIGTERM)
            kill_at = min(kill_at, time.monotonic() + grace)
        elif time.monotonic() >= kill_at:
            signal_all(ways.left(), signal.SIGKILL)
            kill_at = time.monotonic() + _TICK_SECONDS


def _reap(pid: int) -> int:
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def _end_leftovers(ways: Ways) -> None:
    """Orphans of the command: left alone for a second, then SIGTERM, a second later SIGKILL until none is left."""
    begun = time.monotonic()
    is_asked = False
    while left := ways.rest():
        waited = time.monotonic() - begun
        if waited > 2 * LEFTOVER_SECONDS:
            signal_all(left, signal.SIGKILL)
        elif waited > LEFTOVER_SECONDS and not is_asked:
            signal_all(left, signal.SIGTERM)
            is_asked = True
        time.sleep(_TICK_SECONDS)


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to each that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _say(channel: socket.socket, message: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the owner may be gone
        send(channel, message)


def _set_option(option: int, value: int) -> None:
    """prctl(2); a failure is an old kernel."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} failed")


def main() -> None:
    """Run as a program: the socket's descriptor is the only argument, the request its first message."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(channel.fileno(), False)
    request = receive(channel, bytearray())
    if request is not None:
        keep(channel, request, execute)


if __name__ == "__main__":
    main()
