"""What a user probably meant by an unknown name: keys, parameters, studies and registries all ask it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MAX_LISTED = 40  # names: a longer list hides what it says


def known_names(name: str, known: Iterable[str]) -> str:
    """The close matches of an unknown name, then all known names: text to end an error with."""
    names = list(dict.fromkeys(known))
    tail = name.rsplit(".", 1)[-1]
    close = [other for other in names if other.rsplit(".", 1)[-1] == tail or other.startswith(f"{name}.")]
    close += [other for other in difflib.get_close_matches(name, names, n=3) if other not in close]
    hint = f"did you mean {' or '.join(close[:3])}? " if close else ""
    listed = ", ".join(names[:_MAX_LISTED]) + (", …" if len(names) > _MAX_LISTED else "")
    return f"{hint}known: {listed or 'none'}"
