"""A folder and a tracking store of its own for each test that runs a study."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

RunToy = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory whose tracking store is mlflow.db in it."""
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_mlflow(path))
    monkeypatch.chdir(path)
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
