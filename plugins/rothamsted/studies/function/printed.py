"""Keep a copy of what a function prints, which becomes `output.txt` of its replicate."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

MOST_CHARACTERS = 1_000_000  # kept of one replicate: the last ones
_MOST_PIECES = 10_000  # before they are put together, so that memory stays bounded
_hiding: list[bool] = []  # not empty: what functions print is not shown
_copy: ContextVar[list[str] | None] = ContextVar("rothamsted_printed", default=None)


@contextmanager
def copied(lines: list[str]) -> Iterator[None]:
    """Add to `lines` what this context prints inside the block; other threads and the engine are not in it."""
    outer = sys.stdout, sys.stderr
    own = _Copying(sys.stdout), _Copying(sys.stderr)
    sys.stdout, sys.stderr = own
    token = _copy.set(lines)
    try:
        yield
    finally:
        _copy.reset(token)
        if (sys.stdout, sys.stderr) == own:
            sys.stdout, sys.stderr = outer


@contextmanager
def hidden() -> Iterator[None]:
    """Keep what functions print inside the block and do not show it: nobody asked for it."""
    _hiding.append(True)
    try:
        yield
    finally:
        _hiding.pop()


def text_of(lines: list[str]) -> str:
    """Return what was printed; of very much the end."""
    text = "".join(lines)
    if len(text) < MOST_CHARACTERS:
        return text
    return f"(what was printed before the last {MOST_CHARACTERS} characters is left out)\n{text[-MOST_CHARACTERS:]}"


class _Copying:
    """A stream that also adds what is written in a context to that context's list."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        lines = _copy.get()
        if lines is not None:
            lines.append(text)
            if len(lines) > _MOST_PIECES:
                lines[:] = ["".join(lines)[-MOST_CHARACTERS:]]
            if _hiding:
                return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
