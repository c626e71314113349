"""Names of processes that hold something for a while (a trial, a model's lock), and whether such a process still runs.

A name is host:pid:start. A process id is used again sooner or later; with its start time it is not.
"""

from __future__ import annotations

import os
import socket

import psutil


def new_worker_id() -> str:
    """Return the name of this process: host:pid:start, start in whole unix seconds."""
    return f"{socket.gethostname()}:{os.getpid()}:{int(psutil.Process().create_time())}"


def is_alive(worker_id: str) -> bool:
    """Whether a process of this host still runs; one of another host counts as alive, since nobody here can ask."""
    host, pid, started = worker_id.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    try:
        return int(psutil.Process(int(pid)).create_time()) == int(started)
    except psutil.NoSuchProcess:
        return False
