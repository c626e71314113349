"""Find the experiment (MLflow's folder of runs) of new runs, by MLflow's own rules."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rothamsted.errors import StoreError
from rothamsted.tracking.address import sqlite_path, tracking_uri
from rothamsted.tracking.failures import is_of_mlflow, one_line
from rothamsted.tracking.sql.experiments import FoundExperiment, experiments, put_experiment_tag
from rothamsted.tracking.sql.schema import client_of, why_not_sql
from rothamsted.tracking.sql.store import DEFAULT_EXPERIMENT_ID as DEFAULT_EXPERIMENT_ID

SHARED_VIEW = "mlflow.sharedViewState."  # of MLflow 3.17's UI


def experiment_id(uri: str | None = None, *, default_name: str | None = None) -> str:
    """Return the experiment that runs belong to, as MLflow chooses it.

    MLFLOW_EXPERIMENT_NAME first (created where missing), which MLFLOW_EXPERIMENT_ID may not contradict; then
    MLFLOW_EXPERIMENT_ID; then `default_name` (created where missing); then "0". Experiment is MLflow's word
    for a folder of runs.
    """
    uri = uri or tracking_uri()
    wanted_id = os.environ.get("MLFLOW_EXPERIMENT_ID")
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", None if wanted_id else default_name)
    try:
        if name is not None:
            found = _by_name(uri, name)
            if wanted_id and wanted_id != found.experiment_id:
                raise StoreError(
                    f"MLFLOW_EXPERIMENT_ID: {wanted_id} is not the id of MLFLOW_EXPERIMENT_NAME {name!r}, "
                    f"which is {found.experiment_id}; unset one of the two"
                )
        else:
            found = existing(uri, experiment_id=wanted_id or DEFAULT_EXPERIMENT_ID)
    except Exception as error:
        raise refused(error, has_name=name is not None) from error
    if found is None:
        raise StoreError(
            f"MLFLOW_EXPERIMENT_ID: No Experiment with id={wanted_id} exists; unset it, or give another id"
        )
    if found.lifecycle_stage != "active":
        raise StoreError(
            f"experiment {found.name!r} (id {found.experiment_id}) is deleted; restore it with "
            f"`mlflow experiments restore -x {found.experiment_id}` or name another"
        )
    return found.experiment_id


def experiment_called(name: str, uri: str) -> str:
    """Return the id of the experiment of a name, which is made where there is none; the environment is not asked.

    Raises:
        StoreError: MLflow does not take the name, or the experiment is deleted.
    """
    try:
        found = _by_name(uri, name)
    except Exception as error:
        if is_of_mlflow(error):
            raise StoreError(f"experiment {name!r}: {one_line(error)}") from error
        raise
    if found.lifecycle_stage != "active":
        raise StoreError(
            f"experiment {name!r} is deleted; restore it with `mlflow experiments restore -x {found.experiment_id}` "
            "or name another"
        )
    return found.experiment_id


def existing(uri: str, *, name: str | None = None, experiment_id: str | None = None) -> FoundExperiment | None:
    """Return the experiment of a name, or of an id; None where a SQL store has none, or a server none of the name."""
    if why_not_sql(uri) is None:
        return next(iter(experiments(uri, name=name, experiment_id=experiment_id)), None)
    client = client_of(uri)
    found = client.get_experiment(str(experiment_id)) if name is None else client.get_experiment_by_name(name)
    if found is None:
        return None
    return FoundExperiment(
        experiment_id=found.experiment_id,
        name=found.name,
        lifecycle_stage=found.lifecycle_stage,
        artifact_location=found.artifact_location,
    )


def save_view(uri: str, experiment_id: str, key: str, view: Mapping[str, Any]) -> None:
    """Keep how MLflow's UI shows the runs of an experiment, under a key that a link can name (`sweep_path`).

    It is what the UI's own button "Share" writes: a tag of the experiment.
    """
    name, text = f"{SHARED_VIEW}{key}", json.dumps(view, separators=(",", ":"))
    if why_not_sql(uri) is None:
        put_experiment_tag(uri, experiment_id, name, text)
        return
    try:
        client_of(uri).set_experiment_tag(experiment_id, name, text)
    except Exception as error:
        if not is_of_mlflow(error):
            raise
        raise StoreError(f"experiment {experiment_id}: cannot keep the view of a sweep: {one_line(error)}") from error


def refused(error: Exception, *, has_name: bool) -> Exception:
    """Return the error to raise for one of MLflow's: it names the variable; any other stays as it is."""
    place = "MLFLOW_EXPERIMENT_NAME" if has_name else "MLFLOW_EXPERIMENT_ID"
    return StoreError(f"{place}: {one_line(error)}") if is_of_mlflow(error) else error


def _by_name(uri: str, name: str) -> FoundExperiment:
    """Get or create: of two processes that create it at once, the second finds it there."""
    found = existing(uri, name=name)
    if found is None:
        from mlflow.exceptions import MlflowException

        try:
            client = client_of(uri)
            client.create_experiment(name, artifact_location=_artifacts(client, name))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        found = existing(uri, name=name)
    if found is None:
        raise StoreError(f"MLFLOW_EXPERIMENT_NAME: {name!r} was created and has vanished; start again")
    return found


def _artifacts(client: Any, name: str) -> str | None:
    """Where the files of a new experiment go: beside those of the default one; None: as MLflow says.

    With a store in a file MLflow would make `mlruns` in the working directory, and `mlflow run` works in the
    project's folder, which is a temporary one for a git URI.
    """
    if sqlite_path(client.tracking_uri) is None:
        return None
    beside = Path(client.get_experiment(DEFAULT_EXPERIMENT_ID).artifact_location).parent
    if beside == Path.cwd() / "mlruns" or not beside.is_absolute():
        return None
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return str(beside / f"{re.sub(r'[^A-Za-z0-9_.-]', '-', name)[:60]}-{digest}")
