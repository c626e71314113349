"""Tests by counting: published counts, all cases counted by scipy, and drawn cases against counted ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rothamsted.statistics import exact
from rothamsted.statistics.compare import Difference, compare

# Darwin's maize: cross- minus self-fertilised height of 15 pairs in eighths of an inch. Fisher (1935), The Design of
# Experiments, sections 17 and 21.
MAIZE = np.array([49.0, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48])

# Hollander & Wolfe (1973), Nonparametric Statistical Methods, table 3.1: Hamilton depression scale of nine patients
# before and after tranquilliser (also the example of R's wilcox.test).
BEFORE = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
AFTER = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])

# Student (1908), Biometrika 6(1): hours of sleep gained by ten patients with each of two drugs (R's data set `sleep`).
SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])

ALTERNATIVES = ["two-sided", "greater", "less"]

# Few distinct numbers make ties and zeros frequent, many make them rare; 64ths add up without rounding.
NUMBERS = st.one_of(st.integers(-4, 4), st.integers(-6400, 6400)).map(lambda number: number / 64)


def _numbers(difference: Difference) -> tuple[float, float, float, float]:
    return difference.estimate, difference.low, difference.high, difference.p_value


def test_the_paired_permutation_test_counts_what_fisher_counted() -> None:
    # Fisher (1935), section 21: of the 32,768 sums 863 reach 314 on one side, 1,726 on both.
    difference = compare(MAIZE, np.zeros(15), test="paired_permutation")
    assert difference.p_value == 1726 / 32768


def test_the_permutation_test_of_two_small_samples_is_counted_by_hand() -> None:
    # By hand: of the 6 ways to split 1, 2, 3, 4 one is as far below as observed and one as far above.
    difference = compare(np.array([1.0, 2.0]), np.array([3.0, 4.0]), test="permutation")
    assert difference.p_value == pytest.approx(2 / 6)


def test_wilcoxons_test_reproduces_the_depression_scale_example() -> None:
    # R, wilcox.test(x, y, paired = TRUE, alternative = "greater"): V = 40, p-value = 0.01953 (10 / 512).
    difference = compare(BEFORE, AFTER, test="wilcoxon", alternative="greater")
    assert difference.p_value == pytest.approx(10 / 512, rel=1e-12)


def test_wilcoxons_interval_is_the_sixth_walsh_average_from_either_end() -> None:
    # Hollander & Wolfe (1973), section 3.3: with n = 9, P(W <= 5) = 0.0195 and P(W <= 6) = 0.027, so limits at 95 % are
    # the 6th and the 40th of the 45 Walsh averages, and the estimate is the 23rd.
    differences = BEFORE - AFTER
    walsh = sorted((differences[i] + differences[j]) / 2 for i in range(9) for j in range(i, 9))
    difference = compare(BEFORE, AFTER, test="wilcoxon")
    got = (difference.low, difference.estimate, difference.high)
    assert got == pytest.approx((walsh[5], walsh[22], walsh[39]), rel=1e-12)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@given(differences=st.lists(NUMBERS, min_size=2, max_size=7).map(np.array))
@settings(max_examples=25, deadline=None)
def test_scipys_permutation_test_agrees_with_pairs(alternative: str, differences: np.ndarray) -> None:
    # Second opinion: scipy.stats.permutation_test(permutation_type="samples"), all sign flips.
    expected = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        alternative=alternative,
        n_resamples=np.inf,
        vectorized=True,
    )
    got = compare(differences, 0 * differences, test="paired_permutation", alternative=alternative)  # type: ignore[arg-type]
    assert got.p_value == pytest.approx(expected.pvalue, rel=1e-12)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_scipys_permutation_test_agrees_with_samples_of_unequal_size(alternative: str) -> None:
    # Second opinion: scipy.stats.permutation_test(permutation_type="independent"), all 210 splits.
    a, b = SLEEP_1[:4], SLEEP_2[4:]
    expected = stats.permutation_test(
        (a, b), lambda x, y: np.mean(x) - np.mean(y), alternative=alternative, n_resamples=np.inf, vectorized=False
    )
    got = compare(a, b, test="permutation", alternative=alternative)  # type: ignore[arg-type]
    assert got.p_value == pytest.approx(expected.pvalue, rel=1e-12)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@given(differences=st.lists(st.integers(-6, 6).map(float), min_size=2, max_size=9).map(np.array))
@settings(max_examples=25, deadline=None)
def test_scipys_wilcoxon_agrees_with_ties_and_zeros(alternative: str, differences: np.ndarray) -> None:
    # Second opinion: scipy.stats.wilcoxon of the differences that are not zero; with ties it counts all sign flips.
    kept = differences[differences != 0]
    expected = stats.wilcoxon(kept, alternative=alternative).pvalue if len(kept) else 1.0
    got = compare(differences, np.zeros(len(differences)), test="wilcoxon", alternative=alternative)  # type: ignore[arg-type]
    assert got.p_value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_scipys_wilcoxon_agrees_where_pairs_are_too_many_to_count(alternative: str) -> None:
    # Second opinion: scipy's normal approximation with continuity correction, 300 pairs.
    differences = np.random.default_rng(7).normal(0.1, 1, size=300)
    expected = stats.wilcoxon(differences, alternative=alternative, correction=True, method="asymptotic").pvalue
    got = compare(differences, np.zeros(300), test="wilcoxon", alternative=alternative)  # type: ignore[arg-type]
    assert got.p_value == pytest.approx(expected, rel=1e-9)


def test_the_approximate_wilcoxon_interval_joins_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # With 150 pairs the normal approximation may move a limit by a Walsh average or two among 11,325.
    differences = np.random.default_rng(8).normal(size=150)
    counted = compare(differences, np.zeros(150), test="wilcoxon")
    exact._n_walsh_outside.cache_clear()
    monkeypatch.setattr(exact, "N_RANKED", 100)
    approximate = compare(differences, np.zeros(150), test="wilcoxon")
    exact._n_walsh_outside.cache_clear()
    assert _numbers(approximate) == pytest.approx(_numbers(counted), abs=0.003)


@pytest.mark.parametrize("test", ["paired_permutation", "permutation"])
def test_drawn_permutations_come_near_the_counted_ones(test: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # 9,999 draws: three standard errors of twice a one-sided p-value, and limits between neighbouring counted ones.
    a, b = SLEEP_1 + 0.6, SLEEP_2
    counted = compare(a[:8], b[:8], test=test)
    monkeypatch.setattr(exact, "N_EXACT", 10)
    drawn = compare(a[:8], b[:8], test=test, seed=3)
    assert _numbers(drawn) == pytest.approx(_numbers(counted), abs=0.15)
    assert drawn.p_value == pytest.approx(counted.p_value, abs=6 * math.sqrt(counted.p_value / 2 / 9_999))


@pytest.mark.parametrize("test", ["paired_permutation", "permutation"])
def test_equal_seeds_draw_equal_permutations(test: str) -> None:
    a, b = np.random.default_rng(9).normal(size=(2, 30))
    assert compare(a, b, test=test, seed=5) == compare(a, b, test=test, seed=5)


@pytest.mark.parametrize("test", ["paired_permutation", "permutation"])
def test_another_seed_draws_other_permutations(test: str) -> None:
    a, b = np.random.default_rng(9).normal(size=(2, 30))
    assert compare(a, b, test=test, seed=5).p_value != compare(a, b, test=test, seed=6).p_value


@pytest.mark.parametrize("test", ["wilcoxon", "paired_permutation", "permutation"])
def test_equal_samples_are_no_evidence(test: str) -> None:
    assert compare(np.ones(6), np.ones(6), test=test).p_value == 1.0


@pytest.mark.parametrize(
    ("test", "smallest"),
    [("wilcoxon", "0.0625"), ("paired_permutation", "0.0625"), ("permutation", "0.00794")],
)
def test_what_five_replicates_can_never_show_is_said(test: str, smallest: str) -> None:
    # By counting: 2 / 2^5 sign flips, 2 / C(10, 5) splits.
    got = compare(SLEEP_1[:5] + 100, SLEEP_2[:5], test=test, level=0.995)
    assert smallest in got.note
    assert (got.low, got.high) == (-math.inf, math.inf)


def test_one_huge_value_does_not_hide_the_others() -> None:
    # By counting: 6 pairs, all positive, 2 / 2^6; beside 1e20 the other differences must not pass for rounding.
    got = compare(np.array([1e20, 1.0, 2, 3, 4, 5.5]), np.array([0.0, 0.5, 1, 1, 1, 1]), test="wilcoxon")
    assert got.p_value == pytest.approx(2 / 64)
