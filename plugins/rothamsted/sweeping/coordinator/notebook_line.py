"""One line of a notebook's output that is written over: what a terminal's live block is there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SECONDS = 0.5  # between two writings: each travels to the browser


@dataclass(kw_only=True)
class NotebookLine:
    """A place in the output of a cell.

    Attributes:
        clock: gives seconds.
    """

    clock: Callable[[], float]
    _handle: Any = None
    _written: float = float("-inf")

    def write(self, text: str, *, is_last: bool = False) -> None:
        """Write the text over the one before, unless that is only just there; the last is always written."""
        if not is_last and self.clock() - self._written < SECONDS:
            return
        self._written = self.clock()
        shown = {"text/plain": text}
        if self._handle is None:
            display: Any = sys.modules["IPython.display"]
            self._handle = display.display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


def notebook_line(clock: Callable[[], float], *, is_jupyter: bool) -> NotebookLine | None:
    """A line where this process is a notebook's; None elsewhere."""
    return NotebookLine(clock=clock) if is_jupyter and "IPython.display" in sys.modules else None
