"""Ask the stores that a sweep names before its workers start: a wrong address takes none of their time."""

from __future__ import annotations

from rothamsted import places
from rothamsted.named_files import is_folder
from rothamsted.search.address import check_driver, check_sqlite
from rothamsted.spec import Sweep
from rothamsted.sweeping.checkpoint_folders import check_place_of_checkpoints


def ask_addresses(sweep: Sweep, tracking_uri: str) -> None:
    """Ask whoever keeps the search and the record; of SQLite the folders and files, without SQLAlchemy.

    All else is asked when the sweep is opened.

    Args:
        sweep: names its search and the folder of its checkpoints.
        tracking_uri: of MLflow.

    Raises:
        StoreError: a wrong address, or a server that does not answer or refuses, a folder that cannot be made.
    """
    record = places.sqlite_file(tracking_uri)
    if record is None or not is_folder(record.absolute().parent):
        from rothamsted.tracking import check_reachable  # SQLAlchemy, which SQLite's files need not wait for

        check_reachable(tracking_uri)
    storage = sweep.storage
    check_driver(storage)
    path = places.sqlite_file(storage)
    if path is None:
        from rothamsted.search import check_storage

        check_storage(storage)
    else:
        check_sqlite(storage, path)
    check_place_of_checkpoints(sweep, tracking_uri)
