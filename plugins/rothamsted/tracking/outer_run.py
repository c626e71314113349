"""The experiment and the outer run of a sweep, asked for before anything is made."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from rothamsted.errors import StoreError
from rothamsted.tracking.address import sqlite_path
from rothamsted.tracking.checked import checked_param
from rothamsted.tracking.experiment import DEFAULT_EXPERIMENT_ID
from rothamsted.tracking.failures import one_line
from rothamsted.tracking.reader import FoundRun, find_run


def check_experiment(uri: str, *, default_name: str | None = None) -> None:
    """Refuse an experiment that no run can go to: empty, unknown or deleted. Creates nothing.

    Args:
        uri: of the tracking store, which can be reached.
        default_name: where the environment names none, as in `experiment_id`.

    Raises:
        StoreError: in one line, with the way out.
    """
    wanted_id = os.environ.get("MLFLOW_EXPERIMENT_ID")
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", None if wanted_id else default_name)
    if name is not None and not name.strip():
        raise StoreError("MLFLOW_EXPERIMENT_NAME: is empty; unset it, or give the experiment a name")
    path = sqlite_path(uri)
    if path is not None and not path.exists():
        if wanted_id not in (None, DEFAULT_EXPERIMENT_ID):
            raise StoreError(f"MLFLOW_EXPERIMENT_ID: {uri} is new and has no experiment {wanted_id}; unset it")
        return
    client = MlflowClient(uri)
    try:
        if name is not None:
            found = client.get_experiment_by_name(name)
        else:
            found = client.get_experiment(wanted_id or DEFAULT_EXPERIMENT_ID)
    except MlflowException as error:
        place = "MLFLOW_EXPERIMENT_NAME" if name is not None else "MLFLOW_EXPERIMENT_ID"
        raise StoreError(f"{place}: {one_line(error)}") from error
    if found is not None and found.lifecycle_stage != "active":
        raise StoreError(
            f"experiment {found.name!r} (id {found.experiment_id}) is deleted; restore it with "
            f"`mlflow experiments restore -x {found.experiment_id}` or name another"
        )


def check_outer_run(run_id: str, uri: str) -> FoundRun:
    """The run that MLFLOW_RUN_ID names.

    Raises:
        StoreError: there is none.
    """
    path = sqlite_path(uri)
    found = None if path is not None and not path.exists() else find_run(run_id, uri=uri)
    if found is None:
        raise StoreError(f"MLFLOW_RUN_ID: there is no run {run_id} in the tracking store; unset MLFLOW_RUN_ID")
    return found


def check_params(params: Mapping[str, str]) -> None:
    """Refuse params that MLflow would refuse: a value of more than 6,000 characters, a name that it does not take.

    Raises:
        StoreError: names the param.
    """
    for key, value in params.items():
        checked_param(key, value)
