"""Where runs go, compared with where MLflow itself puts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from rothamsted import places, tracking
from rothamsted.errors import StoreError
from rothamsted.tracking import (
    current_run_id,
    experiment_id,
    run_link,
    run_path,
    sweep_link,
    sweep_path,
    tracking_uri,
    ui_command,
)


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


OURS = "import sys, rothamsted.tracking as t; print(t.tracking_uri(), 'mlflow' in sys.modules)"
MLFLOWS = """
import os, sys, mlflow
for folder in sys.argv[1:]:
    os.chdir(folder)
    print(mlflow.get_tracking_uri())
"""


def test_where_nobody_says_so_the_store_is_the_one_that_mlflow_finds_in_the_folder(tmp_path: Path) -> None:
    files = ["", "mlruns/0/abc/artifacts/a.txt", "mlruns/0/meta.yaml", "mlruns/x/meta.yaml"]
    folders = [tmp_path / str(number) for number in range(len(files))]
    for folder, file in zip(folders, files, strict=True):
        folder.mkdir()
        if file:
            (folder / file).parent.mkdir(parents=True)
            (folder / file).write_text("")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "ROTHAMSTED_"))}

    def said(*words: str, folder: Path = tmp_path) -> list[str]:
        command = [sys.executable, "-c", *words]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True).stdout.split()

    uris, imports_mlflow = zip(*(said(OURS, folder=folder) for folder in folders), strict=True)
    assert list(uris) == said(MLFLOWS, *map(str, folders))
    assert imports_mlflow == ("False", "False", "True", "False")  # files of a database's runs are no store


def test_the_page_of_a_run_is_the_one_that_mlflow_prints_in_its_view_for_training() -> None:
    # Authority: mlflow 3.17, TrackingServiceClient._log_url; the parameter is what its own UI puts there.
    assert run_path("3", "abc") == "#/experiments/3/runs/abc?workflowType=machine_learning"


def test_links_lead_where_the_user_runs_the_ui(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_UI_URL", raising=False)
    assert run_link("sqlite:///a.db", "0", "abc").startswith("http://127.0.0.1:5000/#/")
    assert run_link("https://runs.org/", "0", "abc").startswith("https://runs.org/#/")
    monkeypatch.setenv("MLFLOW_UI_URL", "http://lab:5055/")
    for uri in ("sqlite:///a.db", "https://runs.org"):
        assert run_link(uri, "0", "abc") == f"http://lab:5055/{run_path('0', 'abc')}"
        assert sweep_link(uri, "0", "abc") == f"http://lab:5055/{sweep_path('0', 'abc')}"


def test_the_ui_listens_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_UI_URL", "http://127.0.0.1:5055")
    assert ui_command("sqlite:///a.db").endswith("a.db --port 5055")
    monkeypatch.setenv("MLFLOW_UI_URL", "http://lab:5055")
    assert ui_command("sqlite:///a.db").endswith("a.db --host lab --port 5055")
    monkeypatch.setenv("MLFLOW_UI_URL", "http://lab:port")
    with pytest.raises(StoreError, match="MLFLOW_UI_URL: 'http://lab:port' is not an address"):
        ui_command("sqlite:///a.db")


def test_the_ui_command_works_from_any_folder_and_quotes(tmp_path: Path) -> None:
    command = ui_command("sqlite:///my runs.db")
    assert command == f"mlflow ui --backend-store-uri 'sqlite:///{tmp_path}/my runs.db'"


def test_the_ui_command_shows_no_password() -> None:
    assert "secret" not in ui_command("postgresql://me:secret@host/db")


def test_the_ui_of_a_server_is_the_server() -> None:
    assert ui_command("http://host:5000") == "python -m webbrowser http://host:5000"


@pytest.mark.parametrize(
    ("given", "is_own", "address"),
    [
        ("{here}", True, ""),
        ("file://{here}", True, ""),  # as MLflow writes `mlflow run .` down in a git checkout
        ("{here}", False, "{here}"),
        ("file://{here}#sub", False, "file://{here}#sub"),
        ("https://host/repo.git", True, "https://host/repo.git"),
        ("git@host:repo", True, "git@host:repo"),
        ("-m rothamsted sweep", True, ""),
    ],
)
def test_the_users_own_folder_has_no_address_and_what_is_elsewhere_has_the_one_that_was_given(
    given: str, is_own: bool, address: str, sqlite_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracking.open_recorder(sqlite_uri) as recorder:
        tags = {"mlflow.source.name": given.format(here=tmp_path)}
        run_id = recorder.open_run(experiment_id="0", name="outer", tags=tags, params={}, start_ms=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "command_folder", lambda: tmp_path if is_own else tmp_path.parent)
    assert tracking.project_address(run_id, uri=sqlite_uri) == address.format(here=tmp_path)
