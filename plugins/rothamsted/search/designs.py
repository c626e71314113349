"""Make designs: conditions that do not depend on results. `new_conditions` picks those that are new.

Proposal k is a pure function of (space, seed, k), so every worker and every resumed sweep gets the same conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np

from rothamsted.errors import StoreError
from rothamsted.space import Space, condition_key, own_values, untried

Condition = dict[str, Any]
Design = Callable[[Space, int, int, int], Iterator[Condition]]  # space, seed, first number, number after the last

MOST_REPEATS = 1000  # proposals in a row that repeat what is there, until a new condition is drawn otherwise


def grid(space: Space, seed: int, start: int, stop: int) -> Iterator[Condition]:
    """Yield the grid of the space in its own order, whatever the seed."""
    yield from space.grid()[start:stop]


def exhaustive(space: Space, seed: int, start: int, stop: int) -> Iterator[Condition]:
    """Yield the grid of the space in random order. The first n are a random sample without repeats."""
    conditions = space.grid()
    order = np.random.default_rng(seed).permutation(len(conditions))
    for k in order[start:stop]:
        yield conditions[k]


def random(space: Space, seed: int, start: int, stop: int) -> Iterator[Condition]:
    """Yield independent random conditions."""
    for k in range(start, stop):
        yield space.sample(np.random.default_rng([seed, k]))


def quasi_random(space: Space, seed: int, start: int, stop: int) -> Iterator[Condition]:
    """Yield points start to stop - 1 of the scrambled Sobol sequence. Owen (1998), J. Complexity 14(4)."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(len(space.domains), scramble=True, rng=np.random.default_rng(seed))
    if start:
        sequence.fast_forward(start)
    for _ in range(start, stop):
        yield space.from_unit(sequence.random(1)[0])


def new_conditions(
    design: Design, space: Space, seed: int, *, first: Sequence[Mapping[str, Any]], there: Sequence[Condition], n: int
) -> list[Condition]:
    """Return the next `n` new conditions: first those named by hand, then the design's.

    There are fewer if the design ends. If a finite space has few conditions left and the design only repeats itself,
    they are drawn from the rest, by the same seed.

    Raises:
        StoreError: the design only repeats itself, and no new condition is found.
    """
    tried = {condition_key(condition, space.domains) for condition in there}
    found: list[Condition] = []

    def is_new(condition: Mapping[str, Any]) -> bool:
        own = own_values(condition, space.domains)
        key = condition_key(own, space.domains)
        if key in tried or len(found) >= n:
            return False
        tried.add(key)
        found.append(own)
        return True

    for condition in first:
        is_new(condition)
    n_repeats = 0
    for condition in _proposals(design, space, seed, at_once=max(n + len(tried), 1)):
        if len(found) >= n:
            return found
        n_repeats = 0 if is_new(condition) else n_repeats + 1
        if n_repeats >= MOST_REPEATS:
            break
    else:
        return found
    while len(found) < n:
        found.append(_drawn(space, tried, np.random.default_rng([seed, len(tried)])))
        tried.add(condition_key(found[-1], space.domains))
    return found


def _proposals(design: Design, space: Space, seed: int, *, at_once: int) -> Iterator[Condition]:
    """What a design proposes, one after another, until it ends."""
    for start in count(0, at_once):
        proposed = list(design(space, seed, start, start + at_once))
        yield from proposed
        if len(proposed) < at_once:
            return


def _drawn(space: Space, tried: set[Hashable], rng: np.random.Generator) -> Condition:
    condition = untried(space, tried, rng)
    if condition is None:
        raise StoreError(
            f"space: {MOST_REPEATS} proposals in a row repeated one of the {len(tried)} conditions so far, and no new "
            "one was found; give fewer trials"
        )
    return condition
