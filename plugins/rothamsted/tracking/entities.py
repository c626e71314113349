"""Turn our values into MLflow's entities, for every writer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rothamsted.errors import StoreError
from rothamsted.records import DatasetUsed
from rothamsted.tracking.failures import is_of_mlflow, one_line

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATASET_SOURCE_TYPE = "code"  # code loads them


def put_dataset(client: MlflowClient, run_id: str, used: DatasetUsed) -> None:
    """Log data as an input of a run. A second call changes nothing."""
    from mlflow.entities import Dataset, DatasetInput

    source = dataset_source(used)
    dataset = Dataset(name=used.name, digest=used.digest, source_type=DATASET_SOURCE_TYPE, source=source)
    try:
        client.log_inputs(run_id, datasets=[DatasetInput(dataset)])
    except Exception as error:
        if not is_of_mlflow(error):
            raise
        raise StoreError(f"run {run_id}: cannot log its data {used.name!r}: {one_line(error)}") from error


def dataset_source(used: DatasetUsed) -> str:
    """Return the source of data as MLflow's entity."""
    return json.dumps({"tags": {"mlflow.source.name": used.source}})
