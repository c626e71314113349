"""Read the comment at the top of a sweep file: question, cost, expected result, source.

It comes from the file when a sweep starts, and from the record when a sweep is analysed.
"""

from __future__ import annotations

import re

_FOR_EDITORS = re.compile(r"#\s*yaml-language-server:")
_HEADWORD = re.compile(r"([A-Z][A-Za-z ]{2,24}):\s+(.*)")  # "Cost: 60 replicates of 0.02 s"


def opening_comment(text: str) -> str:
    """Return the comment lines at the top of a sweep file, without # and without a line for editors."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if _FOR_EDITORS.match(line):
            continue
        lines.append(line.lstrip("#").strip())
    return "\n".join(lines)


def headed(question: str) -> list[tuple[str, str]]:
    """Split the lines of an opening comment into headword, which may be empty, and text."""
    items: list[tuple[str, str]] = []
    for line in question.splitlines():
        found = _HEADWORD.fullmatch(line.strip())
        if found:
            items.append((found[1], found[2]))
        elif items and line.strip():
            items[-1] = (items[-1][0], f"{items[-1][1]} {line.strip()}")
        elif line.strip():
            items.append(("", line.strip()))
    return items
