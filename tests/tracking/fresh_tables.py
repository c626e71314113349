"""MLflow's tables as its own migrations leave them in SQLite, as text.

`python -m tests.tracking.fresh_tables` writes them for the installed MLflow where the engine reads them.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sa
from mlflow.store.db.utils import _initialize_tables

from rothamsted.tracking.sql import fresh


def migrated(path: Path) -> None:
    """Let MLflow make its tables in a new file."""
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
    _initialize_tables(engine)
    engine.dispose()


def script_of(path: Path) -> str:
    """All that a database holds, as SQL that makes it again; the first line has its revision."""
    with closing(sqlite3.connect(path)) as connection:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        objects = connection.execute(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        )
        rows = [line for line in connection.iterdump() if line.startswith("INSERT INTO")]
        first = f"{fresh.FIRST_LINE}{revision} of MLflow's tables in SQLite, as MLflow {version('mlflow')} makes them"
        text = "\n".join([first, *(f"{sql};" for (sql,) in objects), *rows, ""])
        return re.sub(r"[ \t]+\n", "\n", text)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "mlflow.db"
        migrated(made)
        fresh.FILE.write_text(script_of(made), encoding="utf-8")
