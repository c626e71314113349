"""Read an Optuna study that no sweep of ours made: its space, its directions, its best conditions.

The space is read from the trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from rothamsted.errors import StoreError
from rothamsted.search.storage import check_storage, in_storage
from rothamsted.space import Choice, Domain, Range
from rothamsted.suggest import known_names

N_BEST = 3  # conditions that are worth trying first


@dataclass(frozen=True, kw_only=True)
class StrangeStudy:
    """Describes an Optuna study.

    Attributes:
        name: of the study.
        directions: one for each objective.
        metrics: names of the objectives; empty if the study has none.
        space: parameter -> domain, in the order in which they were suggested.
        changed: parameters that were suggested with several domains; the last one is in `space`.
        sometimes: parameters that finished trials lack.
        best: the best conditions, best first; with several objectives some of the Pareto set.
        n_complete: number of trials with a value.
    """

    name: str
    directions: Sequence[str]
    metrics: Sequence[str]
    space: Mapping[str, Domain]
    changed: Sequence[str]
    sometimes: Sequence[str]
    best: Sequence[Mapping[str, Any]]
    n_complete: int


def read_strange_study(url: str, name: str | None) -> StrangeStudy:
    """Read a study from its storage; nothing is written.

    Args:
        url: URL of the storage: `sqlite:///old.db`.
        name: name of the study; None: the only one.

    Raises:
        StoreError: there is no such storage or study, there are several and none is named, or no trial is finished.
    """
    check_storage(url)
    if not in_storage(url, lambda connection: True, empty=False):
        raise StoreError(f"storage {url}: has no study of Optuna; correct the address")
    storage = RDBStorage(url, skip_table_creation=True)
    names = optuna.get_all_study_names(storage)
    if name is None and len(names) != 1:
        raise StoreError(f"storage {url}: has {len(names)} studies; add study=NAME; {known_names('', names)}")
    wanted = names[0] if name is None else name
    if wanted not in names:
        raise StoreError(f"storage {url}: no study called '{wanted}' here; {known_names(wanted, names)}")
    study = optuna.load_study(study_name=wanted, storage=storage)
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if not complete:
        raise StoreError(
            f"storage {url}: study '{wanted}' has no finished trial, so its space is not known; name another"
        )
    seen: dict[str, list[BaseDistribution]] = {}
    for trial in complete:
        for parameter, distribution in trial.distributions.items():
            if distribution not in seen.setdefault(parameter, []):
                seen[parameter].append(distribution)
    return StrangeStudy(
        name=wanted,
        directions=tuple("maximize" if one is StudyDirection.MAXIMIZE else "minimize" for one in study.directions),
        metrics=tuple(study.metric_names or ()),
        space={parameter: _domain(found[-1]) for parameter, found in seen.items()},
        changed=tuple(parameter for parameter, found in seen.items() if len(found) > 1),
        sometimes=tuple(one for one in seen if any(one not in trial.params for trial in complete)),
        best=_best(study, complete, seen),
        n_complete=len(complete),
    )


def _best(
    study: optuna.Study, complete: Sequence[FrozenTrial], seen: Mapping[str, list[BaseDistribution]]
) -> list[dict[str, Any]]:
    """Conditions that set every parameter to a value of its last domain."""
    if len(study.directions) > 1:
        ordered = list(study.best_trials)
    else:
        is_descending = study.direction is StudyDirection.MAXIMIZE
        ordered = sorted(complete, key=lambda trial: trial.values[0], reverse=is_descending)
    found: list[dict[str, Any]] = []
    for trial in ordered:
        is_inside = trial.params.keys() == seen.keys() and all(
            seen[key][-1]._contains(seen[key][-1].to_internal_repr(value)) for key, value in trial.params.items()
        )
        if is_inside and trial.params not in found:
            found.append({key: trial.params[key] for key in seen})
    return found[:N_BEST]


def _domain(distribution: BaseDistribution) -> Domain:
    if isinstance(distribution, CategoricalDistribution):
        return Choice(values=tuple(distribution.choices))
    if not isinstance(distribution, (FloatDistribution, IntDistribution)):
        raise StoreError(f"a parameter has the distribution {distribution}, which no sweep file has")
    is_integer = isinstance(distribution, IntDistribution)
    step = None if distribution.log or (is_integer and distribution.step == 1) else distribution.step
    low, high = distribution.low, distribution.high
    return Range(low=low, high=high, log=distribution.log, step=step, is_integer=is_integer)
