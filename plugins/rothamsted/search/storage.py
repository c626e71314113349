"""Open Optuna's storage: checked before anything is made, in one line a mistake."""

from __future__ import annotations

import logging
import os
import shlex
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import quote

import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage, _CachedStorage
from sqlalchemy import event, exc

from rothamsted.errors import StoreError
from rothamsted.search.patience import Database, Patient, one_line, patiently
from rothamsted.search.queue import Queue
from rothamsted.search.sql import studies
from rothamsted.search.sql.named import SPEC_KEY
from rothamsted.space import Space

CONNECT_SECONDS = 5  # a database that does not answer by then is called unreachable
DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg", "postgresql+psycopg2")
Direction = Literal["minimize", "maximize"]
OptunaStudy = optuna.Study  # for those who may not import Optuna themselves
T = TypeVar("T")

logging.getLogger("optuna").setLevel(logging.WARNING)
optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True, kw_only=True)
class SearchRecord:
    """What the storage knows of a sweep that was started before."""

    spec: Mapping[str, Any]  # the resolved sweep file
    attributes: Mapping[str, Any]  # all study attributes of the engine


def check_storage(url: str) -> None:
    """Raise StoreError in one line if the storage cannot be used. Makes nothing.

    Raises:
        StoreError: bad URL, another database than SQLite and PostgreSQL, missing driver, folder missing or read-only,
            file no database, server silent, tables of another version than those that are written here.
    """
    parsed = _parse(url)
    if _is_sqlite_url(parsed):
        _check_sqlite(url, parsed.database)
        if not Path(str(parsed.database)).exists():
            return
    try:
        engine = _engine(parsed)
        try:
            with engine.connect() as connection:
                _check_tables(connection, parsed)
        finally:
            engine.dispose()
    except ImportError as error:
        raise StoreError(
            f"storage {_shown(parsed)}: its driver is not installed ({error}); pip install 'rothamsted[postgres]'"
        ) from error
    except exc.SQLAlchemyError as error:
        raise StoreError(
            f"storage {_shown(parsed)}: cannot be reached ({one_line(error)}); start the database, "
            "or give another with -P storage=sqlite:///optuna.db"
        ) from error


def find_search(url: str, name: str) -> SearchRecord | None:
    """The sweep of this name in the storage, or None; a storage that does not exist yet is not made.

    An Optuna study that is empty, without trial or attribute, is nobody's: a process that died while it started the
    sweep left it behind, or somebody made it for the sweep to fill.

    Raises:
        StoreError: tables of another version, a study that is not a sweep's, or a storage that cannot be read.
    """
    attributes = in_storage(url, lambda tx: studies.study_attributes(tx, name), empty=None)
    if attributes is None:
        return None
    if SPEC_KEY not in attributes:
        raise StoreError(
            f"storage {_shown(_parse(url))}: holds an Optuna study called '{name}' that is not a sweep of ours; "
            "give the sweep another name, or another -P storage="
        )
    return SearchRecord(spec=attributes[SPEC_KEY], attributes=attributes)


def in_storage(url: str, transaction: Callable[[sa.Connection], T], *, empty: T, writes: bool = False) -> T:
    """What a transaction gives, run on a storage whose tables are checked; `empty` where there is no storage yet.

    Args:
        url: the storage.
        transaction: queries; with `writes`, changes that are committed at once or not at all.
        empty: of a storage without tables, or that does not exist: it is not made.
        writes: whether it changes rows.

    Raises:
        StoreError: the storage cannot be read, or has tables of another version.
    """
    parsed = _parse(url)
    if _is_sqlite_url(parsed) and not Path(parsed.database or "").exists():
        return empty
    engine = _engine(parsed)

    def checked(connection: sa.Connection) -> T:
        if not studies.has_tables(connection):
            return empty
        _check_tables(connection, parsed)
        return transaction(connection)

    try:
        database = Database(engine)
        return database.run(checked) if writes else database.read(checked)
    except exc.DatabaseError as error:  # a file that is no database, a server that does not let us in
        raise StoreError(f"storage {_shown(parsed)}: cannot be read ({one_line(error)}); give another") from error
    finally:
        engine.dispose()


def create_study(
    url: str, name: str, directions: Sequence[Direction], *, attributes: Mapping[str, Any] | None = None
) -> None:
    """Make what is missing of a sweep's tables, study and study attributes, all at once or not at all.

    May be called by several processes at the same time and again at any time: what is there already is left alone,
    the attributes too.

    Args:
        url: the storage.
        name: of the search.
        directions: one an objective.
        attributes: of the study, JSON values.

    Raises:
        StoreError: a study of this name has other directions, or the database stays away.
    """
    parsed = _parse(url)
    engine = _engine(parsed)
    database = Database(engine)
    try:
        if _is_sqlite_url(parsed):
            database.patiently(lambda: _use_wal(engine))
        others = database.run(lambda tx: studies.make_study(tx, name, directions, attributes or {}))
    finally:
        engine.dispose()
    if others is not None:
        raise StoreError(
            f"storage {_shown(parsed)}: holds an Optuna study called '{name}' with other directions than "
            f"{', '.join(directions)}; give the sweep another name, or another -P storage="
        )


