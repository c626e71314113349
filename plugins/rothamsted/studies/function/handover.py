"""Run a function so that each of its reports becomes an item of a generator.

The function runs on a stack of its own (a greenlet) in the same thread: at each report it stands still until the next
item is asked for. So signals, exceptions and thread-local settings are what they are in any function.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

from greenlet import getcurrent, greenlet

from rothamsted.reported import OTHER_THREAD, Reported, reporting_to


class TrainingEnd(BaseException):
    """Ends a training that the sweep stops: `report` raises it. Clean up in `finally`, and let it pass."""


def items_of(run: Callable[[], Any]) -> Generator[Reported, None, Any]:
    """Run a function; yield what it reports, return what it returns. Closing this raises `TrainingEnd` in it."""
    outer, thread = getcurrent(), threading.get_ident()
    is_closed = False

    def hand_over(reported: Reported) -> None:
        if threading.get_ident() != thread:
            raise RuntimeError(OTHER_THREAD)
        if is_closed:
            raise TrainingEnd("the training was stopped: end it")
        outer.switch(reported)

    def body() -> Any:
        with reporting_to(hand_over):
            return run()

    inner = greenlet(body)
    try:
        item = inner.switch()
        while not inner.dead:
            yield item
            item = inner.switch()
        return item
    finally:
        is_closed = True
        if inner and not inner.dead:
            _end(inner)


def _end(inner: greenlet) -> None:
    with suppress(TrainingEnd):
        inner.throw(TrainingEnd("the training was stopped: end it"))
