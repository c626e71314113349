"""The recorder for SQLite and PostgreSQL: everything buffered goes out in one transaction.

Apart, because it writes MLflow's tables itself, through the engine of MLflow's own store: a run with 21
metrics costs about 2 ms instead of 20 to 30, which is session handling and commits. Row for row the result
is what MLflow's client would have written; a contract test compares the two.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.tracking.context.default_context import DefaultRunContext
from mlflow.utils.uri import append_to_uri_path
from sqlalchemy.exc import DBAPIError, OperationalError

from rothamsted.errors import StoreError
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking.buffer import Buffer
from rothamsted.tracking.checked import checked_metric, checked_param, checked_tag, opening_tags
from rothamsted.tracking.failures import one_line, without_password
from rothamsted.tracking.run_files import put_file, put_table, put_text
from rothamsted.tracking.sql.statements import LATEST, METRICS, RUNS, DriverStatement, statements
from rothamsted.tracking.sql.store import begin, prepare_connection, sql_store

Batches = dict[str, list[dict[str, Any]]]
_ATTEMPTS = 5  # each waits for a lock as long as the busy timeout (SQLite) or a deadlock's end (PostgreSQL)
_MAX_ARTIFACT_URI_LENGTH = 200  # column runs.artifact_uri; SQLite does not enforce it


class SqlRecorder:
    """See `Recorder`."""

    def __init__(self, uri: str) -> None:
        self._uri = without_password(uri)
        self._store = sql_store(uri)
        self._engine: sa.Engine = self._store.engine
        self._statements = statements(self._engine.dialect.name)
        self._driver_statements: dict[str, DriverStatement] = {}
        self._client = MlflowClient(uri)
        self._lock = threading.RLock()
        self._buffer = Buffer()
        self._writable: set[str] = set()  # runs known to exist and to be active, until they end
        self._artifact_roots: dict[str, str] = {}  # by experiment
        self._context_tags = DefaultRunContext().tags()
        self._is_closed = False

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
        """See `Recorder.open_run`."""
        run_id = new_run_id()
        texts = opening_tags(self._context_tags, name, parent_id, tags)
        checked_params = {key: checked_param(key, value) for key, value in params.items()}
        with self._lock:
            self._check_open()
            artifact_uri = self._artifact_uri(experiment_id, run_id)
            self._buffer.add_run(
                run_id,
                experiment_id=int(experiment_id),
                name=name,
                user=texts["mlflow.user"],
                start_ms=int(start_ms),
                artifact_uri=artifact_uri,
            )
            self._writable.add(run_id)
            self._buffer.add_tags(run_id, texts)
            self._buffer.add_params(run_id, checked_params)
        return run_id

    def resume_run(self, run_id: str) -> None:
        """See `Recorder.resume_run`."""
        with self._lock:
            self._check_writable(run_id)
            self._buffer.set_state(run_id, RunStatus.RUNNING, None)

    def log(
        self,
        run_id: str,
        *,
        metrics: Iterable[MetricPoint] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """See `Recorder.log`."""
        points = [checked_metric(point) for point in metrics]
        checked_params = {key: checked_param(key, value) for key, value in (params or {}).items()}
        checked_tags = {key: checked_tag(key, value) for key, value in (tags or {}).items()}
        with self._lock:
            self._check_writable(run_id)
            self._buffer.add_metrics(run_id, points)
            self._buffer.add_params(run_id, checked_params)
            self._buffer.add_tags(run_id, checked_tags)

    def end_run(self, run_id: str, status: RunStatus, end_ms: int) -> None:
        """See `Recorder.end_run`."""
        with self._lock:
            self._check_writable(run_id)
            self._buffer.set_state(run_id, RunStatus(status), int(end_ms))

    def set_description(self, run_id: str, markdown: str) -> None:
        """See `Recorder.set_description`."""
        self.log(run_id, tags={"mlflow.note.content": markdown})

    def log_table(self, run_id: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], path: str) -> None:
        """See `Recorder.log_table`."""
        self.flush()
        put_table(self._client, run_id, columns, rows, path)

    def replace_metrics(self, run_id: str, metrics: Sequence[MetricPoint]) -> None:
        """See `Recorder.replace_metrics`."""
        points = [checked_metric(point) for point in metrics]
        with self._lock:
            self.flush()
            self._check_writable(run_id)
            buffer = Buffer()
            buffer.add_metrics(run_id, points)
            self._write_retrying(buffer.batches(), forget=(run_id, sorted({point.key for point in points})))

    def log_text(self, run_id: str, text: str, path: str) -> None:
        """See `Recorder.log_text`."""
        self.flush()
        put_text(self._client, run_id, text, path)

    def log_file(self, run_id: str, local_path: str | Path, folder: str = "") -> None:
        """See `Recorder.log_file`."""
        self.flush()
        put_file(self._client, run_id, local_path, folder)

    def flush(self) -> None:
        """See `Recorder.flush`."""
        with self._lock:
            self._check_open()
            if not self._buffer:
                return
            self._write_retrying(self._buffer.batches())
            self._writable -= self._buffer.ended_runs()
            self._buffer = Buffer()

    def close(self) -> None:
        """See `Recorder.close`."""
        with self._lock:
            if not self._is_closed:
                self.flush()
                self._is_closed = True

    def __enter__(self) -> SqlRecorder:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _write_retrying(self, batches: Batches, forget: tuple[str, list[str]] | None = None) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._write(batches, forget)
            except OperationalError as error:  # locked, deadlock, connection lost
                if attempt == _ATTEMPTS:
                    raise StoreError(
                        f"{self._uri}: cannot write after {_ATTEMPTS} attempts: {one_line(error)}; "
                        "is another program holding the database?"
                    ) from error
                time.sleep(0.1 * 2**attempt)
            except DBAPIError as error:
                raise StoreError(f"{self._uri}: cannot write: {one_line(error)}") from error

    def _write(self, batches: Batches, forget: tuple[str, list[str]] | None) -> None:
        writes = [(name, *self._driver_form(name, rows)) for name, rows in batches.items()]
        with self._engine.connect() as connection:
            prepare_connection(connection)
            begin(connection)
            if forget is not None:
                run_id, keys = forget
                for table in (LATEST, METRICS):
                    connection.execute(sa.delete(table).where(table.c.run_uuid == run_id, table.c.key.in_(keys)))
            for _, text, parameters in writes:
                connection.exec_driver_sql(text, parameters)
            connection.commit()

    def _driver_form(self, name: str, rows: list[dict[str, Any]]) -> tuple[str, list[Any]]:
        """Everything that can be prepared before the transaction, which other writers wait for."""
        statement = self._driver_statements.get(name)
        if statement is None:
            source = getattr(self._statements, name)
            statement = DriverStatement(source, list(rows[0]), self._engine.dialect)
            self._driver_statements[name] = statement
        return statement.text, statement.parameters(rows)

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreError(f"{self._uri}: this recorder is closed; open another")

    def _check_writable(self, run_id: str) -> None:
        """A run that this recorder did not open has to exist and not be deleted, as MLflow asks too."""
        self._check_open()
        if run_id in self._writable:
            return
        query = sa.select(RUNS.c.lifecycle_stage).where(RUNS.c.run_uuid == run_id)
        with self._engine.connect() as connection:
            prepare_connection(connection)
            stage = connection.execute(query).scalar()
        if stage != "active":
            state = "is not there" if stage is None else f"is {stage}"
            raise StoreError(f"{self._uri}: run {run_id} {state}; restore it or begin under another name")
        self._writable.add(run_id)

    def _artifact_uri(self, experiment_id: str, run_id: str) -> str:
        root = self._artifact_roots.get(experiment_id)
        if root is None:
            root = self._artifact_roots[experiment_id] = self._artifact_root(experiment_id)
        uri = append_to_uri_path(root, run_id, "artifacts")
        if len(uri) > _MAX_ARTIFACT_URI_LENGTH and self._engine.dialect.name != "sqlite":
            raise StoreError(
                f"experiment {experiment_id}: its artifact location is too long by "
                f"{len(uri) - _MAX_ARTIFACT_URI_LENGTH} characters for this database: {root}"
            )
        return uri

    def _artifact_root(self, experiment_id: str) -> str:
        try:
            experiment = self._store.get_experiment(experiment_id)
        except MlflowException as error:
            raise StoreError(f"{self._uri}: experiment {experiment_id!r}: {one_line(error)}") from error
        if experiment.lifecycle_stage != "active":
            raise StoreError(f"{self._uri}: experiment {experiment.name!r} is deleted; restore it or name another")
        return experiment.artifact_location


def new_run_id() -> str:
    """A UUID of version 7 (RFC 9562): random, and ordered by time.

    MLflow's indexes hold the run id: ids in order of time go next to each other, so a flush touches the same
    few pages of an index however many runs there are.
    """
    random = int.from_bytes(os.urandom(10), "big")
    number = ((time.time_ns() // 1_000_000) << 80) | random
    number = number & ~(0xF << 76) & ~(0x3 << 62) | (0x7 << 76) | (0x2 << 62)
    return uuid.UUID(int=number).hex
