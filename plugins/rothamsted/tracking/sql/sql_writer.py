"""Write to SQLite and PostgreSQL: everything buffered goes out in one transaction.

It writes MLflow's tables directly: a run with 21 metrics takes about 2 ms instead of 20 to 30, most of which is session
handling and commits. The rows are those that MLflow's client would write; a contract test compares them.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from rothamsted import tags as names
from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.tracking.batch import Batch, Fence, RunOpening
from rothamsted.tracking.failures import store_error
from rothamsted.tracking.sql.experiments import experiments
from rothamsted.tracking.sql.rows import Row, rows_of
from rothamsted.tracking.sql.statements import LATEST, METRICS, RUNS, TAGS, DriverStatement, Holders, statements
from rothamsted.tracking.sql.store import begin, count_rows, prepare_connection, sql_engine

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUNS_A_COUNT = 500  # between two counts of the rows, see `count_rows`
_MAX_ARTIFACT_URI_LENGTH = 200  # column runs.artifact_uri; SQLite does not enforce it


class SqlWriter:
    """See `Writer`."""

    def __init__(self, uri: str) -> None:
        self.place = masked(uri)
        self._uri = uri
        self._client: MlflowClient | None = None
        self._engine: sa.Engine = sql_engine(uri)
        self._dialect = self._engine.dialect.name
        self._statements = statements(self._dialect)
        self._driver_statements: dict[str, DriverStatement] = {}
        self._holders = Holders(self._dialect)
        self._artifact_roots: dict[str, str] = {}  # by experiment
        self._artifact_uris: dict[str, str] = {}  # of runs that were opened here
        self._n_opened = 0  # runs

    @property
    def client(self) -> MlflowClient:
        """See `Writer.client`; MLflow is imported for the first that asks."""
        if self._client is None:
            from mlflow import MlflowClient

            self._client = MlflowClient(self._uri)
        return self._client

    def new_run_id(self) -> str:
        """See `Writer.new_run_id`."""
        return new_run_id()

    def create(self, opening: RunOpening) -> str:
        """See `Writer.create`: the run itself is a row of the next batch."""
        run_id = opening.run_id or new_run_id()
        self._artifact_uris[run_id] = self._artifact_uri(opening.experiment_id, run_id)
        return run_id

    def check(self, run_id: str) -> None:
        """See `Writer.check`."""
        stage = self._scalar(sa.select(RUNS.c.lifecycle_stage).where(RUNS.c.run_uuid == run_id))
        if stage != "active":
            state = "is not there" if stage is None else f"is {stage}"
            raise StoreError(f"{self.place}: run {run_id} {state}; restore it or begin under another name")

    def holder(self, run_id: str) -> str | None:
        """See `Writer.holder`."""
        return self.tag(run_id, names.HOLDER)

    def tag(self, run_id: str, key: str) -> str | None:
        """See `Writer.tag`."""
        return self._scalar(sa.select(TAGS.c.value).where(TAGS.c.key == key, TAGS.c.run_uuid == run_id))

    def artifact_uri(self, run_id: str) -> str | None:
        """See `Writer.artifact_uri`."""
        return self._artifact_uris.get(run_id) or self._scalar(
            sa.select(RUNS.c.artifact_uri).where(RUNS.c.run_uuid == run_id)
        )

    def write(self, batch: Batch, fence: Fence) -> frozenset[str]:
        """See `Writer.write`.

        The tags of the held runs are read after the write lock is taken (SQLite) or with a lock on their rows
        (PostgreSQL): no other holder can come between them and the commit.
        """
        prepared = self._prepared(batch)  # before the transaction, which other writers wait for
        try:
            with self._engine.connect() as connection:
                prepare_connection(connection)
                begin(connection)
                if "runs" in prepared:
                    connection.exec_driver_sql(*prepared.pop("runs"))
                lost = self._kept_out(connection, fence) if fence.tokens else frozenset[str]()
                if lost:  # their runs were there, so that nothing has been inserted for them
                    batch = batch.without(lost)
                    prepared = self._prepared(batch)
                    prepared.pop("runs", None)
                _delete_replaced(connection, batch)
                for text, parameters in prepared.values():
                    connection.exec_driver_sql(text, parameters)
                self._count_rows(connection, batch)
                connection.commit()
                return lost
        except SQLAlchemyError as error:
            raise store_error(f"{self.place}: cannot write", error) from error

    def _count_rows(self, connection: sa.Connection, batch: Batch) -> None:
        """Once for every RUNS_A_COUNT runs that were opened here: fewer are fast without."""
        before = self._n_opened // RUNS_A_COUNT
        self._n_opened += sum(waiting.opening is not None for waiting in batch.runs.values())
        if self._n_opened // RUNS_A_COUNT > before:
            count_rows(connection)

    def _kept_out(self, connection: sa.Connection, fence: Fence) -> frozenset[str]:
        """Put our numbers on the runs of the fence, and return those whose holder is another.

        A number is inserted before the tags are read, so that of two that put the first one on a run, the second
        waits for the first on PostgreSQL too.
        """
        ours = {run_id: str(token) for run_id, token in sorted(fence.tokens.items())}
        if fence.new:
            rows = [_holder_row(run_id, ours[run_id]) for run_id in ours if run_id in fence.new]
            connection.exec_driver_sql(*self._driver_form("first_tags", rows))
        there = self._holders.read(connection, list(ours))
        lost = frozenset(run_id for run_id in ours if fence.keeps_out(run_id, there.get(run_id)))
        raised = [_holder_row(run_id, ours[run_id]) for run_id in ours if there.get(run_id) != ours[run_id]]
        raised = [row for row in raised if row["run_uuid"] not in lost]
        if raised:
            connection.exec_driver_sql(*self._driver_form("tags", raised))
        return lost

    def _prepared(self, batch: Batch) -> dict[str, tuple[str, list[Any]]]:
        uris = {
            run_id: self._artifact_uri(waiting.opening.experiment_id, run_id)
            for run_id, waiting in batch.runs.items()
            if waiting.opening is not None
        }
        return {name: self._driver_form(name, rows) for name, rows in rows_of(batch, uris).items()}

    def _driver_form(self, name: str, rows: Sequence[Row]) -> tuple[str, list[Any]]:
        statement = self._driver_statements.get(name)
        if statement is None:
            source = getattr(self._statements, name)
            statement = DriverStatement(source, list(rows[0]), self._engine.dialect)
            self._driver_statements[name] = statement
        return statement.text, statement.parameters(rows)

    def _scalar(self, query: sa.Select[Any]) -> Any:
        try:
            with self._engine.connect() as connection:
                prepare_connection(connection)
                return connection.execute(query).scalar()
        except SQLAlchemyError as error:
            raise store_error(f"{self.place}: cannot read", error) from error

    def _artifact_uri(self, experiment_id: str, run_id: str) -> str:
        root = self._artifact_roots.get(experiment_id)
        if root is None:
            root = self._artifact_roots[experiment_id] = self._artifact_root(experiment_id)
        uri = _below(root, run_id)
        if len(uri) > _MAX_ARTIFACT_URI_LENGTH and self._dialect != "sqlite":
            raise StoreError(
                f"experiment {experiment_id}: its artifact location is too long by "
                f"{len(uri) - _MAX_ARTIFACT_URI_LENGTH} characters for this database: {root}; use another "
                "experiment with a shorter location"
            )
        return uri

    def _artifact_root(self, experiment_id: str) -> str:
        found = experiments(self._uri, experiment_id=experiment_id)
        if not found:
            raise StoreError(
                f"{self.place}: experiment {experiment_id!r}: No Experiment with id={experiment_id} exists"
            )
        experiment = found[0]
        if experiment.lifecycle_stage != "active":
            raise StoreError(f"{self.place}: experiment {experiment.name!r} is deleted; restore it or name another")
        return experiment.artifact_location


def _below(root: str, run_id: str) -> str:
    """Where the artifacts of a run go, as MLflow says it."""
    parsed = urlparse(root)
    if not parsed.query and not parsed.fragment and not parsed.params:
        return f"{root.rstrip('/')}/{run_id}/artifacts"
    from mlflow.utils.uri import append_to_uri_path  # knows what a query means to each kind of store

    return append_to_uri_path(root, run_id, "artifacts")


def new_run_id() -> str:
    """Make a UUID of version 7 (RFC 9562): random, and ordered by time.

    MLflow's indexes hold the run id: ids in order of time go next to each other, so a flush touches the same
    few pages of an index however many runs there are.
    """
    random = int.from_bytes(os.urandom(10), "big")
    number = ((time.time_ns() // 1_000_000) << 80) | random
    number = number & ~(0xF << 76) & ~(0x3 << 62) | (0x7 << 76) | (0x2 << 62)
    return uuid.UUID(int=number).hex


def _holder_row(run_id: str, holder: str) -> Row:
    return {"run_uuid": run_id, "key": names.HOLDER, "value": holder}


def _delete_replaced(connection: sa.Connection, batch: Batch) -> None:
    for run_id, waiting in batch.runs.items():
        if waiting.replaced:
            for table in (LATEST, METRICS):
                is_old = sa.and_(table.c.run_uuid == run_id, table.c.key.in_(sorted(waiting.replaced)))
                connection.execute(sa.delete(table).where(is_old))
