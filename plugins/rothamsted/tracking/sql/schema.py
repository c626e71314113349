"""Check that a database has the tables that the installed MLflow and our own SQL expect.

It runs before anything is read or written: MLflow upgrades the tables of an older version without asking, as soon as
its store is opened.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Callable, Collection
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.migrations import revisions_in
from rothamsted.tracking.address import absolute_uri, sqlite_path
from rothamsted.tracking.failures import one_line, store_error
from rothamsted.tracking.sql import fresh
from rothamsted.tracking.sql.engines import engine_of
from rothamsted.tracking.sql.statements import DIALECTS, WRITTEN

if TYPE_CHECKING:
    from mlflow import MlflowClient

_OLDEST_TABLES = {"experiments", "runs"}  # those that every MLflow has had
# Those that MLflow makes first, in a transaction of their own, before its migrations.
_FIRST_TABLES = {"experiments", "metrics", "params", "runs", "tags"}
ANY_EXPERIMENT = "SELECT 1 FROM experiments LIMIT 1"

# What was seen in this process, by database: asked for once.
_good: set[str] = set()  # its tables are this MLflow's
_misfits: dict[str, str | None] = {}  # why our SQL does not suit them


def check_schema(uri: str) -> None:
    """Raise StoreError unless a SQL store is empty or has the tables of the installed MLflow; change nothing.

    Other kinds of store are their server's business.
    """
    if not uri.startswith(DIALECTS) or _is_known_good(uri):
        return
    path = sqlite_path(uri)
    if path is not None and not path.exists():  # looking would make the file
        return
    engine, place = engine_of(uri), masked(uri)
    if _is_made(engine, place) and _has_experiment(engine, place):
        _good.add(absolute_uri(uri))


def is_empty(uri: str) -> bool:
    """Say whether a SQL store has no tables or no experiment yet, so that there is nothing to read; see `check_schema`.

    A process that is killed between MLflow's tables and its first experiment leaves a store without one; `make_tables`
    then makes it.
    """
    if not uri.startswith(DIALECTS):
        return False
    check_schema(uri)
    return not _is_known_good(uri)


def make_tables(uri: str) -> None:
    """Make MLflow's tables in an empty or missing database; where they are, only check them.

    Raises:
        StoreError: they are of another version of MLflow or of another program, or cannot be made.
    """
    if _is_known_good(uri):
        return
    place, engine = masked(uri), engine_of(uri)
    if not _is_made(engine, place) or not _has_experiment(engine, place):
        _make(uri, engine, place)
    _good.add(absolute_uri(uri))


def _make(uri: str, engine: sa.Engine, place: str) -> None:
    """Make MLflow's tables, and in them its first experiment, as MLflow makes them."""
    if fresh.makes(engine, mlflow_revisions()[0]):
        with fresh.locked(_lock_path(engine)):
            if not _is_made(engine, place) and not sa.inspect(engine).has_table("experiments"):
                try:
                    fresh.make(engine)
                except (SQLAlchemyError, sqlite3.Error) as error:
                    raise StoreError(f"{place}: cannot make MLflow's tables: {one_line(error)}") from error
        if _has_experiment(engine, place):
            return
    _have_made(uri, engine, place)


def _have_made(uri: str, engine: sa.Engine, place: str) -> None:
    """Have MLflow make them."""
    from mlflow.store.db import utils as mlflow_db
    from mlflow.tracking._tracking_service.utils import _get_store

    with fresh.locked(_lock_path(engine)):
        try:
            if not _is_made(engine, place):
                mlflow_db._initialize_tables(engine)
        except StoreError:
            raise
        except Exception as error:  # alembic's own errors have no common class
            raise StoreError(f"{place}: cannot make MLflow's tables: {one_line(error)}") from error
    try:
        _get_store(uri)
    except Exception as error:  # those of MLflow, SQLAlchemy and the driver
        raise store_error(f"{place}: cannot open the tracking store", error) from error


def why_not_sql(uri: str) -> str | None:
    """Say why our own SQL may not read or write a store; None where it may.

    Raises:
        StoreError: see `check_schema`.
    """
    if not uri.startswith(DIALECTS):
        return "the store is not an SQLite or PostgreSQL database"
    if os.environ.get("MLFLOW_ENABLE_WORKSPACES", "").lower() in ("true", "1"):
        return "MLflow workspaces are on"
    make_tables(uri)
    database = absolute_uri(uri)
    if database not in _misfits:
        reason = misfit(engine_of(uri))
        line = None if reason is None else f"the tables of MLflow {version('mlflow')} are unknown: {reason}"
        _misfits[database] = line
    return _misfits[database]


def client_of(uri: str) -> MlflowClient:
    """Return MLflow's client for a store; see `check_schema` for what is refused."""
    from mlflow import MlflowClient

    from rothamsted.tracking.server_says import listen_to

    check_schema(uri)
    listen_to(uri)
    return MlflowClient(uri)


