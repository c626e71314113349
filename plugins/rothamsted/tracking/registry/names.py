"""Whether there is a registered model of a name, asked of a SQL registry before MLflow is imported."""

from __future__ import annotations

import os

import sqlalchemy as sa

from rothamsted.errors import StoreError
from rothamsted.tracking.failures import without_password
from rothamsted.tracking.retrying import reading
from rothamsted.tracking.sql.schema import is_empty, why_not_sql
from rothamsted.tracking.sql.store import prepare_connection, sql_engine

_NAMES = sa.text("SELECT name FROM registered_models WHERE workspace = 'default' ORDER BY name")


def check_model(name: str, *, uri: str) -> None:
    """Refuse a model that the SQL registry of a tracking store does not have; any other registry is asked later.

    Raises:
        StoreError: there is none; the message names those that exist.
    """
    place = os.environ.get("MLFLOW_REGISTRY_URI") or uri
    names: list[str] = []
    if not is_empty(place):
        if why_not_sql(place) is not None:
            return
        names = reading(f"registry {without_password(place)}: cannot list models", lambda: _names(place))
    if name not in names:
        raise no_model(name, names, place)


def no_model(name: str, names: list[str], place: str) -> StoreError:
    """The error for a model that a registry does not have."""
    known = ", ".join(names) or "none; promote a sweep to make one"
    return StoreError(f"registry {without_password(place)}: no registered model is called {name!r}; there are: {known}")


def _names(uri: str) -> list[str]:
    with sql_engine(uri).connect() as connection:
        prepare_connection(connection)
        return list(connection.execute(_NAMES).scalars())
