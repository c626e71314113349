"""Test factors, and compute intervals of level means, if conditions scatter differently.

The sum of squares of a term is that of the analysis of variance. It is divided by its own expectation under no effect,
from the variance of each condition. The degrees of freedom of both are those of Box (1954), Annals of Mathematical
Statistics 25(2): Brunner, Dette & Munk (1997), JASA 92(440). In a balanced grid F is that of the analysis of variance,
and only the degrees of freedom are smaller.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rothamsted.statistics import anova
from rothamsted.statistics.observations import Observations
from rothamsted.statistics.special import fdtrc, polygamma

FEWEST = 3  # replicates in the middle condition: with two, one noisy condition makes 13 % false alarms of 5 %
MOST_INVERTED = 200  # conditions; above it their equations are solved as if none were redundant
MOST_CELLS = 20_000_000  # conditions times seeds squared, in memory
ROUNDING = 1e-12  # of the largest deviation from the mean
MARKED = 1.645  # standard errors by which the spreads' own spread is beyond chance: one-sided, 5 %


@dataclass(frozen=True, kw_only=True)
class TermTest:
    """Holds an F test with its two degrees of freedom."""

    f: float  # NaN where nothing is left to divide by
    df: float  # of the numerator: the term's own, or fewer
    error_df: float
    p_value: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Holds conditions with their own variances: what a test needs of the observations.

    Fixed effects of conditions and blocks are given in few coordinates: one for the mean of each condition, and one for
    each direction in which blocks differ within conditions.
    """

    sizes: np.ndarray  # (condition,) observations
    blocks: np.ndarray  # (observation, direction) orthonormal, centred within conditions
    within: np.ndarray  # (condition, direction, direction) what each condition holds of those directions
    residuals: np.ndarray  # (observation,) beyond conditions and blocks, scaled as the model's values
    variances: np.ndarray  # (condition,) unbiased, some may be negative; mean of the others with one observation
    inverse: np.ndarray  # (condition, condition), or its diagonal: variances from sums of squared residuals
    covariance: np.ndarray  # (condition, condition), or its diagonal: half of that of these sums
    columns: tuple[np.ndarray, ...]  # (coordinate, column) of the intercept and of each term


def why_not(observed: Observations) -> str:
    """Say why no test and no interval is given; empty if they are."""
    sizes = np.bincount(observed.conditions)
    middle = float(np.median(sizes))
    n_seeds = 0 if observed.block is None else len(observed.block.levels)
    if middle < 2:
        return "most conditions have one replicate, so nothing says how much each scatters"
    if middle < FEWEST:
        return (
            f"most conditions have {middle:g} replicates; with fewer than {FEWEST} no test holds if conditions "
            "scatter differently"
        )
    if len(sizes) * n_seeds**2 > MOST_CELLS:
        return f"{len(sizes)} conditions with {n_seeds} seeds are too many for the tests of unequal spread"
    return ""


def cells_of(observed: Observations, model: anova.Model) -> Cells:
    """Estimate the variance of each condition, with the blocks removed.

    The expected sums of squared residuals of the conditions are solved for the variances: Grubbs (1948), JASA 43(242)
    for a full table, Rao (1970), JASA 65(329) for any.
    """
    values = np.ldexp(observed.values - model.centre, -model.exponent)
    conditions, sizes = observed.conditions, np.bincount(observed.conditions)
    blocks = _block_directions(observed)
    n_directions = blocks.shape[1]
    within = np.zeros((len(sizes), n_directions, n_directions))
    np.add.at(within, conditions, blocks[:, :, None] * blocks[:, None, :])
    means = np.bincount(conditions, values) / sizes
    residuals = values - means[conditions]
    residuals -= blocks @ (blocks.T @ residuals)
    squares = np.bincount(conditions, residuals * residuals)
    inverse = _inverse(sizes, within)
    variances = _times(inverse, squares)
    known = sizes > 1
    variances = np.where(known, variances, variances[known].mean())
    return Cells(
        sizes=sizes,
        blocks=blocks,
        within=within,
        residuals=residuals,
        variances=variances,
        inverse=inverse,
        covariance=_covariance(sizes, within, np.maximum(variances, 0.0)),
        columns=_columns(observed, model.terms, blocks),
    )


def is_without_spread(cells: Cells) -> bool:
    """Say whether only rounding is left within conditions."""
    return float(np.abs(cells.residuals).max()) < ROUNDING


