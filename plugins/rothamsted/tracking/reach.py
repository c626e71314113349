"""Check that a tracking store can be reached and written, before anything is made there.

MLflow itself notices late: it creates folders and databases first, and tries a silent server for minutes.
"""

from __future__ import annotations

import os
import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from rothamsted.errors import StoreError
from rothamsted.given_files import check_writable, reading
from rothamsted.masking import masked
from rothamsted.tracking.address import check_address, sqlite_path
from rothamsted.tracking.failures import StoreAwayError, last_cause, one_line
from rothamsted.tracking.plain_answer import PlainAnswer, plain_answer
from rothamsted.tracking.sql.engines import engine_of
from rothamsted.tracking.sql.schema import ANY_EXPERIMENT, complaint, is_cut_off, read_revision

_EXPERIMENTS = "/api/2.0/mlflow/experiments/search"
_FOLDERS = "MLFLOW_ALLOW_FILE_STORE"
_TIMEOUT_SECONDS = 5  # for a connection, and for a database
_SLOW_SECONDS = 12  # a server that takes the call and is slow is given this time to answer


def check_reachable(uri: str) -> None:
    """Raise StoreError, within seconds, unless the store is there or can be created; create nothing.

    It is `StoreAwayError` where a server, MLflow's or PostgreSQL's, does not answer, or answers that it cannot now.

    Checked are: for SQLite the folder, the file, and whether it is MLflow's; for PostgreSQL a connection and
    the same; for a server an answer to a search. MySQL and SQL Server are taken at their scheme, and need a driver.
    """
    kind = check_address(uri)
    if kind == "sqlite":
        _check_sqlite(uri)
    elif kind in ("postgresql", "postgres"):
        _check_postgresql(uri)
    elif kind in ("http", "https"):
        _check_server(uri)
    elif kind in ("", "file"):
        _check_files(uri)
    elif kind in ("mysql", "mssql"):
        engine_of(uri)  # raises where there is no driver


def _check_sqlite(uri: str) -> None:
    path = Path(str(sqlite_path(uri)))
    _check_folder(uri, path.absolute().parent)
    with reading(f"tracking URI {uri}", way_out="name another file", error=StoreError):
        is_there = path.exists()  # raises where its name is too long, or links go in a circle
    if not is_there:
        return
    if path.is_dir() or not os.access(path, os.R_OK | os.W_OK):
        what = "is a folder" if path.is_dir() else "cannot be read and written by this user"
        raise StoreError(f"tracking URI {uri}: {path} {what}; name another file")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_TIMEOUT_SECONDS)
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            row = (
                connection.execute("SELECT version_num FROM alembic_version").fetchone()
                if ("alembic_version" in tables)
                else None
            )
            revision = row[0] if row else None
            if is_cut_off(tables, revision, lambda: connection.execute(ANY_EXPERIMENT).fetchone() is not None):
                return
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"tracking URI {uri}: {path}: {one_line(error)}; name another file") from error
    _check_tables(uri, tables, revision)


def _check_postgresql(uri: str) -> None:
    place = masked(uri)
    try:
        engine = sa.create_engine(uri, poolclass=sa.NullPool, connect_args={"connect_timeout": _TIMEOUT_SECONDS})
        with engine.connect() as connection:
            tables = set(sa.inspect(connection).get_table_names())
            revision = read_revision(connection) if "alembic_version" in tables else None
            if is_cut_off(tables, revision, lambda: connection.execute(sa.text(ANY_EXPERIMENT)).first() is not None):
                return
    except ImportError as error:
        raise StoreError(
            f"tracking URI {place}: {one_line(error)}; install it with `pip install 'rothamsted[postgres]'`"
        ) from error
    except (SQLAlchemyError, ValueError) as error:  # ValueError: a port that is no number
        kind = StoreAwayError if isinstance(error, OperationalError) else StoreError
        raise kind(f"tracking URI {place}: cannot connect: {one_line(error)}") from error
    _check_tables(place, tables, revision)


def _check_server(uri: str) -> None:
    """Ask for one experiment: that needs the store behind the server, and the right to read it."""
    place = masked(uri)
    try:
        answer = plain_answer(uri, f"{_EXPERIMENTS}?max_results=1", seconds=_SLOW_SECONDS) or _answer_to_mlflow(uri)
    except Exception as error:  # requests, urllib3 and MLflow each raise their own
        raise StoreAwayError(
            f"tracking URI {place}: no answer ({last_cause(error)}); is the server running, and is this its address?"
        ) from error
    if answer.status in (401, 403):
        raise StoreError(
            f"tracking URI {place}: refused (HTTP {answer.status}); set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or have the server allow this host name"
        )
    if answer.status == 429 or answer.status >= 500:
        raise StoreAwayError(
            f"tracking URI {place}: answers HTTP {answer.status}; is the server behind it running, and is this "
            "its address?"
        )
    if answer.status != 200 or not answer.content_type.startswith("application/json"):
        raise StoreError(
            f"tracking URI {place}: answers HTTP {answer.status}, not as an MLflow server does; check the address"
        )


def _answer_to_mlflow(uri: str) -> PlainAnswer:
    """What the server answers to MLflow's own client, with all that MLflow's settings make it send."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    response: Any = http_request(
        get_default_host_creds(uri),
        _EXPERIMENTS,
        "GET",
        params={"max_results": 1},
        timeout=(_TIMEOUT_SECONDS, _SLOW_SECONDS),
        max_retries=0,
        raise_on_status=False,
    )
    return PlainAnswer(status=response.status_code, content_type=response.headers.get("content-type", ""))


def _check_files(uri: str) -> None:
    if not _takes_folders():
        raise StoreError(
            f"tracking URI {uri}: MLflow no longer writes runs to plain folders; use sqlite:///PATH, "
            "or set MLFLOW_ALLOW_FILE_STORE=true"
        )
    folder = Path(urlparse(uri).path).absolute()
    _check_folder(uri, folder if folder.exists() else folder.parent)


def _takes_folders() -> bool:
    """Whether MLflow writes runs to plain folders: an older one always, a newer one when told so.

    Its list of settings is read as text, since importing MLflow takes a second.
    """
    found = find_spec("mlflow")
    settings = Path(str(found.origin)).with_name("environment_variables.py") if found is not None else None
    if settings is None or _FOLDERS not in settings.read_text():
        return True
    return os.environ.get(_FOLDERS, "").lower() in ("true", "1")


def _check_folder(uri: str, folder: Path) -> None:
    if not folder.is_dir():
        raise StoreError(f"tracking URI {uri}: there is no folder {folder}; make it: mkdir -p {folder}")
    check_writable(folder, place=f"tracking URI {uri}", way_out="give another folder", error=StoreError)


def _check_tables(place: str, tables: set[str], revision: str | None) -> None:
    """Refuse tables of another MLflow, and those of another program (Optuna) that keeps its version alike."""
    wrong = complaint(tables, revision, place)
    if wrong:
        raise StoreError(f"tracking URI {wrong}")
