"""Find the tracking store that a command reads, by MLflow's rules, and check that it answers."""

from __future__ import annotations

from collections.abc import Callable

from rothamsted import places, tracking
from rothamsted.errors import UserError


def open_store(refuse: Callable[[str], None] = lambda uri: None, *, delivers: bool = True) -> str:
    """Return the tracking URI, after a look whether anybody answers there.

    Args:
        refuse: Given the URI, raises where what the command names is known not to be there. It is asked first, as
            the look imports SQLAlchemy, for which a wrong name need not wait.
        delivers: Whether a server is given first what was kept for it while it was away.

    Raises:
        UserError: nobody does, or there is no such file.
    """
    uri = tracking.tracking_uri()
    path = places.sqlite_file(uri)
    if path is not None and not path.exists():  # MLflow would make an empty one
        raise UserError(
            f"tracking store {uri}: there is no such file; give the command in the folder where the sweep was run, or "
            f"set MLFLOW_TRACKING_URI, or {places.HOME} to the folder of mlflow.db"
        )
    refuse(uri)
    tracking.check_reachable(uri)
    if delivers:
        tracking.deliver_left(uri)
    return uri


def search_at(given: str | None, uri: str) -> str:
    """Return the address of the search database that is given, or of the usual one.

    Args:
        given: by the user; None: nothing.
        uri: of MLflow.
    """
    return places.absolute_storage(given or places.STORAGE, places.home(uri))
