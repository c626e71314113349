"""Say whether a fork would lose a thread of this process. It imports little, because the zygote imports it."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

_FORK_SAFE_THREADS = frozenset({"jemalloc_bg_thd"})


def threads_left() -> str:
    """Fork once, to let the libraries' own handlers end their threads, and name a thread that is left; empty: none."""
    if threading.active_count() > 1:
        names = ", ".join(thread.name for thread in threading.enumerate()[1:])
        return f"an import starts a thread of Python's ({names}), which a fork would lose"
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    names = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            names.append(task.joinpath("comm").read_text(encoding="utf-8").strip())
    left = [name for name in names if name not in _FORK_SAFE_THREADS]
    return f"an import starts {len(left) - 1} threads, which a fork would lose" if len(left) > 1 else ""
