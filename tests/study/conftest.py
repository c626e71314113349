"""A folder and a tracking store of its own for each test that runs a study."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

RunToy = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database of the present schema; migrating one takes seconds."""
    from rothamsted.tracking import migrate

    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    migrate(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def home(tmp_path: Path, empty_mlflow: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory whose tracking store is mlflow.db in it."""
    path = tmp_path / "home"
    path.mkdir()
    shutil.copy(empty_mlflow, path / "mlflow.db")
    monkeypatch.chdir(path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path / 'mlflow.db'}")
    return path


def toy_environment() -> dict[str, str]:
    """The environment of a process that finds the toy study and the engine."""
    paths = [str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def toy_command(*arguments: object) -> list[str]:
    """The command that runs the toy by hand."""
    return [sys.executable, "-m", "tests.toy", *map(str, arguments)]


@pytest.fixture
def run_toy(home: Path) -> RunToy:
    """Run the toy by hand in its own process; gives status and output."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = toy_command(*arguments)
        return subprocess.run(command, cwd=home, env=toy_environment(), capture_output=True, text=True, timeout=120)

    return run
