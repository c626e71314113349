"""Turn a batch into rows of MLflow's tables, by statement."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking.batch import Batch, RunOpening, State
from rothamsted.tracking.checked import stored
from rothamsted.tracking.entities import DATASET_SOURCE_TYPE, dataset_source

Row = dict[str, Any]
Rows = dict[str, list[Row]]

_IN_ORDER = ("runs", "states", "names", "first_tags", "tags", "params", "metrics", "latest", "datasets", "inputs")
RUN_NAME_TAG = "mlflow.runName"


def rows_of(batch: Batch, artifact_uris: Mapping[str, str]) -> Rows:
    """Return the rows by statement of `Statements`, in its order; empty ones left out.

    Rows that another transaction may be updating too are sorted, so that two writers lock them in the same
    order, as MLflow does.

    Args:
        batch: What is to be written.
        artifact_uris: Where the artifacts of each run go that the batch opens.
    """
    rows: Rows = {name: [] for name in _IN_ORDER}
    for run_id in sorted(batch.runs):
        waiting = batch.runs[run_id]
        state = waiting.state
        if waiting.opening is not None:
            state = state or (RunStatus.RUNNING, None)
            rows["runs"].append(_run_row(run_id, waiting.opening, state, artifact_uris[run_id]))
            _add_dataset(rows, run_id, waiting.opening)
            rows["first_tags"] += _pairs(run_id, waiting.opening.tags)
        if state is not None:
            rows["states"].append({"run": run_id, "new_status": state[0].value, "new_end_time": state[1]})
        if RUN_NAME_TAG in waiting.tags:  # a tag and a column at once
            rows["names"].append({"run": run_id, "new_name": waiting.tags[RUN_NAME_TAG]})
        rows["tags"] += _pairs(run_id, waiting.tags)
        rows["params"] += _pairs(run_id, waiting.params)
        rows["metrics"] += _metric_rows(run_id, waiting.metrics)
    rows["latest"] = _latest(rows["metrics"])
    return {name: some for name, some in rows.items() if some}


def _run_row(run_id: str, opening: RunOpening, state: State, artifact_uri: str) -> Row:
    """A new run in the form that MLflow's `create_run` gives it."""
    return {
        "run_uuid": run_id,
        "name": opening.name,
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "user_id": opening.tags["mlflow.user"],
        "status": state[0].value,
        "start_time": opening.start_ms,
        "end_time": state[1],
        "deleted_time": None,
        "source_version": "",
        "lifecycle_stage": "active",
        "artifact_uri": artifact_uri,
        "experiment_id": int(opening.experiment_id),
    }


def _add_dataset(rows: Rows, run_id: str, opening: RunOpening) -> None:
    """The data of a new run; those that another run used before have a row already."""
    if opening.dataset is None:
        return
    used = opening.dataset
    place = {"experiment_id": int(opening.experiment_id), "name": used.name, "digest": used.digest}
    about = {
        "dataset_uuid": uuid.uuid4().hex,
        "dataset_source_type": DATASET_SOURCE_TYPE,
        "dataset_source": dataset_source(used),
    }
    rows["datasets"].append({**place, **about})
    of_dataset = {f"of_{key}": value for key, value in place.items()}
    rows["inputs"].append({"of_run": run_id, "new_uuid": uuid.uuid4().hex, **of_dataset})


def _pairs(run_id: str, texts: Mapping[str, str]) -> list[Row]:
    return [{"run_uuid": run_id, "key": key, "value": texts[key]} for key in sorted(texts)]


def _metric_rows(run_id: str, points: Iterable[MetricPoint]) -> list[Row]:
    rows = []
    for key, value, timestamp_ms, step in points:
        is_nan, number = stored(value)
        rows.append(
            {
                "run_uuid": run_id,
                "key": key,
                "value": number,
                "timestamp": timestamp_ms,
                "step": step,
                "is_nan": is_nan,
            }
        )
    return rows


def _latest(metrics: list[Row]) -> list[Row]:
    """Return for each run and key the row with the greatest (step, timestamp, value)."""
    latest: dict[tuple[str, str], Row] = {}
    for row in metrics:
        place = (row["run_uuid"], row["key"])
        best = latest.get(place)
        if best is None or _recency(row) > _recency(best):
            latest[place] = row
    return [latest[place] for place in sorted(latest)]


def _recency(row: Row) -> tuple[int, int, float]:
    return row["step"], row["timestamp"], row["value"]
