"""Compute the redundancy of Bertschinger et al. 2014 by a barrier method with a known bound on its error.

Among all distributions Q with the pairs (target, first) and (target, second) of P, the unique information of a source
is the least I_Q(target; source | other). All parts follow from the Q with the greatest conditional entropy of the
target given both sources, a concave function over a polytope. A logarithmic barrier keeps Q inside it, Newton's method
finds each centre, and the centre of weight 1/t is within n/t of the optimum, n being the number of free cells (Boyd
and Vandenberghe, Convex Optimization, 11.2.2). Steps are relative to Q: then the curvature lies between 1 and 1 + t,
however small some probabilities are, and they keep the pairs, so that every Q that is looked at has those of P.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from projects.global_workspace.information.entropy import information_of

TOLERANCE_BITS = 1e-7  # bound on the error of the optimum
_GROWTH = 20.0  # of t, from centre to centre
_N_NEWTON = 200  # steps to one centre; some ten are usual
_CENTERED = 1e-6  # half the squared Newton decrement at which a centre is found: an error of about 1e-6 / t
_SLOPE, _SHRINK, _SHORTEST = 0.1, 0.5, 1e-12  # of the line search


def broja_redundancy(joint: np.ndarray) -> float:
    """Compute the redundant information of a distribution (target, first, second) in bits, to TOLERANCE_BITS.

    It is I_Q(target; first) + I_Q(target; second) - I_Q(target; first, second) at the optimal Q.

    Raises:
        ArithmeticError: Newton's method has not converged.
    """
    best = least_synergistic(joint)
    both = information_of(best.reshape(len(best), -1))
    return information_of(joint.sum(2)) + information_of(joint.sum(1)) - both


def least_synergistic(joint: np.ndarray) -> np.ndarray:
    """Find the distribution with the pairs of `joint` that tells least about the target: (target, first, second)."""
    p_target, with_first, with_second = joint.sum((1, 2)), joint.sum(2), joint.sum(1)
    pairs = with_first[:, :, None] * with_second[:, None, :]  # (target, first, second)
    start = np.divide(pairs, p_target[:, None, None], where=pairs > 0, out=np.zeros_like(pairs))  # sources independent
    cells = np.flatnonzero(start > 0)  # every other cell is 0 in all of the polytope
    constraints = _constraints(with_first, with_second)[:, cells]
    if len(constraints) == len(cells):
        return start
    found = np.zeros(joint.size)
    found[cells] = _climb(start.ravel()[cells], constraints, _columns(joint.shape)[cells])
    return found.reshape(joint.shape)


def _climb(q: np.ndarray, constraints: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Follow the centres from a starting point inside to the optimum; `column` is the (first, second) of each cell."""
    t = 1.0
    while True:
        q = _center(q, constraints, column, t)
        if len(q) / t <= TOLERANCE_BITS * np.log(2):  # the objective is in nats
            return q
        t *= _GROWTH


def _center(q: np.ndarray, constraints: np.ndarray, column: np.ndarray, t: float) -> np.ndarray:
    """Minimise t * (negative conditional entropy) - sum log q by Newton's method, keeping the constraints."""
    same_column = column[:, None] == column[None, :]  # (cell, cell)
    for _ in range(_N_NEWTON):
        given = np.bincount(column, q)[column]  # Q(first, second) of each cell
        free = _free_directions(constraints * q)  # (cell, free dimension), relative to q
        gradient = free.T @ (t * q * np.log(q / given) - 1)
        curvature = np.diag(t * q + 1) - t * same_column * np.outer(q, q / given)
        factor = cho_factor(free.T @ curvature @ free)
        step = cho_solve(factor, -gradient)
        decrement = -float(gradient @ step) / 2
        if decrement <= _CENTERED:
            return q
        length = _length(q, q * (free @ step), column, t, decrement)
        if length < _SHORTEST:  # rounding hides any further gain
            return q
        q = q + length * q * (free @ step)
    raise ArithmeticError(f"broja: Newton's method has not found the centre of t={t:g} in {_N_NEWTON} steps")


def _free_directions(constraints: np.ndarray) -> np.ndarray:
    """An orthonormal basis of what independent constraints leave free: (cell, free dimension)."""
    unit = constraints / np.linalg.norm(constraints, axis=1, keepdims=True)
    return np.linalg.qr(unit.T, mode="complete").Q[:, len(constraints) :]


def _length(q: np.ndarray, step: np.ndarray, column: np.ndarray, t: float, decrement: float) -> float:
    """Backtracking line search that stays inside."""
    falling = step < 0
    length = min(1.0, 0.99 * float((-q[falling] / step[falling]).min())) if falling.any() else 1.0
    value = _objective(q, column, t)
    while length >= _SHORTEST and _objective(q + length * step, column, t) > value - _SLOPE * length * 2 * decrement:
        length *= _SHRINK
    return length


def _objective(q: np.ndarray, column: np.ndarray, t: float) -> float:
    given = np.bincount(column, q)[column]
    return float(t * (q * np.log(q / given)).sum() - np.log(q).sum())


def _columns(shape: tuple[int, ...]) -> np.ndarray:
    """Number of the (first, second) pair of each cell of a flattened (target, first, second) array."""
    return np.tile(np.arange(shape[1] * shape[2]), shape[0])


def _constraints(with_first: np.ndarray, with_second: np.ndarray) -> np.ndarray:
    """Rows of zeros and ones that sum a flattened (target, first, second) array to its pairs; none follows from others.

    A pair of probability 0 has no row. Of each target value one pair with the second source has none: as long as every
    first goes with every second, it follows from the rest.
    """
    n_target, n_first, n_second = len(with_first), with_first.shape[1], with_second.shape[1]
    sums_first = np.kron(np.eye(n_target * n_first), np.ones(n_second))
    sums_second = np.kron(np.eye(n_target), np.kron(np.ones(n_first), np.eye(n_second)))
    needed = with_second > 0
    needed[np.arange(n_target), needed.argmax(axis=1)] = False
    return np.vstack([sums_first[(with_first > 0).ravel()], sums_second[needed.ravel()]])
