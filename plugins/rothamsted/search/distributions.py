"""Convert domains to Optuna distributions, and conditions to the numbers that Optuna stores and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from rothamsted.space import Choice, Domain, Range, Space


def distribution_of(domain: Domain) -> BaseDistribution:
    """Return the Optuna distribution of one domain; lists of a choice are labelled by their JSON."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(_labels(domain))
    if isinstance(domain, Range) and domain.is_integer:
        step = 1 if domain.step is None or domain.log else int(domain.step)
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log, step=step)
    return FloatDistribution(
        float(domain.low), float(domain.high), log=domain.log, step=None if domain.log else domain.step
    )


def distributions_of(space: Space) -> dict[str, BaseDistribution]:
    """Return the distribution of every parameter, in the order of the space."""
    return {name: distribution_of(domain) for name, domain in space.domains.items()}


def to_stored(value: Any, domain: Domain, distribution: BaseDistribution) -> float:
    """Return the number under which Optuna stores a value."""
    if isinstance(domain, Choice):
        place = domain.place(value)
        if place is None:
            raise ValueError(f"{value!r} is not one of the choice")
        return float(place)
    return float(distribution.to_internal_repr(domain.own(value)))


def from_stored(stored: Mapping[str, float], space: Space) -> dict[str, Any]:
    """Return a condition from the numbers Optuna stores, in the order of the space."""
    return {name: _value(stored[name], domain) for name, domain in space.domains.items() if name in stored}


def _value(stored: float, domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return domain.values[int(stored)]
    return round(stored) if domain.is_integer else domain.own(stored)


def _labels(domain: Choice) -> list[bool | int | float | str | None]:
    """Each value as Optuna shows it; a text that reads like a list or mapping beside it is quoted."""
    taken = {json.dumps(value) for value in domain.values if isinstance(value, (list, tuple, Mapping))}
    labels: list[bool | int | float | str | None] = []
    for value in domain.values:
        if value is not None and not isinstance(value, bool | int | float | str):
            labels.append(json.dumps(value))
            continue
        label = value
        while isinstance(label, str) and label in taken:
            label = json.dumps(label)
        taken |= {label} if isinstance(label, str) else set()
        labels.append(label)
    return labels
