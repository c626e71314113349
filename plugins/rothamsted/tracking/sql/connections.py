"""Connect to PostgreSQL with few connections, none of which waits for ever.

A server is shared by all workers of a sweep. SQLAlchemy's usual pool keeps 5 connections and opens up to 15, in each
process and for each database: 64 workers would be 640 kept for nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa

from rothamsted.errors import StoreError
from rothamsted.tracking.retrying import reading

CONNECT_SECONDS = 5  # a database that does not answer by then is called unreachable
KEPT = 1  # connections of a process to a database between two transactions: it has one main thread
MOST = 4  # at once: the worker's, that of leases, that of the record, and one to spare
STATEMENT_SECONDS = 30  # of one statement, with its waiting for locks; half of what a database may be away
IDLE_SECONDS = 60  # between two statements of a transaction: who is paused there holds locks that others wait for
SETTLE_SECONDS = 2.0  # after which a server has noticed which clients have ended
SILENT_SECONDS = 60  # without any answer of the network, after which a connection counts as cut


def postgres_arguments(parsed: sa.engine.URL) -> dict[str, Any]:
    """Return the arguments of SQLAlchemy's engine for a PostgreSQL database. Settings in the address win.

    Example:
        >>> url = sa.engine.make_url("postgresql+psycopg://u@h/d?connect_timeout=1&options=-c%20statement_timeout=5s")
        >>> found = postgres_arguments(url)
        >>> found["pool_size"], found["connect_args"]["options"].endswith("-c statement_timeout=5s")
        (1, True)
        >>> "connect_timeout" in found["connect_args"]
        False
    """
    limits = {"statement_timeout": STATEMENT_SECONDS, "idle_in_transaction_session_timeout": IDLE_SECONDS}
    options = [f"-c {name}={1000 * seconds}" for name, seconds in limits.items()]
    network = {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": SILENT_SECONDS // 2,
        "keepalives_interval": SILENT_SECONDS // 6,
        "keepalives_count": 3,
        "tcp_user_timeout": 1000 * SILENT_SECONDS,
    }
    own: dict[str, Any] = {name: value for name, value in network.items() if name not in parsed.query}
    said = parsed.query.get("options", ())  # PostgreSQL takes the last of two values
    own["options"] = " ".join([*options, *([said] if isinstance(said, str) else said)])
    return {
        "connect_args": own,
        "pool_pre_ping": True,
        "pool_size": KEPT,
        "max_overflow": MOST - KEPT,
    }


# How many more clients a server takes: a few places are for administrators. A server is known by when it started.
_ROOM = """
SELECT pg_postmaster_start_time()::text, current_setting('max_connections')::int,
  current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true), '0')::int,
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())
"""


def check_room(n_workers: int, uris: Iterable[str], *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Check that the PostgreSQL servers of a sweep have enough connections for its processes. Nothing is created.

    Args:
        n_workers: Number of workers; the coordinator is one process more.
        uris: URIs of the databases; other kinds are ignored.
        sleep: Function that waits some seconds.

    Raises:
        StoreError: a server has too few; the message says how many workers it has room for.
    """
    databases = [uri for uri in dict.fromkeys(uris) if uri.startswith("postgres") and is_postgres(sa.make_url(uri))]
    try:
        _check_room(n_workers, databases)
    except StoreError:
        sleep(SETTLE_SECONDS)
        _check_room(n_workers, databases)


def _check_room(n_workers: int, databases: Iterable[str]) -> None:
    n_databases: Counter[tuple[Any, ...]] = Counter()
    for uri in databases:
        parsed = sa.make_url(uri)
        place = parsed.render_as_string(hide_password=True)
        what = f"{place}: cannot be asked how many connections it takes"
        started, most, reserved, used = reading(what, lambda parsed=parsed: _room(parsed))
        n_databases[started, most, reserved] += 1
        kept = n_databases[started, most, reserved] * KEPT  # by each process
        needed, free = (n_workers + 1) * kept, max(0, most - reserved - used)
        if needed > free:
            n_fewer = free // kept - 1
            raise StoreError(
                f"{place}: {n_workers} workers and the coordinator keep {needed} "
                f"connections, and its server has {free} left (max_connections = {most}, {reserved} reserved, {used} "
                f"in use); {f'give execution.workers: {n_fewer}, or ' if n_fewer > 0 else ''}set max_connections to "
                f"{most + needed - free} or more"
            )


def _room(parsed: sa.engine.URL) -> tuple[str, int, int, int]:
    engine = sa.create_engine(parsed, **postgres_arguments(parsed))
    try:
        with engine.connect() as connection:
            started, most, reserved, used = connection.execute(sa.text(_ROOM)).one()
            return started, most, reserved, used
    finally:
        engine.dispose()


def is_postgres(parsed: sa.engine.URL) -> bool:
    """Say whether a database is one of PostgreSQL's, reached by its own library, which knows these arguments."""
    return parsed.get_backend_name() == "postgresql" and parsed.get_driver_name().startswith("psycopg")
