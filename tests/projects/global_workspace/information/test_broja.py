"""The convex problem behind the redundancy of Bertschinger et al.: feasible, optimal, steady where cells are rare."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from projects.global_workspace.information import decompose
from projects.global_workspace.information.broja import TOLERANCE_BITS, least_synergistic
from projects.global_workspace.information.entropy import entropy


def conditional_entropy(q: np.ndarray) -> float:
    """H(target | first, second) in bits."""
    return entropy(q) - entropy(q.sum(0))


def random_joint(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(np.prod(shape))).reshape(shape)


@pytest.mark.parametrize("seed", range(3))
def test_the_optimum_keeps_both_pairs(seed: int) -> None:
    joint = random_joint(seed, (3, 2, 4))
    found = least_synergistic(joint)
    assert (found >= 0).all()
    assert found.sum(2) == pytest.approx(joint.sum(2), abs=1e-12)
    assert found.sum(1) == pytest.approx(joint.sum(1), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_for_bits_it_is_the_optimum_that_a_direct_search_finds(seed: int) -> None:
    # With two sources of a bit each target value leaves one free number: a plane.
    joint = random_joint(seed, (2, 2, 2))
    swap = np.array([[1, -1], [-1, 1]])

    def moved(z: np.ndarray) -> np.ndarray:
        return joint + z[:, None, None] * swap

    bounds = [(-min(p[0, 0], p[1, 1]), min(p[0, 1], p[1, 0])) for p in joint]
    searched = max(
        -minimize(
            lambda z: -conditional_entropy(np.maximum(moved(z), 0)),
            [side[0] / 2, side[1] / 2],
            bounds=bounds,
            method="Powell",
            options={"xtol": 1e-10, "ftol": 1e-14},
        ).fun
        for side in np.array(bounds).T
    )
    # The search has no bound on its error, so it may only fail to reach the optimum.
    assert conditional_entropy(least_synergistic(joint)) >= searched - TOLERANCE_BITS


@pytest.mark.parametrize("seed", range(3))
def test_no_linear_step_gains_more_than_the_tolerance(seed: int) -> None:
    # Frank and Wolfe 1956: for a concave function no point of the polytope beats q by more than the best linear gain.
    # For bits the polytope of each target value is a segment, so the best gain is at one of its two ends.
    joint = random_joint(seed + 10, (2, 2, 2))
    q = least_synergistic(joint)
    slope = -np.log2(q / q.sum(0))  # derivative of the conditional entropy
    swap = np.array([[1, -1], [-1, 1]])
    gain = sum(
        max(end * float((slope[t] * swap).sum()) for end in (-min(q[t, 0, 0], q[t, 1, 1]), min(q[t, 0, 1], q[t, 1, 0])))
        for t in range(2)
    )
    assert gain <= 2 * TOLERANCE_BITS


@pytest.mark.parametrize("n", [10, 1000, 100_000])
def test_no_part_is_negative_for_counts_with_rare_and_missing_cells(n: int) -> None:
    # Bertschinger et al. 2014: all four parts are nonnegative.
    rng = np.random.default_rng(n)
    for _ in range(10):
        shape = tuple(rng.integers(2, 5, 3))
        shares = rng.multinomial(n, rng.dirichlet(np.full(np.prod(shape), 0.1))) / n
        found = decompose(shares.reshape(shape))
        assert min(found.redundant, found.unique_first, found.unique_second, found.synergistic) > -TOLERANCE_BITS


def test_unique_information_is_none_where_one_source_is_a_noisy_copy_of_the_other() -> None:
    # Blackwell's criterion (Bertschinger et al. 2014): a channel's output knows nothing that its input lacks.
    target_first = np.array([[0.3, 0.1, 0.1], [0.05, 0.15, 0.3]])
    channel = np.array([[0.8, 0.2], [0.5, 0.5], [0.1, 0.9]])  # P(second | first)
    found = decompose(target_first[:, :, None] * channel[None])
    assert found.unique_second == pytest.approx(0, abs=1e-6)
    assert found.unique_first > 0.01
