"""How much Python a call runs, counted: what a budget of time stands for, whatever else the machine does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def n_calls(call: Callable[[], object]) -> int:
    """The calls of Python and C functions that `call` makes, in this thread; the second time, when all is set up."""
    count = 0

    def seen(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    call()
    sys.setprofile(seen)
    try:
        call()
    finally:
        sys.setprofile(None)
    return count
