"""Where things lie by default, by the tracking URI, ROTHAMSTED_HOME and the folder of the command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from rothamsted import places
from rothamsted.errors import UserError
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("sqlite:////data/store/mlflow.db", "/data/store"),
        ("sqlite+pysqlite:////data/mlflow.db?timeout=3", "/data"),
        ("/data/mlruns", "/data"),
        ("file:/data/mlruns", "/data"),
    ],
)
def test_home_is_beside_a_tracking_store_that_is_a_file(uri: str, folder: str) -> None:
    assert places.home(uri, {}) == Path(folder)


@pytest.mark.parametrize("uri", ["sqlite:///mlflow.db", "http://host:5000", "postgresql://u@h/d", "databricks"])
def test_home_is_the_folder_of_the_command_where_the_store_is_there_or_elsewhere(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert places.home(uri, {}) == tmp_path


def test_rothamsted_home_wins_over_the_place_of_the_store(tmp_path: Path) -> None:
    assert places.home("sqlite:////data/mlflow.db", {places.HOME: str(tmp_path)}) == tmp_path


@pytest.mark.parametrize(("value", "reason"), [("mine", "is not an absolute path"), ("/no/where", "is not a folder")])
def test_a_rothamsted_home_that_is_no_folder_is_refused(value: str, reason: str) -> None:
    with pytest.raises(UserError, match=f"ROTHAMSTED_HOME: '{value}' {reason}; give the absolute path"):
        places.home("sqlite:///mlflow.db", {places.HOME: value})


@pytest.mark.parametrize(
    ("storage", "absolute"),
    [
        ("sqlite:///optuna.db", "sqlite:////data/optuna.db"),
        ("sqlite:////there/optuna.db", "sqlite:////there/optuna.db"),
        ("sqlite:///sub/optuna.db?timeout=3", "sqlite:////data/sub/optuna.db?timeout=3"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
    ],
)
def test_a_relative_search_database_starts_at_home(storage: str, absolute: str) -> None:
    assert places.absolute_storage(storage, Path("/data")) == absolute


@pytest.mark.parametrize("name", ["plain", "of me & you", "50%41", "a+b=c?d#e"])
def test_a_folder_of_any_name_is_written_and_read_as_sqlalchemy_does(name: str) -> None:
    folder = Path("/data", name)
    storage = places.absolute_storage("sqlite:///optuna.db", folder)
    assert make_url(storage).database == str(folder / "optuna.db")
    assert places.sqlite_file(storage) == folder / "optuna.db"
    assert places.home(storage, {}) == folder


def test_the_folder_of_the_command_is_that_of_the_process_which_opened_the_run(tmp_path: Path) -> None:
    # The process above has this run in its environment no more: it stands for `mlflow run`, in the user's folder.
    user, project = tmp_path / "user", tmp_path / "project"
    user.mkdir()
    project.mkdir()
    asks = "from rothamsted.places import command_folder; print(command_folder())"
    command = f"import subprocess; subprocess.run(['bash', '-c', {f'{sys.executable} -c {asks!r}; true'!r}], "
    command += f"cwd={str(project)!r}, env={{**__import__('os').environ, 'MLFLOW_RUN_ID': 'abc'}}, check=True)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=user, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(user)
