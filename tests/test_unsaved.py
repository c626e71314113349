"""Databases that nobody keeps: they take a whole sweep, and leave nothing behind."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from rothamsted import api, tracking, unsaved
from rothamsted.errors import UserError
from rothamsted.executors import InProcessExecutor
from rothamsted.sweeping.open.from_file import load
from rothamsted.sweeping.opened import Place
from rothamsted.tracking.sql import schema
from rothamsted.tracking.sql.experiments import experiments
from tests.sweeping.conftest import Project, empty_project

__all__ = ["empty_project"]


def test_a_sweep_that_is_not_saved_leaves_nothing_in_its_folder_or_elsewhere(
    empty_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = empty_project.write({"space": {"lr": [0.1, 1.0]}, "replicates": {"count": 2}})
    before = {one.name for one in empty_project.root.iterdir()}
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "of another store")
    with unsaved.unsaved() as databases:
        assert tracking.tracking_uri() == databases.tracking_uri
        sweep, study = load(path, {}, empty_project.root)
        place = Place(root=empty_project.root, tracking_uri=databases.tracking_uri)
        console = Console(quiet=True)
        result = api.run(databases.takes(sweep), study, place, executor=InProcessExecutor(), console=console)
        assert result.is_complete
        assert tracking.list_files(result.run_id, "sweep", uri=databases.tracking_uri)  # its artifacts are here, too
        folder = databases.folder
    assert not folder.exists()
    assert {one.name for one in empty_project.root.iterdir()} == before
    assert os.environ["MLFLOW_EXPERIMENT_NAME"] == "of another store"
    assert os.environ["MLFLOW_TRACKING_URI"] == empty_project.tracking_uri


def test_temporary_databases_go_with_the_object_that_holds_them() -> None:
    databases = unsaved.open_unsaved()
    folder = databases.folder
    assert (folder / "mlflow.db").is_file()
    del databases
    gc.collect()
    assert not folder.exists()


def test_the_tables_are_made_once_a_process_and_artifacts_lie_in_each_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    first = unsaved.open_unsaved()
    made: list[str] = []
    monkeypatch.setattr(schema, "_make", lambda uri, engine, place: made.append(uri))
    second = unsaved.open_unsaved()
    assert made == []
    for one in (first, second):
        [experiment] = experiments(one.tracking_uri, experiment_id="0")
        assert experiment.artifact_location == f"{(one.folder / 'mlruns').as_uri()}/0"


def test_temporary_databases_go_at_the_end_of_the_process() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from rothamsted import unsaved; u = unsaved.open_unsaved(); print(u.folder)"],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert not Path(told.stdout.strip()).exists()


def test_a_sweep_that_promotes_is_refused_where_nothing_is_saved(empty_project: Project) -> None:
    changes = {"promote": "registry/toy.yaml", "confirm": {"keep": 1, "replicates": 2}}
    sweep, _ = load(empty_project.write(changes), {}, empty_project.root)
    databases = unsaved.open_unsaved()
    with pytest.raises(UserError, match=r"promote: registry/toy\.yaml needs a registry that stays"):
        databases.takes(sweep)
