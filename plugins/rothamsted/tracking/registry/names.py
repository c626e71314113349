"""Ask a SQL registry whether there is a registered model of a name, before MLflow is imported."""

from __future__ import annotations

import os

from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.tracking.sql.named import MODELS, named_models


def refuse_unknown_model(name: str, *, uri: str) -> None:
    """Refuse a model that a SQLite file of MLflow's is known not to have, as `check_model` does."""
    place = os.environ.get("MLFLOW_REGISTRY_URI") or uri
    names = named_models(place)
    if names is not None and name not in names:
        raise no_model(name, names, place)


def check_model(name: str, *, uri: str) -> None:
    """Refuse a model that the SQL registry of a tracking store does not have; any other registry is asked later.

    Raises:
        StoreError: there is none; the message names those that exist.
    """
    from rothamsted.tracking.retrying import reading
    from rothamsted.tracking.sql.schema import is_empty, why_not_sql

    place = os.environ.get("MLFLOW_REGISTRY_URI") or uri
    names: list[str] = []
    if not is_empty(place):
        if why_not_sql(place) is not None:
            return
        names = reading(f"registry {masked(place)}: cannot list models", lambda: _names(place))
    if name not in names:
        raise no_model(name, names, place)


def no_model(name: str, names: list[str], place: str) -> StoreError:
    """Return the error for a model that a registry does not have."""
    known = ", ".join(names) or "none; promote a sweep to make one"
    return StoreError(f"registry {masked(place)}: no registered model is called {name!r}; there are: {known}")


def _names(uri: str) -> list[str]:
    import sqlalchemy as sa

    from rothamsted.tracking.sql.store import prepare_connection, sql_engine

    with sql_engine(uri).connect() as connection:
        prepare_connection(connection)
        return list(connection.execute(sa.text(MODELS)).scalars())
