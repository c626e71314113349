"""Decide whether seeds pair the replicates of two conditions, for comparisons, promotion and reports.

A pair is two values at one seed. Too few pairs waste most of the data: 10 and 5 replicates with 2 common seeds are 2
pairs with 1 degree of freedom; Welch's test has more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_COMMON = 3  # seeds


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """Says whether samples are pairs, and why not."""

    is_paired: bool
    n_common: int  # seeds that both have; of several samples the fewest of two of them
    why: str  # one line, where they are not paired; empty where they are


def pairing(a: Sequence[str], b: Sequence[str]) -> Pairing:
    """Say whether two samples are paired: at least 3 common seeds, and at least two thirds of the smaller sample.

    Args:
        a: (replicate,) seeds of the values that count; empty if a seed is not known.
        b: (replicate,) the same for the other sample.
    """
    n_common = len(set(a) & set(b) - {""})
    if why := seeds_problem((a, b)):
        return Pairing(is_paired=False, n_common=n_common, why=why)
    smaller = min(len(a), len(b))
    if _is_enough(n_common, smaller):
        return Pairing(is_paired=True, n_common=n_common, why="")
    few = f"fewer than {LEAST_COMMON}" if n_common < LEAST_COMMON else f"fewer than two thirds of {smaller}"
    return Pairing(is_paired=False, n_common=n_common, why=f"{n_common} common seed{'s' * (n_common != 1)}, {few}")


def pairing_of_all(samples: Sequence[Sequence[str]]) -> Pairing:
    """Say whether a family is paired: seeds are known, none occurs twice, and one sample is paired with half the rest.

    A condition that lost its seeds does not change the pairs of the others. It is compared alone, see `pairing`.

    Args:
        samples: (condition, replicate) seeds of the values that count. Those with fewer than two values do not matter.
    """
    repeated = [of_one for of_one in samples if len(of_one) > 1]
    if why := seeds_problem(samples):
        return Pairing(is_paired=False, n_common=0, why=why)
    if len(repeated) < 2:
        return Pairing(is_paired=False, n_common=0, why="fewer than two conditions have two values")
    if len(repeated) == 2:
        return pairing(*repeated)
    alike = Counter(frozenset(of_one) for of_one in repeated)  # thousands of conditions have the same few seeds
    place = {seed: index for index, seed in enumerate(frozenset().union(*alike))}
    has = np.zeros((len(alike), len(place)), dtype=np.float32)
    for row, of_one in zip(has, alike, strict=True):
        row[[place[seed] for seed in of_one]] = 1
    n, n_alike = has.sum(axis=1), np.array(list(alike.values()))
    common, smaller = has @ has.T, np.minimum(n[:, None], n)
    is_enough = (common >= LEAST_COMMON) & (3 * common >= 2 * smaller)
    n_paired = is_enough @ n_alike - np.diagonal(is_enough)  # with others: no condition is paired with itself
    fewest = int(common.min())
    if 2 * int(n_paired.max()) >= len(repeated) - 1:
        return Pairing(is_paired=True, n_common=fewest, why="")
    what = f"fewer than {LEAST_COMMON} common seeds, or fewer than two thirds of the smaller sample"
    return Pairing(is_paired=False, n_common=fewest, why=f"most conditions have {what}")


def seeds_problem(samples: Sequence[Sequence[str]]) -> str:
    """Say why seeds cannot pair these samples, (condition, replicate), however many are common; empty if they can."""
    if any(not seed for of_one in samples for seed in of_one):
        return "the seed of a replicate is not known"
    twice = [seed for of_one in samples for seed, n in Counter(of_one).items() if n > 1]
    return f"seed {twice[0]} is there twice in one condition" if twice else ""


def _is_enough(n_common: int, smaller: int) -> bool:
    return n_common >= LEAST_COMMON and 3 * n_common >= 2 * smaller
