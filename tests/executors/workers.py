"""What the workers of these tests do: entries of jobs, small enough to read at a glance.

They run in processes of their own or in a thread, so each says its process id where a test needs it.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rothamsted.errors import UserError

Emit = Callable[[Mapping[str, Any]], None]
ShouldStop = Callable[[], bool]
LONG_SECONDS = 60.0  # longer than any test waits


def say(*, texts: list[str], emit: Emit, should_stop: ShouldStop) -> None:
    for text in texts:
        emit({"event": "said", "text": text, "pid": os.getpid()})


def say_variables(*, names: list[str], emit: Emit, should_stop: ShouldStop) -> None:
    emit({"event": "said", "found": {name: os.environ.get(name) for name in names}})


def wait_to_be_stopped(*, emit: Emit, should_stop: ShouldStop) -> None:
    emit({"event": "said", "text": "here", "pid": os.getpid()})
    deadline = time.monotonic() + LONG_SECONDS
    while not should_stop() and time.monotonic() < deadline:
        time.sleep(0.01)
    emit({"event": "said", "text": "leaving"})


def raise_an_error(*, emit: Emit, should_stop: ShouldStop) -> None:
    emit({"event": "said", "text": "here"})
    raise RuntimeError("the loss is not a number")


def refuse(*, emit: Emit, should_stop: ShouldStop) -> None:
    raise UserError("sweep toys:\nis not here")


# ---- in processes of their own only ----


def hear_nothing(*, emit: Emit, should_stop: ShouldStop) -> None:
    """Leave neither when asked nor by itself."""
    emit({"event": "said", "text": "here", "pid": os.getpid()})
    time.sleep(LONG_SECONDS)


def write_bytes(*, text: str, emit: Emit, should_stop: ShouldStop) -> None:
    """Bytes that are not UTF-8, on both standard streams."""
    for fd in (1, 2):
        os.write(fd, b"\xff\xfe not UTF-8 \x80\n")
    emit({"event": "said", "text": text})
    os.write(2, b"\xff" * 200_000)  # more than a pipe holds
    emit({"event": "said", "text": "after"})


def write_to_the_events(*, n_bytes: int, emit: Emit, should_stop: ShouldStop) -> None:
    """Write what is no event where events are written."""
    for fd in _pipes_of_events():
        os.write(fd, b"\xff\xfe\n")
        left = n_bytes
        while left > 0:
            left -= os.write(fd, b"x" * min(left, 65_536))
        os.write(fd, b"\n[1]\n{}\nnull\n")
    emit({"event": "said", "text": "after"})


def close_everything(*, emit: Emit, should_stop: ShouldStop) -> None:
    """As a program that becomes a daemon does."""
    emit({"event": "said", "text": "before"})
    sys.stdout.close()
    os.closerange(0, 256)
    emit({"event": "said", "text": "unheard"})
    time.sleep(0.3)
    os._exit(3)


class _Remains:
    """Says when it is taken down."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __del__(self) -> None:
        _note(self._path, "taken down")


def _note(path: str, text: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def leave_work_for_the_end(*, path: str, status: int, emit: Emit, should_stop: ShouldStop) -> None:
    """A function to be called at the end, a thread that is still at work, an object, and something unsaid."""
    atexit.register(_note, path, "asked")
    global _remains
    _remains = _Remains(path)
    threading.Thread(target=lambda: (time.sleep(0.3), _note(path, "thread"))).start()
    sys.stderr.write("unsaid")
    if status:
        raise SystemExit(status)


def print_without_end(*, n_bytes: int, emit: Emit, should_stop: ShouldStop) -> None:
    """One line of a progress bar that never ends."""
    for _ in range(n_bytes // 1000):
        sys.stdout.write("\r" + "=" * 999)
    sys.stdout.write("the end of it")
    sys.stdout.flush()
    emit({"event": "said", "text": "x" * n_bytes})
    os._exit(4)


def leave_a_child(*, in_own_session: bool, dies_by: int, emit: Emit, should_stop: ShouldStop) -> None:
    """Start a process that does not end by itself, and holds this one's pipes; then wait, or die."""
    program = f"import time; time.sleep({LONG_SECONDS})"
    child = subprocess.Popen([sys.executable, "-c", program], start_new_session=in_own_session)
    emit({"event": "said", "pid": os.getpid(), "child": child.pid})
    if dies_by:
        os.kill(os.getpid(), dies_by)
    time.sleep(LONG_SECONDS)


def die_by(*, signal_number: int, emit: Emit, should_stop: ShouldStop) -> None:
    emit({"event": "said", "pid": os.getpid()})
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal_number)
    time.sleep(LONG_SECONDS)


def read_standard_input(*, emit: Emit, should_stop: ShouldStop) -> None:
    emit({"event": "said", "text": sys.stdin.read()})


def say_flags(*, emit: Emit, should_stop: ShouldStop) -> None:
    emit({"event": "said", "text": str(sys.flags.safe_path)})


def keep_a_stranger(*, folder: str, emit: Emit, should_stop: ShouldStop) -> None:
    """A command below its keeper that ignores SIGTERM and starts a process in a session of its own."""
    from rothamsted.foreign.process import Launch, start

    grandchild = f"import time; time.sleep({LONG_SECONDS})"
    program = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"child = subprocess.Popen([sys.executable, '-c', {grandchild!r}], start_new_session=True);"
        f"open('pid', 'w').write(str(child.pid)); time.sleep({LONG_SECONDS})"
    )
    place = Path(folder)
    launch = Launch(
        command=[sys.executable, "-c", program],
        folder=place,
        environment=dict(os.environ),
        log_path=place / "log.txt",
    )
    running = start(launch)
    while not (place / "pid").exists() or not (place / "pid").read_text():
        time.sleep(0.01)
    pids = [running.keeper_pid, running.pid, int((place / "pid").read_text())]
    emit({"event": "said", "pid": os.getpid(), "below": pids})
    time.sleep(LONG_SECONDS)


def _pipes_of_events() -> list[int]:
    """Descriptors of pipes that are not standard streams: the tie to the parent cannot be written, events can."""
    found = []
    for entry in list(Path("/proc/self/fd").iterdir()):
        fd = int(entry.name)
        if fd > 2 and _is_writable_pipe(fd):
            found.append(fd)
    return found


def _is_writable_pipe(fd: int) -> bool:
    import fcntl
    import stat

    try:
        is_pipe = stat.S_ISFIFO(os.fstat(fd).st_mode)
        return is_pipe and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
    except OSError:
        return False
