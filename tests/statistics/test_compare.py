"""Comparisons of two samples: published examples, scipy as second opinion, properties, and odd input."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rothamsted.statistics import exact
from rothamsted.statistics.compare import TESTS, Difference, compare

# Student (1908), Biometrika 6(1): hours of sleep gained by ten patients with each of two drugs (R's data set `sleep`).
SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])

# Darwin's maize: cross- minus self-fertilised height of 15 pairs in eighths of an inch. Fisher (1935), The Design of
# Experiments, sections 17 and 21.
MAIZE = np.array([49.0, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48])

# Hollander & Wolfe (1973), Nonparametric Statistical Methods, table 3.1: Hamilton depression scale of nine patients
# before and after tranquilliser (also the example of R's wilcox.test).
BEFORE = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
AFTER = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])

PAIRED = sorted(name for name, test in TESTS.items() if test.is_paired)
UNPAIRED = sorted(name for name, test in TESTS.items() if not test.is_paired)
ALTERNATIVES = ["two-sided", "greater", "less"]

# Few distinct numbers make ties and zeros frequent, many make them rare; 64ths add up without rounding.
VALUES = st.one_of(st.integers(-4, 4), st.integers(-6400, 6400)).map(lambda number: number / 64)


@st.composite
def samples(draw: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Two samples of one length, two to seven values each."""
    n = draw(st.integers(2, 7))
    column = st.lists(VALUES, min_size=n, max_size=n).map(np.array)
    return draw(column), draw(column)


def _numbers(difference: Difference) -> tuple[float, float, float, float]:
    return difference.estimate, difference.low, difference.high, difference.p_value


def test_the_paired_t_test_reproduces_the_sleep_data() -> None:
    # R, t.test(extra ~ group, sleep, paired = TRUE): t = -4.0621, df = 9, p-value = 0.002833, mean -1.58, 95 % interval
    # -2.4598858 to -0.7001142.
    difference = compare(SLEEP_1, SLEEP_2, test="paired_t")
    assert _numbers(difference) == pytest.approx((-1.58, -2.4598858, -0.7001142, 0.002833), abs=5e-7)


def test_welchs_test_reproduces_the_sleep_data() -> None:
    # R, t.test(extra ~ group, sleep): t = -1.8608, df = 17.776, p-value = 0.07939, 95 % interval -3.3654832 to 0.2054832.
    difference = compare(SLEEP_1, SLEEP_2, test="welch")
    assert _numbers(difference) == pytest.approx((-1.58, -3.3654832, 0.2054832, 0.07939), abs=5e-6)


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
@given(pair=samples())
@settings(max_examples=25, deadline=None)
def test_scipys_permutation_test_agrees_with_pairs(alternative: str, pair: tuple[np.ndarray, np.ndarray]) -> None:
    # Second opinion: scipy.stats.permutation_test(permutation_type="samples"), all sign flips.
    expected = stats.permutation_test(
        pair,
        lambda x, y, axis: np.mean(x - y, axis),
        permutation_type="samples",
        alternative=alternative,
        n_resamples=np.inf,
        vectorized=True,
    )
    got = compare(*pair, test="paired_permutation", alternative=alternative)  # type: ignore[arg-type]
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
    # Second opinion: scipy.stats.wilcoxon of the differences that are not zero; it counts all sign flips where ranks tie.
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
    # 9,999 draws: three standard errors of a p-value near 0.05 are 0.0066.
    a, b = SLEEP_1 + 0.6, SLEEP_2
    counted = compare(a[:8], b[:8], test=test)
    monkeypatch.setattr(exact, "N_EXACT", 10)
    drawn = compare(a[:8], b[:8], test=test, seed=3)
    assert _numbers(drawn) == pytest.approx(_numbers(counted), abs=0.15)
    assert drawn.p_value == pytest.approx(counted.p_value, abs=3 * math.sqrt(counted.p_value / 9_999) * 2)


