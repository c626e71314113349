"""Copy the searches of a sweep into a new SQLite file, which Optuna and optuna-dashboard can open."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, exc

from rothamsted.errors import StoreError
from rothamsted.search.patience import one_line
from rothamsted.search.sql.copied import Rows, rows_of, write_rows
from rothamsted.search.sql.named import unstarted
from rothamsted.search.storage import check_storage, in_storage


def copy_studies(url: str, names: Sequence[str], path: Path) -> dict[str, int]:
    """Write studies of a storage into an SQLite file; an existing file is replaced.

    Only finished trials are copied: complete, pruned and failed ones, with their numbers, values, intermediate values,
    distributions, attributes and times. Waiting and running trials are left out. So is the sweep's lease, because no
    sweep goes on in the copy.

    Args:
        url: URL of the storage.
        names: names of the studies. The first must exist; others are left out if they do not.
        path: path of the file; its folder exists.

    Returns:
        Name of each study that was copied -> number of its trials.

    Raises:
        StoreError: the storage cannot be read, has no first study, or the file cannot be written.

    Example:
        >>> copy_studies("sqlite:///optuna.db", ["quickstart"], Path("copy.db"))  # doctest: +SKIP
        {'quickstart': 16}
    """
    check_storage(url)
    found: Rows = in_storage(url, lambda tx: rows_of(tx, names), empty={})
    if names[0] not in found:
        raise unstarted(url, names[0])
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        _write(found, unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}; give another folder") from error
    except exc.SQLAlchemyError as error:
        raise StoreError(f"{path}: cannot be written ({one_line(error)}); give another folder") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return {name: rows.n_trials for name, rows in found.items()}


def _write(found: Rows, path: Path) -> None:
    """Write rows into a new file, at once: it is moved into place when all of it is there."""
    engine = sa.create_engine(sa.engine.URL.create("sqlite", database=str(path.absolute())))

    @event.listens_for(engine, "connect")
    def _on_connect(connection: object, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")  # pyright: ignore[reportAttributeAccessIssue]  of sqlite3

    try:
        with engine.begin() as connection:
            write_rows(connection, found)
    finally:
        engine.dispose()
