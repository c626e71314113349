"""Keep one SQLAlchemy engine for each database and process, without importing MLflow, with the user's pool settings."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.tracking.failures import one_line
from rothamsted.tracking.sql.connections import is_postgres, postgres_arguments

_POOL_OPTIONS = "MLFLOW_SQLALCHEMYSTORE_"  # begins the names of the variables by which a user sets MLflow's pools
_engines: dict[str, sa.Engine] = {}  # by URI
_lock = threading.Lock()

# Connections made before a fork. Closing them in the child would touch files and sockets that the parent is
# still using, so the child keeps them, unused, until it ends.
_inherited: list[Any] = []


def engine_of(uri: str) -> sa.Engine:
    """Return the engine for a SQL URI, which is one a process; it connects when it is first used.

    Raises:
        StoreError: it is no such URI, or the database's driver is missing.
    """
    with _lock:
        if uri not in _engines:
            try:
                _engines[uri] = _made(uri)
            except (SQLAlchemyError, OSError, ImportError, ValueError) as error:
                place = masked(uri)
                raise StoreError(f"{place}: cannot open the tracking store: {one_line(error)}") from error
        return _engines[uri]


def let_go(uri: str) -> None:
    """Close the connections to a database."""
    engine = _engines.pop(uri, None)
    if engine is not None:
        engine.dispose()


def _made(uri: str) -> sa.Engine:
    if any(name.startswith(_POOL_OPTIONS) for name in os.environ):
        from mlflow.store.db.utils import create_sqlalchemy_engine

        return create_sqlalchemy_engine(uri)
    parsed = sa.engine.make_url(uri)
    return sa.create_engine(parsed, **(postgres_arguments(parsed) if is_postgres(parsed) else {"pool_pre_ping": True}))


def _let_go_after_fork() -> None:
    engines = list(_engines.values())
    if (mlflow := sys.modules.get("mlflow.store.tracking.sqlalchemy_store")) is not None:
        engines += mlflow.SqlAlchemyStore._engine_map.values()
    for engine in engines:
        _inherited.append(engine.pool)
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_let_go_after_fork)
