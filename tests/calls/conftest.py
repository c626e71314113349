"""The toy project for the tests of the Python interface."""

from __future__ import annotations

from typing import Any

import pytest

import rothamsted as rt
from tests.sweeping.conftest import Project, empty_project, project

__all__ = ["TOY", "empty_project", "project", "toys"]

TOY: dict[str, Any] = {  # in this process, and without a report: a worker's imports take seconds
    "metric": "val_loss",
    "direction": "minimize",
    "parameters": {"steps": 20, "n_points": 5},
    "replicates": 3,
    "workers": "in_process",
    "keys": {"execution.report": False},
}


@pytest.fixture
def toys(project: Project) -> rt.Result:
    """A small sweep of the toy, one factor of which is called like a column, with a confirmation."""
    space = {"lr": rt.loguniform(0.01, 1.0, points=3), "x": [0.0, 0.5]}
    return rt.sweep("toy", space, name="toys", confirm=4, **TOY)
