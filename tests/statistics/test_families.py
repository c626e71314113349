"""Dunnett and Tukey: published tables and examples, scipy as second opinion, and odd input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rothamsted.statistics import multivariate_t
from rothamsted.statistics.families import dunnett, tukey
from rothamsted.statistics.multivariate_t import dunnett_tail, range_tail

# Dunnett (1955), section 3: blood counts of three groups of animals, a control and two drugs (millions per mm3).
BLOOD = (
    np.array([7.40, 8.50, 7.20, 8.24, 9.84, 8.32]),
    np.array([9.76, 8.80, 7.68, 9.36]),
    np.array([12.80, 9.68, 12.16, 9.20, 10.55]),
)

# NIST/SEMATECH e-Handbook of Statistical Methods, section 7.4.7.1: four groups of five.
NIST = np.array(
    [
        [6.9, 5.4, 5.8, 4.6, 4.0],
        [8.3, 6.8, 7.8, 9.2, 6.5],
        [8.0, 10.5, 8.1, 6.9, 9.3],
        [5.8, 3.8, 6.1, 5.6, 6.2],
    ]
)


@pytest.mark.parametrize(
    ("n_groups", "df", "is_two_sided", "critical"),
    [
        # Dunnett (1955), table 1a (one-sided), and Dunnett (1964), Biometrics 20(3), table II (two-sided): 95 %.
        (2, 5, False, 2.44),
        (5, 10, False, 2.56),
        (5, 20, False, 2.39),
        (2, 5, True, 3.03),
        (5, 10, True, 2.99),
        (5, 20, True, 2.73),
    ],
)
def test_the_critical_values_are_those_of_dunnetts_tables(
    n_groups: int, df: int, is_two_sided: bool, critical: float
) -> None:
    loadings = np.full(n_groups, math.sqrt(0.5))
    below, above = (dunnett_tail(critical + side, loadings, df, is_two_sided=is_two_sided) for side in (0.006, -0.006))
    assert below < 0.05 < above


@pytest.mark.parametrize("df", [1, 2, 12, 200, 5000])
@pytest.mark.parametrize("t", [0.5, 2.0, 5.0])
def test_one_group_alone_follows_students_t(df: int, t: float) -> None:
    # Theory: with one comparison Dunnett's distribution is Student's; scipy.stats.t.
    got = dunnett_tail(t, np.array([math.sqrt(0.5)]), df, is_two_sided=True)
    assert got == pytest.approx(2 * stats.t.sf(t, df), rel=1e-7)


@pytest.mark.parametrize("df", [2, 12, 200])
@pytest.mark.parametrize("n_groups", [2, 5, 40])
def test_the_studentized_range_is_scipys(n_groups: int, df: int) -> None:
    # Second opinion: scipy.stats.studentized_range, at sqrt(2) t.
    got = [range_tail(t, n_groups, df) for t in (0.0, 1.0, 3.0, 6.0)]
    expected = stats.studentized_range.sf(np.sqrt(2) * np.array([0.0, 1.0, 3.0, 6.0]), n_groups, df)
    assert got == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("df", [1, 3, 1000])
@pytest.mark.parametrize("n_reference", [1, 20])
def test_the_grid_of_the_integral_is_fine_enough(n_reference: int, df: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Against itself on a grid four times as fine in both directions, at unequal group sizes: seven digits.
    loadings = np.sqrt(np.array([1.0, 5.0, 20.0]) / (np.array([1.0, 5.0, 20.0]) + n_reference))
    coarse = [dunnett_tail(t, loadings, df, is_two_sided=True) for t in (0.5, 2.0, 5.0)]
    for step in ("_STEP_Z", "_STEP_LOG_S"):
        monkeypatch.setattr(multivariate_t, step, getattr(multivariate_t, step) / 4)
    monkeypatch.setattr(multivariate_t, "_LEAST_NODES", 320)
    fine = [dunnett_tail(t, loadings, df, is_two_sided=True) for t in (0.5, 2.0, 5.0)]
    assert coarse == pytest.approx(fine, rel=2e-7)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_scipys_dunnett_agrees_on_the_blood_counts(alternative: str) -> None:
    # Second opinion: scipy.stats.dunnett, integrated by random numbers to about three digits.
    theirs = stats.dunnett(*BLOOD[1:], control=BLOOD[0], alternative=alternative, rng=np.random.default_rng(1))
    family = dunnett(BLOOD, alternative=alternative)  # type: ignore[arg-type]
    assert [member.p_value for member in family.members] == pytest.approx(theirs.pvalue, abs=5e-4)
    interval = theirs.confidence_interval(0.95)
    assert [member.low for member in family.members] == pytest.approx(interval.low, abs=5e-3)
    assert [member.high for member in family.members] == pytest.approx(interval.high, abs=5e-3)


def test_dunnetts_own_example_finds_drug_b_only() -> None:
    # Dunnett (1955), section 3: with 95 % confidence A - control lies in 0.65 -+ 1.90, B - control in 2.63 -+ 1.80 (his
    # table is for equal groups; the exact allowances for 6, 4 and 5 animals are 1.906 and 1.788).
    a, b = dunnett(BLOOD).members
    assert (a.low, a.high, b.low, b.high) == pytest.approx((-1.25, 2.55, 0.83, 4.43), abs=0.02)


def test_tukeys_intervals_are_those_of_the_nist_handbook() -> None:
    # Section 7.4.7.1: 0.29 to 4.47 (2-1), 1.13 to 5.31 (3-1), -2.25 to 1.93 (1-4), -2.93 to 1.25 (2-3), 0.13 to 4.31
    # (2-4), 0.97 to 5.15 (3-4).
    published = {
        (0, 1): (-4.47, -0.29),
        (0, 2): (-5.31, -1.13),
        (0, 3): (-2.25, 1.93),
        (1, 2): (-2.93, 1.25),
        (1, 3): (0.13, 4.31),
        (2, 3): (0.97, 5.15),
    }
    got = {(member.group, member.reference): (member.low, member.high) for member in tukey(NIST).members}
    assert {pair: pytest.approx(limits, abs=0.011) for pair, limits in published.items()} == got


def test_scipys_tukey_agrees_with_groups_of_unequal_size() -> None:
    # Second opinion: scipy.stats.tukey_hsd (Tukey-Kramer).
    theirs = stats.tukey_hsd(*BLOOD)
    interval = theirs.confidence_interval(0.9)
    for member in tukey(BLOOD, level=0.9).members:
        pair = (member.group, member.reference)
        expected = (theirs.pvalue[pair], interval.low[pair], interval.high[pair])
        assert (member.p_value, member.low, member.high) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("family", [dunnett, tukey])
def test_missing_values_are_left_out_and_counted(family) -> None:
    holed = [np.append(BLOOD[0], [math.nan, math.inf]), BLOOD[1], BLOOD[2]]
    result, whole = family(holed), family(BLOOD)
    assert (result.members, result.n_excluded) == (whole.members, 2)


@pytest.mark.parametrize("family", [dunnett, tukey])
def test_pairing_takes_seed_effects_out_exactly(family) -> None:
    # Property: adding any number to a seed of every group changes nothing where comparisons are paired.
    shifted = NIST + np.array([0.0, 100.0, -3.0, 7.0, 50.0])
    one, other = family(NIST, is_paired=True), family(shifted, is_paired=True)
    got = [(member.estimate, member.low, member.p_value) for member in other.members]
    assert got == [pytest.approx((member.estimate, member.low, member.p_value), abs=1e-9) for member in one.members]


def test_two_paired_groups_are_a_paired_t_test() -> None:
    # Theory: the two-way residuals of two groups are half the spread of the differences; scipy.stats.ttest_rel.
    expected = stats.ttest_rel(NIST[1], NIST[0])
    interval = expected.confidence_interval(0.95)
    member = dunnett(NIST[:2], is_paired=True).members[0]
    assert (member.p_value, member.low, member.high) == pytest.approx(
        (expected.pvalue, interval.low, interval.high), rel=1e-6
    )


def test_a_group_without_values_is_no_member_of_the_family() -> None:
    with_gap = dunnett([BLOOD[0], BLOOD[1], np.array([math.nan]), BLOOD[2]])
    kept = [(member.p_value, member.low) for member in with_gap.members if member.group != 2]
    assert kept == [(member.p_value, member.low) for member in dunnett(BLOOD).members]
    gap = with_gap.members[1]
    assert (gap.group, gap.n) == (2, 0)
    assert np.isnan([gap.estimate, gap.low, gap.high, gap.p_value]).all()


@pytest.mark.parametrize(
    ("groups", "word"),
    [
        ([[1.0, 1.0], [2.0, 2.0]], "no spread"),
        ([[1.0], [2.0], [3.0]], "one value a group"),
        ([[1.0, 2.0], [math.nan, math.nan]], "no two groups"),
    ],
)
def test_what_cannot_be_compared_is_marked(groups: list[list[float]], word: str) -> None:
    result = dunnett([np.array(group) for group in groups])
    assert word in result.note
    assert np.isnan([member.p_value for member in result.members]).all()


def test_a_reference_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="not one of 4 groups"):
        dunnett(NIST, reference=4)


def test_one_group_is_no_family() -> None:
    with pytest.raises(ValueError, match="needs two or more"):
        tukey(NIST[:1])


def test_groups_of_unequal_length_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="align groups by seed"):
        dunnett(BLOOD, is_paired=True)
