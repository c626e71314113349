"""End a process without taking its libraries down, once all that was asked to be done at the end is done.

Taking MLflow, scikit-learn, JAX or torch down object by object takes half a second of a processor, and nothing is
gained by it: the system takes the memory of a process as a whole.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
from collections.abc import Callable


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
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or nobody reads it
            stream.flush()
    os._exit(status)
