"""Lease trials to workers: claim, renew and end leases, and write results only under a valid lease.

A claim is one transaction, and so is each write. It begins by locking the lease: SQLite then waits for its turn,
PostgreSQL for the row. Each claim of a trial has a greater token than the one before. A write with an older token is
refused. Only the database's clock says when a lease is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import sqlalchemy as sa

from rothamsted.search import distributions as dist
from rothamsted.search.patience import Database
from rothamsted.search.sql import leases as sql
from rothamsted.search.sql.ended import end_trial
from rothamsted.search.sql.leases import DEATHS, RUNS
from rothamsted.search.sql.queued import attributes_of, params_of
from rothamsted.search.sql.tables import set_report, set_trial_attributes
from rothamsted.search.told import Told
from rothamsted.space import Space

STALE_SECONDS = 5.0  # between two looks for leases that have run out

Names = Callable[["Lease"], Mapping[str, str]]  # from a claim to the ids of runs that will be made for it


def no_names(lease: Lease) -> Mapping[str, str]:
    """Return no ids: runs get their ids when they are made."""
    return {}


class LostError(Exception):
    """Says that the trial has another holder, or its worker was declared dead. Nothing more may be written to it."""


@final
@dataclass(kw_only=True, eq=False)
class Lease:
    """Holds one worker's claim of one trial.

    Attributes:
        trial_id: Optuna's key.
        number: 0, 1, ... within the search.
        condition: the values of its active parameters.
        attributes: user attributes of the trial when it was claimed, including those of earlier holders.
        token: number of this claim of the trial: 1, 2, ...
        is_taken_over: it had an earlier holder that is gone or gave it back. What that holder did is only in the
            record.
        worker: who holds it.
        seconds: how long it lasts after each renewal.
        study_id: of the search.
        n_objectives: number of values of a result.
        named: replicates with run ids that were written with this claim; no earlier holder can have made these runs.
    """

    database: Database
    study_id: int
    worker: str
    seconds: float
    trial_id: int
    number: int
    condition: Mapping[str, Any]
    attributes: Mapping[str, Any]
    token: int
    is_taken_over: bool = False
    n_objectives: int = 1
    named: frozenset[str] = frozenset()
    _renewed_at: float = field(default_factory=time.monotonic)
    _is_lost: bool = False
    _is_over: bool = False  # told or given back: no renewal says anything about it any more

    @property
    def is_lost(self) -> bool:
        """Say whether it is known that somebody else has the trial."""
        return self._is_lost and not self._is_over

    @property
    def runs(self) -> Mapping[str, str]:
        """Return the ids of the trial's runs without results; the ids were written before the runs were made."""
        return self.attributes.get(RUNS, {})

    @property
    def deaths(self) -> list[str]:
        """Return why earlier holders ended ("" for a crash), if no replicate is blamed for it yet."""
        return self.attributes.get(DEATHS, [])

    def confirm(self) -> bool:
        """Say whether the trial is still ours; ask the database if the last renewal is half a lease old."""
        if not self._is_lost and time.monotonic() - self._renewed_at > self.seconds / 2:
            renew([self])
        return not self._is_lost

    def write(self, change: Callable[[sa.Connection], None]) -> None:
        """Run a transaction of the search that first locks and renews the lease; see `Database.run`.

        Raises:
            LostError: the trial is not ours any more; nothing is written.
        """

        def transaction(tx: sa.Connection) -> float:
            started = time.monotonic()
            if self._is_lost or not self.is_among(sql.renew(tx, self.worker, [self.trial_id], self.seconds)):
                self.lose()
                raise LostError(f"trial {self.number}: claim {self.token} of worker {self.worker} is over")
            change(tx)
            return started

        self._renewed_at = self.database.run(transaction)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set user attributes of the trial (JSON values), in the database and in this object.

        Raises:
            LostError: the trial is not ours any more.
        """
        self.write(lambda tx: set_trial_attributes(tx, self.trial_id, attributes))
        self.attributes = {**self.attributes, **attributes}

    def report(self, step: int, value: float) -> None:
        """Write the trial's value at a step, which optuna-dashboard draws. A value at the same step is replaced.

        Raises:
            LostError: the trial is not ours any more.
        """
        self.write(lambda tx: set_report(tx, self.trial_id, step, value))

    def tell(self, told: Told) -> bool:
        """End trial and lease with a result in one transaction; False if it was lost or had ended."""
        if told.values is not None and len(told.values) != self.n_objectives:
            raise ValueError(
                f"trial id {self.trial_id}: told {told.values}, but the search has {self.n_objectives} objectives"
            )

        def end(tx: sa.Connection) -> bool:
            is_ours = sql.remove(tx, self.worker, self.trial_id, self.token)
            return is_ours and end_trial(tx, self.study_id, self.trial_id, told)

        is_told = self.database.run(end)
        self._is_over = is_told
        self._is_lost = not is_told
        return is_told

    def release(self) -> None:
        """Give the trial back unfinished: it can be taken over at once, and no crash is counted."""
        self.database.run(lambda tx: sql.give_back(tx, self.worker, self.trial_id, self.token))
        self._is_over = True

    def lose(self) -> None:
        """Note that another worker has the trial."""
        self._is_lost = True

    def is_among(self, held: Collection[tuple[int, int]]) -> bool:
        """Say whether it is one of these (trial id, token)."""
        return (self.trial_id, self.token) in held

    def note_renewal(self, held: Collection[tuple[int, int]], at: float) -> None:
        """Note a renewal that began at a time of the monotonic clock."""
        if self.is_among(held):
            self._renewed_at = max(self._renewed_at, at)
        else:
            self.lose()


def renew(leases: Iterable[Lease]) -> None:
    """Renew leases of one worker in one statement, and mark those that it has lost."""
    held = list(leases)
    if not held:
        return
    first, ids = held[0], [lease.trial_id for lease in held]

    started, found = first.database.run(lambda tx: (time.monotonic(), sql.renew(tx, first.worker, ids, first.seconds)))
    for lease in held:
        lease.note_renewal(found, started)


@final
class Leases:
    """Claims, reads and ends the leases of one search. Each thread has its own object."""

    def __init__(self, database: Database, study_id: int, space: Space, n_objectives: int) -> None:
        self._database = database
        self._study_id = study_id
        self._space = space
        self._n_objectives = n_objectives
        self._floor = -1  # every trial up to here was claimed once: keeps a claim's cost flat
        self._looked_for_stale = float("-inf")

    def is_time_for_stale(self) -> bool:
        """Return whether it is time to look for leases that ran out, which reads all running trials."""
        if time.monotonic() - self._looked_for_stale < STALE_SECONDS:
            return False
        self._looked_for_stale = time.monotonic()
        return True

    def take_waiting(self, worker: str, seconds: float, limit: int, names: Names) -> list[Lease]:
        """Claim up to `limit` waiting trials, lowest number first."""
        won = self._take_waiting_above(self._floor, worker, seconds, limit, names)
        if not won and self._floor >= 0:
            won = self._take_waiting_above(-1, worker, seconds, limit, names)  # trials that were put back
        if won:
            self._floor = max(self._floor, *(lease.trial_id for lease in won))
        return won

    def take_over(self, worker: str, seconds: float, limit: int, names: Names) -> list[Lease]:
        """Claim up to `limit` running trials with a lease that is over, each with why its holder ended."""
        over = [held for held in self._held() if held.is_over][:limit]
        if not over:
            return []

        def take(tx: sa.Connection) -> list[Lease]:
            won = [held for held in over if sql.take(tx, held)]
            return self.give(tx, {held.trial_id: held.number for held in won}, worker, seconds, names, over=won)

        return self._database.run(take)

    def end(self, workers: Sequence[str] | None = None, why: str = "") -> int:
        """End the leases of workers that are gone (None: of all) now; returns how many.

        Args:
            workers: their ids.
            why: reason if the training failed, such as by a timeout, and did not crash; it is recorded with the
                replicates.
        """
        return self._database.run(lambda tx: sql.end_leases(tx, self._study_id, workers, why))

    def holders(self) -> dict[str, list[int]]:
        """Return worker -> the trials (by number) that it holds with a valid lease."""
        holders: dict[str, list[int]] = {}
        for lease in (one for one in self._held() if not one.is_over):
            holders.setdefault(lease.worker, []).append(lease.number)
        return holders

    def give(
        self,
        tx: sa.Connection,
        numbers: Mapping[int, int],
        worker: str,
        seconds: float,
        names: Names,
        over: Sequence[sql.Held] = (),
    ) -> list[Lease]:
        """Write the leases of trials (id -> number) that this transaction has locked, and the ids of their runs."""
        ids = list(numbers)
        if not ids:
            return []
        tokens, now = sql.next_tokens(tx, ids)
        params, attributes = params_of(tx, ids), attributes_of(tx, ids)
        deaths = {held.trial_id: [*attributes[held.trial_id].get(DEATHS, []), *_death(held.lease)] for held in over}
        claimed = [
            Lease(
                database=self._database,
                study_id=self._study_id,
                worker=worker,
                seconds=seconds,
                trial_id=trial_id,
                number=numbers[trial_id],
                condition=dist.from_stored(params[trial_id], self._space),
                attributes={**attributes[trial_id], **({DEATHS: deaths[trial_id]} if deaths.get(trial_id) else {})},
                token=tokens[trial_id],
                is_taken_over=trial_id in deaths,
                n_objectives=self._n_objectives,
            )
            for trial_id in ids
        ]
        for lease in claimed:
            if named := names(lease):
                lease.named = frozenset(named)
                lease.attributes = {**lease.attributes, RUNS: {**lease.runs, **named}}
        stored = {i: {"worker": worker, "expires": now + seconds, "token": tokens[i]} for i in ids}
        kept = {
            lease.trial_id: {k: lease.attributes[k] for k in (RUNS, DEATHS) if k in lease.attributes}
            for lease in claimed
        }
        sql.give(tx, stored, kept)
        return claimed

    def _held(self) -> list[sql.Held]:
        return self._database.read(lambda connection: sql.held_leases(connection, self._study_id))

    def _take_waiting_above(self, floor: int, worker: str, seconds: float, limit: int, names: Names) -> list[Lease]:
        def take(tx: sa.Connection) -> list[Lease]:
            started = sql.start_waiting(tx, self._study_id, above=floor, limit=limit)
            return self.give(tx, dict(started), worker, seconds, names)

        return self._database.run(take)


def _death(lease: Mapping[str, Any]) -> list[str]:
    """What the end of a lease says of its holder: nothing where it gave the trial back, or before there were tokens."""
    return [lease.get("why", "")] if lease["worker"] and "token" in lease else []
