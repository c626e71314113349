"""End a process without the clean-up of its libraries, after all registered work is done.

The clean-up of MLflow, scikit-learn, JAX or torch takes half a second of processor time and gains nothing: the system
frees the memory. Only data in files that are still open would be lost. With such a file, or if that cannot be checked,
Python ends as usual.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

_OPEN = Path("/proc/self/fd")
_HOW = Path("/proc/self/fdinfo")
_STREAMS = 3  # the first file descriptors
_BESIDE = ("-wal", "-shm")  # files beside an open SQLite database, which keeps nothing back


def leave_at_the_end(run: Callable[[], int]) -> int:
    """Run the whole of a process; its status, with which it ends when Python ends it.

    Called before anything else asks for something to be done at the end: what is asked first is done last. Threads
    that are no daemons are waited for, and standard streams and logs are flushed, as always.

    Args:
        run: gives the exit status; an error of it is 1, and `SystemExit` its own.
    """
    status = [1]
    atexit.register(lambda: _leave(status[0]))
    try:
        status[0] = run()
    except SystemExit as error:
        status[0] = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise
    return status[0]


def _leave(status: int) -> None:
    if not _OPEN.is_dir() or _unclosed():
        return
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or nobody reads it
            stream.flush()
    os._exit(status)


def _unclosed() -> set[str]:
    """Files that are open for writing, but for the standard streams and SQLite's."""
    streams, found = set(), set()
    for entry in _OPEN.iterdir():
        number = int(entry.name)
        with contextlib.suppress(OSError):  # the one that lists them
            state, path = os.fstat(number), str(entry.readlink())
            if number < _STREAMS:
                streams.add(path)
            elif stat.S_ISREG(state.st_mode) and state.st_nlink and _is_written(number):
                found.add(path)
    return {path for path in found - streams if not path.endswith(_BESIDE) and f"{path}-wal" not in found}


def _is_written(number: int) -> bool:
    lines = (_HOW / str(number)).read_text(encoding="ascii").splitlines()
    flags = next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
    return flags & os.O_ACCMODE != os.O_RDONLY
