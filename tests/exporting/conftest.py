"""One export of one finished sweep, made once and looked at by many tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rothamsted.cli.main import main
from tests.analysis.conftest import project, sweep_of_toys, swept, uri
from tests.sweeping.conftest import Project, empty_project

__all__ = ["empty_project", "project", "sweep_of_toys", "swept", "uri"]


@pytest.fixture(scope="session")
def export_of_toys() -> dict[str, Path]:
    """Where the first test that needed an export has left one."""
    return {}


@pytest.fixture
def exported(swept: Project, export_of_toys: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `rothamsted export toys`, all parts: 6 conditions x 3 replicates."""
    if "kept" not in export_of_toys:
        assert main(["export", "toys", "folder=out"]) == 0
        kept = tmp_path_factory.mktemp("export") / "out"
        shutil.copytree(swept.root / "out", kept)
        export_of_toys["kept"] = kept
    return export_of_toys["kept"]
