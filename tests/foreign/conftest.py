"""A stranger's project in a folder of its own, and a way to run it to its end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rothamsted.foreign.process import Exit, Launch, Running, start, watch
from tests.systems import system

__all__ = ["system"]
STRANGER = Path(__file__).parent / "projects" / "stranger"
Run = Callable[..., Exit]


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A copy of the stranger's project, outside any git repository."""
    return Path(shutil.copytree(STRANGER, tmp_path / "stranger", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture
def launch(stranger: Path, tmp_path: Path) -> Callable[..., Launch]:
    """Makes a launch in the stranger's project, each with a log of its own."""
    n_made = 0

    def make(command: Any, **environment: str) -> Launch:
        nonlocal n_made
        n_made += 1
        return Launch(
            command=command,
            folder=stranger,
            environment={**os.environ, **environment},
            log_path=tmp_path / f"{n_made}.log",
            run_id=f"run {n_made}",
        )

    return make


@pytest.fixture
def run(launch: Callable[..., Launch]) -> Run:
    """Runs a command to its end: `run(command, starter=pool.start, MLFLOW_RUN_ID=…)`."""

    def to_the_end(command: Any, starter: Callable[[Launch], Running] = start, **environment: str) -> Exit:
        return watch(starter(launch(command, **environment)), poll_seconds=0.1)

    return to_the_end
