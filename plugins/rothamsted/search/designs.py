"""Designs: conditions that do not depend on results.

Condition k is a pure function of (space, seed, k), so that any worker, any number of workers and any resume
get the same conditions. Apart from the adaptive samplers, which Optuna brings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from rothamsted.space import Space
from rothamsted.space.by_hand import without

Condition = dict[str, Any]
Design = Callable[[Space, int, int, int], Iterator[Condition]]  # space, seed, first number, number after the last


def grid(space: Space, seed: int, start: int, stop: int) -> Iterator[Condition]:
    """The grid of the space in its own order, whatever the seed."""
    yield from space.grid()[start:stop]


def exhaustive(space: Space, seed: int, start: int, stop: int) -> Iterator[Condition]:
    """The grid of the space in random order: the first of them are a random sample without repeats."""
    conditions = space.grid()
    order = np.random.default_rng(seed).permutation(len(conditions))
    for k in order[start:stop]:
        yield conditions[k]


def random(space: Space, seed: int, start: int, stop: int) -> Iterator[Condition]:
    """Independent random conditions."""
    for k in range(start, stop):
        yield space.sample(np.random.default_rng([seed, k]))


def quasi_random(space: Space, seed: int, start: int, stop: int) -> Iterator[Condition]:
    """Points start..stop of the scrambled Sobol sequence. Owen (1998), J. Complexity 14(4)."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(len(space.domains), scramble=True, rng=np.random.default_rng(seed))
    if start:
        sequence.fast_forward(start)
    for _ in range(start, stop):
        yield space.from_unit(sequence.random(1)[0])


def after_first(
    design: Design, space: Space, seed: int, first: Sequence[Mapping[str, Any]], start: int, stop: int, *, skip: bool
) -> Iterator[Condition]:
    """Conditions start..stop of those named by hand followed by the design's.

    With `skip` the design leaves out what was named by hand, as a design of a finite space does.
    """
    yield from (dict(condition) for condition in first[start:stop])
    begin, end = max(start - len(first), 0), max(stop - len(first), 0)
    if skip:
        yield from islice(without(design(space, seed, 0, end + len(first)), first), begin, end)
    else:
        yield from design(space, seed, begin, end)
