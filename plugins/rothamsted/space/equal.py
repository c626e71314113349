"""When two conditions are the same one: value by value, as the domains take them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

from rothamsted.space.domains import Domain, Range
from rothamsted.space.values import identity, is_number

SAME_STEP = 1e-6  # of a step: so far a computed number may be from the step that it stands for, as `Range.check` has it


def condition_key(condition: Mapping[str, Any], domains: Mapping[str, Domain]) -> Hashable:
    """A key that is equal for equal conditions.

    1 and 1.0, 0.1 and 0.10 are one value; true is not 1. Numbers compare exactly, but in a range with a step by the
    step they stand for: 0.1 + 2 * 0.1 is 0.3 there.
    """
    return frozenset((name, _key(value, domains.get(name))) for name, value in condition.items())


def stored_bounds(stored: float, domain: Domain) -> tuple[float, float]:
    """The numbers between which a stored value is the same value of its domain, both included."""
    if isinstance(domain, Range) and domain.step is not None:
        return stored - SAME_STEP * domain.step, stored + SAME_STEP * domain.step
    return stored, stored


def _key(value: Any, domain: Domain | None) -> Hashable:
    if isinstance(domain, Range) and domain.step is not None and is_number(value) and math.isfinite(value):
        n_steps = (value - domain.low) / domain.step
        if abs(n_steps - round(n_steps)) <= SAME_STEP:
            return ("step", round(n_steps))
    return identity(value)
