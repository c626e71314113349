"""End with the `mlflow run` that started this process.

Ctrl-C reaches both. A SIGTERM to `mlflow run` ends only MLflow, and the sweep that it started would go on unseen.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import psutil

from rothamsted import places

LOOK_SECONDS = 1.0
_gone = threading.Event()  # of this process, as its environment is


def end_with_mlflow(
    ask: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGTERM), look_seconds: float = LOOK_SECONDS
) -> None:
    """Ask this process from now on to stop when the `mlflow run` above it has ended; do nothing without one.

    Args:
        ask: Asks it; by default as a SIGTERM to this process would.
        look_seconds: Between two looks.
    """
    outer = places.outer_process()
    if outer is not None and _is_mlflow(outer):
        watch = _Watch(outer, ask, look_seconds)
        threading.Thread(target=watch, name="end-with-mlflow", daemon=True).start()


def is_gone() -> bool:
    """Say whether the `mlflow run` above this process has ended, so that it cannot end the run that it opened."""
    return _gone.is_set()


def _is_mlflow(process: psutil.Process) -> bool:
    """Whether a process is `mlflow run`, and not a shell in which somebody has set the same variables."""
    try:
        return any("mlflow" in word for word in process.cmdline())
    except psutil.Error:
        return False


class _Watch:
    def __init__(self, outer: psutil.Process, ask: Callable[[], None], look_seconds: float) -> None:
        self._outer, self._ask, self._look_seconds = outer, ask, look_seconds

    def __call__(self) -> None:
        while self._is_there():
            time.sleep(self._look_seconds)
        _gone.set()
        self._ask()

    def _is_there(self) -> bool:
        try:
            return self._outer.is_running() and self._outer.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False
