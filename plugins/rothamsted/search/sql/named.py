"""Look for a sweep in an SQLite file without Optuna, whose import a mistake in a sweep file need not wait for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

SPEC_KEY = "rothamsted:spec"  # attribute of an Optuna study that is a sweep's: its resolved file
_NAMED = (
    "SELECT 1 FROM studies JOIN study_user_attributes USING (study_id) WHERE study_name = ? AND key = ? LIMIT 1",
    "SELECT 1 FROM sqlite_master WHERE name = 'study_user_attributes'",
)


def has_sweep(path: Path, name: str) -> bool:
    """Whether a file holds a sweep of this name; False where it is not there, or has no tables of Optuna's.

    Raises:
        sqlite3.Error: the file cannot be read, or is no database.
    """
    if not path.is_file():
        return False
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        named, tables = _NAMED
        return bool(connection.execute(tables).fetchone() and connection.execute(named, (name, SPEC_KEY)).fetchone())
