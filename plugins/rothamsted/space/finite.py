"""Spaces with an end: how many conditions they have, and one that has not been tried yet."""

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
    """How many conditions a space has, whatever a grid makes of it; None: no end, or none that is reached."""
    whole = _all_choices(space)
    return None if whole is None else whole.size_of_grid()


def untried(space: Space, tried: Collection[Hashable], rng: np.random.Generator) -> Condition | None:
    """A random condition whose `condition_key` is not in `tried`.

    None: a finite space is exhausted, or 1,000 draws of another one were all tried before.
    """
    for _ in range(MOST_DRAWS):
        condition = space.sample(rng)
        if condition_key(condition, space.domains) not in tried:
            return condition
    whole = _all_choices(space)
    every = whole.iterate_grid() if whole is not None else iter(())
    left = [condition for condition in every if condition_key(condition, space.domains) not in tried]
    return left[int(rng.integers(len(left)))] if left else None


def _all_choices(space: Space) -> Space | None:
    """The space with each range as the choice of all its values; None where one has no end, or is very long."""
    domains: dict[str, Domain] = {}
    for name, domain in space.domains.items():
        if isinstance(domain, Range) and domain.step is None:
            if not domain.is_integer or domain.high - domain.low >= MOST_GRID_POINTS:
                return None
            domains[name] = Choice(values=tuple(range(int(domain.low), int(domain.high) + 1)), when=domain.when)
        else:
            domains[name] = Choice(values=domain.grid_points(), when=domain.when)
    return Space(domains, given=space.given)
