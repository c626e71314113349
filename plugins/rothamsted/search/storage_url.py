"""Check the address of a search: an SQLite file or a PostgreSQL server. Each mistake is one line."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import exc

from rothamsted.errors import StoreError
from rothamsted.given_files import reading
from rothamsted.masking import masked
from rothamsted.tracking.sql.connections import postgres_arguments

DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg", "postgresql+psycopg2")


def parsed_url(url: str) -> sa.engine.URL:
    """Return the parts of a storage's address.

    Raises:
        StoreError: it is not an address, is of another database, or names no file.
    """
    try:
        parsed = sa.engine.make_url(url)
    except (exc.ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise StoreError(
            f"storage '{url}': not a database URL; write sqlite:///optuna.db or postgresql+psycopg://user@host/database"
        ) from error
    if "@" in (parsed.host or ""):  # else the rest of a password is said as the name of a host
        raise StoreError(f"storage {shown(parsed)}: has an @ in its password; write %40 for it")
    if any(sign.isspace() or sign in "[]/" for sign in parsed.host or ""):
        raise StoreError(f"storage {shown(parsed)}: its host is none; write postgresql+psycopg://user@host/database")
    if "\0" in url:
        raise StoreError(f"storage {shown(parsed)}: holds a NUL, which no file name can; write sqlite:///optuna.db")
    if parsed.drivername not in DRIVERS:
        raise StoreError(
            f"storage {shown(parsed)}: {parsed.drivername} cannot hold a search, SQLite and PostgreSQL can; "
            "write sqlite:///optuna.db or postgresql+psycopg://user@host/database"
        )
    name = parsed.database or ""
    if is_sqlite_url(parsed) and (name in ("", ":memory:") or name.startswith("file:")):  # file:… may be in memory
        raise StoreError(f"storage '{url}': names no file, and workers share the storage; write sqlite:///optuna.db")
    return parsed


def check_sqlite(url: str, database: str | None) -> None:
    """Check that a file can hold a search. Nothing is made.

    Raises:
        StoreError: its folder is missing, it or its folder is read-only, or it is not a database.
    """
    path = Path(str(database))
    folder = path.parent
    with reading(f"storage {url}", way_out="give another -P storage=sqlite:///FILE", error=StoreError):
        path.exists()  # raises where its name is too long, or a folder may not be entered
    if not folder.is_dir():
        raise StoreError(f"storage {url}: folder {folder} does not exist; make it, or give another -P storage=")
    if not _is_writable(folder) or (path.exists() and not _is_writable(path)):
        where = path if path.exists() and not _is_writable(path) else folder
        raise StoreError(f"storage {url}: {where} is read-only; give another -P storage=sqlite:///FILE")
    if path.exists() and not _is_sqlite(path):
        raise StoreError(f"storage {url}: {path} is not an SQLite database; give another -P storage=")


def _is_sqlite(path: Path) -> bool:
    """Asked of SQLite: to open and close the file here would end the locks of this process's connections to it.

    See https://www.sqlite.org/howtocorrupt.html, section 2.2.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.DatabaseError as error:
        return "not a database" not in str(error)
    return True


def _is_writable(path: Path) -> bool:
    """Whether a file could be made or changed there; root passes os.access even on a read-only mount."""
    mounted_read_only = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    mode = path.stat().st_mode
    return os.access(path, os.W_OK) and not mounted_read_only and bool(mode & 0o222)


def engine_of(parsed: sa.engine.URL) -> sa.Engine:
    """Return SQLAlchemy's engine for a storage. The caller disposes of it."""
    return sa.create_engine(parsed, **engine_arguments(parsed))


def engine_arguments(parsed: sa.engine.URL) -> dict[str, Any]:
    """Return the arguments of every engine for a storage."""
    if is_sqlite_url(parsed):
        return {"connect_args": {"timeout": 60}}  # seconds to wait for another writer
    return postgres_arguments(parsed)


def is_sqlite_url(parsed: sa.engine.URL) -> bool:
    """Whether the storage is a file of SQLite's."""
    return parsed.get_backend_name() == "sqlite"


def shown(parsed: sa.engine.URL) -> str:
    """The address as messages say it: without its password or token."""
    return masked(parsed.render_as_string(hide_password=True))