def open_queue(
    url: str,
    name: str,
    *,
    space: Space,
    sampler: str,
    seed: int,
    direction: Direction | None = None,
    directions: Sequence[Direction] | None = None,
    pruner: Mapping[str, Any] | None = None,
    create: bool = False,
) -> Queue:
    """The queue of a sweep's trials; with `create`, tables and study are made where they are missing.

    Args:
        url: the storage.
        name: of the search.
        space: its search space.
        sampler: a name of `rothamsted.catalog.SAMPLERS`.
        seed: of the sampler.
        direction: of the one objective; `directions` of several.
        directions: one an objective.
        pruner: name and options, as in a sweep file; for one objective only.
        create: whether to make what is missing.
    """
    wanted: list[Direction] = (
        list(directions) if directions is not None else [direction] if direction is not None else []
    )
    if not wanted or (direction is not None and wanted != [direction]):
        raise ValueError(f"search {name}: direction {direction} and directions {directions}; give one of them")
    if pruner is not None and len(wanted) > 1:
        raise ValueError(f"search {name}: a pruner judges one objective, not {len(wanted)}")
    if create:
        create_study(url, name, wanted)
    parsed = _parse(url)
    storage, study = patiently(lambda: _load(url, parsed, name), place=_shown(parsed))
    return Queue(study=study, backend=storage, space=space, sampler=sampler, seed=seed, pruner=pruner)


def load_study(url: str, name: str) -> OptunaStudy:
    """Optuna's own study of a sweep, for what only Optuna answers; nothing here keeps a claim or a lease.

    Raises:
        StoreError: the storage cannot be used, or has no sweep of this name.
    """
    check_storage(url)
    if find_search(url, name) is None:
        raise StoreError(f"storage {_shown(_parse(url))}: no sweep called '{name}' here; start it first")
    return optuna.load_study(storage=url, study_name=name)


def dashboard_command(url: str) -> str:
    """The shell command that opens optuna-dashboard on this storage; a password is not printed."""
    return f"optuna-dashboard {shlex.quote(_shown(_parse(url)))}"


def _parse(url: str) -> sa.engine.URL:
    try:
        parsed = sa.engine.make_url(url)
    except exc.ArgumentError as error:
        raise StoreError(
            f"storage '{url}': not a database URL; write sqlite:///optuna.db or postgresql+psycopg://user@host/database"
        ) from error
    if parsed.drivername not in DRIVERS:
        raise StoreError(
            f"storage {_shown(parsed)}: {parsed.drivername} cannot hold a search, SQLite and PostgreSQL can; "
            "write sqlite:///optuna.db or postgresql+psycopg://user@host/database"
        )
    if _is_sqlite_url(parsed) and parsed.database in (None, "", ":memory:"):
        raise StoreError(f"storage '{url}': names no file, and workers share the storage; write sqlite:///optuna.db")
    return parsed


def _check_sqlite(url: str, database: str | None) -> None:
    path = Path(str(database))
    folder = path.parent
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


def _check_tables(connection: sa.Connection, parsed: sa.engine.URL) -> None:
    reason = studies.why_unusable(connection, _shown(parsed))
    if reason is not None:
        raise StoreError(f"storage {_shown(parsed)}: {reason}")


def _load(url: str, parsed: sa.engine.URL, name: str) -> tuple[RDBStorage, optuna.Study]:
    """Optuna's objects on tables that are there; each of their calls waits for a database that is away.

    A call that is repeated writes the same again: a parameter that is there is left alone, an attribute replaced.
    """
    storage = RDBStorage(
        url, engine_kwargs=_engine_arguments(parsed), skip_table_creation=True, skip_compatibility_check=True
    )
    if _is_sqlite_url(parsed):
        _tune_sqlite(storage.engine)
    patient = cast(RDBStorage, Patient(storage, Database(storage.engine)))
    try:
        return patient, optuna.load_study(storage=_CachedStorage(patient), study_name=name)
    except KeyError as error:
        raise StoreError(f"storage {_shown(parsed)}: no sweep called '{name}' here; start it first") from error


def _engine(parsed: sa.engine.URL) -> sa.Engine:
    return sa.create_engine(parsed, **_engine_arguments(parsed))


def _engine_arguments(parsed: sa.engine.URL) -> dict[str, Any]:
    if _is_sqlite_url(parsed):
        return {"connect_args": {"timeout": 60}}  # seconds to wait for another writer
    return {"connect_args": {"connect_timeout": CONNECT_SECONDS}, "pool_pre_ping": True}


def _tune_sqlite(engine: sa.Engine) -> None:
    """In write-ahead mode a commit is durable against a crash of the process without waiting for the disk."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=NORMAL")

    engine.dispose()  # connections made before the listener


def _use_wal(engine: sa.Engine) -> None:
    """Write-ahead mode, a property of the file: readers do not block a writer."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")


def _is_sqlite_url(parsed: sa.engine.URL) -> bool:
    return parsed.get_backend_name() == "sqlite"


def _shown(parsed: sa.engine.URL) -> str:
    return parsed.render_as_string(hide_password=True)
