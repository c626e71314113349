"""Turn texts into names of files and folders: readable, different for different texts, never outside a folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

MOST_BYTES = 180  # of a name; file systems take 255, with what is put behind it


def folder_names(keys: Iterable[str]) -> dict[str, str]:
    """Return a name for each key: the key without characters that names cannot have, with a number if names are equal.

    Names differ even on file systems on which A and a are equal.

    Example:
        >>> folder_names(["a/b", "a?b", "..", "c"])
        {'a/b': 'a_b-1', 'a?b': 'a_b-2', '..': 'condition', 'c': 'c'}
    """
    plain = {key: _cleaned(key) for key in keys}
    counts = Counter(name.casefold() for name in plain.values())
    taken = {name for name, n in counts.items() if n == 1}
    names = {}
    for key, name in plain.items():
        number = 0
        while counts[name.casefold()] > 1 and (number == 0 or f"{name}-{number}".casefold() in taken):
            number += 1
        names[key] = f"{name}-{number}" if number else name
        taken.add(names[key].casefold())
    return names


def _cleaned(key: str) -> str:
    """Letters, digits and = - . alone; no dot at either end."""
    name = re.sub(r"[^\w.=-]+", "_", key).encode("utf-8", "replace")[:MOST_BYTES].decode("utf-8", "ignore").strip(".")
    return "condition" if name in ("", "_") else name
