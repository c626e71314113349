"""Read and write the tables of MLflow's model registry for a change of a registered model.

Each function works in a transaction of its caller, so that a change is made completely or not at all.
"""

from __future__ import annotations

from typing import Any, cast

import sqlalchemy as sa
from mlflow.entities.model_registry.model_version_stages import STAGE_DELETED_INTERNAL
from mlflow.store.model_registry.dbmodels.models import (
    SqlModelVersion,
    SqlModelVersionTag,
    SqlRegisteredModel,
    SqlRegisteredModelAlias,
    SqlRegisteredModelTag,
)
from mlflow.utils.workspace_utils import DEFAULT_WORKSPACE_NAME

MODELS = cast(sa.Table, SqlRegisteredModel.__table__)
MODEL_TAGS = cast(sa.Table, SqlRegisteredModelTag.__table__)
ALIASES = cast(sa.Table, SqlRegisteredModelAlias.__table__)
VERSIONS = cast(sa.Table, SqlModelVersion.__table__)
VERSION_TAGS = cast(sa.Table, SqlModelVersionTag.__table__)


def hold_model(connection: sa.Connection, model: str) -> bool:
    """Keep other transactions of ours off this model until the commit; False where there is no such model.

    On SQLite `BEGIN IMMEDIATE` has done it already; PostgreSQL locks the model's row.
    """
    query = sa.select(MODELS.c.name).where(*_is(MODELS, name=model))
    return connection.execute(query.with_for_update()).scalar() is not None


def model_tag(connection: sa.Connection, model: str, key: str) -> str | None:
    """Return a tag of a registered model; None where it is not there."""
    return connection.execute(sa.select(MODEL_TAGS.c.value).where(*_is(MODEL_TAGS, name=model, key=key))).scalar()


def put_model_tag(connection: sa.Connection, model: str, key: str, value: str | None) -> None:
    """Set a tag of a registered model; None removes it."""
    _put(connection, MODEL_TAGS, {"name": model, "key": key}, {"value": value})


def remove_model_tag(connection: sa.Connection, model: str, key: str, value: str) -> None:
    """Remove a tag of a registered model if it has this value."""
    connection.execute(sa.delete(MODEL_TAGS).where(*_is(MODEL_TAGS, name=model, key=key, value=value)))


def put_version_tag(connection: sa.Connection, model: str, version: int, key: str, value: str) -> None:
    """Set a tag of a version."""
    _put(connection, VERSION_TAGS, {"name": model, "version": version, "key": key}, {"value": value})


def put_alias(connection: sa.Connection, model: str, alias: str, version: int | None) -> None:
    """Let an alias stand at a version; None removes it."""
    _put(connection, ALIASES, {"name": model, "alias": alias}, {"version": version})


def aliases_of(connection: sa.Connection, model: str) -> dict[str, str]:
    """Return the versions at which a model's aliases stand; nobody moves them until the commit."""
    query = sa.select(ALIASES.c.alias, ALIASES.c.version).where(*_is(ALIASES, name=model))
    return {alias: str(version) for alias, version in connection.execute(query.with_for_update())}


def has_version(connection: sa.Connection, model: str, version: int) -> bool:
    """Say whether a version is there and not deleted."""
    query = sa.select(VERSIONS.c.current_stage).where(*_is(VERSIONS, name=model, version=version))
    row = connection.execute(query).first()
    return row is not None and row[0] != STAGE_DELETED_INTERNAL


def _is(table: sa.Table, **place: Any) -> list[sa.ColumnElement[bool]]:
    return [table.c[key] == value for key, value in {"workspace": DEFAULT_WORKSPACE_NAME, **place}.items()]


def _put(connection: sa.Connection, table: sa.Table, place: dict[str, Any], value: dict[str, Any]) -> None:
    """One row in place of what was there; none where the value is None."""
    connection.execute(sa.delete(table).where(*_is(table, **place)))
    if None not in value.values():
        connection.execute(sa.insert(table).values(workspace=DEFAULT_WORKSPACE_NAME, **place, **value))
