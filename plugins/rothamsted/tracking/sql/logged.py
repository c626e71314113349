"""Read points of metrics from MLflow's tables, for a thousand runs in one query."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import sqlalchemy as sa

from rothamsted.masking import masked
from rothamsted.tracking.checked import restored
from rothamsted.tracking.retrying import Retrying, reading
from rothamsted.tracking.sql.statements import METRICS
from rothamsted.tracking.sql.store import prepare_connection, sql_engine

_RUNS_A_QUERY = 1000  # SQLite takes 32,766 parameters in one statement
Row = tuple[str, str, int, int, float]  # run, key, step, milliseconds, value


def logged_points(
    uri: str, run_ids: list[str], keys: Collection[str] | None, patience: Retrying | None = None
) -> Iterator[list[Row]]:
    """Yield the logged points of a thousand runs at a time, in no order; `keys` None for all metrics.

    `patience`: see `reading`.
    """
    c = METRICS.c
    query = sa.select(c.run_uuid, c.key, c.step, c.timestamp, c.value, c.is_nan)
    if keys is not None:
        query = query.where(c.key.in_(list(keys)))
    for start in range(0, len(run_ids), _RUNS_A_QUERY):
        some = query.where(c.run_uuid.in_(run_ids[start : start + _RUNS_A_QUERY]))
        yield reading(f"{masked(uri)}: cannot read metrics", lambda some=some: _rows(uri, some), patience)


def _rows(uri: str, query: sa.Select) -> list[Row]:
    with sql_engine(uri).connect() as connection:
        prepare_connection(connection)
        return [
            (run_id, key, step, time_ms, float("nan") if is_nan else restored(value))
            for run_id, key, step, time_ms, value, is_nan in connection.execute(query)
        ]