def term_test(cells: Cells, observed: Observations, model: anova.Model, term: anova.Term) -> TermTest:
    """Test one term that is not a block. The error is at least the term's own interaction with the seeds."""
    intercept, *columns = cells.columns
    own = columns[model.terms.index(term)]
    others = [column for other, column in zip(model.terms, columns) if other is not term and not other.holds(term)]
    basis = anova.directions(np.hstack([intercept, *others]), own)  # (coordinate, df)
    df = basis.shape[1]
    _, squares = anova.type_two(model, term)
    value, error_df = _error(cells, _held(cells, basis))
    value = max(value, _seed_error(cells, observed, basis))
    if not df or model.is_exact or not value > 0 or math.isnan(error_df):
        return TermTest(f=math.nan, df=df, error_df=math.nan, p_value=math.nan)
    f, df_own = squares / value, _numerator_df(cells, basis)
    return TermTest(f=f, df=df_own, error_df=error_df, p_value=float(fdtrc(df_own, error_df, f)))


def mean_errors(
    cells: Cells, observed: Observations, model: anova.Model, weights: np.ndarray
) -> list[tuple[float, float]]:
    """Return the variance, in the model's units, and the degrees of freedom of each level's mean.

    The variance is at least that of the mean between seeds. Otherwise a level with one or few conditions could get a
    variance near zero or below, and an interval without width.

    Args:
        cells: The conditions.
        observed: The observations.
        model: The model of the observations.
        weights: (rank, level), see `anova.mean_weights`.
    """
    from scipy.linalg import solve_triangular

    rank = len(model.triangle)
    columns = np.hstack(cells.columns)[:, model.order[:rank]]
    places = columns @ solve_triangular(model.triangle[:, :rank], weights)  # (coordinate, level)
    return [_mean_error(cells, observed, place[:, None]) for place in places.T]


def _mean_error(cells: Cells, observed: Observations, place: np.ndarray) -> tuple[float, float]:
    value, df = _error(cells, _held(cells, place))
    of_seeds = _seed_error(cells, observed, place)
    if observed.block is None or value >= of_seeds:
        return value, df
    own = len(observed.block.levels) - 1.0
    return of_seeds, own if math.isnan(df) else max(df, own)


def spreads(observed: Observations) -> np.ndarray:
    """Return the standard deviation of each condition with two observations or more, (condition,)."""
    sizes = np.bincount(observed.conditions)
    means = np.bincount(observed.conditions, observed.values) / sizes
    rest = observed.values - means[observed.conditions]
    squares = np.bincount(observed.conditions, rest * rest)
    return np.sqrt(squares[sizes > 1] / (sizes[sizes > 1] - 1))


def is_unequal(sds: np.ndarray, sizes: Sequence[int] | np.ndarray) -> bool:
    """Say whether standard deviations differ more than those of normal values with one variance.

    It compares the variance of their logarithms with that of logarithms of chi-square, one-sided at 5 %. The result is
    shown only; it does not choose a test.
    """
    sizes = np.asarray(sizes)
    kept = (sizes > 1) & (sds > 0)
    if kept.sum() < 3:
        return False
    half = (sizes[kept] - 1) / 2
    logs = 2 * np.log(sds[kept])
    expected = float(polygamma(1, half).mean())
    kurtosis = float((polygamma(3, half) / polygamma(1, half) ** 2).mean())
    error = expected * math.sqrt(kurtosis / len(logs) + 2 / (len(logs) - 1))
    return float(logs.var(ddof=1)) > expected + MARKED * error


def _block_directions(observed: Observations) -> np.ndarray:
    """Return the directions in which blocks differ within conditions, (observation, direction)."""
    n = len(observed.values)
    if observed.block is None:
        return np.zeros((n, 0))
    columns = np.eye(len(observed.block.levels))[observed.block.codes][:, 1:]
    sizes = np.bincount(observed.conditions)
    means = np.column_stack([np.bincount(observed.conditions, column) for column in columns.T]) / sizes[:, None]
    return anova.directions(np.ones((n, 1)), columns - means[observed.conditions])


