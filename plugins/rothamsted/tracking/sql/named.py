"""Look for a sweep or a run in an SQLite file without importing SQLAlchemy, so that errors come quickly."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from rothamsted import places, tags

_SWEEPS = f"""
    SELECT COALESCE(named.value, runs.name), runs.run_uuid
    FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.key = '{tags.ROLE}' AND tags.value = 'sweep'
    JOIN experiments ON experiments.experiment_id = runs.experiment_id
    LEFT JOIN tags AS named ON named.run_uuid = runs.run_uuid AND named.key = '{tags.SWEEP}'
    WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
    ORDER BY runs.start_time DESC
"""
_RUN = f"""
    SELECT 1 FROM runs WHERE run_uuid = :name OR name = :name
    UNION ALL SELECT 1 FROM tags WHERE key IN ('{tags.SWEEP}', 'mlflow.runName') AND value = :name LIMIT 1
"""
_LOGGED = f"""
    SELECT latest_metrics.key, MAX(role.value = 'replicate')
    FROM latest_metrics JOIN tags AS swept ON swept.run_uuid = latest_metrics.run_uuid
    JOIN tags AS role ON role.run_uuid = swept.run_uuid AND role.key = '{tags.ROLE}'
    WHERE swept.key = '{tags.SWEEP}' AND swept.value = :sweep
    GROUP BY latest_metrics.key
"""
MODELS = "SELECT name FROM registered_models WHERE workspace = 'default' ORDER BY name"


def named_sweeps(uri: str) -> list[tuple[str, str]] | None:
    """Return name and run id of every sweep, the newest first. None: this is no SQLite file with MLflow's tables."""
    return _rows(uri, _SWEEPS)


def lacks_run(uri: str, reference: str) -> bool:
    """Say whether this is an SQLite file with MLflow's tables, and no run or sweep in it has this name or id."""
    return _rows(uri, _RUN, {"name": reference}) == []


def logged_metrics(uri: str, sweep: str) -> dict[str, bool] | None:
    """Return the metrics that runs of the sweeps of this name have, and whether replicates of their own have them.

    None: this is no SQLite file with MLflow's tables.
    """
    rows = _rows(uri, _LOGGED, {"sweep": sweep})
    return None if rows is None else {name: bool(is_of_replicate) for name, is_of_replicate in rows}


def named_models(uri: str) -> list[str] | None:
    """Return the registered models, in the order of the alphabet; None: this is no SQLite file with MLflow's tables."""
    rows = _rows(uri, MODELS)
    return None if rows is None else [name for (name,) in rows]


def _rows(uri: str, query: str, values: dict[str, Any] | Sequence[Any] = ()) -> list[Any] | None:
    path = places.sqlite_file(uri)
    if path is None or not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error:  # no database, or tables of another program: who looks closer says so
        return None
