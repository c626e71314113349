"""Where runs go, by MLflow's own rules: tracking URI, experiment, outer run, and the UI that shows them.

Apart, because these are questions about the environment: nothing here writes a run.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from rothamsted.errors import StoreError
from rothamsted.tracking.failures import one_line, without_password

DEFAULT_EXPERIMENT_ID = "0"
DEFAULT_UI = "http://127.0.0.1:5000"  # of `mlflow ui` without --port


def tracking_uri() -> str:
    """Return MLflow's tracking URI: as set, else MLFLOW_TRACKING_URI, else `mlflow.db` in this folder."""
    return mlflow.get_tracking_uri()


def current_run_id() -> str | None:
    """Return the run that `mlflow run` opened around this process, if it did."""
    return os.environ.get("MLFLOW_RUN_ID") or None


def experiment_id(uri: str | None = None, *, default_name: str | None = None) -> str:
    """Return the experiment that runs belong to, as MLflow chooses it.

    MLFLOW_EXPERIMENT_NAME first (created where missing), which MLFLOW_EXPERIMENT_ID may not contradict; then
    MLFLOW_EXPERIMENT_ID; then `default_name` (created where missing); then "0". Experiment is MLflow's word
    for a folder of runs.
    """
    client = MlflowClient(uri or tracking_uri())
    wanted_id = os.environ.get("MLFLOW_EXPERIMENT_ID")
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", None if wanted_id else default_name)
    try:
        if name is not None:
            found = _by_name(client, name)
            if wanted_id and wanted_id != found.experiment_id:
                raise StoreError(
                    f"MLFLOW_EXPERIMENT_ID: {wanted_id} is not the id of MLFLOW_EXPERIMENT_NAME {name!r}, "
                    f"which is {found.experiment_id}; unset one of the two"
                )
        else:
            found = client.get_experiment(wanted_id or DEFAULT_EXPERIMENT_ID)
    except MlflowException as error:
        place = "MLFLOW_EXPERIMENT_NAME" if name is not None else "MLFLOW_EXPERIMENT_ID"
        raise StoreError(f"{place}: {one_line(error)}") from error
    if found.lifecycle_stage != "active":
        raise StoreError(
            f"experiment {found.name!r} (id {found.experiment_id}) is deleted; restore it with "
            f"`mlflow experiments restore -x {found.experiment_id}` or name another"
        )
    return found.experiment_id


def run_path(experiment_id: str, run_id: str) -> str:
    """Return the page of a run, to be put after the address of a running MLflow UI."""
    return f"#/experiments/{experiment_id}/runs/{run_id}"


def run_link(uri: str, experiment_id: str, run_id: str) -> str:
    """Return the address of a run: on its server, else where `mlflow ui` shows a local store by default."""
    address = without_password(uri) if uri.startswith(("http://", "https://")) else DEFAULT_UI
    return f"{address.rstrip('/')}/{run_path(experiment_id, run_id)}"


def ui_command(uri: str) -> str:
    """Return the shell command that shows this store in a browser; for a server, its address is the UI."""
    if uri.startswith(("http://", "https://")):
        return f"python -m webbrowser {shlex.quote(without_password(uri))}"
    path = sqlite_path(uri)
    if path is not None:  # absolute, so that the command works from any folder
        uri = f"sqlite:///{path.absolute()}"
    return f"mlflow ui --backend-store-uri {shlex.quote(without_password(uri))}"


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a SQLite URI; None for another kind of store and for a database in memory."""
    if not uri.startswith("sqlite"):
        return None
    try:
        name = make_url(uri).database
    except ArgumentError as error:
        raise StoreError(f"{uri}: is not a URI of a database; write sqlite:///PATH") from error
    return Path(name) if name and name != ":memory:" else None


def absolute_uri(uri: str, folder: Path | None = None) -> str:
    """Return the URI with the path of a local store made absolute, for a process in another folder.

    Args:
        uri: Of a tracking store or another database.
        folder: Where the path starts; by default the working directory.

    Raises:
        StoreError: it is no URI.
    """
    folder = Path.cwd() if folder is None else folder
    path = sqlite_path(uri)
    if path is not None:
        return make_url(uri).set(database=str(folder / path)).render_as_string(hide_password=False)
    if "://" in uri or uri == "databricks":
        return uri
    return str(folder / uri.removeprefix("file:"))


def _by_name(client: MlflowClient, name: str) -> Experiment:
    """Get or create: of two processes that create it at once, the second finds it there."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.get_experiment(client.create_experiment(name))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
    if found is None:
        raise StoreError(f"MLFLOW_EXPERIMENT_NAME: {name!r} was created and has vanished; start again")
    return found
