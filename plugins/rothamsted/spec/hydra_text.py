"""Write a parameter as an override that Hydra reads back as the same value: `opt.lr=0.1`, `note='a b'`."""

from __future__ import annotations

import re
from typing import Any

_BARE = re.compile(r"[A-Za-z_][\w./:-]*", re.ASCII)  # of Hydra's grammar: text that needs no quotes
_NOT_TEXT = frozenset({"true", "false", "null", "nan", "inf", "infinity"})


def as_override(name: str, value: Any) -> str:
    """Return `name=value` in the grammar of Hydra's overrides.

    Example:
        >>> as_override("opt.lr", 0.1), as_override("note", "a b"), as_override("deep", True)
        ('opt.lr=0.1', "note='a b'", 'deep=true')
    """
    if value is None:
        return f"{name}=null"
    if isinstance(value, bool):
        return f"{name}={str(value).lower()}"
    text = str(value)
    if not isinstance(value, str) or (_BARE.fullmatch(text) and text.lower() not in _NOT_TEXT):
        return f"{name}={text}"
    escaped = re.sub(r"(\\*)'", lambda found: found[1] * 2 + "\\'", text)  # a backslash counts only before a quote
    ending = re.search(r"\\*$", escaped)
    return f"{name}='{escaped}{ending[0] if ending else ''}'"
