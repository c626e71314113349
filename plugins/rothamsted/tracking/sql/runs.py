"""Read runs with tags, params and latest metrics from MLflow's tables: three queries for a thousand runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from rothamsted.tracking.checked import restored
from rothamsted.tracking.found import FoundRun
from rothamsted.tracking.sql.statements import EXPERIMENTS, LATEST, PARAMS, RUNS, TAGS
from rothamsted.tracking.sql.store import prepare_connection, sql_engine

_A_QUERY = 1000  # runs; SQLite takes 32,766 parameters in one statement
_COLUMNS = ("run_uuid", "experiment_id", "name", "status", "start_time", "end_time")


def runs_with(
    uri: str, tags: Mapping[str, str], *, experiment_ids: Sequence[str] | None, limit: int | None
) -> list[FoundRun]:
    """Return the active runs that carry all the tags, oldest start first; None: of every active experiment."""
    query = sa.select(*(RUNS.c[column] for column in _COLUMNS)).where(RUNS.c.lifecycle_stage == "active")
    if experiment_ids is None:
        active = sa.select(EXPERIMENTS.c.experiment_id).where(EXPERIMENTS.c.lifecycle_stage == "active")
        query = query.where(RUNS.c.experiment_id.in_(active))
    else:
        query = query.where(RUNS.c.experiment_id.in_([int(one) for one in experiment_ids]))
    for key, value in tags.items():
        query = query.where(RUNS.c.run_uuid.in_(_tagged(key, value)))
    query = query.order_by(RUNS.c.start_time, RUNS.c.run_uuid)
    return _read(uri, query if limit is None else query.limit(limit))


def states_with(
    uri: str, tags: Mapping[str, str], shown: str, *, experiment_id: str
) -> list[tuple[str, str, int | None, str]]:
    """Return id, status, end and the tag `shown` of each active run of an experiment that carries all the tags."""
    c = RUNS.c
    query = (
        sa.select(c.run_uuid, c.status, c.end_time, TAGS.c.value)
        .join(TAGS, sa.and_(TAGS.c.run_uuid == c.run_uuid, TAGS.c.key == shown))
        .where(c.lifecycle_stage == "active", c.experiment_id == int(experiment_id))
    )
    for key, value in tags.items():
        query = query.where(c.run_uuid.in_(_tagged(key, value)))
    with sql_engine(uri).connect() as connection:
        prepare_connection(connection)
        return [tuple(row) for row in connection.execute(query)]


def run_of(uri: str, run_id: str) -> FoundRun | None:
    """Return the active run of this id; None where there is none."""
    query = sa.select(*(RUNS.c[column] for column in _COLUMNS))
    found = _read(uri, query.where(RUNS.c.run_uuid == run_id, RUNS.c.lifecycle_stage == "active"))
    return found[0] if found else None


def artifact_uri(uri: str, run_id: str) -> str | None:
    """Return where the artifacts of a run lie; None where there is no such run."""
    with sql_engine(uri).connect() as connection:
        prepare_connection(connection)
        return connection.execute(sa.select(RUNS.c.artifact_uri).where(RUNS.c.run_uuid == run_id)).scalar()


def _read(uri: str, query: sa.Select) -> list[FoundRun]:
    with sql_engine(uri).connect() as connection:
        prepare_connection(connection)
        rows = connection.execute(query).all()
        found, known = [], dict[Any, Any]()
        for start in range(0, len(rows), _A_QUERY):
            some = rows[start : start + _A_QUERY]
            ids = [row[0] for row in some]
            tags, params = (_by_run(connection.execute(_pairs(table, ids)), known) for table in (TAGS, PARAMS))
            latest = connection.execute(_latest(ids)).tuples()
            values = (
                (run_id, key, float("nan") if is_nan else restored(value)) for run_id, key, value, is_nan in latest
            )
            metrics = _by_run(values, known)
            found += [_found(row, tags[row[0]], params[row[0]], metrics[row[0]]) for row in some]
        return found


def _tagged(key: str, value: str) -> sa.Select:
    return sa.select(TAGS.c.run_uuid).where(TAGS.c.key == key, TAGS.c.value == value)


def _pairs(table: sa.TableClause, ids: Sequence[str]) -> sa.Select:
    return sa.select(table.c.run_uuid, table.c.key, table.c.value).where(table.c.run_uuid.in_(ids))


def _latest(ids: Sequence[str]) -> sa.Select:
    c = LATEST.c
    return sa.select(c.run_uuid, c.key, c.value, c.is_nan).where(c.run_uuid.in_(ids))


def _by_run(rows: Iterable[Any], known: dict[Any, Any]) -> dict[str, dict[str, Any]]:
    """Run -> key -> value; `known` holds each of them once, since thousands of runs have the same."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for run_id, key, value in rows:
        found[run_id][known.setdefault(key, key)] = known.setdefault(value, value) if type(value) is str else value
    return found


def _found(row: Any, tags: dict[str, str], params: dict[str, str], metrics: dict[str, float]) -> FoundRun:
    run_id, experiment_id, name, status, start_ms, end_ms = row
    return FoundRun(
        run_id=run_id,
        experiment_id=str(experiment_id),
        name=name or "",
        status=status,
        start_ms=start_ms,
        end_ms=end_ms,
        tags=tags,
        params=params,
        metrics=metrics,
    )
