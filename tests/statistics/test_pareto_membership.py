"""How often resamples have a condition in the Pareto set: by counting, by symmetry, by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from rothamsted.statistics.pareto_membership import N_RESAMPLES, pareto_membership

MONTE_CARLO = 4 * 0.5 / np.sqrt(N_RESAMPLES)  # four standard errors of a frequency


def frequencies(*scores: object, signs: tuple[float, ...] = (1.0, 1.0), is_paired: bool = False) -> list[float]:
    found = pareto_membership([np.array(one, dtype=float) for one in scores], signs, is_paired=is_paired, seed=0)
    return found.frequency.tolist()


def test_far_apart_conditions_are_in_all_resamples_or_in_none() -> None:
    # By eye: 0 and 1 are each best in one objective; 2 is worse than 0 in both by far more than any replicate varies.
    noise = np.array([[-0.1, 0.1], [0.0, 0.0], [0.1, -0.1]])
    found = frequencies(np.array([0, 10]) + noise, np.array([10, 0]) + noise, np.array([20, 20]) + noise)
    assert found == [1.0, 1.0, 0.0]


def test_larger_is_better_where_the_sign_says_so() -> None:
    low, high = [[0.0, 1.0], [0.1, 1.1]], [[0.0, 5.0], [0.1, 5.1]]
    assert frequencies(low, high, signs=(1.0, -1.0), is_paired=True) == [0.0, 1.0]


def test_a_sign_turns_the_deviations_too() -> None:
    # By counting: the first objective moves with the second, so that with one of them turned round the better seed in
    # one is the worse in the other. Of the 4 resamples of 2 seeds 1 is beaten by 0 = (0, 0) where its first is above
    # and its second (maximized) below zero: never, as both have the sign of the same seed.
    fixed, moving = [[0.0, 0.0], [0.0, 0.0]], [[-1.0, -1.0], [1.0, 1.0]]
    assert frequencies(fixed, moving, signs=(1.0, -1.0))[1] == 1.0


def test_resampled_means_vary_as_much_as_the_mean_of_as_many_values() -> None:
    # By counting: of the 27 resamples of (-1, 0, 1) ten have a sum of 1 or more, so a mean of 1/3 or more, which
    # stretched by sqrt(3 / 2) is 0.408 > 0.4. Without the stretch only the four with a sum of 2 or more were above.
    found = frequencies([[-1.0], [0.0], [1.0]], [[0.4], [0.4], [0.4]], signs=(1.0,))
    assert found[1] == pytest.approx(10 / 27, abs=MONTE_CARLO)


def test_common_seeds_cancel() -> None:
    # 1 is worse than 0 by 0.01 in both objectives at every seed, far less than the seeds vary: paired, every resample
    # says so; each by itself, by symmetry 1 is beaten in both in about a quarter of the resamples.
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(5, 2))
    assert frequencies(scores, scores + 0.01, is_paired=True) == [1.0, 0.0]
    assert 0.5 < frequencies(scores, scores + 0.01)[1] < 0.9


def test_of_two_alike_conditions_each_is_in_three_quarters_of_the_resamples_on_average() -> None:
    # Theory: with two independent objectives the other one beats it in both with probability 1/2 * 1/2.
    rng = np.random.default_rng(7)
    found = []
    for _ in range(300):
        a, b = rng.normal(size=(2, 5, 2))
        found += pareto_membership([a, b], (1.0, 1.0), is_paired=False, n_resamples=200, seed=0).frequency.tolist()
    # sd of one frequency is below 0.3: four standard errors of 600 are 0.05
    assert np.mean(found) == pytest.approx(0.75, abs=0.05)


def test_a_true_member_is_seldom_ruled_out() -> None:
    # Simulation: true means (0, 1), (1, 0) and, dominated by neither, (0.8, 0.8); sd 0.5, five seeds. A condition
    # that is truly in the set should be in 5 % of the resamples or less in few samples; 0.10 is a sanity bound.
    rng = np.random.default_rng(11)
    truth = np.array([[0.0, 1.0], [1.0, 0.0], [0.8, 0.8]])
    n_ruled_out, n = 0, 200
    for _ in range(n):
        scores = truth[:, None] + 0.5 * rng.normal(size=(3, 5, 2))
        found = pareto_membership(list(scores), (1.0, 1.0), is_paired=False, n_resamples=200, seed=0)
        n_ruled_out += int((found.frequency <= 0.05).sum())
    assert n_ruled_out / (3 * n) < 0.10


def test_equal_seeds_give_equal_frequencies_and_the_share_of_the_whole_set_is_one_where_all_is_clear() -> None:
    rng = np.random.default_rng(5)
    scores = list(rng.normal(size=(6, 4, 2)))
    first, again = (pareto_membership(scores, (1.0, 1.0), is_paired=False, seed=9) for _ in range(2))
    assert first.frequency.tolist() == again.frequency.tolist()
    assert first.whole < 1.0
    apart = [10 * k + np.zeros((3, 2)) for k in range(3)]
    assert pareto_membership(apart, (1.0, 1.0), is_paired=True, seed=9).whole == 1.0
