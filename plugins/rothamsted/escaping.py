"""Escape invisible and control characters as Python writes them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

KEPT = "\n\t\u200c\u200d"  # in a text of several lines; the last two join letters and signs of many scripts


def written(character: str) -> str:
    r"""Write a character as Python does: `\x1b`."""
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def escaped(text: str, *, kept: str = KEPT, write: Callable[[str], str] = written) -> str:
    r"""Write out the control characters, marks of direction, lone surrogates and unassigned characters of a text.

    Spaces of any width stay as they are.

    Args:
        text: of anybody.
        kept: characters that stay all the same.
        write: how one is written out.

    Example:
        >>> escaped("a\x1b[31m\u202eb")
        'a\\x1b[31m\\u202eb'
    """
    if text.isprintable():
        return text
    lines = text.split("\n") if "\n" in kept else [text]
    return "\n".join(line if line.isprintable() else _escaped(line, kept, write) for line in lines)


def _escaped(line: str, kept: str, write: Callable[[str], str]) -> str:
    return "".join(c if c.isprintable() or c in kept or unicodedata.category(c) == "Zs" else write(c) for c in line)
