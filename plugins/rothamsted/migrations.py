"""Find the revisions of tables that a program's migrations know, from their text.

alembic, which does this too, takes a tenth of a second to import, and runs each of the files.
"""

from __future__ import annotations

import re
from pathlib import Path

_REVISION = re.compile(r"^(down_)?revision(?:\s*:[^=]+)?\s*=\s*(.+)$", re.MULTILINE)


def revisions_in(folder: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Return the newest revisions, those that no other follows, and all.

    There is one newest unless a file has another form.

    Args:
        folder: alembic's `versions`.
    """
    revisions, earlier = set[str](), set[str]()
    for path in folder.glob("*.py"):
        for is_down, value in _REVISION.findall(path.read_text(encoding="utf-8")):
            (earlier if is_down else revisions).update(re.findall(r"[\"']([\w.]+)[\"']", value))
    return frozenset(revisions - earlier), frozenset(revisions)
