"""How one process connects to PostgreSQL: few connections, and none that waits for ever.

A server is shared by all workers of a sweep. SQLAlchemy's usual pool keeps 5 connections and opens up to 15, in each
process and for each database: 64 workers would be 640 kept for nothing.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

CONNECT_SECONDS = 5  # a database that does not answer by then is called unreachable
KEPT = 1  # connections of a process to a database between two transactions: it has one main thread
MOST = 4  # at once: the worker's, that of leases, that of the record, and one to spare
STATEMENT_SECONDS = 30  # of one statement, with its waiting for locks; half of what a database may be away
IDLE_SECONDS = 60  # between two statements of a transaction: who is paused there holds locks that others wait for
SILENT_SECONDS = 60  # without any answer of the network, after which a connection counts as cut


def postgres_arguments(parsed: sa.engine.URL) -> dict[str, Any]:
    """What SQLAlchemy's engine for a PostgreSQL database is made with; what the address itself says wins.

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


def is_postgres(parsed: sa.engine.URL) -> bool:
    """Whether a database is one of PostgreSQL's, reached by its own library, which knows these arguments."""
    return parsed.get_backend_name() == "postgresql" and parsed.get_driver_name().startswith("psycopg")
