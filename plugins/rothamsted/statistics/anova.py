"""Compute Type II sums of squares of a linear model of factors, for any pattern of missing observations.

This is linear algebra on coded levels. `factors` decides what is tested, left out and said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rothamsted.statistics.observations import Coded

RANK_TOLERANCE = 1e-9  # of a column's length: what is left of it below this is rounding
MISSED_TOLERANCE = 1e-6  # a mean whose contrast the data reach to less than this has no estimate


@dataclass(frozen=True, kw_only=True, eq=False)
class Term:
    """Names a main effect, an interaction or a block of the model."""

    factors: tuple[Coded, ...]
    is_block: bool = False

    @property
    def name(self) -> str:
        """Return the factors' names, as in "width x depth"."""
        return " x ".join(factor.name for factor in self.factors)

    def holds(self, other: Term) -> bool:
        """Return whether the other term is marginal to this one: made of some, not all, of its factors."""
        mine, others = ({factor.name for factor in term.factors} for term in (self, other))
        return self.is_block == other.is_block and others < mine


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """Holds a least-squares fit in triangular form (QR): few rows with all the information of the observations."""

    terms: tuple[Term, ...]
    columns: tuple[np.ndarray, ...]  # (row, column) of the intercept and of each term, turned
    values: np.ndarray  # (row,), centred, scaled and turned
    triangle: np.ndarray  # (rank, parameter) upper triangular
    order: np.ndarray  # (parameter,) which parameter stands in which column of the triangle
    projected: np.ndarray  # (rank,) the values along the triangle's directions
    residual_squares: float  # in units of 4**exponent
    total_squares: float  # about the mean, in the same units
    n: int
    centre: float
    exponent: int  # values were divided by 2**exponent, exactly
    is_exact: bool  # nothing left but rounding

    @property
    def residual_df(self) -> int:
        """Give the residual degrees of freedom: observations less parameters that can be estimated."""
        return self.n - len(self.triangle)

    def unscale(self, squares: float) -> float:
        """Return a sum of squares in the units of the values."""
        return float(np.ldexp(squares, 2 * self.exponent))


def terms_up_to(factors: Sequence[Coded], order: int, block: Coded | None) -> tuple[Term, ...]:
    """Return main effects, then interactions of up to `order` factors, then the block."""
    sizes = range(1, order + 1)
    crossed = [Term(factors=chosen) for size in sizes for chosen in combinations(factors, size)]
    return (*crossed, *(() if block is None else (Term(factors=(block,), is_block=True),)))


def count_columns(terms: Sequence[Term]) -> int:
    """Return how many parameters a model of these terms has, the mean included."""
    return 1 + sum(int(np.prod([len(factor.levels) - 1 for factor in term.factors])) for term in terms)


def fit(values: np.ndarray, terms: Sequence[Term], conditions: np.ndarray) -> Model:
    """Fit by least squares.

    Levels are coded by orthonormal contrasts that sum to zero; values are centred first, so that a large
    common offset costs no digits, and scaled by a power of two, so that squares neither overflow nor vanish.

    Args:
        values: (observation,) finite.
        terms: The terms that, with the grand mean, add up to the mean of an observation.
        conditions: (observation,) number of the combination of levels, blocks apart; from 0 without gaps.
    """
    centre = float(values.mean())
    deviations = values - centre
    rest = float(deviations.mean())  # what rounding took from the mean
    deviations, centre = deviations - rest, centre + rest
    _, exponent = np.frexp(np.abs(deviations).max())
    scaled = np.ldexp(deviations, -exponent)
    *columns, last = _few_rows(scaled, terms, conditions)
    triangle, order, projected, residual_squares = _triangular(np.hstack(columns), last[:, 0])
    rounding = float(np.ldexp(np.finfo(float).eps * np.abs(values).max(), -exponent))
    return Model(
        terms=tuple(terms),
        columns=tuple(columns),
        values=last[:, 0],
        triangle=triangle,
        order=order,
        projected=projected,
        residual_squares=residual_squares,
        total_squares=float(scaled @ scaled),
        n=len(values),
        centre=centre,
        exponent=int(exponent),
        is_exact=residual_squares <= len(values) * (2 * rounding) ** 2,
    )


def type_two(model: Model, term: Term) -> tuple[int, float]:
    """Return degrees of freedom and Type II sum of squares of one term.

    It is what the term explains beyond all terms that do not contain it. Yates (1934), Journal of the American
    Statistical Association 29(185), the method of fitting constants; named Type II by SAS.
    The sum is in units of 4**exponent. A term that is confounded with the others has 0 degrees of freedom.
    """
    intercept, *columns = model.columns
    own = columns[model.terms.index(term)]
    others = [column for other, column in zip(model.terms, columns) if other is not term and not other.holds(term)]
    rest = np.hstack([intercept, *others])
    n_rest, n_all = rest.shape[1], rest.shape[1] + own.shape[1]
    turned = triangle_of(np.column_stack([rest, own, model.values]))
    if _has_full_rank(turned[:, :n_all]):
        explained = turned[n_rest:n_all, -1]
        return len(explained), float(explained @ explained)
    explained = directions(rest, own).T @ model.values
    return len(explained), float(explained @ explained)


