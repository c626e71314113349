"""The queue of a sweep's trials in Optuna's tables: enqueue, claim with a lease, renew, tell.

Apart from `storage` because every statement that many workers race on is here. Each of them is one
transaction that begins with a write, so that SQLite waits for its turn instead of failing on a stale read,
and PostgreSQL locks the row. Optuna's own claim reads first and writes after.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import TrialState

from rothamsted.search import distributions as dist
from rothamsted.search.ask import suggest_condition
from rothamsted.search.rows import set_note, set_study_attribute, set_trial_attributes
from rothamsted.search.samplers import SAMPLERS, seed_of_trial
from rothamsted.space import Space

LEASE = "rothamsted:lease"
CRASHES = "rothamsted:crashes"
STALE_SECONDS = 5.0  # between two looks for leases that have run out
TRIALS = models.TrialModel.__table__
STUDIES = models.StudyModel.__table__
PARAMS = models.TrialParamModel.__table__
VALUES = models.TrialValueModel.__table__
ATTRIBUTES = models.TrialUserAttributeModel.__table__
STUDY_ATTRIBUTES = models.StudyUserAttributeModel.__table__


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A trial that this worker holds the lease of."""

    trial_id: int  # Optuna's key
    number: int  # 0, 1, ... within the sweep
    condition: Mapping[str, Any]
    attributes: Mapping[str, Any]  # user attributes, those of an earlier holder included
    is_continued: bool  # another worker held it before

    @property
    def crashes(self) -> Mapping[int, int]:
        """How many workers died while running each replicate."""
        return {int(k): int(v) for k, v in self.attributes.get(CRASHES, {}).items()}


