"""Who holds which trial: claims, leases, take-overs.

Apart from the queue because here, and nowhere else, workers race. Each change is one transaction that begins
with a write, so that SQLite waits for its turn instead of failing on a stale read, and PostgreSQL locks the
row. Optuna's own claim reads first and writes after.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from rothamsted.search import distributions as dist
from rothamsted.search.sql.tables import ATTRIBUTES, PARAMS, TRIALS, set_trial_attributes, utc_now
from rothamsted.space import Space

LEASE = "rothamsted:lease"
CRASHES = "rothamsted:crashes"
STALE_SECONDS = 5.0  # between two looks for leases that have run out


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A trial that this worker holds the lease of."""

    trial_id: int  # Optuna's key
    number: int  # 0, 1, ... within the sweep
    condition: Mapping[str, Any]
    attributes: Mapping[str, Any]  # user attributes, those of an earlier holder included
    is_continued: bool  # another worker held it before, or it was put back
    is_taken_over: bool = False  # its holder was gone: what it had done stands in the tracking store alone

    @property
    def crashes(self) -> Mapping[int, int]:
        """How many workers died while running each replicate."""
        return {int(k): int(v) for k, v in self.attributes.get(CRASHES, {}).items()}


class Claims:
    """The leases of one sweep's trials; one object a thread."""

    def __init__(self, engine: sa.Engine, study_id: int, space: Space) -> None:
        self._engine = engine
        self._study_id = study_id
        self._space = space
        self._floor = -1  # every trial up to here was claimed once: keeps a claim's cost flat
        self._looked_for_stale = float("-inf")

    def is_time_for_stale(self) -> bool:
        """Looking for leases that ran out reads all running trials: now and then is enough."""
        if time.monotonic() - self._looked_for_stale < STALE_SECONDS:
            return False
        self._looked_for_stale = time.monotonic()
        return True

    def take_waiting(self, lease: Mapping[str, Any], limit: int) -> list[Claimed]:
        """Claim up to `limit` waiting trials, lowest number first."""
        won = self._take_waiting_above(self._floor, lease, limit)
        if not won and self._floor >= 0:
            won = self._take_waiting_above(-1, lease, limit)  # trials that were put back
        if won:
            self._floor = max(self._floor, *(c.trial_id for c in won))
        return won

    def take_over(self, lease: Mapping[str, Any], limit: int) -> list[Claimed]:
        """Claim up to `limit` running trials whose lease has run out."""
        now = time.time()
        stale = [row for row in self._leases() if row[2]["expires"] < now][:limit]
        if not stale:
            return []
        with self._engine.begin() as tx:
            won = [
                (trial_id, number) for trial_id, number, old in stale if self._replace_lease(tx, trial_id, old, lease)
            ]
            claimed = self._describe(tx, won, is_taken_over=True)
        return claimed

    def renew(self, worker_id: str, trial_ids: Sequence[int], lease_seconds: float) -> list[int]:
        """Extend the leases of these trials; returns those that another worker has taken over."""
        lost = []
        for trial_id in trial_ids:
            with self._engine.begin() as tx:
                lease = self._lease_of(tx, trial_id)
                new = {"worker": worker_id, "expires": time.time() + lease_seconds}
                if lease is None or lease["worker"] != worker_id or not self._replace_lease(tx, trial_id, lease, new):
                    lost.append(trial_id)
        return lost

    def release(self, worker_id: str, trial_ids: Sequence[int]) -> None:
        """Give trials back unfinished: they can be taken over at once."""
        self.renew(worker_id, trial_ids, lease_seconds=-1e9)

    def expire(self, worker_ids: Sequence[str] | None = None) -> list[int]:
        """End the leases of dead workers now (None: of all workers); returns the numbers of their trials."""
        ended = []
        for trial_id, number, lease in self._leases():
            if worker_ids is None or lease["worker"] in worker_ids:
                with self._engine.begin() as tx:
                    self._replace_lease(tx, trial_id, lease, {**lease, "expires": 0.0})
                ended.append(number)
        return ended

    def holders(self) -> dict[str, list[int]]:
        """Which worker holds which trials (by number), leases that have run out left aside."""
        holders: dict[str, list[int]] = {}
        for _, number, lease in self._leases():
            if lease["expires"] > time.time():
                holders.setdefault(lease["worker"], []).append(number)
        return holders

    def attributes(self, tx: sa.Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        """The user attributes of each of these trials."""
        found: dict[int, dict[str, Any]] = {trial_id: {} for trial_id in ids}
        query = sa.select(ATTRIBUTES.c.trial_id, ATTRIBUTES.c.key, ATTRIBUTES.c.value_json).where(
            ATTRIBUTES.c.trial_id.in_(list(ids))
        )
        for trial_id, key, text in tx.execute(query):
            found[trial_id][key] = json.loads(text)
        return found

    def _take_waiting_above(self, floor: int, lease: Mapping[str, Any], limit: int) -> list[Claimed]:
        first = (
            sa.select(TRIALS.c.trial_id)
            .where(
                TRIALS.c.study_id == self._study_id,
                TRIALS.c.state == TrialState.WAITING,
                TRIALS.c.trial_id > floor,
            )
            .order_by(TRIALS.c.trial_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        claim = (
            sa.update(TRIALS)
            .where(TRIALS.c.trial_id.in_(first.scalar_subquery()), TRIALS.c.state == TrialState.WAITING)
            .values(state=TrialState.RUNNING, datetime_start=utc_now())
            .returning(TRIALS.c.trial_id, TRIALS.c.number)
        )
        with self._engine.begin() as tx:
            won = sorted(tx.execute(claim).all(), key=lambda row: row.number)
            for row in won:
                set_trial_attributes(tx, row.trial_id, {LEASE: lease})
            return self._describe(tx, [(row.trial_id, row.number) for row in won])

    def _describe(
        self, tx: sa.Connection, trials: Sequence[tuple[int, int]], *, is_taken_over: bool = False
    ) -> list[Claimed]:
        ids = [trial_id for trial_id, _ in trials]
        if not ids:
            return []
        query = sa.select(PARAMS.c.trial_id, PARAMS.c.param_name, PARAMS.c.param_value).where(
            PARAMS.c.trial_id.in_(ids)
        )
        stored: dict[int, dict[str, float]] = {trial_id: {} for trial_id in ids}
        for trial_id, name, value in tx.execute(query):
            stored[trial_id][name] = value
        attributes = self.attributes(tx, ids)
        return [
            Claimed(
                trial_id=trial_id,
                number=number,
                condition=dist.from_stored(stored[trial_id], self._space),
                attributes=attributes[trial_id],
                is_continued=is_taken_over or len(attributes[trial_id]) > 1,
                is_taken_over=is_taken_over,
            )
            for trial_id, number in trials
        ]

    def _leases(self) -> list[tuple[int, int, dict[str, Any]]]:
        """(trial id, number, lease) of every running trial."""
        query = (
            sa.select(TRIALS.c.trial_id, TRIALS.c.number, ATTRIBUTES.c.value_json)
            .join(ATTRIBUTES, ATTRIBUTES.c.trial_id == TRIALS.c.trial_id)
            .where(
                TRIALS.c.study_id == self._study_id,
                TRIALS.c.state == TrialState.RUNNING,
                ATTRIBUTES.c.key == LEASE,
            )
            .order_by(TRIALS.c.number)
        )
        with self._engine.connect() as connection:
            return [(trial_id, number, json.loads(text)) for trial_id, number, text in connection.execute(query)]

    def _lease_of(self, tx: sa.Connection, trial_id: int) -> dict[str, Any] | None:
        return self.attributes(tx, [trial_id])[trial_id].get(LEASE)

    def _replace_lease(self, tx: sa.Connection, trial_id: int, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Swap a lease if it is still the one that was read: of two workers that try, one wins."""
        swap = (
            sa.update(ATTRIBUTES)
            .where(
                ATTRIBUTES.c.trial_id == trial_id,
                ATTRIBUTES.c.key == LEASE,
                ATTRIBUTES.c.value_json == json.dumps(old),
            )
            .values(value_json=json.dumps(new))
        )
        return tx.execute(swap).rowcount == 1
