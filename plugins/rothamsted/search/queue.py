"""The queue of a sweep's trials in Optuna's tables: enqueue, claim, tell.

Apart from `claims`, which decides who of many workers holds a trial: here is what a trial is and becomes.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from rothamsted import catalog
from rothamsted.search import distributions as dist
from rothamsted.search.ask import Asker
from rothamsted.search.designs import after_first
from rothamsted.search.known import KNOWN, to_frozen, to_keep
from rothamsted.search.lease import CRASHES, LEASE, Claimed, Claims
from rothamsted.search.pruners import make_pruner
from rothamsted.search.rounds import Rounds
from rothamsted.search.samplers import sampler_named
from rothamsted.search.sql.ended import end_trial
from rothamsted.search.sql.judged import Pruning
from rothamsted.search.sql.tables import (
    TRIALS,
    insert_waiting,
    lock_study,
    set_note,
    set_report,
    set_study_attribute,
    set_trial_attributes,
    study_attribute,
    utc_now,
)
from rothamsted.search.sql.told_trials import ToldTrial, read_trials
from rothamsted.search.told import Counts, Known, Told
from rothamsted.space import Space

FIRST = "rothamsted:first"  # Optuna, of the sweep: the conditions that were enqueued by hand


class Queue:
    """The trials of one sweep. Safe for many workers on many machines; one object a thread."""

    def __init__(
        self,
        *,
        study: optuna.Study,
        backend: RDBStorage,
        space: Space,
        sampler: str,
        seed: int,
        pruner: Mapping[str, Any] | None = None,
    ) -> None:
        self._study = study
        self._backend = backend
        self._engine = backend.engine
        self.study_id: int = study._study_id  # optuna-dashboard shows it at /dashboard/studies/ID
        self._space = space
        self._distributions = dist.distributions_of(space)
        self._sampler = sampler_named(sampler)
        self._is_finite = catalog.SAMPLERS[sampler].needs_finite_space
        self._seed = seed
        self._asker: Asker | None = None  # made when a trial is asked: what is known is set before
        self._pruning = Pruning(backend, study.study_name, make_pruner(pruner)) if pruner is not None else None
        self.claims = Claims(self._engine, self.study_id, space)
        self.rounds = Rounds(self._engine, self.study_id)

    # ---- the coordinator ----

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute of the sweep (JSON)."""
        with self._engine.begin() as tx:
            set_study_attribute(tx, self.study_id, key, value)

    def attribute(self, key: str, default: Any = None) -> Any:
        """One attribute of the sweep."""
        with self._engine.connect() as connection:
            found = study_attribute(connection, self.study_id, key)
        return default if found is None else found

    def describe(self, *, metric: str | Sequence[str], note: str) -> None:
        """What optuna-dashboard shows of the sweep: its objectives' names on the axes, and its note."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.set_metric_names([metric] if isinstance(metric, str) else list(metric))
        with self._engine.begin() as tx:
            set_note(tx, self.study_id, None, note)

    def enqueue(self, n_trials: int, first: Sequence[Mapping[str, Any]] = ()) -> int:
        """Enqueue conditions up to `n_trials` in all; returns how many are new.

        Those of `first` are trials 0, 1, ...; the design's follow, and a design of a finite space does not repeat
        them. An adaptive sampler's own follow when workers ask. Calling again adds only what is missing, after
        the same `first`.
        """
        with self._engine.begin() as tx:
            existing = self._lock_and_count(tx)
            first = self._first(tx, existing, first)
            if self._sampler.conditions is None:
                new = [dict(condition) for condition in first[existing:n_trials]]
            else:
                rest = (self._space, self._seed, first, existing, n_trials)
                new = list(after_first(self._sampler.conditions, *rest, skip=self._is_finite))
            if new:
                self._insert(tx, existing, new)
        return len(new)

    def set_known(self, known: Sequence[Known]) -> int:
        """Give the adaptive sampler trials of earlier searches to learn from; returns how many it took.

        It takes those inside the space. They are no trials of this search, and are the same for every worker
        that opens its queue afterwards.
        """
        kept = to_keep(known, self._space, self._sampler, len(self._study.directions))
        self.set_attribute(KNOWN, kept)
        self._asker = None
        return len(kept)

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

    def report(self, trial_id: int, step: int, value: float) -> None:
        """Write a running trial's value at a step, which optuna-dashboard draws; again at a step: replace it."""
        with self._engine.begin() as tx:
            set_report(tx, trial_id, step, value)

    def should_prune(self, trial_id: int, step: int, values: Mapping[int, float]) -> bool:
        """Whether the pruner would stop this trial, whose values up to `step` these are; False without a pruner."""
        return self._pruning is not None and self._pruning.should_prune(trial_id, step, values)

    def tell(self, trial_id: int, told: Told) -> bool:
        """Write a trial's result and end it; False if it had been finished already."""
        n_objectives = len(self._study.directions)
        if told.values is not None and len(told.values) != n_objectives:
            raise ValueError(f"trial id {trial_id}: told {told.values}, but the search has {n_objectives} objectives")
        with self._engine.begin() as tx:
            return end_trial(tx, self.study_id, trial_id, told)

    # ---- readers ----

    def finished_trials(self) -> list[optuna.trial.FrozenTrial]:
        """All trials that are complete, pruned or failed, in order."""
        # Not by the study: it caches what is finished, and a trial that went on after it would be stale.
        trials = self._backend.get_all_trials(self.study_id, deepcopy=False)
        return sorted((t for t in trials if t.state.is_finished()), key=lambda trial: trial.number)

    def trials(self, keys: Collection[str]) -> list[ToldTrial]:
        """Every trial in order, with its condition and these of its user attributes, in two queries."""
        return read_trials(self._engine, self.study_id, self._space, keys)

    # ---- within ----

    def _lock_and_count(self, tx: sa.Connection) -> int:
        """Take the write lock of the sweep; returns how many trials it has."""
        lock_study(tx, self.study_id)
        count = sa.select(sa.func.count()).where(TRIALS.c.study_id == self.study_id)
        return tx.execute(count).scalar_one()

    def _first(
        self, tx: sa.Connection, existing: int, first: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]]:
        """The conditions named by hand: kept when the first trials are enqueued, and the same ever after."""
        if existing:
            return study_attribute(tx, self.study_id, FIRST) or ()
        if first:
            set_study_attribute(tx, self.study_id, FIRST, [dict(condition) for condition in first])
        return first

    def _insert(
        self,
        tx: sa.Connection,
        first: int,
        conditions: Sequence[Mapping[str, Any]],
        attributes: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        params = [
            {
                name: dist.to_stored(value, self._space.domains[name], self._distributions[name])
                for name, value in condition.items()
            }
            for condition in conditions
        ]
        ids = insert_waiting(tx, self.study_id, first, params, self._distributions)
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
        if self._asker is None:
            known = to_frozen(self.attribute(KNOWN, []), self._space, self._sampler)
            options: dict[str, Any] = {"space": self._space, "sampler": self._sampler, "seed": self._seed}
            self._asker = Asker(self._backend, self._study.study_name, known=known, **options)
        return self._asker.suggest(trial_id, number)

    def _complete(self, claimed: Claimed) -> Claimed:
        """A trial whose first holder died while it was asked gets the rest of its parameters now."""
        names = {name for name in self._space.domains if self._space.is_active(name, claimed.condition)}
        if self._sampler.adaptive is None or names <= set(claimed.condition):
            return claimed
        return replace(claimed, condition=self._suggest(claimed.trial_id, claimed.number))
