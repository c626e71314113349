"""Compute how far a condition is from keeping its constraints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

from rothamsted.expression import Constraint


def violations(texts: Sequence[str], last: Sequence[Mapping[str, float]]) -> tuple[tuple[str, float], ...]:
    """Return constraint -> how far the means over replicates are from keeping it. It is kept at 0 or below.

    Args:
        texts: The constraints.
        last: The last values of the metrics of each finished replicate.

    Returns:
        One pair for each constraint, infinite if it cannot be judged; nothing if no replicate finished.
    """
    found = []
    for text in texts if last else ():
        constraint = constraint_of(text)
        seen = [of_one for of_one in last if constraint.names <= of_one.keys()]
        means = {name: math.fsum(of_one[name] for of_one in seen) / len(seen) for name in constraint.names if seen}
        amount = constraint.violation(means) if seen else math.inf
        found.append((text, math.inf if math.isnan(amount) else amount))
    return tuple(found)


@lru_cache
def constraint_of(text: str) -> Constraint:
    """Read a constraint from its text."""
    return Constraint(text)
