"""Estimate the sources of variance of values: factors, their interaction, seed, residual.

Shares are those of variance components, which correct sums of squares for the error. The planning of replicates uses
the same table of conditions by seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.anova import Model
from rothamsted.statistics.observations import Observations, free_name


@dataclass(frozen=True, kw_only=True)
class Components:
    """Holds the variance components of values in a table of conditions by seeds. Negative estimates stay negative."""

    condition: float  # between conditions, n - 1 in the divisor
    seed: float | None  # between seeds, over all conditions alike; None where seeds are not looked at
    residual: float  # condition by seed and everything below
    residual_df: int
    condition_squares: float  # sum of squares of conditions beyond seeds
    condition_df: int


def two_way_components(values: np.ndarray, conditions: np.ndarray, seeds: np.ndarray | None) -> Components | None:
    """Estimate variance components of values = mean + condition + seed + residual by the method of moments.

    It uses Henderson's method 3 for any pattern of missing values (Searle, Casella & McCulloch 1992, Variance
    Components, chapter 5.5), with two sums of squares and their expectations: conditions beyond seeds, and seeds beyond
    conditions. If every condition has every seed, these are the usual estimators from mean squares.

    Args:
        values: (observation,) finite.
        conditions: (observation,) numbers from 0, without gaps.
        seeds: (observation,) numbers from 0, without gaps; None: conditions only.

    Returns:
        The components; None if nothing is left for the residual, or there is only one condition.
    """
    deviations = values - values.mean()
    n, n_conditions = len(values), int(conditions.max()) + 1
    if seeds is None:
        return _one_way_components(deviations, conditions, n_conditions)
    n_seeds = int(seeds.max()) + 1
    if n_conditions < n_seeds:  # the smaller side is what is solved for
        seeds_only, both, rank_conditions = _fit_beyond(deviations, seeds, conditions)
        conditions_only = _within_squares(deviations, conditions)
        rank_seeds = n_seeds + rank_conditions - n_conditions
    else:
        conditions_only, both, rank_seeds = _fit_beyond(deviations, conditions, seeds)
        seeds_only = _within_squares(deviations, seeds)
        rank_conditions = n_conditions + rank_seeds - n_seeds
    residual_df = n - n_seeds - rank_conditions
    if residual_df < 1 or rank_conditions < 1 or rank_seeds < 1:
        return None
    counts = np.zeros((n_conditions, n_seeds))
    np.add.at(counts, (conditions, seeds), 1.0)
    residual = both / residual_df
    weight = n - float((counts**2 / counts.sum(axis=0)).sum())
    seed_weight = n - float((counts**2 / counts.sum(axis=1, keepdims=True)).sum())
    return Components(
        condition=(seeds_only - both - rank_conditions * residual) / weight,
        seed=(conditions_only - both - rank_seeds * residual) / seed_weight,
        residual=residual,
        residual_df=residual_df,
        condition_squares=seeds_only - both,
        condition_df=rank_conditions,
    )


def shares_of(observed: Observations, model: Model, sums: Sequence[tuple[int, float]]) -> tuple[dict[str, float], str]:
    """Divide the variance among factors, their interaction, seed and residual.

    The condition's component is split in proportion to the sums of squares of main effects, and of the rest between
    conditions (the interaction), each less what the error alone contributes. A negative component or part counts as
    zero.

    Args:
        observed: The observations.
        model: Their model.
        sums: Degrees of freedom and Type II sum of squares of each term of the model.

    Returns:
        Source -> share, with sum 1, and a note. Without replicates the error is the model's residual. There are no
        shares if there is no error, or if a factor's levels are confounded with those of others.
    """
    names = {factor.name for factor in observed.factors}
    mains = {
        term.name: (df, squares)
        for term, (df, squares) in zip(model.terms, sums)
        if len(term.factors) == 1 and not term.is_block
    }
    entangled = [factor.name for factor in observed.factors if mains[factor.name][0] < len(factor.levels) - 1]
    if entangled:
        return {}, f"no shares of variance: levels of {', '.join(entangled)} go with those of other factors"
    scaled = np.ldexp(observed.values - model.centre, -model.exponent)
    seeds = None if observed.block is None else observed.block.codes
    found = two_way_components(scaled, observed.conditions, seeds) if model.total_squares else None
    if found is None:
        found = _from_model(observed, model, sums)
    if found is None or not model.total_squares:
        return {}, "no shares of variance: nothing varies, or nothing is left for the error"
    parts = {name: max(squares - df * found.residual, 0.0) for name, (df, squares) in mains.items()}
    if len(mains) > 1:
        beyond = found.condition_squares - sum(squares for _, squares in mains.values())
        beyond_df = found.condition_df - sum(df for df, _ in mains.values())
        parts[free_name("interaction", names)] = max(beyond - beyond_df * found.residual, 0.0)
    return _normalised(parts, found, names)


def _normalised(parts: Mapping[str, float], found: Components, names: set[str]) -> tuple[dict[str, float], str]:
    """Scale parts of the condition's sum of squares to its component, add the others, divide by the total."""
    known, condition = sum(parts.values()), max(found.condition, 0.0)
    components = {name: condition * part / known if known else 0.0 for name, part in parts.items()}
    negative = [] if found.condition >= 0 else ["between conditions"]
    if found.seed is not None:
        components[free_name("seed", names)] = max(found.seed, 0.0)
        negative += [] if found.seed >= 0 else ["between seeds"]
    components[free_name("residual", names)] = found.residual
    total = sum(components.values())
    if not total > 0:
        return {}, "no shares of variance: no source has any"
    note = f"estimated variance below zero, counted as zero: {', '.join(negative)}" if negative else ""
    return {name: component / total for name, component in components.items()}, note


