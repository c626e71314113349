"""Who decides for a sweep: one process holds its lease and adds work; all others only claim, train and tell.

The lease is an attribute of the sweep's Optuna study. Each change is one transaction that begins with a write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from optuna.trial import TrialState

from rothamsted.search.sql.clock import database_now
from rothamsted.search.sql.tables import (
    TRIALS,
    VALUES,
    lock_study,
    set_study_attribute,
    set_trial_attributes,
    study_attribute,
)

SWEEP_LEASE = "rothamsted:sweep_lease"
ENDED = (TrialState.COMPLETE, TrialState.FAIL)

How = Literal["deciding", "left", "over"]


class SweepLeaseLostError(Exception):
    """Another process decides for this sweep now: nothing was written."""


@dataclass(frozen=True, kw_only=True)
class Deciding:
    """Who holds, or held last, the lease of a sweep.

    Attributes:
        holder: the worker id of that process.
        token: number of this taking of the lease, rising.
        is_living: the lease has not run out by the database's clock.
        how: it decides; or it left the sweep unfinished; or the sweep is over.
    """

    holder: str
    token: int
    is_living: bool
    how: How


class SweepLease:
    """The lease of one sweep, as one process sees it; one object a thread."""

    def __init__(self, engine: sa.Engine, study_id: int, holder: str) -> None:
        self._engine = engine
        self._study_id = study_id
        self.holder = holder
        self.token = 0  # 0: not held

    def take(self, seconds: float, *, is_dead: Callable[[str], bool] = lambda holder: False) -> bool:
        """Take the lease for so many seconds; False: another living process has it.

        Args:
            seconds: until it runs out, unless it is renewed.
            is_dead: whether a holder is known to have ended, so that nobody waits for its lease.
        """
        with self._engine.begin() as tx:
            lock_study(tx, self._study_id)
            now = database_now(tx)
            there = study_attribute(tx, self._study_id, SWEEP_LEASE)
            if there is not None and there["holder"] != self.holder and _is_living(there, now):
                if not is_dead(there["holder"]):
                    return False
            self.token = 1 + (there["token"] if there is not None else 0)
            self._set(tx, now + seconds, "deciding")
        return True

    def renew(self, seconds: float) -> bool:
        """Hold it for so many more seconds; False: it was lost."""
        try:
            with self.deciding() as tx:
                self._set(tx, database_now(tx) + seconds, "deciding")
        except SweepLeaseLostError:
            return False
        return True

    def leave(self, how: How) -> None:
        """Give the lease back, and say whether the sweep is over; nothing happens where it was lost."""
        if self.token:
            try:
                with self.deciding() as tx:
                    self._set(tx, 0.0, how)
            except SweepLeaseLostError:
                pass
            self.token = 0

    @contextmanager
    def deciding(self) -> Iterator[sa.Connection]:
        """A transaction of the search, in which nobody else decides.

        Raises:
            SweepLeaseLostError: the lease is another process's; nothing was written.
        """
        with self._engine.begin() as tx:
            lock_study(tx, self._study_id)
            there = study_attribute(tx, self._study_id, SWEEP_LEASE)
            if not self.token or there is None or (there["holder"], there["token"]) != (self.holder, self.token):
                self.token = 0
                raise SweepLeaseLostError(self.holder)
            yield tx

    def deciding_now(self) -> Deciding | None:
        """Who decides, or did so last; None: nobody ever has."""
        with self._engine.connect() as connection:
            there = study_attribute(connection, self._study_id, SWEEP_LEASE)
            now = database_now(connection)
        if there is None:
            return None
        is_living = there["how"] == "deciding" and _is_living(there, now)
        return Deciding(holder=there["holder"], token=there["token"], is_living=is_living, how=there["how"])

    def _set(self, tx: sa.Connection, expires: float, how: How) -> None:
        lease = {"holder": self.holder, "token": self.token, "expires": expires, "how": how}
        set_study_attribute(tx, self._study_id, SWEEP_LEASE, lease)


def put_back(tx: sa.Connection, study_id: int, trials: Mapping[int, Mapping[str, Any]]) -> int:
    """Put ended trials (by number) back to waiting, each with attributes to set; returns how many were."""
    n_put_back = 0
    for number, attributes in trials.items():
        trial_id = tx.execute(
            sa.update(TRIALS)
            .where(TRIALS.c.study_id == study_id, TRIALS.c.number == number, TRIALS.c.state.in_(ENDED))
            .values(state=TrialState.WAITING, datetime_complete=None)
            .returning(TRIALS.c.trial_id)
        ).scalar()
        if trial_id is None:
            continue
        n_put_back += 1
        tx.execute(sa.delete(VALUES).where(VALUES.c.trial_id == trial_id))
        set_trial_attributes(tx, trial_id, attributes)
    return n_put_back


def _is_living(lease: Mapping[str, Any], now: float) -> bool:
    return lease["expires"] > now