def _columns(observed: Observations, terms: Sequence[anova.Term], blocks: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the intercept and the terms in the coordinates of the conditions and of the blocks' directions."""
    sizes = np.bincount(observed.conditions)
    _, first = np.unique(observed.conditions, return_index=True)
    weight, below = np.sqrt(sizes)[:, None], np.zeros((blocks.shape[1], 1))
    found = [np.vstack([weight, below])]
    for term in terms:
        if not term.is_block:
            own = anova.term_columns(term, first) * weight
            found.append(np.vstack([own, np.repeat(below, own.shape[1], axis=1)]))
            continue
        every = anova.term_columns(term, np.arange(len(observed.values)))
        sums = np.column_stack([np.bincount(observed.conditions, column) for column in every.T])
        found.append(np.vstack([sums / weight, blocks.T @ every]))
    return tuple(found)


def _inverse(sizes: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Return what turns sums of squared residuals into variances: (condition, condition), or its diagonal."""
    n_conditions, n_directions = within.shape[:2]
    if not n_directions:
        return np.where(sizes > 1, 1.0 / np.maximum(sizes - 1, 1), 0.0)
    flat = within.reshape(n_conditions, -1)
    expected = flat @ flat.T
    expected[np.diag_indices(n_conditions)] += sizes - 1 - 2 * np.trace(within, axis1=1, axis2=2)
    known = sizes > 1
    inverse = np.zeros_like(expected)
    part = expected[np.ix_(known, known)]
    solve = np.linalg.inv if known.sum() > MOST_INVERTED else lambda matrix: np.linalg.pinv(matrix, rcond=1e-10)
    inverse[np.ix_(known, known)] = solve(part)
    return inverse


def _covariance(sizes: np.ndarray, within: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Return half the covariance of the sums of squared residuals of normal values, or its diagonal.

    The squared lengths of the blocks, condition by condition, of R V R: R takes out conditions and blocks, V holds
    the variances.
    """
    n_conditions, n_directions = within.shape[:2]
    own = variances**2 * (sizes - 1)
    if not n_directions:
        return own
    total = np.einsum("i,ijk->jk", variances, within)
    turned = within @ total  # (condition, direction, direction)
    flat, flat_turned = within.reshape(n_conditions, -1), turned.reshape(n_conditions, -1)
    both = variances[:, None] + variances[None, :]
    crossed = flat_turned @ flat.T
    found = (
        flat_turned @ turned.transpose(0, 2, 1).reshape(n_conditions, -1).T
        - both * (crossed + crossed.T)
        + both**2 * (flat @ flat.T)
    )
    diagonal = np.einsum("ijk,kj->i", within, total) - 2 * variances * np.trace(within, axis1=1, axis2=2)
    found[np.diag_indices(n_conditions)] += own + 2 * variances * diagonal
    return found


def _held(cells: Cells, basis: np.ndarray) -> np.ndarray:
    """Return how much of the sum of squares along a basis, (coordinate, df), each condition's variance is."""
    n_conditions = len(cells.sizes)
    along, across = basis[:n_conditions], basis[n_conditions:]
    return (along**2).sum(axis=1) + np.einsum("jd,ijk,kd->i", across, cells.within, across)


def _error(cells: Cells, held: np.ndarray) -> tuple[float, float]:
    """Return the sum of variances so weighted, and its degrees of freedom: Satterthwaite (1946), Biometrics 2(6)."""
    unknown = cells.sizes < 2
    spread = np.where(unknown, 0.0, held + held[unknown].sum() / max((~unknown).sum(), 1))
    value = float(spread @ np.where(unknown, 0.0, cells.variances))
    weights = _times(cells.inverse, spread)  # of the sums of squared residuals
    covered = float(weights @ _times(cells.covariance, weights))
    expected = float(spread @ np.where(unknown, 0.0, np.maximum(cells.variances, 0.0)))
    value = value if value > 0 else expected  # estimates below zero outweigh the others
    return value, max(1.0, expected**2 / covered) if covered > 0 else math.nan  # less than 1 is rounding


def _numerator_df(cells: Cells, basis: np.ndarray) -> float:
    """Return Box's degrees of freedom of the sum of squares along a basis."""
    n_conditions, variances = len(cells.sizes), np.maximum(cells.variances, 0.0)
    along, across = basis[:n_conditions], basis[n_conditions:]
    total = np.einsum("i,ijk->jk", variances, cells.within)
    spread = along.T @ (variances[:, None] * along) + across.T @ total @ across
    squared = float((spread * spread).sum())
    return float(np.trace(spread)) ** 2 / squared if squared > 0 else float(basis.shape[1])


def _seed_error(cells: Cells, observed: Observations, basis: np.ndarray) -> float:
    """Return the error of a sum of squares from how its contrasts differ between seeds; 0 without blocks.

    It guards against seeds that act more on some conditions than on others. Liang & Zeger (1986), Biometrika 73(1).
    """
    if observed.block is None:
        return 0.0
    n_conditions, n_seeds = len(cells.sizes), len(observed.block.levels)
    table = np.zeros((n_seeds, n_conditions))
    np.add.at(table, (observed.block.codes, observed.conditions), cells.residuals)
    below = np.zeros((n_seeds, cells.blocks.shape[1]))
    np.add.at(below, observed.block.codes, cells.residuals[:, None] * cells.blocks)
    scores = (table / np.sqrt(cells.sizes)) @ basis[:n_conditions] + below @ basis[n_conditions:]
    return float((scores * scores).sum()) * n_seeds / (n_seeds - 1)


def _times(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Multiply by a matrix, or by its diagonal."""
    return matrix * vector if matrix.ndim == 1 else matrix @ vector
