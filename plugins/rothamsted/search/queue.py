"""The queue of a sweep's trials in Optuna's tables: enqueue, claim, tell.

Apart from `claims`, which decides who of many workers holds a trial: here is what a trial is and becomes.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import TrialState

from rothamsted.search import distributions as dist
from rothamsted.search.ask import suggest_condition
from rothamsted.search.claims import CRASHES, LEASE, Claimed, Claims
from rothamsted.search.rounds import Rounds
from rothamsted.search.rows import (
    ATTRIBUTES,
    PARAMS,
    STUDY_ATTRIBUTES,
    TRIALS,
    VALUES,
    lock_study,
    set_note,
    set_study_attribute,
    set_trial_attributes,
    utc_now,
)
from rothamsted.search.samplers import SAMPLERS, seed_of_trial
from rothamsted.space import Space


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

    def __init__(self, *, study: optuna.Study, backend: RDBStorage, space: Space, sampler: str, seed: int) -> None:
        self._study = study
        self._backend = backend
        self._engine = backend.engine
        self.study_id: int = study._study_id  # optuna-dashboard shows it at /dashboard/studies/ID
        self._space = space
        self._distributions = dist.distributions_of(space)
        self._sampler = SAMPLERS[sampler]
        self._seed = seed
        self.claims = Claims(self._engine, self.study_id, space)
        self.rounds = Rounds(self._engine, self.study_id)

    # ---- the coordinator ----

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute of the sweep (JSON)."""
        with self._engine.begin() as tx:
            set_study_attribute(tx, self.study_id, key, value)

    def attribute(self, key: str, default: Any = None) -> Any:
        """One attribute of the sweep."""
        query = sa.select(STUDY_ATTRIBUTES.c.value_json).where(
            STUDY_ATTRIBUTES.c.study_id == self.study_id, STUDY_ATTRIBUTES.c.key == key
        )
        with self._engine.connect() as connection:
            found = connection.execute(query).first()
        return default if found is None else json.loads(found[0])

    def describe(self, *, metric: str, note: str) -> None:
        """What optuna-dashboard shows of the sweep: its objective's name on the axes, and its note."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.set_metric_names([metric])
        with self._engine.begin() as tx:
            set_note(tx, self.study_id, None, note)

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
            sa.select(TRIALS.c.state, sa.func.count().label("n"))
            .where(TRIALS.c.study_id == self.study_id)
            .group_by(TRIALS.c.state)
        )
        with self._engine.connect() as connection:
            by_state = {row.state: row.n for row in connection.execute(query)}
        return Counts(
            waiting=by_state.get(TrialState.WAITING, 0),
            running=by_state.get(TrialState.RUNNING, 0),
            complete=by_state.get(TrialState.COMPLETE, 0),
            failed=by_state.get(TrialState.FAIL, 0),
            pruned=by_state.get(TrialState.PRUNED, 0),
        )

    def count_crash(self, number: int, replicate: int) -> None:
        """Record that a worker died while it ran this replicate."""
        with self._engine.begin() as tx:
            trial_id = tx.execute(
                sa.select(TRIALS.c.trial_id).where(TRIALS.c.study_id == self.study_id, TRIALS.c.number == number)
            ).scalar_one()
            crashes = self.claims.attributes(tx, [trial_id])[trial_id].get(CRASHES, {})
            crashes[str(replicate)] = crashes.get(str(replicate), 0) + 1
            set_trial_attributes(tx, trial_id, {CRASHES: crashes})

    def requeue(self, numbers: Sequence[int]) -> int:
        """Put finished trials back to waiting, to retry their failed replicates; returns how many."""
        return self.rounds.put_back({number: {} for number in numbers})

    def add(
        self,
        conditions: Sequence[Mapping[str, Any]],
        attributes: Sequence[Mapping[str, Any]],
        *,
        n_before: int | None = None,
    ) -> bool:
        """Enqueue these very conditions, each with user attributes, after those that are there.

        False, with nothing done, where there are not `n_before` of them: another process was first.
        """
        with self._engine.begin() as tx:
            existing = self._lock_and_count(tx)
            if n_before not in (None, existing):
                return False
            self._insert(tx, existing, conditions, attributes)
        return True

    # ---- a worker ----

    def claim(self, worker_id: str, *, n_trials: int, limit: int = 1, lease_seconds: float = 60.0) -> list[Claimed]:
        """Claim up to `limit` trials; an empty list means that nothing is left to claim now.

        First those whose holder is gone, then waiting ones, then, for an adaptive sampler, a new one while
        fewer than `n_trials` exist.
        """
        lease = {"worker": worker_id, "expires": time.time() + lease_seconds}
        claimed = self.claims.take_over(lease, limit) if self.claims.is_time_for_stale() else []
        if len(claimed) < limit:
            claimed += self.claims.take_waiting(lease, limit - len(claimed))
        if not claimed:
            claimed = self.claims.take_over(lease, limit)
        claimed = [self._complete(trial) for trial in claimed]
        while len(claimed) < limit and self._sampler.adaptive is not None:
            asked = self._ask(lease, n_trials)
            if asked is None:
                break
            claimed.append(asked)
        return claimed

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
                .values(state=state, datetime_complete=utc_now())
            ).rowcount
            if not ended:
                return False
            if told.value is not None:
                value, kind = models.TrialValueModel.value_to_stored_repr(told.value)
                tx.execute(sa.insert(VALUES).values(trial_id=trial_id, objective=0, value=value, value_type=kind))
            tx.execute(sa.delete(ATTRIBUTES).where(ATTRIBUTES.c.trial_id == trial_id, ATTRIBUTES.c.key == LEASE))
            set_trial_attributes(tx, trial_id, told.attributes)
            if told.note:
                set_note(tx, self.study_id, trial_id, told.note)
        return True

    # ---- readers ----

    def finished_trials(self) -> list[optuna.trial.FrozenTrial]:
        """All trials that are complete or failed, in order."""
        # Not by the study: it caches what is finished, and a trial that went on after it would be stale.
        trials = self._backend.get_all_trials(self.study_id, deepcopy=False)
        return sorted((t for t in trials if t.state.is_finished()), key=lambda trial: trial.number)

    def condition_of(self, trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
        """The condition of a trial read from the storage."""
        stored = {name: trial.distributions[name].to_internal_repr(value) for name, value in trial.params.items()}
        return dist.from_stored(stored, self._space)

    # ---- within ----

    def _lock_and_count(self, tx: sa.Connection) -> int:
        """Take the write lock of the sweep; returns how many trials it has."""
        lock_study(tx, self.study_id)
        count = sa.select(sa.func.count()).where(TRIALS.c.study_id == self.study_id)
        return tx.execute(count).scalar_one()

    def _insert(
        self,
        tx: sa.Connection,
        first: int,
        conditions: Sequence[Mapping[str, Any]],
        attributes: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        rows = [
            {"study_id": self.study_id, "number": first + i, "state": TrialState.WAITING}
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
        for trial_id, of_trial in zip(ids, attributes):
            set_trial_attributes(tx, trial_id, of_trial)

    def _ask(self, lease: Mapping[str, Any], n_trials: int) -> Claimed | None:
        """A new trial of the adaptive sampler; the ticket and its lease are taken in one transaction."""
        with self._engine.begin() as tx:
            number = self._lock_and_count(tx)
            if number >= n_trials:
                return None
            row = {
                "study_id": self.study_id,
                "number": number,
                "state": TrialState.RUNNING,
                "datetime_start": utc_now(),
            }
            trial_id = tx.execute(sa.insert(TRIALS).values(row).returning(TRIALS.c.trial_id)).scalar_one()
            set_trial_attributes(tx, trial_id, {LEASE: lease})
        condition = self._suggest(trial_id, number)
        return Claimed(trial_id=trial_id, number=number, condition=condition, attributes={}, is_continued=False)

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
        return replace(claimed, condition=self._suggest(claimed.trial_id, claimed.number))
