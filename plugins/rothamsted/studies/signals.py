"""Turn Ctrl-C and SIGTERM into a flag that training loops can check.

An exception raised in the middle of a step would lose what a checkpoint could keep.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import final


@final
@dataclass(kw_only=True)
class StopRequest:
    """Says whether a signal has asked to stop; callable, so it can be given as `should_stop`."""

    signal_number: int | None = None

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.signal_number is not None


@contextmanager
def stop_on_signals(on_request: Callable[[str], None]) -> Iterator[StopRequest]:
    """Ask to stop at the first Ctrl-C or SIGTERM inside the block; the second Ctrl-C raises KeyboardInterrupt.

    Signals belong to the main thread: entered in another one, this changes nothing and nobody asks.

    Args:
        on_request: called with the signal's name at the first request, to tell the user what happens now.
    """
    request = StopRequest()

    def ask(number: int, frame: FrameType | None) -> None:
        if request():
            raise KeyboardInterrupt
        request.signal_number = number
        on_request(signal.Signals(number).name)

    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
