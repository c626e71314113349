"""Ask an adaptive Optuna sampler for one condition, each parent before the parameters that it switches on.

Only here the sampler sees the trials of earlier searches: for it they come before trial 0.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping, Sequence
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.storages import RDBStorage, _CachedStorage
from optuna.trial import FrozenTrial, TrialState

from rothamsted.search.distributions import distributions_of, from_stored
from rothamsted.search.lease import Lease
from rothamsted.search.samplers import SearchSampler, seed_of_trial
from rothamsted.search.sql.tables import add_trial_param, set_trial_system_attribute
from rothamsted.space import Choice, Space


class Asker:
    """Asks the adaptive sampler of one sweep. Each thread has its own object."""

    def __init__(
        self,
        backend: RDBStorage,
        study_name: str,
        *,
        space: Space,
        sampler: SearchSampler,
        seed: int,
        known: Sequence[Any],
    ) -> None:
        """`known` are trials as `add_trial` would take them, the same for every worker."""
        if sampler.adaptive is None:
            raise ValueError(f"search {study_name}: a fixed design proposes no conditions one by one")
        self._make = sampler.adaptive
        self._seed = seed
        self._space = space
        self._distributions = distributions_of(space)
        self._known = known
        self._storage = _WithKnown(backend, known, space)
        self._study = optuna.Study(
            study_name,
            self._storage,
            sampler=optuna.samplers.RandomSampler(),  # each trial has its own, made when it is asked
            pruner=optuna.pruners.NopPruner(),
        )

    def suggest(self, lease: Lease) -> dict[str, Any]:
        """Suggest every active parameter of a leased trial; all is written under its lease.

        A parameter that was suggested earlier keeps its value.

        Raises:
            LostError: the trial is not ours any more.
        """
        self._storage.look(self._study._study_id, lease)
        sampler = self._make(seed_of_trial(self._seed, lease.number), self._known)
        _share_spaces(self._study.sampler, sampler)
        self._study.sampler = sampler
        self._study._thread_local.cached_all_trials = None  # as Study.ask does: see what has been told since
        trial = optuna.Trial(self._study, lease.trial_id)
        stored: dict[str, float] = {}
        for name in self._space.order:
            if self._space.is_active(name, from_stored(stored, self._space)):
                value = _suggest(trial, name, self._distributions[name])
                stored[name] = float(self._distributions[name].to_internal_repr(value))
        self._storage.write_params()
        return from_stored(stored, self._space)


def _share_spaces(before: BaseSampler, sampler: BaseSampler) -> None:
    """Let a sampler go on from the space that the one before it has found in the same trials.

    Each trial has a sampler of its own; without this each would look through all trials for it.
    """
    for name, value in vars(before).items():
        if isinstance(value, IntersectionSearchSpace) and type(before) is type(sampler):
            setattr(sampler, name, value)


class _WithKnown(_CachedStorage):
    """Optuna's storage with known trials as numbers 0, 1, ... and the trials that it holds after them.

    While a trial is asked the others stay as they were when that began: read once, and not by each step of a sampler.
    """

    lease: Lease  # of the trial that is asked

    def __init__(self, backend: RDBStorage, known: Sequence[FrozenTrial], space: Space) -> None:
        super().__init__(backend)
        self._known = list(known)
        self._domains = space.domains
        self._seen: list[FrozenTrial] = []
        self._params: list[tuple[int, str, float, BaseDistribution]] = []  # that are still to be written

    def look(self, study_id: int, lease: Lease) -> None:
        """Read what has been told since, for the trial of a lease."""
        self.lease, self._params = lease, []
        self._seen = [*self._known, *super().get_all_trials(study_id, deepcopy=False)]

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Keep a value, as its domain has it, until all are written."""
        domain = self._domains[param_name]
        own = param_value_internal if isinstance(domain, Choice) else float(domain.own(param_value_internal))
        self._params.append((trial_id, param_name, own, distribution))

    def write_params(self) -> None:
        """Write the values as long as the trial is ours; one that is there already stays."""
        params = self._params

        def write(tx: sa.Connection) -> None:
            for param in params:
                add_trial_param(tx, *param)

        if params:
            self.lease.write(write)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep what a sampler must remember of a trial as long as the trial is ours."""
        self.lease.write(lambda tx: set_trial_system_attribute(tx, trial_id, key, value))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """What is known, then the search's own trials, in order, as they were when the trial was asked."""
        found = [trial for trial in self._seen if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """One of the search's own trials."""
        with self._lock:
            cached = self._get_cached_trial(trial_id)
        if cached is not None:
            return cached
        trial = self._backend.get_trial(trial_id)
        trial.number += len(self._known)
        return trial

    def _add_trials_to_cache(self, study_id: int, trials: list[FrozenTrial]) -> None:
        super()._add_trials_to_cache(study_id, trials)  # keyed by their numbers in the storage
        for trial in trials:
            trial.number += len(self._known)


def frozen_known(
    params: Mapping[str, float],
    distributions: Mapping[str, BaseDistribution],
    *,
    number: int,
    state: TrialState,
    values: Sequence[float],
    system_attributes: Mapping[str, Any],
) -> FrozenTrial:
    """Return a known trial as Optuna sees it. Its id is negative because it is in no storage."""
    trial = optuna.trial.create_trial(
        state=state,
        values=list(values) or None,
        params={name: distributions[name].to_external_repr(value) for name, value in params.items()},
        distributions={name: distributions[name] for name in params},
        system_attrs=dict(system_attributes),
    )
    trial.number = number
    trial._trial_id = -1 - number
    return trial


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        low, high, step, log = distribution.low, distribution.high, distribution.step, distribution.log
        return trial.suggest_int(name, low, high, step=step, log=log)
    if not isinstance(distribution, FloatDistribution):
        raise TypeError(f"parameter {name}: {type(distribution).__name__} is not a distribution of a search space")
    low, high, step, log = distribution.low, distribution.high, distribution.step, distribution.log
    return trial.suggest_float(name, low, high, step=step, log=log)
