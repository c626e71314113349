"""The package of CONTRIBUTING.md's recipes, installed once, and the projects of other tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doors.recipes import install_recipes
from tests.promotion.conftest import (
    contest,
    first_stands,
    kept_states,
    prepared,
    promoting,
    promotion_folder,
    registry,
    uri,
)
from tests.sweeping.conftest import empty_project, project

__all__ = [
    "contest",
    "empty_project",
    "first_stands",
    "kept_states",
    "prepared",
    "project",
    "promoting",
    "promotion_folder",
    "registry",
    "uri",
]


@pytest.fixture(scope="session")
def added(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH with the package, which adds one of each kind."""
    folder = tmp_path_factory.mktemp("added")
    install_recipes(folder / "source", folder / "site")
    return folder / "site"
