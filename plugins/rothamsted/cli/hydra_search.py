"""Translate the line of Hydra's Optuna sweeper, `train STUDY -m hydra/sweeper=optuna lr=interval(0,1)`, into a sweep.

The names are those of https://hydra.cc/docs/plugins/optuna_sweeper/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from rothamsted.errors import UserError
from rothamsted.studies import Study
from rothamsted.studies.command_line import parse
from rothamsted.studies.config_groups import groups_of
from rothamsted.studies.fields import aliases_of, flatten
from rothamsted.studies.given_words import is_hydras_own
from rothamsted.studies.multirun import EACH, SWEEPER, split_pairs, written

_SAMPLER = f"{SWEEPER}/sampler"
_KEYS = {  # of Hydra's sweeper -> of a sweep
    "hydra.sweeper.n_trials": "trials",
    "hydra.sweeper.n_jobs": "execution.workers",
    "hydra.sweeper.direction": "direction",
    "hydra.sweeper.study_name": "name",
    "hydra.sweeper.storage": "storage",
    "hydra.sweeper.sampler.seed": "sampler.seed",
}
_TRIALS = "20"  # Hydra's default


@dataclass(frozen=True, kw_only=True)
class HydraSearch:
    """Holds what a line with hydra/sweeper=optuna says.

    Attributes:
        settings: key of a sweep -> text.
        pairs: `field=value`, some of them with several values.
        others: options, such as --no-save.
    """

    settings: Mapping[str, str]
    pairs: Sequence[str]
    others: Sequence[str]


def as_search(words: Sequence[str]) -> HydraSearch | None:
    """Sort a line with hydra/sweeper=optuna. Return None if it asks for every combination.

    Raises:
        UserError: a setting of Hydra's that has no counterpart.
    """
    own = [word.removeprefix("--").lstrip("+") for word in words if is_hydras_own(word)]
    said = dict(word.split("=", 1) for word in own if "=" in word)
    sweeper = said.pop(SWEEPER, None)
    if sweeper in (None, "basic"):
        return None
    if sweeper != "optuna":
        raise UserError(f"rothamsted train -m: {SWEEPER}={sweeper} is not known; there are: basic, optuna")
    sampler = said.pop(_SAMPLER, "tpe")
    if unknown := next((key for key in said if key not in _KEYS), None):
        known = ", ".join([_SAMPLER, *_KEYS])
        raise UserError(f"rothamsted train -m: {unknown} has no counterpart here; there are: {known}")
    pairs, others = split_pairs(word for word in words if word not in EACH and not is_hydras_own(word))
    settings = {"trials": _TRIALS, "sampler": sampler, **{_KEYS[key]: value for key, value in said.items()}}
    return HydraSearch(settings=settings, pairs=pairs, others=others)


def sweep_line(study: Study, target: str, search: HydraSearch) -> list[str]:
    """Return the words after `rothamsted sweep`.

    Args:
        study: what is trained.
        target: as the command line names it.
        search: the line.

    Raises:
        UserError: no field has several values, a config group has, or an option is one of a run by hand.
    """
    searched, fixed = _sorted(study, search)
    config, _ = parse(study, fixed)
    varied = {pair.partition("=")[0] for pair in searched}
    settings = {**_objective(study, config), **search.settings}
    if "name" not in settings:
        settings["if_exists"] = "new"  # each of Hydra's searches without a study_name is a new one
    return [
        target,
        f"space={' '.join(searched)}",
        *(f"{key}={value}" for key, value in settings.items()),
        *(written(name, value) for name, value in _changed(study, config).items() if name not in varied),
        *(["--no-save"] if "--no-save" in search.others else []),
    ]


def _sorted(study: Study, search: HydraSearch) -> tuple[list[str], list[str]]:
    """The words of the fields that are searched, and those that fix something."""
    from rothamsted.space import Choice, DomainError, SpaceError
    from rothamsted.space.hydra import domain_from_hydra

    if foreign := next((word for word in search.others if word.startswith("-") and word != "--no-save"), None):
        raise UserError(
            f"rothamsted train -m: {foreign} is only for a run by hand; the only option of a search is --no-save"
        )
    searched, fixed = [], [word for word in search.others if word != "--no-save"]
    for pair in search.pairs:
        try:
            name, domain = domain_from_hydra(pair)
        except (SpaceError, DomainError) as error:
            raise UserError(f"rothamsted train -m: {str(error).removeprefix('space.')}") from None
        is_fixed = isinstance(domain, Choice) and len(domain.values) == 1
        if is_fixed:
            fixed.append(pair)
        elif name in groups_of(study):
            raise UserError(
                f"rothamsted train -m: {name} is a config group, and {SWEEPER}=optuna searches only fields; fix "
                "the group"
            )
        else:
            searched.append(_own(study, pair))
    if not searched:
        raise UserError("rothamsted train -m: no field has several values; write for example 'lr=interval(0,1)'")
    return searched, fixed


def _own(study: Study, pair: str) -> str:
    name, _, value = pair.partition("=")
    return f"{aliases_of(study.config).get(name, name)}={value}"


def _objective(study: Study, config: BaseModel) -> dict[str, str]:
    """The metric by which the study keeps weights, since Hydra's is what the function returns."""
    keep = study.keeps(config) if study.keeps else None
    return {"metric": keep.metric, "direction": keep.direction} if keep else {"direction": "minimize"}


def _changed(study: Study, config: BaseModel) -> dict[str, object]:
    """The fields whose value is not their default, config groups among them; seeds are those of the replicates."""
    values = flatten(config)
    try:
        defaults = flatten(study.config())
    except ValueError:  # a field without a default
        defaults = {}
    return {
        name: value
        for name, value in values.items()
        if name != "seed" and (name not in defaults or defaults[name] != value)
    }
