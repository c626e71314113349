"""Check the experiment and the outer run of a sweep before anything is made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from rothamsted import places
from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.tracking.address import BY_SSH
from rothamsted.tracking.checked import checked_param
from rothamsted.tracking.experiment import DEFAULT_EXPERIMENT_ID, existing, refused
from rothamsted.tracking.reader import FoundRun, find_run
from rothamsted.tracking.sql.schema import is_empty


def check_experiment(uri: str, *, default_name: str | None = None) -> None:
    """Refuse an experiment that cannot take runs: empty, unknown or deleted. Nothing is created.

    Args:
        uri: of the tracking store, which can be reached.
        default_name: where the environment names none, as in `experiment_id`.

    Raises:
        StoreError: says in one line what is wrong, with the way out.
    """
    wanted_id = os.environ.get("MLFLOW_EXPERIMENT_ID")
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", None if wanted_id else default_name)
    if name is not None and not name.strip():
        raise StoreError("MLFLOW_EXPERIMENT_NAME: is empty; unset it, or give the experiment a name")
    if is_empty(uri):
        if wanted_id not in (None, DEFAULT_EXPERIMENT_ID):
            raise StoreError(f"MLFLOW_EXPERIMENT_ID: {uri} is new and has no experiment {wanted_id}; unset it")
        return
    try:
        found = existing(uri, name=name, experiment_id=None if name is not None else wanted_id or DEFAULT_EXPERIMENT_ID)
    except Exception as error:
        raise refused(error, has_name=name is not None) from error
    if found is None and name is None:
        missing = wanted_id or DEFAULT_EXPERIMENT_ID
        raise StoreError(f"MLFLOW_EXPERIMENT_ID: No Experiment with id={missing} exists; unset it, or give another id")
    if found is not None and found.lifecycle_stage != "active":
        raise StoreError(
            f"experiment {found.name!r} (id {found.experiment_id}) is deleted; restore it with "
            f"`mlflow experiments restore -x {found.experiment_id}` or name another"
        )


def check_outer_run(run_id: str, uri: str) -> FoundRun:
    """Return the run that MLFLOW_RUN_ID names.

    Raises:
        StoreError: there is none.
    """
    found = find_run(run_id, uri=uri)
    if found is None:
        raise StoreError(f"MLFLOW_RUN_ID: there is no run {run_id} in the tracking store; unset MLFLOW_RUN_ID")
    return found


def project_address(run_id: str | None, *, uri: str) -> str:
    """Return what `mlflow run` was given: a git URI, or a folder elsewhere; "" for the user's own folder.

    Args:
        run_id: that MLflow opened around this process; None: it did not.
        uri: of the tracking store.
    """
    found = None if run_id is None else find_run(run_id, uri=uri)
    given = "" if found is None else masked(found.tags.get("mlflow.source.name", ""))
    is_folder = given.startswith("file:") or Path(given).is_absolute()  # MLflow gives file:// for a git checkout
    if not is_folder:
        return given if "://" in given or BY_SSH.match(given) else ""
    return given if places.command_folder().resolve() != Path.cwd().resolve() else ""


def check_params(params: Mapping[str, str]) -> None:
    """Refuse params that MLflow would refuse: a value of more than 6,000 characters, a name that it does not take.

    Raises:
        StoreError: names the param.
    """
    for key, value in params.items():
        checked_param(key, value)
