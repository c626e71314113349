"""Pass a worker's warnings to the process that started it: a damaged checkpoint, a number that overflowed.

Warnings of the engine and the study are shown, each text once, with its origin. Warnings of other packages stay in the
worker's standard error: they are many, and mostly useless to the reader.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

MOST_OF_ONE_PLACE = 10
_NO_NEWS = (DeprecationWarning, PendingDeprecationWarning)  # for who writes the code, not for who runs it


@contextmanager
def warnings_told(say: Callable[[str], None], study: str) -> Iterator[None]:
    """Pass warnings of the engine and of a study to `say` inside the `with` block, besides showing them as before.

    Args:
        say: function that gets each distinct text.
        study: top package of the study; empty: none.
    """
    shown = _Shown(say=say, packages=[name for name in ("rothamsted", study) if name])
    handler, before = _Handler(shown), warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        before(message, category, filename, lineno, file, line)
        if not issubclass(category, _NO_NEWS) and shown.is_of_file(filename, category):
            shown.show(str(message), f"{filename}:{lineno}")

    logging.getLogger().addHandler(handler)
    warnings.showwarning = show
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        if warnings.showwarning is show:
            warnings.showwarning = before


class _Shown:
    """What was shown already, and of whom anything is shown."""

    def __init__(self, *, say: Callable[[str], None], packages: Sequence[str]) -> None:
        self._say = say
        self._packages = packages
        self._folders = [folder for name in packages for folder in _folders_of(name)]
        self._texts: set[str] = set()
        self._n_of_place: Counter[str] = Counter()
        self._lock = threading.Lock()

    def is_of_logger(self, name: str) -> bool:
        """Whether a logger belongs to the engine or to the study."""
        return name.partition(".")[0] in self._packages

    def is_of_file(self, filename: str, category: type | None = None) -> bool:
        """Whether a file does. Categories that other packages made for themselves are their own news."""
        path = Path(filename).absolute()
        is_ours = any(path.is_relative_to(folder) for folder in self._folders)
        return is_ours and (category is None or category.__module__.partition(".")[0] in ("builtins", *self._packages))

    def show(self, text: str, place: str) -> None:
        """Say a text that was not said, of a place that has not said much."""
        text = " ".join(text.split())
        with self._lock:
            if text in self._texts or self._n_of_place[place] >= MOST_OF_ONE_PLACE:
                return
            self._texts.add(text)
            self._n_of_place[place] += 1
            is_last = self._n_of_place[place] == MOST_OF_ONE_PLACE
        more = "; further warnings from there are not shown" if is_last else ""
        self._say(f"warning: {text} (from {place}{more})")


class _Handler(logging.Handler):
    def __init__(self, shown: _Shown) -> None:
        super().__init__(level=logging.WARNING)
        self._shown = shown

    def createLock(self) -> None:  # noqa: N802  (logging's own name)
        """None: who is told may take time, and may warn of something meanwhile; `_Shown` locks what needs it."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record of a logger, or of a file, that is ours."""
        if self._shown.is_of_logger(record.name) or self._shown.is_of_file(record.pathname):
            self._shown.show(record.getMessage(), _place(record))


def _place(record: logging.LogRecord) -> str:
    return f"{record.pathname}:{record.lineno}" if record.name == "root" else record.name


def _folders_of(package: str) -> list[Path]:
    return [Path(path).absolute() for path in getattr(sys.modules.get(package), "__path__", [])]
