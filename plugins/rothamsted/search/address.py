"""Check the address of a search as it is written, without SQLAlchemy, so that a wrong one is refused at once."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from rothamsted import places
from rothamsted.errors import StoreError
from rothamsted.given_files import reading
from rothamsted.masking import hidden, masked

DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg", "postgresql+psycopg2")


def check_driver(url: str) -> None:
    """Check that an address is that of a database which can hold a search; the rest of it is not looked at.

    Raises:
        StoreError: it holds a NUL, or is a server's and holds a space, or is of another database, or is SQLite's and
            names no file.

    Example:
        >>> check_driver("mysql://lab@db/search")
        Traceback (most recent call last):
        rothamsted.errors.StoreError: storage mysql://lab@db/search: mysql cannot hold a search, ...
    """
    place = f"storage {masked(url)}"
    if "\0" in url:
        raise StoreError(f"{place}: holds a NUL, which no file name can; write sqlite:///optuna.db")
    driver, separator, rest = url.partition("://")
    if not separator:
        return  # says who parses it
    if driver not in DRIVERS:
        raise StoreError(
            f"{place}: {driver} cannot hold a search, SQLite and PostgreSQL can; "
            "write sqlite:///optuna.db or postgresql+psycopg://user@host/database"
        )
    if not driver.startswith("sqlite") and any(sign.isspace() for sign in url):
        raise StoreError(f"storage {hidden(url)}: holds a space; write %20 for it")
    if driver.startswith("sqlite") and (not rest.partition("?")[0].strip("/") or places.sqlite_file(url) is None):
        raise StoreError(f"{place}: names no file, and workers share the storage; write sqlite:///optuna.db")


def check_sqlite(url: str, path: Path) -> None:
    """Check that a file can hold a search; makes nothing.

    Raises:
        StoreError: its folder is missing, it or its folder is read-only, or it is no database.
    """
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