@pytest.mark.parametrize("test", ["paired_permutation", "permutation"])
def test_equal_seeds_draw_equal_permutations(test: str) -> None:
    a, b = np.random.default_rng(9).normal(size=(2, 30))
    assert compare(a, b, test=test, seed=5) == compare(a, b, test=test, seed=5)


@pytest.mark.parametrize("test", ["paired_permutation", "permutation"])
def test_another_seed_draws_other_permutations(test: str) -> None:
    a, b = np.random.default_rng(9).normal(size=(2, 30))
    assert compare(a, b, test=test, seed=5).p_value != compare(a, b, test=test, seed=6).p_value


@pytest.mark.parametrize("test", sorted(TESTS))
@pytest.mark.parametrize("alternative", ALTERNATIVES)
@given(pair=samples(), level=st.sampled_from([0.5, 0.8, 0.95]), margin=st.sampled_from([-1.0, 0.0, 0.25, 3.0]))
@settings(max_examples=30, deadline=None)
def test_p_value_and_interval_tell_the_same_story(
    test: str, alternative: str, pair: tuple[np.ndarray, np.ndarray], level: float, margin: float
) -> None:
    # Theory: a test rejects just those values that its interval leaves out. Ties in Wilcoxon's ranks make the interval,
    # which ignores them, the more cautious of the two: then only one direction holds.
    margin = 0.0 if alternative == "two-sided" else margin
    null = {"two-sided": 0.0, "greater": -margin, "less": margin}[alternative]
    got = compare(*pair, test=test, level=level, alternative=alternative, margin=margin)  # type: ignore[arg-type]
    if math.isnan(got.p_value) or min(abs(got.low - null), abs(got.high - null)) < 1e-9:
        return
    is_outside = not got.low <= null <= got.high
    is_rejected = got.p_value <= (1 - level) * (1 + 1e-9)
    shifted = np.abs(pair[0] - pair[1] - null)
    if test == "wilcoxon" and len(set(np.round(shifted, 9))) < len(shifted):
        assert is_rejected or not is_outside or (shifted < 1e-9).any()
    else:
        assert is_outside == is_rejected


