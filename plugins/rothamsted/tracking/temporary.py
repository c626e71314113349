"""Make a temporary tracking store: a database and its artifacts in one folder."""

from __future__ import annotations

from pathlib import Path

from rothamsted.tracking.sql.schema import client_of


def new_store(folder: Path) -> tuple[str, str]:
    """Make a store in a folder that is there; returns its URI and an experiment whose artifacts lie there, too."""
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    artifacts = (folder / "artifacts").absolute().as_uri()
    return uri, client_of(uri).create_experiment("tried", artifact_location=artifacts)
