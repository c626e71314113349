"""The comment that a sweep file opens with: question, cost, expected result, source.

Apart, because it is read from the file when a sweep starts and from the record when a sweep is analysed.
"""

from __future__ import annotations


def opening_comment(text: str) -> str:
    """Return the comment lines at the top of a sweep file, without their marks."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("#").strip())
    return "\n".join(lines)