@dataclass(frozen=True, kw_only=True)
class Told:
    """The result of a trial, as it is written to Optuna."""

    value: float | None  # None: no replicate has a score
    attributes: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""  # markdown, shown by optuna-dashboard


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Trials of a sweep by state."""

    waiting: int = 0
    running: int = 0
    complete: int = 0
    failed: int = 0
    pruned: int = 0

    @property
    def total(self) -> int:
        """All trials created so far."""
        return self.waiting + self.running + self.finished

    @property
    def finished(self) -> int:
        """Trials that will not change any more."""
        return self.complete + self.failed + self.pruned


class Queue:
    """The trials of one sweep. Safe for many workers on many machines; one object a thread."""

    def __init__(
        self, *, study: optuna.Study, backend: RDBStorage, space: Space, sampler: str, seed: int
    ) -> None:
        self._study = study
        self._engine = backend.engine
        self._study_id: int = study._study_id
        self._space = space
        self._distributions = dist.distributions_of(space)
        self._sampler = SAMPLERS[sampler]
        self._seed = seed
        self._floor = -1  # every trial up to here was claimed once: keeps a claim's cost flat
        self._looked_for_stale = float("-inf")

    # ---- the coordinator ----

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute of the sweep (JSON)."""
        with self._engine.begin() as tx:
            set_study_attribute(tx, self._study_id, key, value)

    def attribute(self, key: str, default: Any = None) -> Any:
        """One attribute of the sweep."""
        query = sa.select(STUDY_ATTRIBUTES.c.value_json).where(
            STUDY_ATTRIBUTES.c.study_id == self._study_id, STUDY_ATTRIBUTES.c.key == key
        )
        with self._engine.connect() as connection:
            found = connection.execute(query).first()
        return default if found is None else json.loads(found[0])

    def enqueue(self, n_trials: int) -> int:
        """Enqueue the design's conditions up to `n_trials` in all; returns how many are new.

        Calling again adds only what is missing. An adaptive sampler enqueues nothing.
        """
        if self._sampler.conditions is None:
            return 0
        with self._engine.begin() as tx:
            existing = self._lock_and_count(tx)
            new = list(self._sampler.conditions(self._space, self._seed, existing, n_trials))
            if new:
                self._insert(tx, existing, new)
        return len(new)

    def counts(self) -> Counts:
        """Trials by state, one query."""
        query = (
            sa.select(TRIALS.c.state, sa.func.count())
            .where(TRIALS.c.study_id == self._study_id)
            .group_by(TRIALS.c.state)
        )
        with self._engine.connect() as connection:
            by_state = {state: n for state, n in connection.execute(query)}
        return Counts(
            waiting=by_state.get(TrialState.WAITING, 0),
            running=by_state.get(TrialState.RUNNING, 0),
            complete=by_state.get(TrialState.COMPLETE, 0),
            failed=by_state.get(TrialState.FAIL, 0),
            pruned=by_state.get(TrialState.PRUNED, 0),
        )

    def expire_leases(self, worker_ids: Sequence[str] | None = None) -> list[int]:
        """End the leases of dead workers now (None: of all workers); returns the numbers of their trials."""
        ended = []
        for trial_id, number, lease in self._leases():
            if worker_ids is None or lease["worker"] in worker_ids:
                with self._engine.begin() as tx:
                    self._replace_lease(tx, trial_id, lease, {**lease, "expires": 0.0})
                ended.append(number)
        return ended

    def lease_holders(self) -> dict[str, list[int]]:
        """Which worker holds which trials (by number), leases that have run out left aside."""
        holders: dict[str, list[int]] = {}
        for _, number, lease in self._leases():
            if lease["expires"] > time.time():
                holders.setdefault(lease["worker"], []).append(number)
        return holders

    def count_crash(self, number: int, replicate: int) -> None:
        """Record that a worker died while it ran this replicate."""
        with self._engine.begin() as tx:
            trial_id = tx.execute(
                sa.select(TRIALS.c.trial_id).where(
                    TRIALS.c.study_id == self._study_id, TRIALS.c.number == number
                )
            ).scalar_one()
            crashes = self._attributes(tx, [trial_id])[trial_id].get(CRASHES, {})
            crashes[str(replicate)] = crashes.get(str(replicate), 0) + 1
            set_trial_attributes(tx, trial_id, {CRASHES: crashes})

    def requeue(self, numbers: Sequence[int]) -> int:
        """Put finished trials back to waiting, to retry their failed replicates; returns how many."""
        if not numbers:
            return 0
        with self._engine.begin() as tx:
            mine = sa.and_(TRIALS.c.study_id == self._study_id, TRIALS.c.number.in_(list(numbers)))
            updated = tx.execute(
                sa.update(TRIALS)
                .where(mine, TRIALS.c.state.in_([TrialState.COMPLETE, TrialState.FAIL]))
                .values(state=TrialState.WAITING, datetime_complete=None)
            ).rowcount
            ids = sa.select(TRIALS.c.trial_id).where(mine)
            tx.execute(sa.delete(VALUES).where(VALUES.c.trial_id.in_(ids)))
        return updated

    # ---- a worker ----

    def claim(
        self, worker_id: str, *, n_trials: int, limit: int = 1, lease_seconds: float = 60.0
    ) -> list[Claimed]:
        """Claim up to `limit` trials; an empty list means that nothing is left to claim now.

        First those whose holder is gone, then waiting ones, then, for an adaptive sampler, a new one while
        fewer than `n_trials` exist.
        """
        lease = {"worker": worker_id, "expires": time.time() + lease_seconds}
        claimed = self._take_over(lease, limit) if self._is_time_for_stale() else []
        if len(claimed) < limit:
            claimed += self._take_waiting(lease, limit - len(claimed))
        if not claimed:
            claimed = self._take_over(lease, limit)
        while len(claimed) < limit and self._sampler.adaptive is not None:
            asked = self._ask(lease, n_trials)
            if asked is None:
                break
            claimed.append(asked)
        return claimed

    def renew(self, worker_id: str, trial_ids: Sequence[int], lease_seconds: float) -> list[int]:
        """Extend the leases of these trials; returns those that another worker has taken over."""
        lost = []
        for trial_id in trial_ids:
            with self._engine.begin() as tx:
                lease = self._lease_of(tx, trial_id)
                new = {"worker": worker_id, "expires": time.time() + lease_seconds}
                if (
                    lease is None
                    or lease["worker"] != worker_id
                    or not self._replace_lease(tx, trial_id, lease, new)
                ):
                    lost.append(trial_id)
        return lost

    def release(self, worker_id: str, trial_ids: Sequence[int]) -> None:
        """Give trials back unfinished: they can be taken over at once."""
        self.renew(worker_id, trial_ids, lease_seconds=-1e9)

    def set_trial_attributes(self, trial_id: int, attributes: Mapping[str, Any]) -> None:
        """Set user attributes of a trial (JSON values), in one transaction."""
        with self._engine.begin() as tx:
            set_trial_attributes(tx, trial_id, attributes)

    def tell(self, trial_id: int, told: Told) -> bool:
        """Write a trial's result and end it; False if it had been finished already."""
        state = TrialState.FAIL if told.value is None else TrialState.COMPLETE
        with self._engine.begin() as tx:
            ended = tx.execute(
                sa.update(TRIALS)
                .where(TRIALS.c.trial_id == trial_id, TRIALS.c.state == TrialState.RUNNING)
                .values(state=state, datetime_complete=_now())
            ).rowcount
            if not ended:
                return False
            if told.value is not None:
                value, kind = models.TrialValueModel.value_to_stored_repr(told.value)
                tx.execute(
                    sa.insert(VALUES).values(trial_id=trial_id, objective=0, value=value, value_type=kind)
                )
            tx.execute(
                sa.delete(ATTRIBUTES).where(ATTRIBUTES.c.trial_id == trial_id, ATTRIBUTES.c.key == LEASE)
            )
            set_trial_attributes(tx, trial_id, told.attributes)
            if told.note:
                set_note(tx, self._study_id, trial_id, told.note)
        return True

    # ---- readers ----

    def finished_trials(self) -> list[optuna.trial.FrozenTrial]:
        """All trials that are complete or failed, in order."""
        return [t for t in self._study.get_trials(deepcopy=False) if t.state.is_finished()]

    def condition_of(self, trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
        """The condition of a trial read from the storage."""
        stored = {
            name: trial.distributions[name].to_internal_repr(value) for name, value in trial.params.items()
        }
        return dist.from_stored(stored, self._space)

    # ---- within ----

    def _lock_and_count(self, tx: sa.Connection) -> int:
        """Take the write lock of the sweep; returns how many trials it has."""
        mine = STUDIES.c.study_id == self._study_id
        tx.execute(sa.update(STUDIES).where(mine).values(study_name=STUDIES.c.study_name))
        count = sa.select(sa.func.count()).where(TRIALS.c.study_id == self._study_id)
        return tx.execute(count).scalar_one()

    def _insert(self, tx: sa.Connection, first: int, conditions: Sequence[Mapping[str, Any]]) -> None:
        rows = [
            {"study_id": self._study_id, "number": first + i, "state": TrialState.WAITING}
            for i in range(len(conditions))
        ]
        insert = sa.insert(TRIALS).returning(TRIALS.c.trial_id, sort_by_parameter_order=True)
        ids = tx.execute(insert, rows).scalars().all()
        texts = {name: distribution_to_json(d) for name, d in self._distributions.items()}
        params = [
            {
                "trial_id": trial_id,
                "param_name": name,
                "param_value": dist.to_stored(value, self._space.domains[name], self._distributions[name]),
                "distribution_json": texts[name],
            }
            for trial_id, condition in zip(ids, conditions, strict=True)
            for name, value in condition.items()
        ]
        if params:
            tx.execute(sa.insert(PARAMS), params)

    def _is_time_for_stale(self) -> bool:
        """Looking for leases that ran out reads all running trials: now and then is enough."""
        if time.monotonic() - self._looked_for_stale < STALE_SECONDS:
            return False
        self._looked_for_stale = time.monotonic()
        return True

    def _take_waiting(self, lease: Mapping[str, Any], limit: int) -> list[Claimed]:
        won = self._take_waiting_above(self._floor, lease, limit)
        if not won and self._floor >= 0:
            won = self._take_waiting_above(-1, lease, limit)  # trials that were put back
        if won:
            self._floor = max(self._floor, *(c.trial_id for c in won))
        return won

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
            .values(state=TrialState.RUNNING, datetime_start=_now())
            .returning(TRIALS.c.trial_id, TRIALS.c.number)
        )
        with self._engine.begin() as tx:
            won = sorted(tx.execute(claim).all(), key=lambda row: row.number)
            for row in won:
                set_trial_attributes(tx, row.trial_id, {LEASE: lease})
            return self._describe(tx, [(row.trial_id, row.number) for row in won])

    def _take_over(self, lease: Mapping[str, Any], limit: int) -> list[Claimed]:
        now = time.time()
        stale = [row for row in self._leases() if row[2]["expires"] < now][:limit]
        if not stale:
            return []
        with self._engine.begin() as tx:
            won = [
                (trial_id, number)
                for trial_id, number, old in stale
                if self._replace_lease(tx, trial_id, old, lease)
            ]
            claimed = self._describe(tx, won, is_continued=True)
        return [self._complete(c) for c in claimed]

    def _ask(self, lease: Mapping[str, Any], n_trials: int) -> Claimed | None:
        """A new trial of the adaptive sampler; the ticket and its lease are taken in one transaction."""
        with self._engine.begin() as tx:
            number = self._lock_and_count(tx)
            if number >= n_trials:
                return None
            row = {
                "study_id": self._study_id,
                "number": number,
                "state": TrialState.RUNNING,
                "datetime_start": _now(),
            }
            trial_id = tx.execute(sa.insert(TRIALS).values(row).returning(TRIALS.c.trial_id)).scalar_one()
            set_trial_attributes(tx, trial_id, {LEASE: lease})
        condition = self._suggest(trial_id, number)
        return Claimed(
            trial_id=trial_id, number=number, condition=condition, attributes={}, is_continued=False
        )

    def _suggest(self, trial_id: int, number: int) -> dict[str, Any]:
        make = self._sampler.adaptive
        if make is None:
            raise RuntimeError(f"trial {number} has no parameters, and its sampler is a fixed design")
        self._study.sampler = make(seed_of_trial(self._seed, number))
        return suggest_condition(self._study, trial_id, self._space, self._distributions)

    def _complete(self, claimed: Claimed) -> Claimed:
        """A trial whose first holder died while it was asked gets the rest of its parameters now."""
        names = {name for name in self._space.domains if self._space.is_active(name, claimed.condition)}
        if self._sampler.adaptive is None or names <= set(claimed.condition):
            return claimed
        condition = self._suggest(claimed.trial_id, claimed.number)
        return Claimed(
            trial_id=claimed.trial_id,
            number=claimed.number,
            condition=condition,
            attributes=claimed.attributes,
            is_continued=claimed.is_continued,
        )

    def _describe(
        self, tx: sa.Connection, trials: Sequence[tuple[int, int]], *, is_continued: bool = False
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
        attributes = self._attributes(tx, ids)
        return [
            Claimed(
                trial_id=trial_id,
                number=number,
                condition=dist.from_stored(stored[trial_id], self._space),
                attributes=attributes[trial_id],
                is_continued=is_continued or len(attributes[trial_id]) > 1,
            )
            for trial_id, number in trials
        ]

    def _attributes(self, tx: sa.Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {trial_id: {} for trial_id in ids}
        query = sa.select(ATTRIBUTES.c.trial_id, ATTRIBUTES.c.key, ATTRIBUTES.c.value_json).where(
            ATTRIBUTES.c.trial_id.in_(list(ids))
        )
        for trial_id, key, text in tx.execute(query):
            found[trial_id][key] = json.loads(text)
        return found

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
            return [
                (trial_id, number, json.loads(text)) for trial_id, number, text in connection.execute(query)
            ]

    def _lease_of(self, tx: sa.Connection, trial_id: int) -> dict[str, Any] | None:
        return self._attributes(tx, [trial_id])[trial_id].get(LEASE)

    def _replace_lease(
        self, tx: sa.Connection, trial_id: int, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> bool:
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


def _now() -> datetime:
    """Now, as Optuna stores it: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)
