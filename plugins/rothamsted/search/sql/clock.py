"""The database's clock: leases of many machines are compared with one clock, not with each machine's own."""

from __future__ import annotations

import sqlalchemy as sa

# SQLite 3.40 has no fractions of a second in `unixepoch`; a Julian day in a double is good to 50 microseconds.
_SECONDS = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "EXTRACT(EPOCH FROM clock_timestamp())",
}


def database_now(connection: sa.Connection) -> float:
    """Seconds since 1970 by the clock of the database."""
    return float(connection.execute(sa.text(f"SELECT {_SECONDS[connection.dialect.name]}")).scalar_one())