@pytest.mark.parametrize("test", sorted(TESTS))
@given(pair=samples())
@settings(max_examples=20, deadline=None)
def test_exchanging_the_samples_turns_the_difference_around(test: str, pair: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = compare(*pair, test=test), compare(pair[1], pair[0], test=test)
    got = (-other.estimate, -other.high, -other.low, other.p_value)
    assert got == pytest.approx(_numbers(one), rel=1e-9, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("test", sorted(TESTS))
def test_the_order_of_the_replicates_does_not_matter(test: str) -> None:
    order = np.random.default_rng(2).permutation(10)
    assert _numbers(compare(SLEEP_1[order], SLEEP_2[order], test=test)) == pytest.approx(
        _numbers(compare(SLEEP_1, SLEEP_2, test=test)), rel=1e-12
    )


@pytest.mark.parametrize("test", sorted(TESTS))
@pytest.mark.parametrize("scale", [1e-250, 3.0, 1e250])
def test_the_unit_of_the_values_does_not_matter(test: str, scale: float) -> None:
    # Squares of the extreme ones would vanish or overflow.
    plain, scaled = compare(SLEEP_1, SLEEP_2, test=test), compare(SLEEP_1 * scale, SLEEP_2 * scale, test=test)
    got = (scaled.estimate / scale, scaled.low / scale, scaled.high / scale, scaled.p_value)
    assert got == pytest.approx(_numbers(plain), rel=1e-9)


@pytest.mark.parametrize("test", PAIRED)
def test_an_effect_of_the_seed_cancels_in_pairs(test: str) -> None:
    seeds = np.array([5.0, -3, 100, 0, 2, 7, -20, 1, 4, 11])
    assert _numbers(compare(SLEEP_1 + seeds, SLEEP_2 + seeds, test=test)) == pytest.approx(
        _numbers(compare(SLEEP_1, SLEEP_2, test=test)), rel=1e-9
    )


@pytest.mark.parametrize("test", sorted(TESTS))
@pytest.mark.parametrize(("alternative", "sign"), [("greater", 1), ("less", -1)])
def test_a_margin_is_a_shift(test: str, alternative: str, sign: int) -> None:
    # By definition: A - B > -m is A + m > B, and A - B < m is A - m < B.
    with_margin = compare(SLEEP_1, SLEEP_2, test=test, alternative=alternative, margin=0.5)  # type: ignore[arg-type]
    shifted = compare(SLEEP_1 + sign * 0.5, SLEEP_2, test=test, alternative=alternative)  # type: ignore[arg-type]
    assert with_margin.p_value == pytest.approx(shifted.p_value, rel=1e-9)


@pytest.mark.parametrize("test", PAIRED)
def test_a_pair_with_a_missing_value_is_left_out_and_counted(test: str) -> None:
    a, b = np.append(SLEEP_1, [math.nan, 1.0, 2.0]), np.append(SLEEP_2, [1.0, math.inf, math.nan])
    got = compare(a, b, test=test)
    assert (got.n, got.n_excluded, _numbers(got)) == (10, 3, _numbers(compare(SLEEP_1, SLEEP_2, test=test)))


@pytest.mark.parametrize("test", UNPAIRED)
def test_a_missing_value_leaves_alone_where_nothing_is_paired(test: str) -> None:
    got = compare(np.append(SLEEP_1, [math.nan, math.inf]), SLEEP_2[:7], test=test)
    assert (got.n, got.n_a, got.n_b, got.n_excluded) == (7, 10, 7, 2)
    assert _numbers(got) == _numbers(compare(SLEEP_1, SLEEP_2[:7], test=test))


@pytest.mark.parametrize("test", sorted(TESTS))
def test_one_replicate_has_an_estimate_and_nothing_else(test: str) -> None:
    got = compare(np.array([3.0]), np.array([1.0]), test=test)
    assert got.estimate == 2.0
    assert np.isnan([got.low, got.high, got.p_value]).all()
    assert "needs two" in got.note


@pytest.mark.parametrize("test", sorted(TESTS))
def test_without_values_there_is_not_even_an_estimate(test: str) -> None:
    got = compare(np.array([math.nan, 1.0]), np.array([1.0, math.nan]), test=test)
    assert math.isnan(got.p_value)
    assert "needs two" in got.note


def test_equal_differences_leave_student_without_a_p_value() -> None:
    # 0.3 - 0.2, 0.2 - 0.1, 0.8 - 0.7 differ in their last bit: a t of 1e15 would be a wrong number.
    got = compare(np.array([0.3, 0.2, 0.8]), np.array([0.2, 0.1, 0.7]), test="paired_t")
    assert math.isnan(got.p_value)
    assert "no spread" in got.note


def test_two_constant_samples_leave_welch_without_a_p_value() -> None:
    got = compare(np.full(4, 0.1), np.full(3, 0.3), test="welch")
    assert math.isnan(got.p_value)
    assert "no spread" in got.note


def test_one_constant_sample_does_not_stop_welch() -> None:
    # Theory: then it is the one-sample t test of the other; scipy.stats.ttest_1samp.
    got = compare(SLEEP_1, np.full(3, 2.0), test="welch")
    assert got.p_value == pytest.approx(stats.ttest_1samp(SLEEP_1, 2.0).pvalue, rel=1e-9)


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


@pytest.mark.parametrize(("test", "kind"), [(name, "z" if TESTS[name].is_paired else "pooled") for name in TESTS])
def test_the_effect_belongs_to_the_test(test: str, kind: str) -> None:
    assert compare(SLEEP_1, SLEEP_2, test=test).effect.kind == kind


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"test": "z"}, "use paired_t, welch, wilcoxon"),
        ({"test": "welch", "level": 1.0}, "between 0 and 1"),
        ({"test": "welch", "alternative": "better"}, "two-sided, greater or less"),
        ({"test": "welch", "margin": 0.1}, "has no side"),
        ({"test": "welch", "margin": math.inf, "alternative": "less"}, "finite"),
        ({"test": "paired_t"}, "align both by seed"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(SLEEP_1, SLEEP_2[:9], **arguments)
