"""Make, check and read studies in Optuna's tables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.storages._rdb import models
from optuna.study import StudyDirection

from rothamsted.migrations import revisions_in
from rothamsted.search.sql import tables
from rothamsted.search.sql.tables import STUDIES, STUDY_ATTRIBUTES, TRIALS, set_study_attribute

REVISION = "v3.2.0.a"  # alembic's, of the tables that this engine writes: those of Optuna 3.2 to 5.0
VERSIONS = models.VersionInfoModel.__table__
DIRECTIONS = models.StudyDirectionModel.__table__
REVISIONS = sa.Table(  # alembic's own, as alembic makes it
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
LOCK = 0x726F7468  # PostgreSQL's advisory lock of who makes tables and studies: 'roth'
WRITTEN = (
    STUDIES,
    DIRECTIONS,
    STUDY_ATTRIBUTES,
    tables.STUDY_SYSTEM_ATTRIBUTES,
    TRIALS,
    tables.PARAMS,
    tables.VALUES,
    tables.REPORTS,
    tables.ATTRIBUTES,
    tables.SYSTEM_ATTRIBUTES,
    VERSIONS,
)


def has_tables(connection: sa.Connection) -> bool:
    """Say whether Optuna's tables are there."""
    return sa.inspect(connection).has_table(STUDIES.name)


def why_unusable(connection: sa.Connection, shown: str) -> str | None:
    """Say why this engine cannot write these tables of Optuna's, with the way out; None: it can, or there are none yet.

    Args:
        connection: to the database.
        shown: its URL, for the command that mends it.
    """
    if not has_tables(connection):
        return _why_not_makeable()
    found = _revision(connection) or _version_before_revisions(connection)
    if found not in (None, REVISION):
        if _order(found) < _order(REVISION):
            return (
                f"its tables are of an older Optuna ({found}, needed: {REVISION}); upgrade them with "
                f"optuna storage upgrade --storage {shown}"
            )
        return (
            f"its tables are of a newer Optuna ({found}, known: {REVISION}); give another with "
            "-P storage=sqlite:///FILE, or update rothamsted"
        )
    differing = _differing_columns(connection)
    if differing:
        return (
            f"its tables are not those of Optuna {REVISION} ({differing}); give another with -P storage=sqlite:///FILE"
        )
    return None


def make_study(
    tx: sa.Connection, name: str, directions: Sequence[str], attributes: Mapping[str, Any]
) -> Sequence[str] | None:
    """Make tables, study and attributes if they are missing, as Optuna's `create_study` does.

    Only one process at a time does this. Existing attributes stay.

    Returns:
        None. If a study of this name has other directions, these directions, and nothing is made.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))  # SQLite has one writer at a time anyway
    make_tables(tx)
    study_id = tx.execute(sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == name)).scalar()
    if study_id is None:
        insert = sa.insert(STUDIES).values(study_name=name).returning(STUDIES.c.study_id)
        study_id = tx.execute(insert).scalar_one()
        rows = [
            {"study_id": study_id, "objective": i, "direction": StudyDirection[direction.upper()]}
            for i, direction in enumerate(directions)
        ]
        tx.execute(sa.insert(DIRECTIONS), rows)
    query = sa.select(DIRECTIONS.c.direction).where(DIRECTIONS.c.study_id == study_id).order_by(DIRECTIONS.c.objective)
    found = [direction.name.lower() for direction in tx.execute(query).scalars()]
    if found != list(directions):
        return found
    for key, value in attributes.items():
        if tables.study_attribute(tx, study_id, key) is None:
            set_study_attribute(tx, study_id, key, value)
    return None


def study_attributes(connection: sa.Connection, name: str) -> dict[str, Any] | None:
    """Return all user attributes of a study; None if there is no such study, or one without attributes and trials."""
    of_study = STUDIES.c.study_name == name
    query = sa.select(STUDY_ATTRIBUTES.c.key, STUDY_ATTRIBUTES.c.value_json).join(STUDIES).where(of_study)
    attributes = {key: json.loads(text) for key, text in connection.execute(query)}
    a_trial = sa.select(TRIALS.c.trial_id).join(STUDIES).where(of_study).limit(1)
    if not attributes and connection.execute(a_trial).first() is None:
        return None
    return attributes


def make_tables(tx: sa.Connection) -> None:
    """Make Optuna's tables with the version that Optuna writes into them."""
    models.BaseModel.metadata.create_all(tx)
    if tx.execute(sa.select(VERSIONS.c.version_info_id)).first() is None:
        versions = {"schema_version": models.SCHEMA_VERSION, "library_version": optuna.__version__}
        tx.execute(sa.insert(VERSIONS).values(versions))
    if _revision(tx) is None:
        REVISIONS.create(tx, checkfirst=True)
        tx.execute(sa.insert(REVISIONS).values(version_num=REVISION))


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(REVISIONS.name):
        return None
    return connection.execute(sa.select(REVISIONS.c.version_num)).scalar()


def _version_before_revisions(connection: sa.Connection) -> str | None:
    """What Optuna called its tables before it used alembic; None where they are of today, or half made."""
    if not sa.inspect(connection).has_table(VERSIONS.name):
        return None
    schema = connection.execute(sa.select(VERSIONS.c.schema_version)).scalar()
    return None if schema in (None, models.SCHEMA_VERSION) else f"schema {schema}"


@cache
def _newest() -> str:
    """The newest revision of the installed Optuna's tables."""
    heads, _ = revisions_in(Path(models.__file__).parent / "alembic" / "versions")
    return ", ".join(sorted(heads))


def _why_not_makeable() -> str | None:
    newest = _newest()
    if newest == REVISION:
        return None
    return (
        f"Optuna {optuna.__version__} makes tables that this engine does not write yet ({newest}, known: {REVISION}); "
        "install an earlier Optuna, or update rothamsted"
    )


def _order(revision: str) -> tuple[int, ...]:
    """The place of a revision among others: v3.2.0.a after v3.0.0.d; 'schema 11' before, 'schema 13' after all."""
    if revision.startswith("schema "):
        return (0,) if int(revision.split()[1]) < models.SCHEMA_VERSION else (10**6,)
    found = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)\.([a-z])", revision)
    return (*map(int, found.groups()[:3]), ord(found[4])) if found else (10**6,)


def _differing_columns(connection: sa.Connection) -> str:
    """The first column that is missing, or that must be filled and is not known here."""
    inspector = sa.inspect(connection)
    for table in WRITTEN:
        if not inspector.has_table(table.name):
            return f"no table {table.name}"
        there = {column["name"]: column for column in inspector.get_columns(table.name)}
        missing = [column.name for column in table.columns if column.name not in there]
        if missing:
            return f"no column {table.name}.{missing[0]}"
        known = {column.name for column in table.columns}
        needed = [name for name, c in there.items() if name not in known and not c["nullable"] and not c["default"]]
        if needed:
            return f"unknown column {table.name}.{needed[0]}"
    return ""
