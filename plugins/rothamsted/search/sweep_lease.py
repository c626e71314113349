"""Hold the lease of a sweep: one process decides and adds work; all others only claim, train and write results.

The lease is an attribute of the sweep's Optuna study. Each change is one transaction that begins with a write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

from rothamsted.search.patience import Database
from rothamsted.search.sql.clock import database_now
from rothamsted.search.sql.named import SWEEP_LEASE
from rothamsted.search.sql.tables import lock_study, set_study_attribute, study_attribute

T = TypeVar("T")
How = Literal["deciding", "left", "over"]


class SweepLeaseLostError(Exception):
    """Says that another process decides for this sweep now. Nothing was written."""


@dataclass(frozen=True, kw_only=True)
class Deciding:
    """Says who holds, or held last, the lease of a sweep.

    Attributes:
        holder: the worker id of that process.
        token: number of this taking of the lease, rising.
        is_living: the lease has not run out by the database's clock.
        how: whether it decides, left the sweep unfinished, or the sweep is over.
    """

    holder: str
    token: int
    is_living: bool
    how: How


class SweepLease:
    """Holds the lease of one sweep for one process. Each thread has its own object."""

    def __init__(self, database: Database, study_id: int, holder: str) -> None:
        self._database = database
        self._study_id = study_id
        self.holder = holder
        self.token = 0  # 0: not held

    def take(self, seconds: float, *, is_dead: Callable[[str], bool] = lambda holder: False) -> bool:
        """Take the lease. False: another living process has it.

        Args:
            seconds: until it runs out, unless it is renewed.
            is_dead: function that says whether a holder is known to have ended; its lease is then taken at once.
        """

        def take(tx: sa.Connection) -> int:
            lock_study(tx, self._study_id)
            now = database_now(tx)
            there = study_attribute(tx, self._study_id, SWEEP_LEASE)
            others = there if there is not None and there["holder"] != self.holder and _is_living(there, now) else None
            if others is not None and not is_dead(others["holder"]):
                return 0
            token = 1 + (there["token"] if there is not None else 0)
            self._set(tx, token, now + seconds, "deciding")
            return token

        self.token = self._database.run(take)
        return self.token > 0

    def renew(self, seconds: float) -> bool:
        """Hold the lease for `seconds` from now. False: it was lost."""
        try:
            self.decide(lambda tx: self._set(tx, self.token, database_now(tx) + seconds, "deciding"))
        except SweepLeaseLostError:
            return False
        return True

    def leave(self, how: How) -> None:
        """Give the lease back, and record whether the sweep is over. Nothing happens if it is not held."""
        if self.token:
            with suppress(SweepLeaseLostError):
                self.decide(lambda tx: self._set(tx, self.token, 0.0, how))
            self.token = 0

    def decide(self, write: Callable[[sa.Connection], T]) -> T:
        """Run a transaction of the search under the lease, and return the result of `write`.

        Raises:
            SweepLeaseLostError: another process has the lease; nothing was written.
        """

        def decide(tx: sa.Connection) -> T:
            lock_study(tx, self._study_id)
            there = study_attribute(tx, self._study_id, SWEEP_LEASE)
            if not self.token or there is None or (there["holder"], there["token"]) != (self.holder, self.token):
                raise SweepLeaseLostError(self.holder)
            return write(tx)

        try:
            return self._database.run(decide)
        except SweepLeaseLostError:
            self.token = 0
            raise

    def deciding_now(self) -> Deciding | None:
        """Say who decides, or did so last; None: nobody ever has."""

        def read(connection: sa.Connection) -> tuple[Any, float]:
            return study_attribute(connection, self._study_id, SWEEP_LEASE), database_now(connection)

        there, now = self._database.read(read)
        if there is None:
            return None
        is_living = there["how"] == "deciding" and _is_living(there, now)
        return Deciding(holder=there["holder"], token=there["token"], is_living=is_living, how=there["how"])

    def _set(self, tx: sa.Connection, token: int, expires: float, how: How) -> None:
        lease = {"holder": self.holder, "token": token, "expires": expires, "how": how}
        set_study_attribute(tx, self._study_id, SWEEP_LEASE, lease)


def _is_living(lease: Mapping[str, Any], now: float) -> bool:
    return lease["expires"] > now
