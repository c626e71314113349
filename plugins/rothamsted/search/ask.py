"""Asking an adaptive Optuna sampler for one condition, parents before the parameters they switch on.

Apart from the queue because this is Optuna's public define-by-run interface, without any SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from rothamsted.search.distributions import from_stored
from rothamsted.space import Space


def suggest_condition(
    study: optuna.Study, trial_id: int, space: Space, distributions: Mapping[str, BaseDistribution]
) -> dict[str, Any]:
    """Suggest every active parameter of a trial that exists in the storage already.

    A parameter that was suggested before keeps its value.
    """
    study._thread_local.cached_all_trials = None  # as Study.ask does: see what has been told since
    study.get_trials(deepcopy=False)  # the storage's cache must have seen the trial
    trial = optuna.Trial(study, trial_id)
    stored: dict[str, float] = {}
    for name in space.order:
        if space.is_active(name, from_stored(stored, space)):
            value = _suggest(trial, name, distributions[name])
            stored[name] = float(distributions[name].to_internal_repr(value))
    return from_stored(stored, space)


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        low, high, step, log = distribution.low, distribution.high, distribution.step, distribution.log
        return trial.suggest_int(name, low, high, step=step, log=log)
    if not isinstance(distribution, FloatDistribution):
        raise TypeError(f"parameter {name}: {type(distribution).__name__} is no distribution of a search space")
    low, high, step, log = distribution.low, distribution.high, distribution.step, distribution.log
    return trial.suggest_float(name, low, high, step=step, log=log)
