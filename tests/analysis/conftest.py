"""The toy project of the sweep tests, and stores with runs that were logged by hand."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

import rothamsted as rt
from rothamsted.tracking.sql.engines import let_go
from tests.sweeping.conftest import Project, empty_project, project

__all__ = ["empty_project", "project", "swept", "uri"]


@pytest.fixture(scope="session")
def sweep_of_toys() -> dict[str, Path]:
    """Where the first test that needed a finished sweep has left one, to be copied by the others."""
    return {}


@pytest.fixture
def swept(project: Project, sweep_of_toys: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The toy project with one finished sweep, `toys`: 6 conditions x 3 replicates."""
    kept = sweep_of_toys.get("kept")
    if kept is None:
        assert rt.sweep(project.write(), workers="in_process").is_complete
        kept = sweep_of_toys["kept"] = tmp_path_factory.mktemp("kept") / "project"
        _checkpoint(project.root)
        shutil.copytree(project.root, kept)
        (kept / "was.txt").write_text(str(project.root))
        return project
    shutil.copytree(kept, project.root, dirs_exist_ok=True)
    was = (kept / "was.txt").read_text()
    with contextlib.closing(sqlite3.connect(project.root / "mlflow.db")) as connection, connection:
        for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location")):
            move = f"UPDATE {table} SET {column} = REPLACE({column}, ?, ?)"
            connection.execute(move, (was, str(project.root)))
    return project


def _checkpoint(root: Path) -> None:
    """Empty the logs into the databases, so that copying the files copies everything."""
    for name in ("mlflow.db", "optuna.db"):
        with contextlib.closing(sqlite3.connect(root / name)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.fixture
def uri(tmp_path: Path, new_mlflow: Callable[[Path], str]) -> Iterator[str]:
    """An empty tracking store."""
    address = new_mlflow(tmp_path)
    yield address
    engine = SqlAlchemyStore._engine_map.pop(address, None)
    if engine is not None:
        engine.dispose()
    let_go(address)
