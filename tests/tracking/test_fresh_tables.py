"""MLflow's tables in a new file: what its own migrations make, made at once and without importing MLflow."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow.tracking._tracking_service.utils import _get_store

from rothamsted import tracking
from rothamsted.tracking.sql import fresh, schema
from tests.tracking.fresh_tables import migrated

ROOT = Path(__file__).parents[2]

MIGRATE = """
import sys
from rothamsted import tracking
tracking.migrate(sys.argv[1])
print(*sorted(name for name in ("mlflow", "alembic") if name in sys.modules))
"""


def contents(path: Path) -> tuple[set[tuple[str, ...]], list[tuple[object, ...]], list[str]]:
    """What a database is made of, its columns in their order, and its rows without times.

    The lines of each definition are sorted: MLflow's migrations write constraints in an order of chance.
    """
    with closing(sqlite3.connect(path)) as connection:
        objects = connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
        made = {(kind, name, *sorted(line.strip("\t ,") for line in sql.splitlines())) for kind, name, sql in objects}
        tables = sorted(name for kind, name, _ in objects if kind == "table")
        columns = [(table, *row) for table in tables for row in connection.execute(f"PRAGMA table_xinfo('{table}')")]
        connection.execute("UPDATE experiments SET creation_time = 0, last_update_time = 0")
        return made, columns, sorted(line for line in connection.iterdump() if line.startswith("INSERT INTO"))


@pytest.fixture(scope="module")
def of_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose tables were made by MLflow's migrations."""
    path = tmp_path_factory.mktemp("migrated") / "mlflow.db"
    migrated(path)
    return path


def test_the_tables_are_those_of_the_mlflow_that_constraints_name() -> None:
    (pinned,) = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("mlflow==")]
    first = fresh.FILE.read_text(encoding="utf-8").partition("\n")[0]
    assert f"as MLflow {pinned.removeprefix('mlflow==')} makes them" in first
    if version("mlflow") == pinned.removeprefix("mlflow=="):
        assert schema.mlflow_revisions()[0] in first, "write them with: python -m tests.tracking.fresh_tables"


def test_a_new_file_is_what_mlflow_would_have_made_of_it(
    of_mlflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tracking.migrate(f"sqlite:///{tmp_path / 'mlflow.db'}")
    _get_store(f"sqlite:///{of_mlflow}")  # makes the first experiment
    assert contents(tmp_path / "mlflow.db") == contents(of_mlflow)


def test_a_new_file_takes_no_import_of_mlflow(tmp_path: Path) -> None:
    if not fresh.makes(sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}"), schema.mlflow_revisions()[0]):
        pytest.skip("the installed MLflow has other tables, and makes them itself")
    command = [sys.executable, "-c", MIGRATE, f"sqlite:///{tmp_path / 'mlflow.db'}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr) == ("\n", "")


def test_four_processes_that_begin_at_once_make_one_file(of_mlflow: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", MIGRATE, f"sqlite:///{tmp_path / 'mlflow.db'}"]
    begun = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [one.communicate(timeout=300)[1] for one in begun] == [""] * 4
    assert contents(tmp_path / "mlflow.db")[:2] == contents(of_mlflow)[:2]


def test_an_mlflow_of_other_tables_makes_them_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite = sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    assert not fresh.makes(sqlite, "ffffffffffff")
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    assert not fresh.makes(sqlite, schema.mlflow_revisions()[0])


def test_a_file_that_cannot_be_written_is_left_without_tables(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE workspaces (name TEXT)")  # so that the script fails half-way
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        fresh.make(sa.create_engine(f"sqlite:///{path}"))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("workspaces",)]
