"""Check the address of a search: an SQLite file or a PostgreSQL server. Each mistake is one line."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from rothamsted.errors import StoreError
from rothamsted.masking import hidden, masked
from rothamsted.search.address import check_driver
from rothamsted.tracking.sql.connections import postgres_arguments


def parsed_url(url: str) -> sa.engine.URL:
    """Return the parts of a storage's address.

    Raises:
        StoreError: it is not an address, is of another database, or names no file.
    """
    check_driver(url)
    try:
        parsed = sa.engine.make_url(url)
    except (exc.ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise StoreError(
            f"storage '{hidden(url)}': not a database URL; write sqlite:///optuna.db or postgresql+psycopg://user@host/database"
        ) from error
    if "@" in (parsed.host or ""):  # else the rest of a password is said as the name of a host
        raise StoreError(f"storage {shown(parsed)}: has an @ in its password; write %40 for it")
    has_odd_name = not is_sqlite_url(parsed) and "@" in (parsed.database or "")
    if has_odd_name or any(sign.isspace() or sign in "[]/" for sign in parsed.host or ""):
        raise StoreError(f"storage {hidden(url)}: its host is none; write postgresql+psycopg://user@host/database")
    return parsed


def engine_of(parsed: sa.engine.URL) -> sa.Engine:
    """Return SQLAlchemy's engine for a storage. The caller disposes of it.

    Raises:
        StoreError: the database's driver is missing.
    """
    try:
        return sa.create_engine(parsed, **engine_arguments(parsed))
    except ImportError as error:
        raise StoreError(
            f"storage {shown(parsed)}: its driver is not installed ({error}); pip install 'rothamsted[postgres]'"
        ) from error


def engine_arguments(parsed: sa.engine.URL) -> dict[str, Any]:
    """Return the arguments of every engine for a storage."""
    if is_sqlite_url(parsed):
        return {"connect_args": {"timeout": 60}}  # seconds to wait for another writer
    return postgres_arguments(parsed)


def is_sqlite_url(parsed: sa.engine.URL) -> bool:
    """Say whether the storage is a file of SQLite's."""
    return parsed.get_backend_name() == "sqlite"


def shown(parsed: sa.engine.URL) -> str:
    """Return the address as messages say it: without its password or token."""
    return masked(parsed.render_as_string(hide_password=True))
