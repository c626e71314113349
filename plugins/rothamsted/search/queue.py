"""Queue the trials of a sweep: enqueue conditions, claim them, read their results."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from rothamsted.search import distributions as dist
from rothamsted.search.designs import new_conditions
from rothamsted.search.known import KNOWN, to_keep
from rothamsted.search.lease import Lease, Leases, Names, no_names
from rothamsted.search.patience import Database
from rothamsted.search.propose import Proposer
from rothamsted.search.pruners import make_pruner
from rothamsted.search.samplers import sampler_named
from rothamsted.search.sql.judged import Pruning
from rothamsted.search.sql.queued import count_by_state, lock_and_count
from rothamsted.search.sql.repeats import count_repeats
from rothamsted.search.sql.shown import set_on_trials, set_plot
from rothamsted.search.sql.tables import (
    insert_waiting,
    set_attributes_of_trials,
    set_note,
    set_study_attribute,
    study_attribute,
)
from rothamsted.search.sql.told_trials import ToldTrial, conditions_of, digest_of_trials, read_trials
from rothamsted.search.sweep_lease import SweepLease
from rothamsted.search.told import Counts, Known
from rothamsted.space import Space

FIRST = "rothamsted:first"  # Optuna, of the sweep: the conditions that were enqueued by hand


class Queue:
    """Holds the trials of one sweep, for many workers on many machines. Each thread has its own object."""

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
        self._database = Database(backend.engine)
        self.study_id: int = study._study_id  # optuna-dashboard shows it at /dashboard/studies/ID
        self._space = space
        self._distributions = dist.distributions_of(space)
        self._sampler = sampler_named(sampler)
        self._seed = seed
        self._pruning = Pruning(backend, study.study_name, make_pruner(pruner)) if pruner is not None else None
        self.leases = Leases(self._database, self.study_id, space, len(study.directions))
        self._proposer: Proposer | None = None  # of an adaptive sampler
        if self._sampler.adaptive is not None:
            self._proposer = Proposer(
                backend=backend,
                study_name=study.study_name,
                study_id=self.study_id,
                space=space,
                sampler=self._sampler,
                seed=seed,
                leases=self.leases,
            )

    # ---- the coordinator ----

    def lease(self, holder: str) -> SweepLease:
        """Return the lease of the sweep, as `holder` sees it."""
        return SweepLease(self._database, self.study_id, holder)

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute of the sweep (JSON)."""
        self._database.run(lambda tx: set_study_attribute(tx, self.study_id, key, value))

    def attribute(self, key: str, default: Any = None) -> Any:
        """Return one attribute of the sweep."""
        found = self._database.read(lambda connection: study_attribute(connection, self.study_id, key))
        return default if found is None else found

    def describe(self, *, metric: str | Sequence[str], note: str) -> None:
        """Set what optuna-dashboard shows of the sweep: its objectives' names on the axes, and its note."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.set_metric_names([metric] if isinstance(metric, str) else list(metric))
        self._database.run(lambda tx: set_note(tx, self.study_id, None, note))

    def show(
        self,
        *,
        plots: Mapping[str, Mapping[str, Any]],
        on_trials: Mapping[int, Mapping[str, Any]],
        on_study: Mapping[str, str],
    ) -> None:
        """Set what optuna-dashboard shows of an analysis, in one transaction.

        Args:
            plots: Name -> plotly's JSON; an existing plot is replaced.
            on_trials: Number of a trial -> user attributes.
            on_study: User attributes of the study.
        """

        def write(tx: sa.Connection) -> None:
            for name, figure in plots.items():
                set_plot(tx, self.study_id, name, figure)
            set_on_trials(tx, self.study_id, on_trials)
            for key, text in on_study.items():
                set_study_attribute(tx, self.study_id, key, text)

        self._database.run(write)

    def enqueue(self, n_trials: int, first: Sequence[Mapping[str, Any]] = ()) -> int:
        """Enqueue conditions up to `n_trials` in all, and return how many are new.

        Those of `first` are trials 0, 1, .... The design's conditions follow, each once. An adaptive sampler adds its
        own when workers ask. A second call with the same `first` adds only what is missing.
        """
        return self._database.run(lambda tx: self.enqueue_in(tx, n_trials, first))

    def enqueue_in(self, tx: sa.Connection, n_trials: int, first: Sequence[Mapping[str, Any]] = ()) -> int:
        """Enqueue as `enqueue` does, within a transaction of the search."""
        existing = lock_and_count(tx, self.study_id)
        first = self._first(tx, existing, first)
        if self._sampler.conditions is None:
            new = [dict(condition) for condition in first[existing:n_trials]]
        else:
            there = conditions_of(tx, self.study_id, self._space) if existing else []
            of_design = (self._sampler.conditions, self._space, self._seed)
            new = new_conditions(*of_design, first=first, there=there, n=n_trials - existing)
        if new:
            self._insert(tx, existing, new)
        return len(new)

    def set_known(self, known: Sequence[Known]) -> int:
        """Give the adaptive sampler trials of earlier searches to learn from, and return how many it took.

        It takes those inside the space. They are not trials of this search. Every worker that opens the queue later
        gets the same ones.
        """
        kept = to_keep(known, self._space, self._sampler, len(self._study.directions))
        self.set_attribute(KNOWN, kept)
        if self._proposer is not None:
            self._proposer.forget_known()
        return len(kept)

    def counts(self) -> Counts:
        """Count trials by state."""
        by_state, n_repeats = self._database.read(
            lambda connection: (count_by_state(connection, self.study_id), count_repeats(connection, self.study_id))
        )
        return Counts(
            waiting=by_state.get(TrialState.WAITING, 0),
            running=by_state.get(TrialState.RUNNING, 0),
            complete=by_state.get(TrialState.COMPLETE, 0),
            failed=by_state.get(TrialState.FAIL, 0),
            pruned=by_state.get(TrialState.PRUNED, 0),
            repeats=n_repeats,
        )

    def add(self, conditions: Sequence[Mapping[str, Any]], attributes: Sequence[Mapping[str, Any]]) -> None:
        """Enqueue exactly these conditions, each with user attributes, after the existing ones."""
        self._database.run(lambda tx: self.add_in(tx, conditions, attributes))

    def add_in(
        self, tx: sa.Connection, conditions: Sequence[Mapping[str, Any]], attributes: Sequence[Mapping[str, Any]]
    ) -> None:
        """Add as `add` does, within a transaction of the search."""
        self._insert(tx, lock_and_count(tx, self.study_id), conditions, attributes)

    # ---- a worker ----

    def claim(
        self,
        worker_id: str,
        *,
        n_trials: int,
        limit: int = 1,
        lease_seconds: float = 60.0,
        names: Names = no_names,
    ) -> list[Lease]:
        """Claim up to `limit` trials. An empty list means that there is nothing to claim now.

        First come trials with a lost holder, then waiting ones. Then an adaptive sampler makes a new one, if fewer than
        `n_trials` exist without repeats.

        Args:
            worker_id: id of the claiming worker.
            n_trials: greatest number of trials of an adaptive sampler.
            limit: most trials to claim.
            lease_seconds: time from a renewal until another worker may take over.
            names: gives the ids of the runs that will be made for a claim; written with it.
        """
        how = (worker_id, lease_seconds)
        leases = self.leases
        claimed = leases.take_over(*how, limit, names) if leases.is_time_for_stale() else []
        if len(claimed) < limit:
            claimed += leases.take_waiting(*how, limit - len(claimed), names)
        if not claimed:
            claimed = leases.take_over(*how, limit, names)
        if self._proposer is None:
            return claimed
        claimed = [lease for lease in claimed if self._proposer.complete(lease)]
        while len(claimed) < limit:
            proposed = self._proposer.propose(*how, n_trials, names)
            if proposed is None:
                break
            claimed.append(proposed)
        return claimed

    def should_prune(self, lease: Lease, step: int, values: Mapping[int, float]) -> bool:
        """Return whether the pruner would stop this trial with these values up to `step`; False without a pruner.

        Raises:
            LostError: another worker has the trial; the pruner's state was not written.
        """
        return self._pruning is not None and self._pruning.should_prune(lease, step, values)

    # ---- readers ----

    def trials(self, keys: Collection[str]) -> list[ToldTrial]:
        """Return every trial in order, with its condition and these user attributes, in two queries.

        Repeats are left out.
        """
        return self._database.read(lambda connection: read_trials(connection, self.study_id, self._space, keys))

    def digest(self, keys: Collection[str]) -> str:
        """Return the SHA-256 of every trial with its condition and these of its user attributes."""
        return self._database.read(lambda connection: digest_of_trials(connection, self.study_id, keys))

    # ---- within ----

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
        set_attributes_of_trials(tx, dict(zip(ids, attributes)))
