"""Look for a sweep in an SQLite file without importing Optuna, so that mistakes are reported quickly."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from rothamsted import places, tags
from rothamsted.errors import StoreError
from rothamsted.masking import masked

SWEEP_LEASE = "rothamsted:sweep_lease"  # attribute of a sweep's Optuna study: who decides for it, or that it is over
SPEC_KEY = "rothamsted:spec"  # attribute of an Optuna study that is a sweep's: its resolved file
_SWEEP = "SELECT 1 FROM studies JOIN study_user_attributes USING (study_id) WHERE study_name = ? AND key = ? LIMIT 1"
_LEASE = (
    "SELECT value_json FROM studies JOIN study_user_attributes USING (study_id) "
    f"WHERE study_name = ? AND key = '{SWEEP_LEASE}'"
)
_STUDY = "SELECT 1 FROM studies WHERE study_name = ?"
_SEARCHES = f"""
    SELECT study_name FROM studies JOIN study_user_attributes AS spec USING (study_id)
    WHERE spec.key = '{SPEC_KEY}' AND NOT EXISTS (
        SELECT 1 FROM study_user_attributes AS other
        WHERE other.study_id = studies.study_id AND other.key IN ('{tags.CONFIRMATION_OF}', '{tags.CONTEST}'))
    ORDER BY study_id DESC
"""
_TABLES = "SELECT 1 FROM sqlite_master WHERE name = 'study_user_attributes'"


def has_sweep(path: Path, name: str) -> bool:
    """Return whether a file has a sweep of this name; False if it does not exist or has no tables of Optuna's.

    Raises:
        sqlite3.Error: the file cannot be read, or is no database.
    """
    if not path.is_file():
        return False
    with _reading(path) as connection:
        return bool(connection.execute(_TABLES).fetchone() and connection.execute(_SWEEP, (name, SPEC_KEY)).fetchone())


def is_over(storage: str, name: str) -> bool:
    """Return whether an SQLite file has a sweep of this name that is over; False if that takes Optuna to know."""
    path = places.sqlite_file(storage)
    if path is None or not path.is_file():
        return False
    try:
        with _reading(path) as connection:
            found = connection.execute(_LEASE, (name,)).fetchone()
    except sqlite3.Error:  # no tables; or whoever opens it says what it is
        return False
    return found is not None and json.loads(found[0])["how"] == "over"


def lacks_study(path: Path, name: str) -> bool:
    """Return whether a file has Optuna's tables without a study of this name.

    Raises:
        sqlite3.Error: the file cannot be read, or is no database.
    """
    if not path.is_file():
        return False
    with _reading(path) as connection:
        return bool(connection.execute(_TABLES).fetchone()) and not connection.execute(_STUDY, (name,)).fetchone()


def unstarted(storage: str, name: str) -> StoreError:
    """Return the message about a sweep that a search database lacks."""
    return StoreError(
        f"storage {masked(storage)}: no sweep called '{name}' here; start it with mlflow run . -e sweep, or name its "
        "storage with -P storage="
    )


def named_searches(url: str) -> list[str] | None:
    """Return the names of sweeps with a search in an SQLite file, the newest first; none if the file is missing.

    None: it is not an SQLite file with Optuna's tables.
    """
    path = places.sqlite_file(url)
    if path is None or not path.is_file():
        return None if path is None else []
    try:
        with _reading(path) as connection:
            return [name for (name,) in connection.execute(_SEARCHES)]
    except sqlite3.Error:
        return None


def _reading(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True))
