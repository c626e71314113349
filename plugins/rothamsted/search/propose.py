"""Propose new conditions by an adaptive sampler.

A proposed condition that a trial already has becomes a repeat of that trial. It is not trained; the sampler gets the
result of the first trial as soon as it is known. Then the sampler is asked again, with the seed of the next trial.
After some repeats in a row a new condition is drawn at random.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sqlalchemy as sa
from optuna.storages import RDBStorage

from rothamsted.search import distributions as dist
from rothamsted.search.ask import Asker
from rothamsted.search.known import KNOWN, to_frozen
from rothamsted.search.lease import Lease, Leases, LostError, Names
from rothamsted.search.patience import Database
from rothamsted.search.samplers import SearchSampler
from rothamsted.search.sql.leases import remove
from rothamsted.search.sql.queued import insert_running, lock_and_count, params_of
from rothamsted.search.sql.repeats import ASKED, count_repeats, equal_trial, mark_repeat, no_more_asked
from rothamsted.search.sql.tables import add_trial_param, lock_study, set_trial_attributes, study_attribute
from rothamsted.search.sql.told_trials import conditions_of
from rothamsted.space import Space, condition_key, stored_bounds, untried

MOST_REPEATS = 5  # proposals in a row that repeat a condition, until one is drawn at random


class Proposer:
    """Proposes conditions by one search's adaptive sampler. Each thread has its own object."""

    def __init__(
        self,
        *,
        backend: RDBStorage,
        study_name: str,
        study_id: int,
        space: Space,
        sampler: SearchSampler,
        seed: int,
        leases: Leases,
    ) -> None:
        self._backend = backend
        self._database = Database(backend.engine)
        self._study_name = study_name
        self._study_id = study_id
        self._space = space
        self._distributions = dist.distributions_of(space)
        self._sampler = sampler
        self._seed = seed
        self._leases = leases
        self._asker: Asker | None = None  # made when a trial is asked: what is known is set before

    def forget_known(self) -> None:
        """Read the trials of earlier searches again at the next proposal."""
        self._asker = None

    def propose(self, worker_id: str, seconds: float, n_trials: int, names: Names) -> Lease | None:
        """Return a new trial with a new condition; None if there are `n_trials` without repeats, or none was found."""
        for n_repeats in range(MOST_REPEATS + 1):
            lease = self._ticket(worker_id, seconds, n_trials, names)
            if lease is None:
                return None
            if self._draw(lease) if n_repeats == MOST_REPEATS else self._suggest(lease):
                return lease
        return None

    def complete(self, lease: Lease) -> bool:
        """Complete the condition of a claimed trial. False: the trial is lost, or repeats another and is released.

        Its first holder may have died while the sampler was asked.
        """
        names = {name for name in self._space.domains if self._space.is_active(name, lease.condition)}
        is_whole = names <= set(lease.condition) and ASKED not in lease.attributes
        return is_whole or self._suggest(lease)

    def _ticket(self, worker_id: str, seconds: float, n_trials: int, names: Names) -> Lease | None:
        """A trial without a condition, taken with its lease in one transaction; None: there are enough."""

        def take(tx: sa.Connection) -> Lease | None:
            number = lock_and_count(tx, self._study_id)
            if number - count_repeats(tx, self._study_id) >= n_trials:
                return None
            trial_id = insert_running(tx, self._study_id, number)
            [lease] = self._leases.give(tx, {trial_id: number}, worker_id, seconds, names)
            set_trial_attributes(tx, trial_id, {ASKED: True})
            return lease

        return self._database.run(take)

    def _suggest(self, lease: Lease) -> bool:
        """Ask the sampler for the condition of a trial; False: it is there already, or the trial is lost."""
        is_new = True

        def settle(tx: sa.Connection) -> None:
            nonlocal is_new
            is_new = self._settle(tx, lease)

        try:
            lease.condition = self._asked().suggest(lease)
            lease.write(settle)
        except LostError:
            return False
        return is_new

    def _draw(self, lease: Lease) -> bool:
        """Draw a condition that is new at random; False: there was none, or the trial is lost.

        Drawn and written while no other process can add one.
        """
        found: dict[str, Any] | None = None

        def draw(tx: sa.Connection) -> None:
            nonlocal found
            lock_study(tx, self._study_id)
            tried = {condition_key(one, self._space.domains) for one in conditions_of(tx, self._study_id, self._space)}
            found = untried(self._space, tried, np.random.default_rng([self._seed, lease.number]))
            for name, value in (found or {}).items():
                distribution = self._distributions[name]
                stored = dist.to_stored(value, self._space.domains[name], distribution)
                add_trial_param(tx, lease.trial_id, name, stored, distribution)
            if found is not None:
                no_more_asked(tx, lease.trial_id)

        try:
            lease.write(draw)
        except LostError:
            return False
        if found is None:  # nearly everything is a repeat: leave it to chance, once in each claim
            return self._suggest(lease)
        lease.condition = found
        return True

    def _settle(self, tx: sa.Connection, lease: Lease) -> bool:
        """The condition of a trial stands fast: True where it is new, else the trial is a repeat and nobody's."""
        lock_study(tx, self._study_id)
        stored = params_of(tx, [lease.trial_id])[lease.trial_id]
        bounds = {name: stored_bounds(value, self._space.domains[name]) for name, value in stored.items()}
        other = equal_trial(tx, self._study_id, lease.trial_id, bounds)
        if other is None:
            no_more_asked(tx, lease.trial_id)
            return True
        remove(tx, lease.worker, lease.trial_id, lease.token)
        mark_repeat(tx, self._study_id, lease.trial_id, lease.number, other)
        return False

    def _asked(self) -> Asker:
        if self._asker is None:
            kept = self._database.read(lambda connection: study_attribute(connection, self._study_id, KNOWN))
            self._asker = Asker(
                self._backend,
                self._study_name,
                space=self._space,
                sampler=self._sampler,
                seed=self._seed,
                known=to_frozen(kept or [], self._space, self._sampler),
            )
        return self._asker
