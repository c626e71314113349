"""Files and texts into the artifacts of a run, by MLflow's public client.

Apart, because both recorders do it alike: an artifact goes to a folder or a bucket, not to the store.
"""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from rothamsted.errors import StoreError
from rothamsted.tracking.failures import one_line


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
