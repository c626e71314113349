"""Show progress in a notebook as one line that is overwritten, as a terminal's live block is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SECONDS = 0.5  # between two writings: each travels to the browser


@dataclass(kw_only=True)
class NotebookLine:
    """Holds a place in the output of a cell.

    Attributes:
        clock: function that gives seconds.
    """

    clock: Callable[[], float]
    _handle: Any = None
    _written: float = float("-inf")

    def write(self, text: str, *, is_last: bool = False) -> None:
        """Overwrite the last text, unless that was written just now. The text with `is_last` is always written."""
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
    """Return a line if this process is a notebook's, else None."""
    return NotebookLine(clock=clock) if is_jupyter and "IPython.display" in sys.modules else None