def _one_way_components(deviations: np.ndarray, conditions: np.ndarray, n_conditions: int) -> Components | None:
    """Return the components of conditions and of replicates within them."""
    n, within = len(deviations), _within_squares(deviations, conditions)
    residual_df = n - n_conditions
    if residual_df < 1 or n_conditions < 2:
        return None
    residual = within / residual_df
    squares = float(deviations @ deviations) - within
    weight = n - float((np.bincount(conditions) ** 2).sum()) / n
    return Components(
        condition=(squares - (n_conditions - 1) * residual) / weight,
        seed=None,
        residual=residual,
        residual_df=residual_df,
        condition_squares=squares,
        condition_df=n_conditions - 1,
    )


def _from_model(observed: Observations, model: Model, sums: Sequence[tuple[int, float]]) -> Components | None:
    """Return components where each condition has one value: the model's residual is the error."""
    if model.residual_df < 1 or model.is_exact:
        return None
    residual = model.residual_squares / model.residual_df
    effects = [(df, squares) for term, (df, squares) in zip(model.terms, sums) if not term.is_block]
    df, squares = sum(df for df, _ in effects), sum(squares for _, squares in effects)
    weight = model.n - model.n / observed.n_conditions
    return Components(
        condition=(squares - df * residual) / weight,
        seed=None,
        residual=residual,
        residual_df=model.residual_df,
        condition_squares=squares,
        condition_df=df,
    )


def _within_squares(values: np.ndarray, groups: np.ndarray) -> float:
    """Return the sum of squares about the mean of each group."""
    rest = values - (np.bincount(groups, values) / np.bincount(groups))[groups]
    return float(rest @ rest)


def _fit_beyond(values: np.ndarray, absorbed: np.ndarray, groups: np.ndarray) -> tuple[float, float, int]:
    """Return residual sums of squares of the absorbed groups alone and of both, and what the others add in rank.

    The means of the absorbed groups are taken out of values and indicators first (Frisch & Waugh 1933,
    Econometrica 1(4)), so that only the other groups are solved for.
    """
    sizes = np.bincount(absorbed)
    rest = values - (np.bincount(absorbed, values) / sizes)[absorbed]
    counts = np.zeros((len(sizes), int(groups.max()) + 1))
    np.add.at(counts, (absorbed, groups), 1.0)
    indicators = np.eye(counts.shape[1])[groups] - (counts / sizes[:, None])[absorbed]
    solution, _, rank, _ = np.linalg.lstsq(indicators, rest, rcond=1e-10)
    both = rest - indicators @ solution
    return float(rest @ rest), float(both @ both), int(rank)
