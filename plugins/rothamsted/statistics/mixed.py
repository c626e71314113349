"""A mixed model: factors as fixed effects, the seed as a random block.

Apart, because it is the one estimate that is searched for, and because it speaks of seeds not yet drawn, where
the analysis of variance speaks of those used. The search is over one ratio of variances, on the triangle that the
analysis of variance has made already: statsmodels' MixedLM, the second opinion of the tests, takes 79 seconds for
32 by 32 conditions of 5 seeds, and stops at four digits.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import fdtrc, stdtr

from rothamsted.statistics import anova
from rothamsted.statistics.factors import choose_model
from rothamsted.statistics.intervals import DEFAULT_LEVEL, Interval, check_level, t_quantile
from rothamsted.statistics.observations import Coded, Observations, observe

RATIOS = np.logspace(-9, 12, 127)  # of the seeds' variance to the residual's, times replicates a seed: six a decade


@dataclass(frozen=True, kw_only=True)
class LevelEffect:
    """How far the mean at one level lies from the mean over all levels, other factors alike."""

    factor: str
    level: Any
    effect: float
    standard_error: float
    low: float
    high: float
    p_value: float  # that the effect is zero


@dataclass(frozen=True, kw_only=True)
class EffectTest:
    """A Wald F test that one source has no effect."""

    source: str
    df: int
    df_error: int
    f: float
    p_value: float


@dataclass(frozen=True, kw_only=True)
class MixedEffects:
    """A fitted mixed model; without estimates, where none could be had, the note says why."""

    mean: Interval | None  # over all combinations of levels, for seeds in general
    effects: tuple[LevelEffect, ...]
    tests: tuple[EffectTest, ...]
    seed_variance: float
    residual_variance: float
    is_converged: bool
    method: str
    note: str
    n: int  # finite values
    n_excluded: int


def mixed_effects(
    values: np.ndarray | Sequence[float],
    factors: Mapping[str, Sequence[Hashable]],
    seeds: Sequence[Hashable],
    *,
    level: float = DEFAULT_LEVEL,
    max_order: int = 2,
) -> MixedEffects:
    """Fit value = mean + factors + interactions + seed + residual by restricted maximum likelihood.

    Seeds are taken as drawn at random, with normal effects of one variance. Intervals and tests use Student's
    t and F with the degrees of freedom of the stratum: seeds less one for the mean, the residual's for factors,
    which is exact where every condition has every seed, and approximate elsewhere (Pinheiro & Bates 2000,
    Mixed-Effects Models in S and S-PLUS, section 2.4.2).

    Args:
        values: (observation,); NaN and infinity are left out and counted.
        factors: Name -> level of each observation.
        seeds: Seed of each observation; at least two.
        level: Nominal coverage of the intervals.
        max_order: Factors in the largest interaction; fewer where too few values are there, and the note says so.

    Raises:
        ValueError: Lengths that differ, a level that is NaN, a coverage outside (0, 1).
    """
    check_level(level)
    observed = observe(values, factors, seeds=seeds)
    if observed.refusal:
        return _without(observed, observed.refusal)
    if observed.block is None:
        return _without(observed, "no seeds to take as a block")
    model, notes = choose_model(observed, max_order)
    while len(model.order) > len(model.triangle) and max(len(term.factors) for term in model.terms) > 1:
        order = max(len(term.factors) for term in model.terms)
        notes.append(f"no interactions of {order} factors: cells are empty")
        smaller = [term for term in model.terms if len(term.factors) < order]
        model = anova.fit(observed.values, smaller, observed.conditions)
    if len(model.order) > len(model.triangle):
        return _without(observed, "factors or seeds are confounded: no effect is one source's alone")
    if not model.terms[-1].is_block or model.residual_df < 1 or model.is_exact:
        return _without(observed, "too few values, or values without spread, to tell seeds from error")
    return _fitted(observed, model, notes, level)


def _fitted(observed: Observations, model: anova.Model, notes: Sequence[str], level: float) -> MixedEffects:
    """Fit the model that was chosen, and put its numbers in the units of the values."""
    *fixed, block = model.terms
    n_seeds = len(block.factors[0].levels)
    ratio = _variance_ratio(model)
    if ratio is None:
        return _without(observed, "the search for the variances did not converge")
    estimates, covariance, residual = _fixed_effects(model, ratio)
    unit = float(np.ldexp(1.0, model.exponent))
    ends = np.cumsum([columns.shape[1] for columns in model.columns[:-1]])
    effects, tests = [], []
    for term, start, end in zip(fixed, ends[:-1], ends[1:]):
        own, own_covariance = estimates[start:end], covariance[start:end, start:end]
        tests.append(_test(term.name, own, own_covariance, model.residual_df))
        if len(term.factors) == 1:
            effects += _level_effects(term.factors[0], own * unit, own_covariance * unit**2, model.residual_df, level)
    if ratio == 0:
        notes = [*notes, "the variance of seeds is estimated as zero: they cannot be told from error"]
    half = t_quantile(level, n_seeds - 1) * float(covariance[0, 0]) ** 0.5 * unit
    mean = model.centre + float(estimates[0]) * unit
    return MixedEffects(
        mean=Interval(
            estimate=mean, low=mean - half, high=mean + half, level=level, n=n_seeds, method="mixed model, t"
        ),
        effects=tuple(effects),
        tests=tuple(tests),
        seed_variance=ratio * residual * unit**2,
        residual_variance=residual * unit**2,
        is_converged=True,
        method="mixed model, seed as random block, restricted maximum likelihood",
        note="; ".join([*observed.notes, *notes]),
        n=model.n,
        n_excluded=observed.n_excluded,
    )


def _variance_ratio(model: anova.Model) -> float | None:
    """Return the variance of seeds over that of the residual that the restricted likelihood is largest at.

    With one random block the likelihood is a function of this ratio alone once the rest is profiled out
    (Bates et al. 2015, Journal of Statistical Software 67(1), section 3.4): -2 log L = sum of log(1 + ratio a)
    + (n - p) log(c - sum of u^2 ratio / (1 + ratio a)), over the eigenvectors of the seeds' columns beyond the
    fixed effects, with eigenvalues a and the values' components u; c is what fixed effects leave of the values.

    Returns:
        The ratio, 0 at its boundary; None where the likelihood still rises at the largest ratio looked at.
    """
    from scipy.optimize import root_scalar

    n_contrasts = model.columns[-1].shape[1]
    n_seeds, corner = n_contrasts + 1, model.triangle[-n_contrasts:, -n_contrasts:]
    eigenvalues, vectors = np.linalg.eigh(corner.T @ corner / n_seeds)
    squares = (vectors.T @ (corner.T @ model.projected[-n_contrasts:])) ** 2 / n_seeds
    left = model.residual_squares + float((model.projected[-n_contrasts:] ** 2).sum())
    df = model.residual_df + n_contrasts

    def slope(ratio: float) -> float:
        """Return the derivative of -2 log L."""
        share = 1 / (1 + ratio * eigenvalues)
        rest = left - float((squares * ratio * share).sum())
        return float((eigenvalues * share).sum()) - df * float((squares * share**2).sum()) / rest

    def criterion(ratio: float) -> float:
        rest = left - float((squares * ratio / (1 + ratio * eigenvalues)).sum())
        return float(np.log1p(ratio * eigenvalues).sum()) + df * float(np.log(rest))

    grid = np.concatenate([[0.0], RATIOS / eigenvalues.mean()])
    best = int(np.argmin([criterion(ratio) for ratio in grid]))
    if best == len(grid) - 1:
        return None
    low, high = float(grid[max(best - 1, 0)]), float(grid[best + 1])
    return 0.0 if slope(low) >= 0 else root_scalar(slope, bracket=(low, high), xtol=1e-300, rtol=1e-14).root


def _fixed_effects(model: anova.Model, ratio: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Return estimates of the fixed contrasts, their covariance, and the residual variance.

    Henderson's mixed model equations, solved as least squares with one row more a seed, which holds its
    effect to zero with the weight of its variance.
    """
    from scipy.linalg import solve_triangular

    *columns, block = model.columns
    fixed, n_contrasts = np.hstack(columns), block.shape[1]
    n_seeds, n_fixed = n_contrasts + 1, fixed.shape[1]
    rows = np.column_stack([fixed, model.values])
    if ratio > 0:
        seeds = (columns[0] + block @ anova.contrasts(n_seeds).T) / n_seeds  # (row, seed) indicators, turned
        below = np.hstack([np.eye(n_seeds) / ratio**0.5, np.zeros((n_seeds, n_fixed + 1))])
        rows = np.vstack([np.hstack([seeds, rows]), below])
    turned = anova.triangle_of(rows)
    start = turned.shape[1] - n_fixed - 1
    triangle = turned[start : start + n_fixed, start : start + n_fixed]
    estimates = solve_triangular(triangle, turned[start : start + n_fixed, -1])
    left = turned[start + n_fixed :, -1]
    residual = float(left @ left) / (model.n - n_fixed)
    inverse = solve_triangular(triangle, np.eye(n_fixed))
    return estimates, inverse @ inverse.T * residual, residual


