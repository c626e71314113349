"""The recorder: how runs, params, metrics and artifacts get into MLflow.

Apart, because this is the interface: two ways of writing stand behind it, one for SQL stores (many rows in
one transaction) and one for every other store (MLflow's public client); no caller can tell which it has.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import mlflow
from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES

from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking.address import tracking_uri as current_tracking_uri
from rothamsted.tracking.client_writer import ClientRecorder
from rothamsted.tracking.sql.sql_writer import SqlRecorder
from rothamsted.tracking.sql.statements import DIALECTS

_logger = logging.getLogger(__name__)

KNOWN_SCHEMA = "3.17."  # the MLflow releases whose tables `statements` was read against


class Recorder(Protocol):
    """Writes runs. Calls buffer; `flush` writes. Thread-safe; belongs to the process that opened it."""

    def open_run(
        self,
        *,
        experiment_id: str,
        name: str,
        parent_id: str | None = None,
        tags: Mapping[str, Any],
        params: Mapping[str, Any],
        start_ms: int,
    ) -> str:
        """Open a run and return its id.

        Args:
            experiment_id: MLflow's folder of runs; it has to exist and to be active.
            name: What the UI shows, 1 to 250 characters.
            parent_id: The run to nest under, by `mlflow.parentRunId`.
            tags: Set beside `mlflow.user` and `mlflow.source.name` and `.type`, which they override.
            params: Kept as text.
            start_ms: Milliseconds since 1970.
        """
        ...

    def resume_run(self, run_id: str) -> None:
        """Put an ended run back to RUNNING, without an end.

        Through a server the old end time stays until the run ends again: MLflow's REST interface cannot
        clear it.
        """
        ...

    def log(
        self,
        run_id: str,
        *,
        metrics: Iterable[MetricPoint] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Add to a run. Tags overwrite; a param or a metric point that is there already is left alone."""
        ...

    def replace_metrics(self, run_id: str, metrics: Sequence[MetricPoint]) -> None:
        """Make these the points of their metrics, at once; other metrics of the run are left alone.

        Equal numbers written twice leave the run as it was. A server lets nothing be deleted: there a point
        that has changed is logged again, and the later one counts.
        """
        ...

    def end_run(self, run_id: str, status: RunStatus, end_ms: int) -> None:
        """End a run in a status, at a time in milliseconds since 1970."""
        ...

    def set_description(self, run_id: str, markdown: str) -> None:
        """Set the text that the UI shows on top of the run, at most 8,000 characters."""
        ...

    def log_text(self, run_id: str, text: str, path: str) -> None:
        """Store a text as the artifact `path` of a run, at once."""
        ...

    def log_file(self, run_id: str, local_path: str | Path, folder: str = "") -> None:
        """Store a file, or all of a folder, among the artifacts of a run, at once."""
        ...

    def log_table(self, run_id: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], path: str) -> None:
        """Store a table (.json) that MLflow's UI shows as a table, at once; an older one is replaced."""
        ...

    def flush(self) -> None:
        """Write all that is buffered. What fails stays buffered: flushing again loses and doubles nothing."""
        ...

    def close(self) -> None:
        """Flush and let go; the recorder takes nothing more."""
        ...

    def __enter__(self) -> Recorder: ...

    def __exit__(self, *failure: object) -> None: ...


def open_recorder(tracking_uri: str | None = None) -> Recorder:
    """Open the recorder that suits a tracking store; without a URI, the one that MLflow would use.

    Open it in the process that writes with it: after a fork, open another.
    """
    uri = tracking_uri or current_tracking_uri()
    if not uri.startswith(DIALECTS):
        return ClientRecorder(uri)
    reason = _why_not_sql()
    if reason:
        _logger.warning("%s: runs go to the store one call at a time, about ten times slower", reason)
        return ClientRecorder(uri)
    return SqlRecorder(uri)


def _why_not_sql() -> str | None:
    if not mlflow.__version__.startswith(KNOWN_SCHEMA):
        return f"MLflow {mlflow.__version__} is not {KNOWN_SCHEMA}x"
    if MLFLOW_ENABLE_WORKSPACES.get():
        return "MLflow workspaces are on"
    return None
