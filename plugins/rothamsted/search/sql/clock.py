"""Read the database's clock: leases of many machines are all compared with this clock."""

from __future__ import annotations

import sqlalchemy as sa


def seconds_now(dialect_name: str) -> sa.ColumnElement[float]:
    """Return the database's own time in seconds since 1970, for a statement."""
    if dialect_name == "sqlite":  # SQLite before 3.42 has no unixepoch('subsec')
        return (sa.func.julianday("now") - 2440587.5) * 86400.0
    return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)


def database_now(connection: sa.Connection) -> float:
    """Return the database's own time in seconds since 1970."""
    return float(connection.execute(sa.select(seconds_now(connection.dialect.name))).scalar_one())
