"""Count the conditions of finite spaces, and find one that has not been tried."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING

from rothamsted.caps import MOST_GRID_POINTS
from rothamsted.space.domains import Choice, Domain, Range
from rothamsted.space.equal import condition_key
from rothamsted.space.space import Condition, Space

if TYPE_CHECKING:
    import numpy as np

MOST_DRAWS = 1000  # at random, before the conditions that are left are listed


def n_conditions_of(space: Space) -> int | None:
    """Return how many conditions a space has, not only its grid; None: infinitely many, or too many to count."""
    sizes = {name: _n_values(domain) for name, domain in space.domains.items()}
    known = {name: size for name, size in sizes.items() if size is not None}
    return space.count(known, lambda name, value: True) if len(known) == len(sizes) else None


def untried(space: Space, tried: Collection[Hashable], rng: np.random.Generator) -> Condition | None:
    """Return a random condition with a `condition_key` that is not in `tried`.

    None: a finite space is exhausted, or 1,000 draws of an infinite one were all tried before.
    """
    for _ in range(MOST_DRAWS):
        condition = space.sample(rng)
        if condition_key(condition, space.domains) not in tried:
            return condition
    whole = _all_choices(space)
    every = whole.iterate_grid() if whole is not None else iter(())
    left = [condition for condition in every if condition_key(condition, space.domains) not in tried]
    return left[int(rng.integers(len(left)))] if left else None


def _n_values(domain: Domain) -> int | None:
    """How many values a domain has; None where it has no end, or is very long."""
    if not isinstance(domain, Range) or domain.step is not None:
        return domain.n_grid_points()
    n_values = int(domain.high) - int(domain.low) + 1
    return n_values if domain.is_integer and n_values <= MOST_GRID_POINTS else None


def _all_choices(space: Space) -> Space | None:
    """The space with each range as the choice of all its values; None where one has no end, or is very long."""
    domains: dict[str, Domain] = {}
    for name, domain in space.domains.items():
        if _n_values(domain) is None:
            return None
        if isinstance(domain, Range) and domain.step is None:
            domains[name] = Choice(values=tuple(range(int(domain.low), int(domain.high) + 1)), when=domain.when)
        else:
            domains[name] = Choice(values=domain.grid_points(), when=domain.when)
    return Space(domains, given=space.given)
