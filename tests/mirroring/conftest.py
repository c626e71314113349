"""Weights & Biases without a network: its package keeps to files, and the only server there is does not answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sweeping.conftest import Project, empty_project, project, toy_project
from tests.sweeping.sketch_project import add_sketch_study

__all__ = ["empty_project", "project"]
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module", autouse=True)
def _no_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No variable of W&B, no netrc and no settings of who runs the tests."""
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("WANDB_BASE_URL", NOWHERE)
        monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))
        monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        monkeypatch.setenv("NETRC", str(tmp_path_factory.mktemp("netrc") / "netrc"))
        yield


@pytest.fixture(scope="module")
def sketches(tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]) -> Iterator[Project]:
    """A project with the study of sketches, for all tests of a file."""
    with toy_project(tmp_path_factory.mktemp("sketches")) as project:
        new_mlflow(project.root)
        add_sketch_study(project)
        yield project
