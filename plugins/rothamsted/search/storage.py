"""Open Optuna's storage. It is checked before anything is made; each mistake is one line."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage, _CachedStorage
from sqlalchemy import event, exc

from rothamsted.errors import StoreError
from rothamsted.search.address import check_sqlite
from rothamsted.search.patience import Database, Patient, one_line, patiently
from rothamsted.search.queue import Queue
from rothamsted.search.sql import studies
from rothamsted.search.sql.named import SPEC_KEY, unstarted
from rothamsted.search.storage_url import engine_arguments, engine_of, is_sqlite_url, parsed_url, shown
from rothamsted.space import Space

Direction = Literal["minimize", "maximize"]
OptunaStudy = optuna.Study  # for those who may not import Optuna themselves
T = TypeVar("T")

logging.getLogger("optuna").setLevel(logging.WARNING)
optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True, kw_only=True)
class SearchRecord:
    """Holds what the storage has of a sweep that was started before."""

    spec: Mapping[str, Any]  # the resolved sweep file
    attributes: Mapping[str, Any]  # all study attributes of the engine


def check_storage(url: str) -> None:
    """Raise StoreError in one line if the storage cannot be used. Nothing is made.

    Raises:
        StoreError: the URL is wrong, the database is neither SQLite nor PostgreSQL, the driver is missing, the folder
            is missing or read-only, the file is not a database, the server does not answer, or the tables have another
            version.
    """
    parsed = parsed_url(url)
    if is_sqlite_url(parsed):
        path = Path(str(parsed.database))
        check_sqlite(url, path)
        if not path.exists():
            return
    try:
        engine = engine_of(parsed)
        try:
            with engine.connect() as connection:
                _check_tables(connection, parsed)
        finally:
            engine.dispose()
    except exc.SQLAlchemyError as error:
        raise StoreError(
            f"storage {shown(parsed)}: cannot be reached ({one_line(error)}); start the database, "
            "or give another with -P storage=sqlite:///optuna.db"
        ) from error


def find_search(url: str, name: str) -> SearchRecord | None:
    """Return the sweep of this name in the storage, or None. A storage that does not exist is not made.

    An Optuna study without trials and attributes does not count as a sweep: a process that died while it started the
    sweep left it behind, or it was made for the sweep to fill.

    Raises:
        StoreError: tables of another version, a study that is not a sweep's, or a storage that cannot be read.
    """
    attributes = in_storage(url, lambda tx: studies.study_attributes(tx, name), empty=None)
    if attributes is None:
        return None
    if SPEC_KEY not in attributes:
        raise StoreError(
            f"storage {shown(parsed_url(url))}: holds an Optuna study called '{name}' that is not a sweep; give the "
            "sweep another name, or another -P storage="
        )
    return SearchRecord(spec=attributes[SPEC_KEY], attributes=attributes)


def in_storage(url: str, transaction: Callable[[sa.Connection], T], *, empty: T, writes: bool = False) -> T:
    """Run a transaction on a storage with checked tables, and return its result; `empty` if there is no storage yet.

    Args:
        url: URL of the storage.
        transaction: queries; with `writes` also changes, which are committed together or not at all.
        empty: result for a storage that does not exist or has no tables; it is not made.
        writes: whether it changes rows.

    Raises:
        StoreError: the storage cannot be read, or has tables of another version.
    """
    parsed = parsed_url(url)
    if is_sqlite_url(parsed) and not Path(parsed.database or "").exists():
        return empty
    engine = engine_of(parsed)

    def checked(connection: sa.Connection) -> T:
        if not studies.has_tables(connection):
            return empty
        _check_tables(connection, parsed)
        return transaction(connection)

    try:
        database = Database(engine)
        return database.run(checked) if writes else database.read(checked)
    except exc.DatabaseError as error:  # a file that is no database, a server that does not let us in
        raise StoreError(f"storage {shown(parsed)}: cannot be read ({one_line(error)}); give another") from error
    finally:
        engine.dispose()


def create_study(
    url: str, name: str, directions: Sequence[Direction], *, attributes: Mapping[str, Any] | None = None
) -> None:
    """Make a sweep's tables, study and study attributes if they are missing: all together, or nothing.

    Several processes may call it at the same time, and again at any time: existing rows stay, attributes too.

    Args:
        url: URL of the storage.
        name: name of the search.
        directions: one for each objective.
        attributes: attributes of the study, JSON values.

    Raises:
        StoreError: a study of this name has other directions, or the database stays away.
    """
    parsed = parsed_url(url)
    engine = engine_of(parsed)
    database = Database(engine)
    try:
        if is_sqlite_url(parsed):
            database.patiently(lambda: _use_wal(engine))
        others = database.run(lambda tx: studies.make_study(tx, name, directions, attributes or {}))
    finally:
        engine.dispose()
    if others is not None:
        raise StoreError(
            f"storage {shown(parsed)}: holds an Optuna study called '{name}' with other directions than "
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
    """Open the queue of a sweep's trials. With `create`, missing tables and study are made.

    Args:
        url: URL of the storage.
        name: name of the search.
        space: its search space.
        sampler: a name of `rothamsted.catalog.SAMPLERS`.
        seed: seed of the sampler.
        direction: direction of one objective; for several give `directions`.
        directions: one for each objective.
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
    parsed = parsed_url(url)
    storage, study = patiently(lambda: _load(url, parsed, name), place=shown(parsed))
    return Queue(study=study, backend=storage, space=space, sampler=sampler, seed=seed, pruner=pruner)


def load_study(url: str, name: str) -> OptunaStudy:
    """Load Optuna's own study of a sweep. It has no claim and no lease.

    Raises:
        StoreError: the storage cannot be used, or has no sweep of this name.
    """
    check_storage(url)
    if find_search(url, name) is None:
        raise unstarted(url, name)
    return optuna.load_study(storage=url, study_name=name)


def dashboard_command(url: str) -> str:
    """Return the shell command that opens optuna-dashboard on this storage; a password is not printed."""
    return f"optuna-dashboard {shlex.quote(shown(parsed_url(url)))}"


def _check_tables(connection: sa.Connection, parsed: sa.engine.URL) -> None:
    reason = studies.why_unusable(connection, shown(parsed))
    if reason is not None:
        raise StoreError(f"storage {shown(parsed)}: {reason}")


def _load(url: str, parsed: sa.engine.URL, name: str) -> tuple[RDBStorage, optuna.Study]:
    """Optuna's objects on tables that are there; each of their calls waits for a database that is away.

    A call that is repeated writes the same again: a parameter that is there is left alone, an attribute replaced.
    """
    storage = RDBStorage(
        url, engine_kwargs=engine_arguments(parsed), skip_table_creation=True, skip_compatibility_check=True
    )
    if is_sqlite_url(parsed):
        _tune_sqlite(storage.engine)
    patient = cast(RDBStorage, Patient(storage, Database(storage.engine)))
    try:
        return patient, optuna.load_study(storage=_CachedStorage(patient), study_name=name)
    except KeyError as error:
        raise unstarted(url, name) from error


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
