"""Set, claims and limits from p-values and means, by hand: the cases that sweeps hardly ever show."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rothamsted.statistics.best_findings import behind_best_other, bounded_low, decide, greatest_high


def test_the_best_mean_is_in_the_set_and_not_worse_whatever_its_p_value() -> None:
    decision = decide(np.array([0.001, 0.9, 0.001]), np.array([1.0, 2.0, 3.0]), 0.05)
    assert decision.is_in_set.tolist() == [True, True, False]
    assert decision.is_worse.tolist() == [False, False, True]


def test_all_that_share_the_best_mean_are_in_the_set() -> None:
    assert decide(np.array([0.01, 0.01, 0.01]), np.array([1.0, 1.0, 3.0]), 0.05).is_in_set.tolist() == [
        True,
        True,
        False,
    ]


def test_what_the_factor_keeps_in_the_set_is_not_worse() -> None:
    # Holm: 3 * 0.016 = 0.048 is at most 0.05; four times 0.016 is not, so it stays, and worse must not contradict that.
    decision = decide(np.array([0.9, 0.9, 0.016]), np.array([1.0, 2.0, 3.0]), 0.05, factor=4.0)
    assert (decision.is_in_set[2], decision.is_worse[2]) == (True, False)
    assert decide(np.array([0.9, 0.9, 0.016]), np.array([1.0, 2.0, 3.0]), 0.05).is_worse.tolist() == [
        False,
        False,
        True,
    ]


def test_a_p_value_that_is_not_there_stays_in_the_set_and_in_the_family() -> None:
    decision = decide(np.array([0.9, math.nan, 0.017]), np.array([1.0, 2.0, 3.0]), 0.05)
    assert decision.is_in_set.tolist() == [True, True, False]
    assert not decision.is_worse.any()  # 3 * 0.017 is above 0.05; 2 * 0.017 is not


def test_several_sweeps_are_decided_as_each_by_itself() -> None:
    rng = np.random.default_rng(0)
    p, mean = rng.random((2, 50, 6)) * np.array([0.05, 1.0])[:, None, None]
    together = decide(p, mean, 0.05)
    for index in range(50):
        alone = decide(p[index], mean[index], 0.05)
        assert (alone.is_worse == together.is_worse[index]).all()
        assert (alone.is_in_set == together.is_in_set[index]).all()


def test_differences_are_from_the_best_of_the_others() -> None:
    assert behind_best_other(np.array([3.0, 1.0, 2.0])).tolist() == [2.0, -1.0, 1.0]
    assert behind_best_other(np.array([1.0, 1.0, 2.0])).tolist() == [0.0, 0.0, 1.0]
    assert np.isnan(behind_best_other(np.array([1.0]))).all()


def test_a_lower_limit_is_above_zero_only_where_worse_and_never_above_the_difference() -> None:
    low = bounded_low(
        np.array([0.5, 0.5, -0.5, 4.0, -1.0]), np.full(5, 2.0), np.array([False, True, True, True, False])
    )
    assert low.tolist() == [0.0, 0.5, 0.0, 2.0, -1.0]
    assert bounded_low(np.array([-1.0]), np.array([-3.0]), np.array([False])).tolist() == [-3.0]


def test_an_upper_limit_is_the_greatest_against_those_that_are_not_worse() -> None:
    high = np.array([[9.0, 1.0, 5.0], [2.0, 9.0, 5.0], [3.0, 4.0, 9.0]])  # (condition, other)
    is_worse = np.array([False, False, True])
    assert greatest_high(high, np.array([-1.0, 1.0, 2.0]), is_worse) == pytest.approx([1.0, 2.0, 4.0])
    assert greatest_high(-high, np.array([-1.0, 1.0, 2.0]), is_worse) == pytest.approx([0.0, 1.0, 2.0])
