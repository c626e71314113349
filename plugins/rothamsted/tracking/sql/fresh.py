"""Make MLflow's tables in a new SQLite file at once. MLflow's own 67 migrations take two seconds of processor time.

`mlflow_tables.sql` is the result of these migrations for the revision in its first line; a test compares them. For
another revision, and in any other database, MLflow makes its tables itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

FILE = Path(__file__).with_name("mlflow_tables.sql")
FIRST_LINE = "-- revision "
# What an MLflow server and MLflow's workspaces put elsewhere than the tables of everybody else.
_OTHER_WAYS = ("MLFLOW_ENABLE_WORKSPACES", "_MLFLOW_SERVER_ARTIFACT_ROOT")
_FIRST_EXPERIMENT = (
    "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, "
    "last_update_time, workspace) VALUES (0, 'Default', ?, 'active', ?, ?, 'default')"
)


def makes(engine: sa.Engine, revision: str) -> bool:
    """Say whether the tables of this revision of MLflow can be made here for this database."""
    if engine.dialect.name != "sqlite" or os.name != "posix" or any(name in os.environ for name in _OTHER_WAYS):
        return False
    return revision == _script()[0]


def make(engine: sa.Engine, *, now_ms: int | None = None) -> None:
    """Make MLflow's tables and its first experiment in a SQLite file without tables, in one transaction.

    Args:
        engine: of the file.
        now_ms: when the experiment was made, in milliseconds; None: now.
    """
    made_at = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    with closing(engine.raw_connection()) as pooled:
        connection: Any = pooled.driver_connection
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{_script()[1]}")
            connection.execute(_FIRST_EXPERIMENT, (str(Path.cwd() / "mlruns" / "0"), made_at, made_at))
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the file that every MLflow process holds while it makes tables: workers may start at once."""
    import fcntl

    with Path(path).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


@cache
def _script() -> tuple[str, str]:
    """The revision, and the statements."""
    first, _, statements = FILE.read_text(encoding="utf-8").partition("\n")
    return first.removeprefix(FIRST_LINE).split()[0], statements
