"""Comparisons of two samples: Student's own data, properties that every test has, and odd input."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rothamsted.catalog import TESTS
from rothamsted.statistics.compare import Difference, compare

# Student (1908), Biometrika 6(1): hours of sleep gained by ten patients with each of two drugs (R's data set `sleep`).
SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])

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
    # R, t.test(extra ~ group, sleep): t = -1.8608, df = 17.776, p-value = 0.07939, interval -3.3654832 to 0.2054832.
    difference = compare(SLEEP_1, SLEEP_2, test="welch")
    assert _numbers(difference) == pytest.approx((-1.58, -3.3654832, 0.2054832, 0.07939), abs=5e-6)


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


@pytest.mark.parametrize(("test", "kind"), [(name, "z" if TESTS[name].is_paired else "pooled") for name in TESTS])
def test_the_effect_belongs_to_the_test(test: str, kind: str) -> None:
    assert compare(SLEEP_1, SLEEP_2, test=test).effect.kind == kind


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"test": "z"}, "known: paired_t, welch, wilcoxon"),
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