def _test(source: str, estimates: np.ndarray, covariance: np.ndarray, df_error: int) -> EffectTest:
    """Test that all contrasts of one source are zero."""
    df = len(estimates)
    f = float(estimates @ np.linalg.solve(covariance, estimates)) / df
    return EffectTest(source=source, df=df, df_error=df_error, f=f, p_value=float(fdtrc(df, df_error, f)))


def _level_effects(
    factor: Coded, estimates: np.ndarray, covariance: np.ndarray, df: int, level: float
) -> list[LevelEffect]:
    """Turn the contrasts of one factor back into an effect for each level."""
    weights = anova.contrasts(len(factor.levels))  # (level, contrast)
    effects = weights @ estimates
    errors = np.sqrt(np.einsum("lc,cd,ld->l", weights, covariance, weights))
    half = t_quantile(level, df)
    return [
        LevelEffect(
            factor=factor.name,
            level=name,
            effect=float(effect),
            standard_error=float(error),
            low=float(effect - half * error),
            high=float(effect + half * error),
            p_value=2 * float(stdtr(df, -abs(effect / error))),
        )
        for name, effect, error in zip(factor.levels, effects, errors)
    ]


def _without(observed: Observations, why: str) -> MixedEffects:
    """Return no estimates, and why."""
    return MixedEffects(
        mean=None,
        effects=(),
        tests=(),
        seed_variance=math.nan,
        residual_variance=math.nan,
        is_converged=False,
        method="none",
        note="; ".join([why, *observed.notes]),
        n=len(observed.values),
        n_excluded=observed.n_excluded,
    )
