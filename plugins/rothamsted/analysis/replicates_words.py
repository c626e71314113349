"""Say what changes from replicate to replicate, and so what intervals are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from rothamsted.analysis.values import Dataset
from rothamsted.spec import Sweep
from rothamsted.wording import joined

SEED = "seed"
DATA_SEED = "data.seed"
_NAMES = {SEED: "training seed", DATA_SEED: "data split"}  # of fields that every study of ours has
_SHORT = 12  # seeds: longer lists show their ends


def field_words(name: str) -> str:
    """Name a varied parameter in words: "training seed", "data split"; other parameters keep their names."""
    return _NAMES.get(name, name)


def replicates_words(sweep: Sweep, seeds: Sequence[int]) -> str:
    """Describe the replicates of a condition: "5 a condition, the same seeds in each: 0, 1, 2, 3, 4"."""
    crossed, shown = sweep.replicates.crossed, _listed(seeds)
    if crossed:
        parts = " x ".join(counted(name, n) for name, n in crossed.items())
        return f"{prod(crossed.values())} a condition, {parts}, every combination, the same in each"
    if sweep.replicates.vary is None:
        return f"{len(seeds)} a condition, the same seeds in each: {shown}"
    return f"{len(seeds)} a condition, on the same {units_words(sweep.varied, len(seeds))}: {shown}"


def counted(name: str, n: int) -> str:
    """Count the values of a varied parameter: "3 training seeds", "4 values of aug.seed"."""
    return f"{n} {_NAMES[name]}{'s' * (n != 1)}" if name in _NAMES else f"{n} values of {name}"


def units_words(varied: Sequence[str], n: int) -> str:
    """Count the values of parameters that vary together: "5 pairs of training seed and data split"."""
    if len(varied) == 1:
        return counted(varied[0], n)
    unit = "pair" if len(varied) == 2 else "set"
    return f"{n} {unit}{'s' * (n != 1)} of {joined(map(field_words, varied))}"


def conditional_words(dataset: Dataset, *, has_advice: bool = True) -> str:
    """Say what intervals are about and what they are conditional on; empty if there are none, or it is not known.

    `has_advice` adds the key of a sweep file that makes them cover more.
    """
    if not dataset.varied or all(one.number == 0 for one in dataset.replicates if one.phase == "search"):
        return ""
    names = joined(map(field_words, dataset.varied))
    chosen = "the winner and the step" if dataset.objective.reduce == "best" else "the winner"
    if DATA_SEED in dataset.varied:
        which = "both" if len(dataset.varied) == 2 else "all of them"
        return (
            f"Replicates differ in {names}, so intervals are about new numbers of {which}. The validation rows of "
            f"these splits also chose {chosen}."
        )
    if tuple(dataset.varied) == (SEED,):
        advice = ": replicates.vary changes it, too" if has_advice else ""
        return (
            "Replicates differ only in the training seed, so all intervals are conditional on this validation split, "
            f"which also chose {chosen}. Another split may differ by more{advice}."
        )
    return (
        f"Replicates differ only in {names}. All else that is random is the same in all of them, so no interval "
        "contains it."
    )


def apart_words(crossed: Mapping[str, int]) -> str:
    """Say how many independent replicates the crossed ones are worth."""
    return f"{prod(crossed.values())} crossed replicates count as {min(crossed.values())} independent ones"


def _listed(seeds: Sequence[int]) -> str:
    if len(seeds) <= _SHORT:
        return ", ".join(map(str, seeds))
    return f"{seeds[0]} ... {seeds[-1]} ({len(seeds)})"
