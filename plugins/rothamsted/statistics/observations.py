"""Check, count and code observations with the levels of their factors, for an analysis of variance."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

FEW_LEVELS = 3  # a factor with no more is taken as categorical, however few conditions there are
CONDITIONS_PER_LEVEL = 1.5  # below this a factor's levels are as good as unique: drawn from a range, not a grid


@dataclass(frozen=True, kw_only=True, eq=False)
class Coded:
    """Holds one factor with its levels as numbers."""

    name: str
    codes: np.ndarray  # (observation,) int64: index into levels
    levels: tuple[Any, ...]  # numbers in rising order, others as they first appear


@dataclass(frozen=True, kw_only=True, eq=False)
class Observations:
    """Holds finite values with the levels at which they were measured."""

    values: np.ndarray  # (observation,) finite
    factors: tuple[Coded, ...]  # with two levels or more
    block: Coded | None  # the seed, where it can be told from the rest
    conditions: np.ndarray  # (observation,) int64: number of the combination of levels
    n_conditions: int
    n_excluded: int  # not finite
    notes: tuple[str, ...]
    refusal: str  # why no analysis over levels applies; empty where one does


def observe(
    values: np.ndarray | Sequence[float],
    factors: Mapping[str, Sequence[Hashable]],
    *,
    seeds: Sequence[Hashable] | None = None,
    n_groups: int | None = None,
) -> Observations:
    """Check values and levels, leave out values that are not finite, and code the levels.

    Args:
        values: (observation,). NaN and infinity are left out and counted.
        factors: Name of each factor -> the level of each observation.
        seeds: The block of each observation, which observations of different conditions share.
        n_groups: Cut each numeric factor with more levels than this into this many groups of about as many
            observations, at its quantiles. None: never.

    Raises:
        ValueError: Lengths that differ, a level that is NaN, or fewer than two groups.
    """
    values = np.asarray(values, dtype=np.float64)
    _check(values, factors, seeds, n_groups)
    kept: list[int] = np.flatnonzero(np.isfinite(values)).tolist()
    notes = [] if len(kept) == len(values) else [f"{len(values) - len(kept)} of {len(values)} values not finite"]
    varying = []
    for name, levels in factors.items():
        coded = code_levels(name, [levels[index] for index in kept])
        if n_groups is not None and len(coded.levels) > n_groups and all(map(_is_number, coded.levels)):
            coded = _quantile_groups(coded, n_groups)
            notes.append(f"{name} cut at its quantiles into {len(coded.levels)} groups")
        if len(coded.levels) > 1:
            varying.append(coded)
        elif len(kept):
            notes.append(f"{name} has one level only and is left out")
    conditions = _combinations(varying, len(kept))
    n_conditions = int(conditions.max()) + 1 if len(kept) else 0
    block, why = (None, "") if seeds is None else _block([seeds[index] for index in kept], conditions, varying)
    return Observations(
        values=values[kept],
        factors=tuple(varying),
        block=block,
        conditions=conditions,
        n_conditions=n_conditions,
        n_excluded=len(values) - len(kept),
        notes=(*notes, why) if why else tuple(notes),
        refusal=_refusal(varying, n_conditions, len(kept)),
    )


def code_levels(name: str, values: Sequence[Hashable]) -> Coded:
    """Number the distinct levels of one factor: numbers in rising order, others as they first appear."""
    levels: list[Any] = list(dict.fromkeys(values))
    if all(map(_is_number, levels)):
        levels.sort()
    index = {level: code for code, level in enumerate(levels)}
    return Coded(name=name, codes=np.array([index[value] for value in values], np.int64), levels=tuple(levels))


def _check(
    values: np.ndarray,
    factors: Mapping[str, Sequence[Hashable]],
    seeds: Sequence[Hashable] | None,
    n_groups: int | None,
) -> None:
    """Raise ValueError unless every observation has one level of every factor."""
    if values.ndim != 1:
        raise ValueError(f"values: one number an observation, not shape {values.shape}")
    sides = {**factors, **({} if seeds is None else {"seeds": seeds})}
    for name, levels in sides.items():
        if len(levels) != len(values):
            raise ValueError(f"{name}: {len(levels)} levels for {len(values)} values; give one for each value")
        if any(isinstance(level, float) and math.isnan(level) for level in levels):
            raise ValueError(f"{name}: NaN is not a level; name what is missing, for example None, or leave it out")
    if n_groups is not None and n_groups < 2:
        raise ValueError(f"n_groups: {n_groups} groups tell nothing apart; give 2 or more")


def _is_number(level: object) -> bool:
    return isinstance(level, Real) and not isinstance(level, bool)


def _quantile_groups(coded: Coded, n_groups: int) -> Coded:
    """Join neighbouring levels into groups of about as many observations; equal values stay together."""
    numbers = np.array(coded.levels, dtype=np.float64)[coded.codes]
    edges = np.unique(np.quantile(numbers, np.arange(1, n_groups) / n_groups))
    groups = np.searchsorted(edges, numbers, side="left")  # a group ends with its edge
    present, codes = np.unique(groups, return_inverse=True)
    spans = [numbers[groups == group] for group in present]
    labels = tuple(f"{span.min():.6g} to {span.max():.6g}" for span in spans)
    return Coded(name=coded.name, codes=codes.astype(np.int64), levels=labels)


def _combinations(factors: Sequence[Coded], n: int) -> np.ndarray:
    """Number the combinations of levels that occur, (observation,)."""
    combined = np.zeros(n, dtype=np.int64)
    for factor in factors:
        combined = combined * len(factor.levels) + factor.codes
        combined = np.unique(combined, return_inverse=True)[1].astype(np.int64)  # stays small whatever is crossed
    return combined


def _block(seeds: Sequence[Hashable], conditions: np.ndarray, factors: Sequence[Coded]) -> tuple[Coded | None, str]:
    """Code the seeds as a block; none, and why, where they cannot be told from what else differs."""
    taken = {factor.name for factor in factors}
    coded = code_levels(free_name("seed", taken), seeds)
    if len(coded.levels) < 2:
        return None, "one seed only: no block"
    pairs = np.unique(np.column_stack([coded.codes, conditions]), axis=0)
    if np.bincount(pairs[:, 0]).max() < 2:
        return None, "no seed is shared between conditions: no block"
    return coded, ""


def free_name(word: str, taken: set[str]) -> str:
    """Return a name for a source of variation that is not a factor, different from any factor's name."""
    names = {"seed": "seed (block)", "residual": "residual (error)", "interaction": "interaction (all)"}
    name = names[word] if word in taken else word
    while name in taken:
        name += "*"
    return name


def _refusal(factors: Sequence[Coded], n_conditions: int, n: int) -> str:
    """Return why no analysis over levels applies."""
    if n < 3:
        return f"{n} finite values: an analysis of variance needs 3 or more"
    if not factors:
        return "no factor has more than one level"
    for factor in factors if len(factors) > 1 else ():
        n_levels = len(factor.levels)
        if n_levels > FEW_LEVELS and n_conditions < CONDITIONS_PER_LEVEL * n_levels:
            return (
                f"{factor.name} has {n_levels} levels in {n_conditions} conditions: nearly every condition has its "
                "own, as in a random search, so its effect cannot be told from the others'; cut numeric factors "
                "into groups (n_groups), or analyse a grid"
            )
    return ""
