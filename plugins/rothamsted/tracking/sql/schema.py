"""Whether a database holds MLflow's tables as the installed MLflow and our own SQL know them.

Asked before anything is read or written: MLflow itself upgrades the tables of an older version in place, without
asking, as soon as its store is opened.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from functools import cache

import mlflow
import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as mlflow_db
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy.exc import SQLAlchemyError

from rothamsted.errors import StoreError
from rothamsted.tracking.address import absolute_uri, sqlite_path
from rothamsted.tracking.failures import one_line, store_error, without_password
from rothamsted.tracking.sql.statements import DIALECTS

_TEXTS = (
    "run_uuid name source_type source_name entry_point_name user_id status source_version lifecycle_stage artifact_uri"
)
_NUMBERS = "start_time end_time deleted_time experiment_id"
_RUN: dict[str, type] = {**dict.fromkeys(_TEXTS.split(), str), **dict.fromkeys(_NUMBERS.split(), int)}
_POINT: dict[str, type] = {"run_uuid": str, "key": str, "value": float, "timestamp": int, "step": int, "is_nan": bool}
_DATASET: dict[str, type] = {
    "experiment_id": int,
    **dict.fromkeys(["dataset_uuid", "name", "digest", "dataset_source_type", "dataset_source"], str),
}
_INPUT: dict[str, type] = {
    "step": int,
    **dict.fromkeys(["input_uuid", "source_type", "source_id", "destination_type", "destination_id"], str),
}
_PAIR: dict[str, type] = {"run_uuid": str, "key": str, "value": str}

# table -> the columns that we write, with the Python type of each, and the primary key that tells equal rows
WRITTEN: dict[str, tuple[Mapping[str, type], frozenset[str]]] = {
    "runs": (_RUN, frozenset({"run_uuid"})),
    "tags": (_PAIR, frozenset({"key", "run_uuid"})),
    "params": (_PAIR, frozenset({"key", "run_uuid"})),
    "metrics": (_POINT, frozenset(_POINT)),
    "latest_metrics": (_POINT, frozenset({"key", "run_uuid"})),
    "datasets": (_DATASET, frozenset({"experiment_id", "name", "digest"})),
    "inputs": (_INPUT, frozenset({"source_type", "source_id", "destination_type", "destination_id"})),
}
_OLDEST_TABLES = {"experiments", "runs"}  # those that every MLflow has had

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
    if _is_made(mlflow_engine(uri), without_password(uri)):
        _good.add(absolute_uri(uri))


def make_tables(uri: str) -> None:
    """Make MLflow's tables in an empty or missing database; where they are, only check them.

    Raises:
        StoreError: they are of another version of MLflow or of another program, or cannot be made.
    """
    from mlflow.utils.file_utils import ExclusiveFileLock

    if _is_known_good(uri):
        return
    place, engine = without_password(uri), mlflow_engine(uri)
    with ExclusiveFileLock(_lock_path(engine)):  # as MLflow does: workers may start at once
        if not _is_made(engine, place):
            try:
                mlflow_db._initialize_tables(engine)
            except Exception as error:  # alembic's own errors have no common class
                raise StoreError(f"{place}: cannot make MLflow's tables: {one_line(error)}") from error
    _good.add(absolute_uri(uri))


def why_not_sql(uri: str) -> str | None:
    """Say why our own SQL may not read or write a store; None where it may.

    Raises:
        StoreError: see `check_schema`.
    """
    if not uri.startswith(DIALECTS):
        return "the store is no SQLite or PostgreSQL database"
    if MLFLOW_ENABLE_WORKSPACES.get():
        return "MLflow workspaces are on"
    make_tables(uri)
    database = absolute_uri(uri)
    if database not in _misfits:
        reason = misfit(mlflow_engine(uri))
        line = None if reason is None else f"the tables of MLflow {mlflow.__version__} are unknown: {reason}"
        _misfits[database] = line
    return _misfits[database]


def mlflow_engine(uri: str) -> sa.Engine:
    """Return the engine of MLflow's own store for a SQL URI, which is one a process."""
    try:
        return SqlAlchemyStore._get_or_create_engine(uri)
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise StoreError(f"{without_password(uri)}: cannot open the tracking store: {one_line(error)}") from error


def client_of(uri: str) -> MlflowClient:
    """Return MLflow's client for a store; see `check_schema` for what is refused."""
    check_schema(uri)
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
    if revision == _newest_revision():
        return None
    if revision is None or revision in _known_revisions():
        return (
            f"{place}: its tables (revision {revision or 'none'}) are of an older MLflow than the installed "
            f"{mlflow.__version__}; make a copy of the database, then run: mlflow db upgrade {shlex.quote(place)}"
        )
    return (
        f"{place}: its tables (revision {revision}) are of a newer MLflow than the installed {mlflow.__version__} or "
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
            return f"the primary key of {table} is another"
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
    except SQLAlchemyError as error:
        raise store_error(f"{place}: cannot read", error) from error
    wrong = complaint(tables, revision, place)
    if wrong:
        raise StoreError(wrong)
    return revision is not None


def read_revision(connection: sa.Connection) -> str | None:
    """Return alembic's revision of a database that has its table."""
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


@cache
def _newest_revision() -> str:
    """Asked for once a process: alembic compiles and runs each of MLflow's migrations to know it."""
    return mlflow_db._get_latest_schema_revision()


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory  # takes long, and is asked for rarely

    scripts = ScriptDirectory.from_config(mlflow_db._get_alembic_config(""))
    return {script.revision for script in scripts.walk_revisions()}


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
