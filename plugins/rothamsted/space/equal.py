"""Decide whether two conditions are equal: value by value, as the domains take them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from rothamsted.space.domains import Choice, Domain
from rothamsted.space.values import identity


def own_values(condition: Mapping[str, Any], domains: Mapping[str, Domain]) -> dict[str, Any]:
    """Return a condition with each value as its domain has it: 0.1 + 2 * 0.1 is 0.3 in a range with a step of 0.1."""
    return {name: domains[name].own(value) if name in domains else value for name, value in condition.items()}


def condition_key(condition: Mapping[str, Any], domains: Mapping[str, Domain]) -> Hashable:
    """Return a key that is equal for equal conditions.

    1 and 1.0, 0.1 and 0.10 are one value; true is not 1. Numbers are compared exactly, except for the rounding that
    their domain undoes.
    """
    return frozenset((name, identity(value)) for name, value in own_values(condition, domains).items())


def stored_bounds(stored: float, domain: Domain) -> tuple[float, float]:
    """Return the least and the greatest stored number that mean the same value of the domain."""
    return (stored, stored) if isinstance(domain, Choice) else domain.around(stored)
