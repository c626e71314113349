"""Files and texts into the artifacts of a run, by MLflow's public client.

Apart, because both recorders do it alike: an artifact goes to a folder or a bucket, not to the store.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_ARTIFACTS
from mlflow.utils.uri import is_local_uri

from rothamsted.errors import StoreError
from rothamsted.tracking.failures import one_line
from rothamsted.tracking.sql.schema import client_of


def put_text(client: MlflowClient, run_id: str, text: str, path: str) -> None:
    """Store a text under `path`, slashes making folders."""
    try:
        client.log_text(run_id, text, path)
    except (MlflowException, OSError) as error:
        raise StoreError(f"run {run_id}: cannot store artifact {path!r}: {one_line(error)}") from error


def put_file(client: MlflowClient, run_id: str, local_path: str | Path, folder: str) -> None:
    """Store a file, or the contents of a folder, under `folder` (empty: at the top)."""
    local_path = Path(local_path)
    if not local_path.exists():
        raise StoreError(f"run {run_id}: cannot store {local_path}: there is no such file")
    try:
        if local_path.is_dir():
            client.log_artifacts(run_id, str(local_path), folder or None)
        else:
            client.log_artifact(run_id, str(local_path), folder or None)
    except (MlflowException, OSError) as error:
        raise StoreError(f"run {run_id}: cannot store artifact {local_path.name!r}: {one_line(error)}") from error


def read_text(run_id: str, path: str, *, uri: str) -> str | None:
    """Return a text artifact of a run; None where there is none under this path."""
    client = client_of(uri)
    try:
        near = _near(client.get_run(run_id).info.artifact_uri, path)
        if near is not None:
            return near.read_text(encoding="utf-8")
        names = {item.path for item in client.list_artifacts(run_id, str(Path(path).parent).lstrip(".") or None)}
        if path not in names:
            return None
        with tempfile.TemporaryDirectory() as folder:
            return Path(client.download_artifacts(run_id, path, folder)).read_text(encoding="utf-8")
    except (MlflowException, OSError) as error:
        raise StoreError(f"run {run_id}: cannot read artifact {path!r}: {one_line(error)}") from error


def _near(artifact_uri: str | None, path: str) -> Path | None:
    """The file of an artifact that lies on this machine.

    Read as it is: through the client, one read asks the store five times, since it looks at the run's models too.
    """
    if artifact_uri is None or not is_local_uri(artifact_uri, is_tracking_or_registry_uri=False):
        return None
    folder = Path(local_file_uri_to_path(artifact_uri)).resolve()
    found = (folder / path).resolve()
    return found if found.is_relative_to(folder) and found.is_file() else None


def put_table(
    client: MlflowClient, run_id: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], path: str
) -> None:
    """Store a table under `path` (.json) in the form that MLflow's UI shows as a table.

    The form is that of `mlflow.log_table`: columns and data in one JSON text, and the path in a tag; written
    here whole, so that writing again replaces the rows instead of adding to them.
    """
    text = json.dumps({"columns": list(columns), "data": [list(row) for row in rows]}, default=str)
    put_text(client, run_id, text, path)
    try:
        listed = json.loads(client.get_run(run_id).data.tags.get(MLFLOW_LOGGED_ARTIFACTS, "[]"))
        if all(entry.get("path") != path for entry in listed):
            listed.append({"path": path, "type": "table"})
            client.set_tag(run_id, MLFLOW_LOGGED_ARTIFACTS, json.dumps(listed))
    except MlflowException as error:
        raise StoreError(f"run {run_id}: cannot list table {path!r} on its run: {one_line(error)}") from error


def list_files(run_id: str, folder: str, *, uri: str) -> list[str]:
    """Return the paths of the artifacts in a folder of a run, sorted; empty where there is no such folder."""
    try:
        return sorted(item.path for item in client_of(uri).list_artifacts(run_id, folder) if not item.is_dir)
    except (MlflowException, OSError) as error:
        raise StoreError(f"run {run_id}: cannot list artifacts in {folder!r}: {one_line(error)}") from error
