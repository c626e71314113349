"""Choose the writer for a tracking store, and open a recorder with it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from rothamsted import places
from rothamsted.masking import masked
from rothamsted.tracking.address import tracking_uri as current_tracking_uri
from rothamsted.tracking.kept_back import FOLDER, KeptBack
from rothamsted.tracking.reach import check_reachable
from rothamsted.tracking.recorder import Recorder
from rothamsted.tracking.retrying import SERVER_WAIT_SECONDS, Retrying, usual_wait_seconds
from rothamsted.tracking.sql.schema import why_not_sql
from rothamsted.tracking.sql.sql_writer import SqlWriter
from rothamsted.tracking.sql.statements import DIALECTS

_logger = logging.getLogger(__name__)


def open_recorder(
    tracking_uri: str | None = None,
    *,
    wait_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Recorder:
    """Open a recorder for a tracking store.

    Open it in the process that writes with it: after a fork, open another.

    Args:
        tracking_uri: The store; without it, the one that MLflow would use.
        wait_seconds: How long a call tries again while the store is away; by default `usual_wait_seconds`.
        clock: Function that gives seconds.
        sleep: Function that waits some seconds.
    """
    uri = tracking_uri or current_tracking_uri()
    place, is_server = masked(uri), uri.startswith(("http://", "https://"))
    wait = usual_wait_seconds(uri) if wait_seconds is None else wait_seconds
    retrying = Retrying(wait_seconds=wait, clock=clock, sleep=sleep, jitter=random.random, place=place)
    reason = why_not_sql(uri)
    if reason is None:
        return Recorder(SqlWriter(uri), retrying)
    if uri.startswith(DIALECTS):
        _logger.warning("%s: runs go to the store one call at a time, about ten times slower", reason)
    from rothamsted.tracking.client_writer import ClientWriter  # imports MLflow, which SQL needs not

    kept = KeptBack(places.home(uri) / FOLDER, place) if is_server else None
    return Recorder(ClientWriter(uri), retrying, kept)


def wait_until_reachable(uri: str, *, gives_up: Callable[[], bool]) -> None:
    """Return when a store can be reached. It waits for a server that is away as long as writing does.

    Args:
        uri: The store.
        gives_up: Function that is called meanwhile; True: do not wait any longer.

    Raises:
        StoreError: It refuses, or is away for too long.
    """
    wait = Retrying(wait_seconds=SERVER_WAIT_SECONDS, jitter=random.random, gives_up=gives_up)
    wait.until_done(lambda: check_reachable(uri))


def deliver_left(uri: str) -> None:
    """Deliver what earlier processes kept while a server was away, before something is read there.

    Raises:
        StoreError: it is away.
    """
    if uri.startswith(("http://", "https://")) and KeptBack(places.home(uri) / FOLDER, masked(uri)).has_left:
        with open_recorder(uri) as recorder:
            recorder.flush()
