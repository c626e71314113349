"""The method "simple" by hand, for two and three conditions: t with 2 degrees of freedom has a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rothamsted.statistics import BestResult, compare_with_best


def _found(values: list[list[float]], *, is_paired: bool = True, **more) -> BestResult:
    result = compare_with_best(np.array(values), direction="minimize", is_paired=is_paired, **more)
    assert result is not None
    assert result.method == "simple"
    return result


def _beyond(t: float) -> float:
    """P(T > t) with 2 degrees of freedom."""
    return 0.5 - t / (2 * math.sqrt(2 + t * t))


def _quantile(upper: float) -> float:
    """The t with 2 degrees of freedom that is exceeded with this probability."""
    return (1 - 2 * upper) / math.sqrt(2 * upper * (1 - upper))


def test_two_paired_conditions_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), t = 3.464; 97.5 % quantile 4.302653.
    result = _found([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])
    winner, other = result.rows
    half = 4.302653 / math.sqrt(3)
    assert (winner.p, other.p) == pytest.approx((1 - _beyond(math.sqrt(12)), _beyond(math.sqrt(12))), rel=1e-9)
    assert (winner.difference, winner.low, winner.high) == pytest.approx((-2, -2 - half, -2 + half), abs=1e-6)
    assert (other.difference, other.low, other.high) == pytest.approx((2, 2 - half, 2 + half), abs=1e-6)
    # p = 0.037: not in the set. Holm over both conditions makes it 0.074: not called worse.
    assert (result.winner, result.members, other.verdict, winner.verdict) == (0, (0,), "open", "open")


def test_three_paired_conditions_by_hand() -> None:
    # Differences of 2 from 0: 10, 12, 11; of 2 from 1: 9, 10, 8; of 1 from 0: 1, 2, 3. All have standard deviation 1.
    result = _found([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [10.0, 12.0, 11.0]])
    half = _quantile(0.05 / 6) / math.sqrt(3)  # all six one-sided limits hold together
    assert [row.p for row in result.rows] == pytest.approx(
        [1.0, 2 * _beyond(math.sqrt(12)), 2 * _beyond(math.sqrt(363))], rel=1e-9
    )
    assert [row.difference for row in result.rows] == pytest.approx([-2, 2, 11])
    assert [row.low for row in result.rows] == pytest.approx([-2 - half, 2 - half, 11 - half], rel=1e-9)
    # The third is worse, so that nobody's upper limit rests on it; its own is the greater of two.
    assert [row.high for row in result.rows] == pytest.approx([-2 + half, 2 + half, 11 + half], rel=1e-9)
    assert (result.members, [row.verdict for row in result.rows]) == ((0, 1), ["open", "open", "worse"])


def test_holm_lets_the_second_of_three_pass_at_half_of_alpha() -> None:
    # Two rivals 6 and 8 behind: p = 0.0091 and 0.0052. Holm makes them 0.0182 and 0.0155, with Bonferroni 0.027.
    result = _found([[0.0, 0.0, 0.0], [5.0, 7.0, 6.0], [8.0, 7.0, 9.0]])
    assert [row.verdict for row in result.rows] == ["as good", "worse", "worse"]
    assert result.rows[1].p == pytest.approx(2 * _beyond(6 * math.sqrt(3)), rel=1e-9)
    # A lower limit of a worse one is not below zero.
    assert result.rows[1].low == pytest.approx(6 - _quantile(0.05 / 6) / math.sqrt(3))
    strict = _found([[0.0, 0.0, 0.0], [5.0, 7.0, 6.0], [8.0, 7.0, 9.0]], level=0.983)
    assert [row.verdict for row in strict.rows] == ["open", "open", "worse"]


def test_two_paired_conditions_agree_with_scipy() -> None:
    values = np.random.default_rng(3).normal(size=(2, 7))
    expected = stats.ttest_rel(values[1], values[0], alternative="greater").pvalue
    assert [row.p for row in _found(values.tolist()).rows] == pytest.approx([1 - expected, expected], rel=1e-9)


def test_unpaired_comparisons_take_the_degrees_of_freedom_of_the_smaller_sample() -> None:
    # By hand: means 1 and 11, squared standard errors 2 / 2 and (2 / 3) / 4, so t = 10 / sqrt(7 / 6) with 2 - 1 degrees
    # of freedom (Mickey & Brown 1966), which is Cauchy's distribution.
    result = _found([[0.0, 2.0, math.nan, math.nan], [10.0, 12.0, 11.0, 11.0]], is_paired=False)
    t = 10 / math.sqrt(7 / 6)
    assert result.rows[1].p == pytest.approx(0.5 - math.atan(t) / math.pi, rel=1e-9)
    half = stats.t.ppf(0.975, 1) * math.sqrt(7 / 6)
    assert (result.rows[1].low, result.rows[1].high) == pytest.approx((10 - half, 10 + half), rel=1e-9)


def test_pairs_are_made_of_common_seeds_and_means_are_adjusted_for_the_others() -> None:
    # The second has no value at the hard seed: its raw mean is lower, its mean over common seeds is higher.
    result = _found([[0.0, 1.0, 10.0], [0.5, 1.6, math.nan]])
    assert result.winner == 0
    assert result.rows[1].difference == pytest.approx(0.55)
    assert result.rows[1].p == pytest.approx(stats.ttest_1samp([0.5, 0.6], 0, alternative="greater").pvalue)


def test_without_two_common_seeds_nothing_is_known() -> None:
    result = _found([[0.0, 1.0, math.nan, math.nan], [math.nan, math.nan, 5.0, 6.0]])
    assert [(row.is_in_set, row.verdict, row.low, row.high) for row in result.rows] == [
        (True, "open", -math.inf, math.inf)
    ] * 2


def test_a_pair_whose_difference_never_varies_differs() -> None:
    result = _found([[1.0, 2.0, 4.0], [2.0, 3.0, 5.0]])
    assert (result.members, result.rows[1].verdict) == ((0,), "worse")
    assert (result.rows[1].low, result.rows[1].high) == pytest.approx((1.0, 1.0))
