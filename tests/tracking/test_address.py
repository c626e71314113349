"""Where runs go, compared with where MLflow itself puts them."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from rothamsted.errors import StoreError
from rothamsted.tracking import current_run_id, experiment_id, run_path, tracking_uri, ui_command


@pytest.fixture(autouse=True)
def _store(sqlite_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_uri)
    monkeypatch.chdir(tmp_path)


def where_mlflow_puts_a_run() -> str:
    with mlflow.start_run() as run:
        return run.info.experiment_id


def test_runs_go_to_the_default_experiment() -> None:
    assert experiment_id() == where_mlflow_puts_a_run() == "0"


def test_runs_go_to_the_experiment_of_that_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", MlflowClient().create_experiment("by id"))
    assert experiment_id() == where_mlflow_puts_a_run() != "0"


def test_runs_go_to_the_experiment_of_that_name_which_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "by name")
    created = experiment_id()
    assert MlflowClient().get_experiment(created).name == "by name"
    assert where_mlflow_puts_a_run() == created


def test_a_name_and_another_id_contradict_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "by name")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    with pytest.raises(StoreError, match="unset one"):
        experiment_id()


def test_an_id_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "987654")
    with pytest.raises(StoreError, match=r"MLFLOW_EXPERIMENT_ID: .*987654"):
        experiment_id()


def test_a_deleted_experiment_is_refused_with_the_way_to_restore_it(monkeypatch: pytest.MonkeyPatch) -> None:
    deleted = MlflowClient().create_experiment("gone")
    MlflowClient().delete_experiment(deleted)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "gone")
    with pytest.raises(StoreError, match=f"mlflow experiments restore -x {deleted}"):
        experiment_id()


def test_the_outer_run_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = current_run_id()
    monkeypatch.setenv("MLFLOW_RUN_ID", "abc")
    assert (before, current_run_id()) == (None, "abc")


def test_the_tracking_uri_is_mlflows(sqlite_uri: str) -> None:
    assert tracking_uri() == sqlite_uri == mlflow.get_tracking_uri()


def test_the_page_of_a_run_is_the_one_that_mlflow_prints() -> None:
    # Authority: mlflow 3.17, TrackingServiceClient._log_url.
    assert run_path("3", "abc") == "#/experiments/3/runs/abc"


def test_the_ui_command_works_from_any_folder_and_quotes(tmp_path: Path) -> None:
    command = ui_command("sqlite:///my runs.db")
    assert command == f"mlflow ui --backend-store-uri 'sqlite:///{tmp_path}/my runs.db'"


def test_the_ui_command_shows_no_password() -> None:
    assert "secret" not in ui_command("postgresql://me:secret@host/db")


def test_the_ui_of_a_server_is_the_server() -> None:
    assert ui_command("http://host:5000") == "python -m webbrowser http://host:5000"
