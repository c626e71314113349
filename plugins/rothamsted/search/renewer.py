"""Renew all leases of one worker, in one thread and one statement, while it works."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import final

from sqlalchemy import exc

from rothamsted.errors import StoreError
from rothamsted.search.lease import Lease, renew

_log = logging.getLogger(__name__)


@final
class Renewer:
    """Renews the leases of a worker in one thread; a context manager."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._held: tuple[Lease, ...] = ()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def hold(self, leases: Iterable[Lease]) -> None:
        """Renew these from now on, and no others."""
        self._held = tuple(leases)

    def __enter__(self) -> Renewer:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        wait = self._seconds / 4
        while not self._closing.wait(wait):
            try:
                renew(lease for lease in self._held if not lease.is_lost)
                wait = self._seconds / 4
            except (exc.SQLAlchemyError, StoreError) as error:
                # The database is away: as long as nobody else can ask it, nobody takes a trial over.
                _log.warning("leases could not be renewed, trying again: %s", str(error).strip().splitlines()[0])
                wait = min(1.0, self._seconds / 8)
