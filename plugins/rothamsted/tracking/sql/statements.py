"""Define SQL statements that write many rows of MLflow's tables at a time, on SQLite and PostgreSQL.

Every insert says what to do with an existing row, so that a transaction can be sent again after a failure and nothing
has to be read first. An existing metric point or param stays, and a tag is overwritten. The latest value of a metric
changes only to a later (step, timestamp, value), as in MLflow's `SqlAlchemyStore`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from rothamsted import tags as names

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
_EXPERIMENT = {
    "experiment_id": int,
    **dict.fromkeys(("name", "lifecycle_stage", "artifact_location", "workspace"), str),
}
# Wide enough for both databases; these tables are made by MLflow, never by us.
_TYPES: Mapping[type, Any] = {str: sa.Text(), int: sa.BigInteger(), float: sa.Double(), bool: sa.Boolean()}


def _table(name: str, columns: Mapping[str, type]) -> sa.TableClause:
    return sa.table(name, *(sa.column(column, _TYPES[kind]) for column, kind in columns.items()))


RUNS, TAGS, PARAMS, METRICS, LATEST, DATASETS, INPUTS = (
    _table(name, columns) for name, (columns, _) in WRITTEN.items()
)
EXPERIMENTS = _table("experiments", _EXPERIMENT)

DIALECTS = ("sqlite", "postgresql")
_HOLDERS_SQLITE = "SELECT run_uuid, value FROM tags WHERE key = ? AND run_uuid IN ({})"
_HOLDERS_POSTGRESQL = (
    "SELECT run_uuid, value FROM tags WHERE key = %s AND run_uuid = ANY(%s) ORDER BY run_uuid FOR UPDATE"
)
_INPUT_ORDER = ["input_uuid", "source_type", "source_id", "destination_type", "destination_id", "step"]
_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, kw_only=True)
class Statements:
    """Holds the writes of one flush, in the order in which they have to run."""

    runs: sa.Executable
    states: sa.Executable  # status and end of a run that is there already
    names: sa.Executable
    first_tags: sa.Executable  # those that a run begins with; one that is there stays
    tags: sa.Executable
    params: sa.Executable
    metrics: sa.Executable
    latest: sa.Executable
    datasets: sa.Executable
    inputs: sa.Executable  # of datasets, which may have been there


def statements(dialect: str) -> Statements:
    """Return the statements for a dialect of `DIALECTS`."""
    insert: Any = _INSERTS[dialect]
    tags, latest = insert(TAGS), insert(LATEST)
    return Statements(
        runs=insert(RUNS).on_conflict_do_nothing(),
        states=(
            sa.update(RUNS)
            .where(
                RUNS.c.run_uuid == sa.bindparam("run"),
                RUNS.c.status.is_distinct_from(sa.bindparam("new_status"))
                | RUNS.c.end_time.is_distinct_from(sa.bindparam("new_end_time")),
            )
            .values(status=sa.bindparam("new_status"), end_time=sa.bindparam("new_end_time"))
        ),
        names=(sa.update(RUNS).where(RUNS.c.run_uuid == sa.bindparam("run")).values(name=sa.bindparam("new_name"))),
        first_tags=insert(TAGS).on_conflict_do_nothing(),
        tags=tags.on_conflict_do_update(index_elements=["key", "run_uuid"], set_={"value": tags.excluded.value}),
        params=insert(PARAMS).on_conflict_do_nothing(),
        metrics=insert(METRICS).on_conflict_do_nothing(),
        latest=latest.on_conflict_do_update(
            index_elements=["key", "run_uuid"],
            set_={name: latest.excluded[name] for name in ("value", "timestamp", "step", "is_nan")},
            where=_recency(latest.excluded) > _recency(LATEST.c),
        ),
        datasets=insert(DATASETS).on_conflict_do_nothing(),
        inputs=insert(INPUTS).from_select(_INPUT_ORDER, _input()).on_conflict_do_nothing(),
    )


def _input() -> sa.Select[Any]:
    """An input of a run: its data, by their name and digest."""
    c, given = DATASETS.c, sa.bindparam
    of_dataset = [c[key] == given(f"of_{key}", type_=c[key].type) for key in ("experiment_id", "name", "digest")]
    ids = [given("new_uuid", type_=sa.String), c.dataset_uuid, given("of_run", type_=sa.String)]
    kinds = [sa.literal_column("'DATASET'"), sa.literal_column("'RUN'")]
    return sa.select(ids[0], kinds[0], ids[1], kinds[1], ids[2], sa.literal_column("0")).where(*of_dataset)


class DriverStatement:
    """Holds a statement as the database driver takes it, with many rows.

    SQLAlchemy would process each row by itself, 5 us a row, inside the transaction that other writers wait for.
    """

    def __init__(self, statement: sa.Executable, columns: Sequence[str], dialect: sa.Dialect) -> None:
        compiled = cast(Any, statement).compile(dialect=dialect, column_keys=list(columns))
        self.text = str(compiled)
        self._names: list[str] | None = list(compiled.positiontup) if compiled.positional else None

    def parameters(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Return the rows in the driver's form: tuples in the statement's order, or as they are."""
        if self._names is None:
            return list(rows)
        values = itemgetter(*self._names)
        return [values(row) for row in rows]


class Holders:
    """Reads who holds runs, within a transaction that writes, and keeps others from changing it until its end."""

    def __init__(self, dialect: str) -> None:
        self._is_sqlite = dialect == "sqlite"

    def read(self, connection: sa.Connection, run_ids: Sequence[str]) -> dict[str, str]:
        """Return the tag `rothamsted.holder` of those runs that have one; as plain SQL it takes 0.02 ms."""
        if self._is_sqlite:
            query = _HOLDERS_SQLITE.format(",".join("?" * len(run_ids)))
            found = connection.exec_driver_sql(query, (names.HOLDER, *run_ids))
        else:
            found = connection.exec_driver_sql(_HOLDERS_POSTGRESQL, (names.HOLDER, list(run_ids)))
        return dict(found.tuples().all())


def _recency(columns: Any) -> sa.Tuple:
    return sa.tuple_(columns.step, columns.timestamp, columns.value)
