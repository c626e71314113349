"""Name processes that hold something (a trial, a model's lock), and check whether such a process still runs.

A name is host:pid:start. A process id is used again sooner or later; with its start time it is not.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil

_PROC = Path("/proc")


def new_worker_id() -> str:
    """Return the name of this process: host:pid:start.

    On Linux start counts the clock's ticks since the machine was started, elsewhere whole unix seconds: Linux works
    unix seconds out from its clock, and a clock that is set would give every process another name.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def is_alive(worker_id: str) -> bool:
    """Say whether a process of this host still runs; one of another host counts as alive, since nobody here can ask.

    Text that no process has for a name, in a damaged record, is nobody's.
    """
    host, pid, started = ("", *worker_id.rsplit(":", 2))[-3:] if ":" in worker_id else ("", "", "")
    if not (pid.isdecimal() and started.isdecimal()):
        return False
    if host != socket.gethostname():
        return True
    return _started(int(pid)) == int(started)


def _started(pid: int) -> int | None:
    """When a process was started; None: it runs no more, also where nobody has asked how it ended (a zombie)."""
    if (_PROC / "self" / "stat").exists():
        try:
            text = (_PROC / str(pid) / "stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, *fields = text.rpartition(")")[2].split()  # the name before it may have spaces and brackets
        return None if state in "ZX" else int(fields[18])  # starttime, field 22 of proc_pid_stat(5)
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time())
    except psutil.NoSuchProcess:
        return None
