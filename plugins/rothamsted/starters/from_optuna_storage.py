"""Go on from an Optuna study: take its space and directions, and try its best conditions first."""

from __future__ import annotations

from rothamsted.space.plain import domain_to_plain
from rothamsted.starters.from_optuna import GUESSED_TRIALS
from rothamsted.starters.starter import StarterSweep, name_from
from rothamsted.wording import plain_count

_TARGET = "what was trained is not in the storage; add study: train.py:train, or command: python train.py {parameters}"


def from_optuna_storage(storage: str, study: str | None) -> StarterSweep:
    """Make the starter that a study in a storage becomes.

    Args:
        storage: its address, such as `sqlite:///old.db`.
        study: its name; None: the only one.

    Raises:
        StoreError: no such storage or study, or no finished trial in it.
    """
    from rothamsted.search.strange_study import read_strange_study  # imports Optuna

    found = read_strange_study(storage, study)
    several = len(found.directions) > 1
    names = found.metrics or ([f"value_{n}" for n in range(len(found.directions))] if several else ["value"])
    objectives = [{"metric": name, "direction": one} for name, one in zip(names, found.directions, strict=True)]
    guessed = ["replicates: 3; Optuna trains each condition once", f"trials: {GUESSED_TRIALS}"]
    if not found.metrics:
        guessed.append("objective.metric: value, what a function returns; Optuna's study names none")
    changed = [f"{name} was suggested with several domains; the last one is kept" for name in found.changed]
    sometimes = [f"{name} is suggested only sometimes; give its domain a when" for name in found.sometimes]
    return StarterSweep(
        comment=[f"From the Optuna study {found.name}, which has {plain_count(found.n_complete, 'finished trial')}"],
        document={
            "name": name_from(found.name),
            "space": {name: domain_to_plain(domain) for name, domain in found.space.items()},
            **({"enqueue": [dict(one) for one in found.best]} if found.best else {}),
            "objective": objectives if several else objectives[0],
            "sampler": "tpe",
            "trials": GUESSED_TRIALS,
            "replicates": 3,
        },
        left=[_TARGET, *changed, *sometimes],
        guessed=guessed,
    )
