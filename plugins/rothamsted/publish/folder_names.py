"""Names of conditions as names of folders: readable, different for different conditions, never outside."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

MOST_LETTERS = 100  # of a name; file systems take 255 bytes


def folder_names(keys: Iterable[str]) -> dict[str, str]:
    """A folder name for each key: itself where it is fit for one, else without what is not, and with a digest.

    Names differ also where a file system takes A and a for one.
    """
    keys = list(keys)
    plain = {key: re.sub(r"[^\w.=-]+", "_", key).strip(".")[:MOST_LETTERS] for key in keys}
    counts = Counter(name.casefold() for name in plain.values())
    return {
        key: name if name and counts[name.casefold()] == 1 else f"{name or 'condition'}-{_digest(key)}"
        for key, name in plain.items()
    }


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:8]
