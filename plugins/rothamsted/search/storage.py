"""Opening Optuna's storage: checked before anything is created, WAL for SQLite, one schema creation.

Apart from the queue because all that can go wrong with a URL is answered here, in one line each.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage
from sqlalchemy import event, exc

from rothamsted.errors import StoreError
from rothamsted.search.queue import Queue
from rothamsted.space import Space

CONNECT_SECONDS = 5  # a database that does not answer by then is called unreachable
SPEC_KEY = "rothamsted:spec"
Direction = Literal["minimize", "maximize"]

logging.getLogger("optuna").setLevel(logging.WARNING)
optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True, kw_only=True)
class SearchRecord:
    """What the storage knows of a sweep that was started before."""

    spec: Mapping[str, Any]  # the resolved sweep file
    attributes: Mapping[str, Any]  # all study attributes of the engine


def check_storage(url: str) -> None:
    """Raise StoreError in one line if the storage cannot be used. Creates nothing.

    Raises:
        StoreError: bad URL, missing driver, folder missing or read-only, file no database, server silent.
    """
    parsed = _parse(url)
    if parsed.drivername.startswith("sqlite"):
        _check_sqlite(url, parsed.database)
        return
    try:
        engine = sa.create_engine(url, connect_args=_connect_arguments(parsed))
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
        engine.dispose()
    except ImportError as error:
        raise StoreError(
            f"storage {_shown(parsed)}: its driver is not installed ({error}); pip install 'rothamsted[postgres]'"
        ) from error
    except exc.SQLAlchemyError as error:
        raise StoreError(
            f"storage {_shown(parsed)}: cannot be reached ({_first_line(error)}); start the database, "
            "or give another with -P storage=sqlite:///optuna.db"
        ) from error


def find_search(url: str, name: str) -> SearchRecord | None:
    """The sweep of this name in the storage, or None; a storage that does not exist yet is not created.

    An Optuna study that is empty, without trial or attribute, is nobody's: a process that died while it started the
    sweep left it behind, or somebody made it for the sweep to fill.
    """
    parsed = _parse(url)
    if parsed.drivername.startswith("sqlite") and not Path(parsed.database or "").exists():
        return None
    engine = sa.create_engine(url, connect_args=_connect_arguments(parsed))
    try:
        if not sa.inspect(engine).has_table("studies"):
            return None
        attributes_of = sa.text(
            "SELECT a.key, a.value_json FROM studies s JOIN study_user_attributes a ON a.study_id = s.study_id "
            "WHERE s.study_name = :name"
        )
        trials_of = sa.text(
            "SELECT 1 FROM studies s JOIN trials t ON t.study_id = s.study_id WHERE s.study_name = :name LIMIT 1"
        )
        with engine.connect() as connection:
            attributes = {key: json.loads(text) for key, text in connection.execute(attributes_of, {"name": name})}
            is_empty = not attributes and connection.execute(trials_of, {"name": name}).first() is None
    finally:
        engine.dispose()
    if is_empty:
        return None
    if SPEC_KEY not in attributes:
        raise StoreError(
            f"storage {_shown(parsed)}: holds an Optuna study called '{name}' that is not a sweep of ours; "
            "give the sweep another name, or another -P storage="
        )
    return SearchRecord(spec=attributes[SPEC_KEY], attributes=attributes)


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
    parsed = _parse(url)
    is_sqlite = parsed.drivername.startswith("sqlite")
    storage = RDBStorage(
        url,
        engine_kwargs={"connect_args": _connect_arguments(parsed)},
        skip_table_creation=not create,
        skip_compatibility_check=not create,
    )
    if is_sqlite:
        _tune_sqlite(storage.engine, set_wal=create)
    if create:
        study = optuna.create_study(storage=storage, study_name=name, directions=wanted, load_if_exists=True)
        if [direction.name.lower() for direction in study.directions] != wanted:
            raise StoreError(
                f"storage {_shown(parsed)}: holds an Optuna study called '{name}' with other directions than "
                f"{', '.join(wanted)}; give the sweep another name, or another -P storage="
            )
    else:
        study = optuna.load_study(storage=storage, study_name=name)
    return Queue(study=study, backend=storage, space=space, sampler=sampler, seed=seed, pruner=pruner)


def dashboard_command(url: str) -> str:
    """The shell command that opens optuna-dashboard on this storage; a password is not printed."""
    return f"optuna-dashboard {_shown(_parse(url))}"


def _parse(url: str) -> sa.engine.URL:
    try:
        parsed = sa.engine.make_url(url)
    except exc.ArgumentError as error:
        raise StoreError(
            f"storage '{url}': not a database URL; write sqlite:///optuna.db or postgresql+psycopg://user@host/database"
        ) from error
    if parsed.drivername.startswith("sqlite") and parsed.database in (None, "", ":memory:"):
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


def _connect_arguments(parsed: sa.engine.URL) -> dict[str, Any]:
    if parsed.drivername.startswith("sqlite"):
        return {"timeout": 60}  # seconds to wait for another writer
    if parsed.drivername.startswith("postgresql"):
        return {"connect_timeout": CONNECT_SECONDS}
    return {}


def _tune_sqlite(engine: sa.engine.Engine, *, set_wal: bool) -> None:
    """WAL once (a property of the file); a commit is durable against a crash of the process."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=NORMAL")

    engine.dispose()  # connections made before the listener
    if set_wal:
        with engine.connect() as connection:
            connection.execute(sa.text("PRAGMA journal_mode=WAL"))


def _shown(parsed: sa.engine.URL) -> str:
    return parsed.render_as_string(hide_password=True)


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