def directions(rest: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis, (row, rank), of what a term's own columns add to those of the rest."""
    q, r = np.linalg.qr(np.hstack([rest, own]))
    if _has_full_rank(r):
        return q[:, rest.shape[1] :]
    basis = _span(rest, _length(rest))
    beyond = own - basis @ (basis.T @ own)
    beyond -= basis @ (basis.T @ beyond)  # once more, for what rounding left
    return _span(beyond, _length(own))


def marginal_means(model: Model, factor: Coded) -> tuple[np.ndarray, np.ndarray]:
    """Return estimated marginal means of a factor's levels and their variance factors.

    Each is the mean of the fitted values over all combinations of the other factors' levels and blocks, with equal
    weight. Searle, Speed & Milliken (1980), The American Statistician 34(4). The sampling variance of a mean is its
    factor times the error variance.

    Returns:
        Means (level,) and factors (level,); NaN where empty cells leave the mean without an estimate.
    """
    weights, is_known = mean_weights(model, factor)
    means = model.centre + np.ldexp(weights.T @ model.projected, model.exponent)
    return np.where(is_known, means, np.nan), np.where(is_known, (weights * weights).sum(axis=0), np.nan)


def mean_weights(model: Model, factor: Coded) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights, (rank, level), that the triangle's directions have in a level's mean, and which are known."""
    from scipy.linalg import solve_triangular

    widths = [column.shape[1] for column in model.columns]
    wanted = np.zeros((len(factor.levels), sum(widths)))
    wanted[:, 0] = 1.0  # all contrasts sum to zero over levels: interactions, other factors and blocks drop out
    index = next(index for index, term in enumerate(model.terms) if term.factors == (factor,))
    start = sum(widths[: index + 1])
    wanted[:, start : start + widths[index + 1]] = contrasts(len(factor.levels))
    wanted = wanted[:, model.order].T  # (parameter, level)
    rank = len(model.triangle)
    weights = solve_triangular(model.triangle[:, :rank], wanted[:rank], trans=1)  # (rank, level)
    missed = np.abs(model.triangle[:, rank:].T @ weights - wanted[rank:]).max(axis=0, initial=0.0)
    return weights, missed < MISSED_TOLERANCE * np.abs(wanted).max()


def term_columns(term: Term, rows: np.ndarray) -> np.ndarray:
    """Return the contrasts of one term at some observations, (row, column): products of its factors' contrasts."""
    columns = np.ones((len(rows), 1))
    for factor in term.factors:
        own = contrasts(len(factor.levels))[factor.codes[rows]]  # (row, level - 1)
        columns = (columns[:, :, None] * own[:, None, :]).reshape(len(rows), -1)
    return columns


def contrasts(n_levels: int) -> np.ndarray:
    """Return (level, level - 1) contrasts: columns sum to zero, are orthogonal and have mean square one."""
    from scipy.linalg import helmert

    return helmert(n_levels).T * n_levels**0.5


def triangle_of(rows: np.ndarray) -> np.ndarray:
    """Return the upper triangle, (row, column), that rows (row, column) turn into."""
    return np.asarray(np.linalg.qr(rows, mode="r"))


def _few_rows(values: np.ndarray, terms: Sequence[Term], conditions: np.ndarray) -> list[np.ndarray]:
    """Return intercept, terms and values on the few rows that give the same least-squares fits.

    A rotation: one row for the mean of each condition, in which the factors' columns lie wholly, and what
    blocks and values do within conditions, turned into a triangle.
    """
    sizes = np.bincount(conditions)
    _, first = np.unique(conditions, return_index=True)
    weight = np.sqrt(sizes)[:, None]
    blocks = [term_columns(term, np.arange(len(values))) for term in terms if term.is_block]
    varying = np.column_stack([*blocks, values])  # (observation, block columns + 1)
    means = np.column_stack([np.bincount(conditions, column) for column in varying.T]) / sizes[:, None]
    within = triangle_of(varying - means[conditions])
    fixed = [np.ones((len(sizes), 1)), *(term_columns(term, first) for term in terms if not term.is_block)]
    between = np.column_stack([*fixed, means]) * weight
    below = np.zeros((len(within), between.shape[1]))
    below[:, -within.shape[1] :] = within
    widths = [column.shape[1] for column in (*fixed, *blocks)]
    return np.split(np.vstack([between, below]), np.cumsum(widths), axis=1)


def _triangular(columns: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return triangle, order of parameters, values along the triangle's directions, and what is left of them."""
    from scipy.linalg import qr

    n_parameters = columns.shape[1]
    turned = triangle_of(np.column_stack([columns, values]))
    if _has_full_rank(turned[:, :n_parameters]):
        left = turned[n_parameters:, -1]
        triangle = turned[:n_parameters, :n_parameters]
        return triangle, np.arange(n_parameters), turned[:n_parameters, -1], float(left @ left)
    q, r, order = map(np.asarray, qr(columns, mode="economic", pivoting=True))
    rank = int((np.abs(np.diag(r)) > RANK_TOLERANCE * _length(columns)).sum())
    projected = q[:, :rank].T @ values
    left = values - q[:, :rank] @ projected
    return r[:rank], order, projected, float(left @ left)


def _has_full_rank(turned: np.ndarray) -> bool:
    """Whether no column of a triangle lies within the columns before it."""
    n_rows, n_columns = turned.shape
    return n_rows >= n_columns and bool(np.abs(np.diag(turned)).min() > RANK_TOLERANCE * _length(turned))


def _span(columns: np.ndarray, length: float) -> np.ndarray:
    """Return an orthonormal basis (row, rank) of what columns span that were once as long as `length`."""
    from scipy.linalg import qr

    q, r, _ = map(np.asarray, qr(columns, mode="economic", pivoting=True))
    return q[:, : int((np.abs(np.diag(r)) > RANK_TOLERANCE * length).sum())]


def _length(columns: np.ndarray) -> float:
    """Return the length of the longest column."""
    return float(np.linalg.norm(columns, axis=0).max())
