"""Find the factors of a grid on which the values depend: analysis of variance, effect sizes and level means.

It decides what is modelled, what is said about each source, and what cannot be said.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from rothamsted.statistics import anova, unequal
from rothamsted.statistics.intervals import DEFAULT_LEVEL, check_level
from rothamsted.statistics.level_means import LevelMean as LevelMean
from rothamsted.statistics.level_means import level_means
from rothamsted.statistics.observations import Observations, free_name, observe
from rothamsted.statistics.special import fdtrc
from rothamsted.statistics.variance import shares_of

Errors = Literal["pooled", "own"]  # one variance of all conditions, or one of each

COLUMNS_PER_CONDITION = 2  # a model with more has mostly empty cells: no full grid has more than one


@dataclass(frozen=True, kw_only=True)
class EffectRow:
    """Holds one line of an analysis of variance."""

    source: str  # "width", "width x depth", "seed", "residual"
    df: float
    sum_squares: float
    f: float  # NaN for the residual
    p_value: float
    omega_squared: float  # partial omega squared; NaN for the residual
    share: float  # of the total sum of squares
    kind: Literal["factor", "interaction", "block", "residual"] = "factor"
    f_df: float = math.nan  # degrees of freedom that F is tested with: fewer than `df` where conditions scatter apart
    error_df: float = math.nan


@dataclass(frozen=True, kw_only=True)
class FactorEffects:
    """Holds on which factors the values depend, and the share of variance of each."""

    rows: tuple[EffectRow, ...]  # none where no analysis over levels applies: the note says why
    means: tuple[LevelMean, ...]
    variance_shares: Mapping[str, float] = field(default_factory=dict)  # factors, interaction, seed, residual: sum to 1
    method: str
    note: str = ""
    n: int = 0  # finite values
    n_excluded: int = 0  # NaN or infinite
    spread: tuple[float, float] | None = None  # smallest and largest standard deviation of a condition's values
    is_unequal: bool = False  # they differ by more than equal ones would
    untested: str = ""  # why there is no p-value and no interval, where each condition has its own variance


def factor_effects(
    values: np.ndarray | Sequence[float],
    factors: Mapping[str, Sequence[Hashable]],
    *,
    seeds: Sequence[Hashable] | None = None,
    level: float = DEFAULT_LEVEL,
    max_order: int = 2,
    n_groups: int | None = None,
    errors: Errors = "pooled",
) -> FactorEffects:
    """Analyse the variance of values over the levels of factors, with the seed as a block.

    Type II sums of squares test a main effect beyond the other main effects and the interactions without it. All
    effects are fixed and tested against the pooled residual: the condition by seed interaction, the interactions of
    more than `max_order` factors, and pure error. The tests are exact for independent normal errors of one variance
    (`errors="pooled"`). With `errors="own"` each condition has its own variance (see `unequal`): the same sums of
    squares, F with fewer degrees of freedom, and no test of the block. Nothing is tested then if most conditions have
    fewer than 3 values. Interactions are left out, and the note says so, if no degrees of freedom would remain for the
    error.

    Args:
        values: (observation,) one number for each replicate; NaN and infinity are left out and counted.
        factors: Name -> level of each observation. A factor that does not apply to an observation has a level such as
            None.
        seeds: The seed of each observation, which pairs replicates of different conditions; None: seeds are not common.
        level: Nominal coverage of the intervals of the level means; they are not corrected for their number.
        max_order: Number of factors in the largest interaction.
        n_groups: Cut numeric factors with more levels than this into so many groups at their quantiles.
        errors: The error that effects are tested against, "pooled" or "own".

    Returns:
        Rows: main effects, interactions, seed, residual, with partial omega squared (see `omega_squared`).
        Means: estimated marginal means, equal weight for every combination of the other factors' levels, with
        Student's t intervals. If no analysis applies there are no rows, and a note says why.

    Raises:
        ValueError: Lengths that differ, a level that is NaN, an order below 1, a coverage outside (0, 1).
    """
    check_level(level)
    if max_order < 1:
        raise ValueError(f"max_order: {max_order}; give 1 for main effects, 2 for interactions of two factors")
    observed = observe(values, factors, seeds=seeds, n_groups=n_groups)
    if observed.refusal:
        return _refused(observed, observed.refusal)
    model, notes = choose_model(observed, max_order)
    sums = [anova.type_two(model, term) for term in model.terms]
    if not any(df for term, (df, _) in zip(model.terms, sums) if not term.is_block):
        return _refused(observed, "the factors change together in every condition: no effect can be that of one factor")
    rows = [_row(model, term, df, squares) for term, (df, squares) in zip(model.terms, sums)]
    notes += _notes(model, rows, observed)
    untested = unequal.why_not(observed) if errors == "own" else ""
    cells = unequal.cells_of(observed, model) if errors == "own" and not untested else None
    if cells is not None and unequal.is_without_spread(cells):
        cells = None
        untested = "replicates of a condition do not differ, apart from effects of the seed that all conditions share"
    if errors == "own":
        rows = [_own_row(row, cells, observed, model, term) for row, term in zip(rows, model.terms)]
    means = level_means(model, observed, level, cells if errors == "own" else "pooled")
    if any(math.isnan(mean.mean) for mean in means):
        notes.append("level means with empty cells in their row have no estimate")
    shares, why = shares_of(observed, model, sums)
    return FactorEffects(
        rows=(*rows, _residual_row(model, observed)),
        means=means,
        variance_shares=shares,
        method=_method(model, level, errors),
        note="; ".join([*observed.notes, *notes, *([why] if why else [])]),
        n=len(observed.values),
        n_excluded=observed.n_excluded,
        untested=untested,
        **_spread_of(observed),
    )


def choose_model(observed: Observations, max_order: int) -> tuple[anova.Model, list[str]]:
    """Fit the richest model that leaves degrees of freedom for the error, and say what was left out.

    Interactions are left out first, then the block. Even then none may be left.
    """
    largest = min(max_order, len(observed.factors))
    options = [(order, block) for block in dict.fromkeys((observed.block, None)) for order in range(largest, 0, -1)]
    model = None
    for order, block in options:
        terms = anova.terms_up_to(observed.factors, order, block)
        if order > 1 and anova.count_columns(terms) > COLUMNS_PER_CONDITION * observed.n_conditions:
            continue  # most cells are empty
        model = anova.fit(observed.values, terms, observed.conditions)
        if model.residual_df > 0:
            notes = [] if order == largest else [f"no interactions of more than {order} factors: too few values"]
            if order == 1 and largest > 1:
                notes = ["no interactions: too few values to tell them from error"]
            if block is None and observed.block is not None:
                notes.append("no block: too few values to tell seeds from error")
            return model, notes
    if model is None:
        raise ValueError("choose_model: no model of main effects was tried; max_order must be 1 or more")
    return model, ["no degrees of freedom are left for the error: no test and no interval; add replicates"]


def omega_squared(df: float, f: float, n: int) -> float:
    """Return partial omega squared, the share of variance that a source adds to the error's in the population.

    It is df (F - 1) / (df (F - 1) + n). Keren & Lewis (1979), Educational and Psychological Measurement 39(1).
    It is below 0 if F is below 1, and stays so: set to zero it would be biased upward, Okada (2017), Behavior
    Research Methods 49(3).
    """
    beyond = df * (f - 1)
    return beyond / (beyond + n)


def _refused(observed: Observations, why: str) -> FactorEffects:
    """Return no effects, and why."""
    return FactorEffects(
        rows=(), means=(), method="none", note="; ".join([why, *observed.notes]),
        n=len(observed.values), n_excluded=observed.n_excluded,
    )  # fmt: skip


def _row(model: anova.Model, term: anova.Term, df: int, squares: float) -> EffectRow:
    """Return the line of one term; F is NaN where there is no error to judge by, or nothing to test."""
    f = math.nan
    if df and model.residual_df and not model.is_exact:
        f = squares / df / (model.residual_squares / model.residual_df)
    return EffectRow(
        source=term.name,
        df=df,
        sum_squares=model.unscale(squares),
        f=f,
        p_value=math.nan if math.isnan(f) else float(fdtrc(df, model.residual_df, f)),
        omega_squared=math.nan if math.isnan(f) else omega_squared(df, f, model.n),
        share=squares / model.total_squares if model.total_squares else math.nan,
        kind="block" if term.is_block else "factor" if len(term.factors) == 1 else "interaction",
        f_df=math.nan if math.isnan(f) else df,
        error_df=math.nan if math.isnan(f) else model.residual_df,
    )


def _own_row(
    row: EffectRow, cells: unequal.Cells | None, observed: Observations, model: anova.Model, term: anova.Term
) -> EffectRow:
    """Return the line of one term, tested against the variance of each condition by itself."""
    tested = unequal.TermTest(f=math.nan, df=math.nan, error_df=math.nan, p_value=math.nan)
    if cells is not None and not term.is_block:
        tested = unequal.term_test(cells, observed, model, term)
    is_tested = not math.isnan(tested.f)
    f = tested.f if is_tested else math.nan
    return replace(
        row,
        f=f,
        p_value=tested.p_value,
        f_df=tested.df if is_tested else math.nan,
        error_df=tested.error_df,
        omega_squared=omega_squared(row.df, f, model.n) if is_tested else row.omega_squared,
    )


def _residual_row(model: anova.Model, observed: Observations) -> EffectRow:
    """Return the line of what the model leaves over."""
    return EffectRow(
        source=free_name("residual", {factor.name for factor in observed.factors}),
        df=model.residual_df,
        sum_squares=model.unscale(model.residual_squares),
        f=math.nan,
        p_value=math.nan,
        omega_squared=math.nan,
        share=model.residual_squares / model.total_squares if model.total_squares else math.nan,
        kind="residual",
    )


def _notes(model: anova.Model, rows: Sequence[EffectRow], observed: Observations) -> list[str]:
    """Say what a reader of the table has to know."""
    notes = []
    confounded = [row.source for row in rows if not row.df]
    if confounded:
        notes.append(f"confounded with other sources, not tested: {', '.join(confounded)}")
    if model.is_exact and model.residual_df:
        notes.append("nothing is left for the error but rounding: F is not defined")
    order = max(len(term.factors) for term in model.terms)
    if len(observed.factors) > order:
        notes.append(f"interactions of more than {order} factors count as residual" if order > 1 else
                     "interactions count as residual")  # fmt: skip
    parts = sum(row.sum_squares for row in rows) + model.unscale(model.residual_squares)
    if not math.isclose(parts, model.unscale(model.total_squares), rel_tol=1e-6):
        notes.append("cells are unequally filled: Type II sums of squares do not add up to the total")
    return notes


def _spread_of(observed: Observations) -> dict[str, Any]:
    """Return the smallest and largest spread of a condition, and whether they differ beyond chance."""
    sds, sizes = unequal.spreads(observed), np.bincount(observed.conditions)
    if not len(sds):
        return {}
    is_unequal = unequal.is_unequal(sds, sizes[sizes > 1])
    return {"spread": (float(sds.min()), float(sds.max())), "is_unequal": is_unequal}


def _method(model: anova.Model, level: float, errors: Errors) -> str:
    """Name what was computed."""
    order = max(len(term.factors) for term in model.terms)
    effects = "main effects" if order == 1 else f"interactions of up to {order} factors"
    block = ", seed as block" if any(term.is_block for term in model.terms) else ""
    if errors == "own":
        against = "F tests and {} t intervals from the spread of each condition by itself (Brunner, Dette and Munk)"
    else:
        against = "{} t intervals from the pooled residual"
    return f"analysis of variance, Type II, {effects}{block}; {against.format(f'{100 * level:g} %')}"