def complaint(tables: Collection[str], revision: str | None, place: str) -> str | None:
    """Say in one line what is wrong with the tables of a database; None where it may be used.

    Args:
        tables: Names of all tables there.
        revision: Alembic's revision of the database, if it has one.
        place: The database's URI, without a password.
    """
    if revision is None and not _OLDEST_TABLES & set(tables):
        return None
    newest, known = mlflow_revisions()
    if revision == newest:
        return None
    if revision is None or revision in known:
        return (
            f"{place}: its tables (revision {revision or 'none'}) are of an older MLflow than the installed "
            f"{version('mlflow')}; make a copy of the database, then run: mlflow db upgrade {shlex.quote(place)}"
        )
    return (
        f"{place}: its tables (revision {revision}) are of a newer MLflow than the installed {version('mlflow')} or "
        "of another program; install that MLflow, or give runs a database of their own by another tracking URI"
    )


def misfit(engine: sa.Engine) -> str | None:
    """Say which column is not as our statements need it; None where all are."""
    inspector = sa.inspect(engine)
    for table, (columns, key) in WRITTEN.items():
        if not inspector.has_table(table):
            return f"there is no table {table}"
        found = {column["name"]: column for column in inspector.get_columns(table)}
        for name, kind in columns.items():
            if name not in found:
                return f"{table} has no column {name}"
            if _kind(found[name]["type"]) is not kind:
                return f"{table}.{name} is {found[name]['type']}"
        for name in found.keys() - columns.keys():
            if not found[name]["nullable"] and found[name]["default"] is None:
                return f"{table}.{name} must be given"
        if set(inspector.get_pk_constraint(table)["constrained_columns"]) != key:
            return f"{table} has another primary key"
    return None


def _is_known_good(uri: str) -> bool:
    path = sqlite_path(uri)
    return absolute_uri(uri) in _good and (path is None or path.exists())


def _is_made(engine: sa.Engine, place: str) -> bool:
    """Whether MLflow's tables are there; raises where they are not this MLflow's."""
    try:
        with engine.connect() as connection:
            tables = set(sa.inspect(connection).get_table_names())
            revision = read_revision(connection) if "alembic_version" in tables else None
            if is_cut_off(tables, revision, lambda: connection.execute(sa.text(ANY_EXPERIMENT)).first() is not None):
                return False
    except SQLAlchemyError as error:
        raise store_error(f"{place}: cannot read", error) from error
    wrong = complaint(tables, revision, place)
    if wrong:
        raise StoreError(wrong)
    return revision is not None


def is_cut_off(tables: Collection[str], revision: str | None, has_experiment: Callable[[], bool]) -> bool:
    """Return whether the making of the tables was interrupted, or is going on now.

    An MLflow so old that its tables had no revision had an experiment as soon as it was opened.
    """
    return revision is None and _FIRST_TABLES.issubset(tables) and not has_experiment()


def read_revision(connection: sa.Connection) -> str | None:
    """Return alembic's revision of a database that has its table."""
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _has_experiment(engine: sa.Engine, place: str) -> bool:
    """Whether MLflow has opened this store before: it makes its first experiment when it does."""
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text(ANY_EXPERIMENT)).first() is not None
    except SQLAlchemyError as error:
        raise store_error(f"{place}: cannot read", error) from error


@cache
def mlflow_revisions() -> tuple[str, frozenset[str]]:
    """Return the newest revision of the installed MLflow's tables, and all that there were.

    Read from the text of its migrations: MLflow takes a second to import.
    """
    spec = find_spec("mlflow")
    folder = Path((spec.submodule_search_locations or [""])[0] if spec else "") / "store" / "db_migrations" / "versions"
    heads, revisions = revisions_in(folder)
    if len(heads) == 1:
        return min(heads), revisions
    from alembic.script import ScriptDirectory  # MLflow writes its migrations in another way than it did
    from mlflow.store.db import utils as mlflow_db

    scripts = ScriptDirectory.from_config(mlflow_db._get_alembic_config(""))
    return mlflow_db._get_latest_schema_revision(), frozenset(one.revision for one in scripts.walk_revisions())


def _kind(column_type: sa.types.TypeEngine[object]) -> type:
    """The Python type of a column: a SQLite file calls a float FLOAT, PostgreSQL DOUBLE PRECISION."""
    if isinstance(column_type, sa.Boolean):
        return bool
    if isinstance(column_type, sa.Integer):
        return int
    if isinstance(column_type, sa.Float | sa.Numeric):
        return float
    return str if isinstance(column_type, sa.String) else object


def _lock_path(engine: sa.Engine) -> str:
    """The file that MLflow locks while it makes the tables of this database."""
    import hashlib
    import tempfile

    url_hash = hashlib.md5(str(engine.url).encode("utf-8"), usedforsecurity=False).hexdigest()
    return f"{tempfile.gettempdir()}/db_init_lock-{url_hash}"
