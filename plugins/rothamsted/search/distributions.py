"""Search-space domains as Optuna distributions, and conditions as the numbers Optuna stores.

Apart from the queue because it is the one place that knows both vocabularies.
"""

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
    """The Optuna distribution of one domain; a choice of lists is labelled by its JSON."""
    if isinstance(domain, Choice):
        return CategoricalDistribution([_label(value) for value in domain.values])
    if isinstance(domain, Range) and domain.is_integer:
        step = 1 if domain.step is None or domain.log else int(domain.step)
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log, step=step)
    return FloatDistribution(
        float(domain.low), float(domain.high), log=domain.log, step=None if domain.log else domain.step
    )


def distributions_of(space: Space) -> dict[str, BaseDistribution]:
    """The distribution of every parameter, in the order of the space."""
    return {name: distribution_of(domain) for name, domain in space.domains.items()}


def to_stored(value: Any, domain: Domain, distribution: BaseDistribution) -> float:
    """The number under which Optuna stores a value."""
    if isinstance(domain, Choice):
        return float([_label(v) for v in domain.values].index(_label(value)))
    return float(distribution.to_internal_repr(value))


def from_stored(stored: Mapping[str, float], space: Space) -> dict[str, Any]:
    """A condition from the numbers Optuna stores, in the order of the space."""
    return {name: _value(stored[name], domain) for name, domain in space.domains.items() if name in stored}


def _value(stored: float, domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return domain.values[int(stored)]
    return round(stored) if domain.is_integer else stored


def _label(value: Any) -> bool | int | float | str | None:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value)
