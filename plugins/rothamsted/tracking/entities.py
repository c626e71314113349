"""Values of ours in MLflow's words, the same for every writer."""

from __future__ import annotations

import json

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput
from mlflow.exceptions import MlflowException

from rothamsted.errors import StoreError
from rothamsted.records import DatasetUsed
from rothamsted.tracking.failures import one_line


def put_dataset(client: MlflowClient, run_id: str, used: DatasetUsed) -> None:
    """Log data as an input of a run; again: they stay as they are."""
    try:
        client.log_inputs(run_id, datasets=[DatasetInput(dataset_entity(used))])
    except MlflowException as error:
        raise StoreError(f"run {run_id}: cannot log its data {used.name!r}: {one_line(error)}") from error


def dataset_entity(used: DatasetUsed) -> Dataset:
    """Data in MLflow's words: code loads them."""
    source = json.dumps({"tags": {"mlflow.source.name": used.source}})
    return Dataset(name=used.name, digest=used.digest, source_type="code", source=source)
