"""The rows that wait for the next flush of a SQL store.

Apart, because it is plain bookkeeping without a database: what a run looks like in MLflow's tables, and how
several writes to one row before a flush become one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking.checked import stored

Row = dict[str, Any]

RUN_NAME_TAG = "mlflow.runName"


class Buffer:
    """Rows by table; a later tag or state replaces an earlier one, a param keeps its first value."""

    def __init__(self) -> None:
        self._runs: dict[str, Row] = {}
        self._states: dict[str, Row] = {}
        self._names: dict[str, Row] = {}
        self._tags: dict[tuple[str, str], Row] = {}
        self._params: dict[tuple[str, str], Row] = {}
        self._metrics: list[Row] = []

    def __bool__(self) -> bool:
        return bool(self._runs or self._states or self._tags or self._params or self._metrics)

    def add_run(
        self, run_id: str, *, experiment_id: int, name: str, user: str, start_ms: int, artifact_uri: str
    ) -> None:
        """Add a new run in the form that MLflow's `create_run` gives it."""
        self._runs[run_id] = {
            "run_uuid": run_id,
            "name": name,
            "source_type": "UNKNOWN",
            "source_name": "",
            "entry_point_name": "",
            "user_id": user,
            "status": RunStatus.RUNNING.value,
            "start_time": start_ms,
            "end_time": None,
            "deleted_time": None,
            "source_version": "",
            "lifecycle_stage": "active",
            "artifact_uri": artifact_uri,
            "experiment_id": experiment_id,
        }

    def set_state(self, run_id: str, status: RunStatus, end_ms: int | None) -> None:
        """Set status and end of a run, in this buffer or in the store."""
        run = self._runs.get(run_id)
        if run is not None:
            run["status"], run["end_time"] = status.value, end_ms
        else:
            self._states[run_id] = {"run": run_id, "new_status": status.value, "new_end_time": end_ms}

    def add_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags; the run's name is a tag and a column at once."""
        for key, value in tags.items():
            self._tags[run_id, key] = {"run_uuid": run_id, "key": key, "value": value}
        name = tags.get(RUN_NAME_TAG)
        if name is None:
            return
        run = self._runs.get(run_id)
        if run is not None:
            run["name"] = name
        else:
            self._names[run_id] = {"run": run_id, "new_name": name}

    def add_params(self, run_id: str, params: Mapping[str, str]) -> None:
        """Add params that the run does not have yet."""
        for key, value in params.items():
            self._params.setdefault((run_id, key), {"run_uuid": run_id, "key": key, "value": value})

    def add_metrics(self, run_id: str, points: Iterable[MetricPoint]) -> None:
        """Add metric points, already checked."""
        rows = self._metrics
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

    def ended_runs(self) -> set[str]:
        """Return the runs that this buffer brings to their end."""
        ended = {run_id for run_id, row in self._runs.items() if row["status"] != RunStatus.RUNNING}
        return ended | {run_id for run_id, row in self._states.items() if row["new_status"] != RunStatus.RUNNING}

    def batches(self) -> dict[str, list[Row]]:
        """Return the rows by statement of `Statements`, in its order; empty ones left out.

        Rows that another transaction may be updating too are sorted, so that two writers lock them in the
        same order, as MLflow does.
        """
        batches = {
            "runs": list(self._runs.values()),
            "states": [self._states[key] for key in sorted(self._states)],
            "names": [self._names[key] for key in sorted(self._names)],
            "tags": [self._tags[key] for key in sorted(self._tags)],
            "params": list(self._params.values()),
            "metrics": self._metrics,
            "latest": _latest(self._metrics),
        }
        return {name: rows for name, rows in batches.items() if rows}


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
