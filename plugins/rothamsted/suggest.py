"""Suggest what a user probably meant by an unknown name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_ALL = 15  # names: a longer list hides what it says
_NEAREST = 5


def known_names(name: str, known: Iterable[str], *, word: str = "known") -> str:
    """Name the close matches of an unknown name, then the known names, of many the nearest.

    An error ends with this text.
    """
    names = list(dict.fromkeys(known))
    tail = name.rsplit(".", 1)[-1]
    close = [other for other in names if other.rsplit(".", 1)[-1] == tail or other.startswith(f"{name}.")]
    close += [other for other in difflib.get_close_matches(name, names, n=3) if other not in close]
    hint = f"did you mean {' or '.join(close[:3])}? " if close else ""
    if len(names) <= _ALL:
        return f"{hint}{word}: {', '.join(names) or 'none'}"
    nearest = sorted(names, key=lambda other: (other not in close, -_likeness(name, other)))[:_NEAREST]
    return f"{hint}the nearest of {len(names)}: {', '.join(nearest)}"


def _likeness(name: str, other: str) -> float:
    return difflib.SequenceMatcher(a=name, b=other).ratio()
