"""Find the processes that a worker started while it lives, and end them when it has ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import psutil

# What a worker started in sessions of their own, a stranger's project below its keeper, ends by itself for so long.
SECONDS = 8.0


def descendants(pid: int) -> list[psutil.Process]:
    """Return every process below one; empty if that has ended."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def wait_for(processes: Sequence[psutil.Process]) -> None:
    """Wait for processes that a worker left behind (a keeper asks its command to end first), then kill them."""
    deadline = time.monotonic() + SECONDS
    while (left := [one for one in processes if _is_alive(one)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    for one in left:
        with contextlib.suppress(psutil.Error):
            one.kill()


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
