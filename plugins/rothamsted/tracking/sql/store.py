"""Open and write MLflow's tables in SQLite or PostgreSQL: WAL mode, settings, transactions."""

from __future__ import annotations

import logging
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.tracking.address import sqlite_path
from rothamsted.tracking.failures import one_line
from rothamsted.tracking.sql.engines import engine_of
from rothamsted.tracking.sql.schema import make_tables
from rothamsted.tracking.sql.statements import DIALECTS

_logger = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 20_000  # as MLflow sets it
CACHE_KIB = 4_096  # of a connection; 32 MB made a sweep of 10,000 replicates no faster, and show in memory
CHECKPOINT_PAGES = 4_000  # 16 MB of log; every commit touches the same few hundred, copied back once a checkpoint

DEFAULT_EXPERIMENT_ID = "0"
_KEEP_ARTIFACTS = (
    "UPDATE experiments SET artifact_location = :place || CAST(experiment_id AS TEXT) WHERE experiment_id = :id"
)
ROWS_SAMPLED = 400  # of an index; sqlite.org/lang_analyze.html advises 100 to 1,000
_IS_PREPARED = "rothamsted.is_prepared"  # in what SQLAlchemy keeps for as long as the file is open


def sql_engine(uri: str) -> sa.Engine:
    """Return the engine of a SQL store, with MLflow's tables made where there are none.

    Raises:
        StoreError: it cannot be opened, or its tables are of another MLflow or another program.
    """
    make_tables(uri)
    engine = engine_of(uri)
    try:
        _use_wal(engine)
    except (SQLAlchemyError, OSError) as error:
        raise StoreError(f"{masked(uri)}: cannot open the tracking store: {one_line(error)}") from error
    return engine


def migrate(uri: str, *, artifacts: Path | None = None) -> None:
    """Make the tables of a SQL store without tables, once, before workers start. Existing tables are never upgraded.

    A server makes its own tables.

    Args:
        uri: Of the store.
        artifacts: Where the runs of its default experiment keep files, in a store that is new; None: where MLflow
            puts them, a folder mlruns of the working directory.
    """
    if uri.startswith(DIALECTS):
        engine = sql_engine(uri)
        if artifacts is not None:
            with engine.begin() as connection:
                place = {"place": f"{artifacts.as_uri()}/", "id": int(DEFAULT_EXPERIMENT_ID)}
                connection.execute(sa.text(_KEEP_ARTIFACTS), place)


def prepare_connection(connection: sa.Connection) -> None:
    """Give a connection the settings that MLflow gives each of its sessions, and some for speed.

    In write-ahead mode `synchronous = NORMAL` loses nothing when a process dies; when the machine loses power
    the last commits may be missing, and the file stays whole (sqlite.org/pragma.html#pragma_synchronous).
    """
    if connection.dialect.name == "sqlite" and not connection.info.get(_IS_PREPARED):
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")
        if connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal":
            connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
            connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.info[_IS_PREPARED] = True


def count_rows(connection: sa.Connection) -> None:
    """Let SQLite count what its indexes hold, by samples, in milliseconds: its planner guesses badly without.

    With 13,000 runs MLflow's UI sorts by a metric in 0.04 s of processor time instead of 6.5 s: uncounted, SQLite
    compares every run with every value. Other databases count by themselves.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA analysis_limit = {ROWS_SAMPLED}")
        connection.exec_driver_sql("ANALYZE")


def begin(connection: sa.Connection) -> None:
    """Begin a transaction that writes.

    SQLite's default transaction takes its lock at the first write; when another writer has come between a
    read and that write it fails at once (SQLITE_BUSY_SNAPSHOT) however long the timeout. This one waits.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _use_wal(engine: sa.Engine) -> None:
    """Put a SQLite file into write-ahead mode, a property of the file: readers do not block a writer."""
    if engine.dialect.name != "sqlite" or sqlite_path(str(engine.url)) is None:
        return
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal":
            return
        mode = connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar()
    if mode != "wal":
        _logger.warning("%s: no write-ahead mode on this file system (it stays %s): slower", engine.url, mode)
