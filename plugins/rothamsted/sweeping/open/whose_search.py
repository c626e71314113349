"""Find the search database of a sweep: at home, or where an earlier version of this program left it."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from rothamsted import places
from rothamsted.search.sql.named import has_sweep, lacks_study, unstarted
from rothamsted.spec import Sweep


def search_of(storage: str, name: str, *, root: Path, tracking_uri: str) -> str:
    """Return the absolute address of the search database of a sweep.

    In earlier versions a relative path started in the working directory. If a file there has this sweep, it is still
    used, so that no second search of the same name begins.

    Args:
        storage: the address in the file or on the command line.
        name: name of the sweep.
        root: root of the project.
        tracking_uri: MLflow's tracking URI.

    Raises:
        StoreError: a file in the project's folder cannot be read.
    """
    at_home = places.absolute_storage(storage, places.home(tracking_uri))
    earlier = (places.absolute_storage(storage, folder) for folder in dict.fromkeys((root, Path.cwd())))
    others = [url for url in earlier if url != at_home and _has_sweep(url, name)]
    return at_home if not others or _has_sweep(at_home, name) else others[0]


def refuse_unstarted(storage: str, name: str) -> None:
    """Refuse a sweep that an SQLite file of searches lacks, before slow imports.

    Args:
        storage: absolute address of the search database; other databases are not checked here.
        name: name of the sweep.

    Raises:
        StoreError: the file has no study of this name.
    """
    path = places.sqlite_file(storage)
    with suppress(sqlite3.Error):  # who opens it says what it is
        if path is not None and lacks_study(path, name):
            raise unstarted(storage, name)


def with_search(sweep: Sweep, *, root: Path, tracking_uri: str) -> Sweep:
    """Return the sweep with absolute addresses of its search, and of the search of its warm start."""
    storage = search_of(sweep.storage, sweep.name, root=root, tracking_uri=tracking_uri)
    warm = sweep.warm_start
    if warm is not None and warm.storage is not None:
        own = search_of(warm.storage, warm.sweep, root=root, tracking_uri=tracking_uri)
        warm = warm.model_copy(update={"storage": own})
    return sweep.model_copy(update={"storage": storage, "warm_start": warm})


def _has_sweep(url: str, name: str) -> bool:
    path = places.sqlite_file(url)
    with suppress(sqlite3.Error):  # the search itself says what it is
        if path is not None:
            return has_sweep(path, name)
    from rothamsted.search import find_search  # imports Optuna, which a mistake in a file need not wait for

    return find_search(url, name) is not None
