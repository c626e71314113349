"""Friedman's test and Nemenyi's critical difference, against Demšar (2006), JMLR 7, autorank's examples, and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rothamsted.statistics.ranks import alike, compare_ranks, critical_difference

# Demšar (2006), Table 6: area under the ROC curve of C4.5, C4.5+m, C4.5+cf, C4.5+m+cf on 14 data sets. On the last but
# one ("voting") the table prints 0.975 twice and ranks them 2 and 3: the hidden digit is put back.
AUC = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.97501, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_mean_ranks_are_those_of_demsars_example() -> None:
    # Table 6, last line.
    assert compare_ranks(AUC, direction="maximize").mean_ranks == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=5e-4)


@pytest.mark.parametrize(("level", "expected"), [(0.95, 1.25), (0.90, 1.12)])
def test_the_critical_difference_is_the_one_of_demsars_example(level: float, expected: float) -> None:
    # Section 3.2.2: 2.569 sqrt(4 * 5 / (6 * 14)) = 1.25, and 2.291 sqrt(4 * 5 / (6 * 14)) = 1.12.
    assert compare_ranks(AUC, direction="maximize", level=level).critical_difference == pytest.approx(
        expected, abs=5e-3
    )


def test_nemenyis_test_tells_the_same_pairs_apart_as_demsar() -> None:
    # Section 3.2.2: at 0.10 C4.5 is worse than C4.5+m and C4.5+m+cf, and nothing else can be told apart.
    p_values = compare_ranks(AUC, direction="maximize").pair_p_values
    told_apart = {(int(i), int(j)) for i, j in np.argwhere(p_values < 0.10) if i < j}
    assert told_apart == {(0, 1), (0, 3)}


@pytest.mark.parametrize(
    ("level", "quantiles"),
    [
        (0.95, (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)),
        (0.90, (1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920)),
    ],
)
def test_nemenyis_quantiles_are_those_of_demsars_table(level: float, quantiles: tuple[float, ...]) -> None:
    # Table 5 (a), two to ten classifiers; some of its last digits are truncated.
    got = [critical_difference(k, 1, level) / math.sqrt(k * (k + 1) / 6) for k in range(2, 11)]
    assert got == pytest.approx(quantiles, abs=1.5e-3)


def test_friedmans_statistic_agrees_with_scipy_also_with_ties() -> None:
    # Second opinion: scipy.stats.friedmanchisquare, which corrects for ties as well.
    expected = stats.friedmanchisquare(*AUC.T).statistic
    assert compare_ranks(AUC, direction="maximize").statistic == pytest.approx(expected, rel=1e-12)


def test_the_f_form_is_iman_and_davenports() -> None:
    # By hand: ranks (1,2,3), (1,3,2), (2,1,3), (1,2,3) have means 5/4, 2, 11/4; chi squared = 12 * 4 / (3 * 4) *
    # (25/16 + 4 + 121/16 - 3 * 16 / 4) = 4.5; F = 3 * 4.5 / (4 * 2 - 4.5) = 27/7; p = (1 + F/3)^-3 = (7/16)^3 for
    # 2 and 6 degrees of freedom.
    scores = np.array([[1.0, 2, 3], [1, 3, 2], [2, 1, 3], [1, 2, 3]])
    result = compare_ranks(scores, direction="minimize")
    assert (result.statistic, result.f_statistic, result.p_value) == pytest.approx((4.5, 27 / 7, (7 / 16) ** 3))


def test_a_direction_turns_the_ranks_around() -> None:
    low, high = (compare_ranks(AUC, direction=direction).mean_ranks for direction in ("minimize", "maximize"))
    assert np.add(low, high) == pytest.approx(5.0)


def test_a_data_set_with_a_missing_score_is_left_out_and_counted() -> None:
    holed = np.vstack([AUC, [0.1, math.nan, 0.2, 0.3], [0.1, math.inf, 0.2, 0.3]])
    whole, result = (compare_ranks(scores, direction="maximize") for scores in (AUC, holed))
    assert (result.n, result.n_excluded, result.mean_ranks) == (14, 2, whole.mean_ranks)


def test_equal_scores_everywhere_are_no_difference() -> None:
    result = compare_ranks(np.ones((5, 3)), direction="minimize")
    assert (result.statistic, result.p_value) == (0.0, 1.0)


def test_one_order_on_every_data_set_has_the_exact_probability() -> None:
    # By counting: the other three data sets agree with the first one's order with probability (1/3!)^3.
    scores = np.tile([3.0, 1.0, 2.0], (4, 1))
    assert compare_ranks(scores, direction="minimize").p_value == pytest.approx(6**-3)


def test_one_data_set_has_no_p_value_and_says_why() -> None:
    result = compare_ranks(AUC[:1], direction="maximize")
    assert math.isnan(result.p_value)
    assert "1 data sets" in result.note


def test_no_complete_data_set_leaves_marked_gaps() -> None:
    result = compare_ranks(np.full((3, 2), math.nan), direction="maximize")
    assert (result.n, result.n_excluded) == (0, 3)
    assert np.isnan([*result.mean_ranks, result.critical_difference, result.p_value]).all()


@pytest.mark.parametrize("scores", [np.ones(3), np.ones((3, 1))])
def test_scores_without_two_conditions_are_refused(scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match="two conditions or more"):
        compare_ranks(scores, direction="minimize")


def test_the_test_rarely_errs_when_no_condition_is_better() -> None:
    # Theory: at most 5 % of 300 null comparisons, give or take 3 standard errors.
    rng = np.random.default_rng(20)
    wrong = sum(compare_ranks(rng.normal(size=(12, 5)), direction="minimize").p_value <= 0.05 for _ in range(300))
    assert wrong / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_the_bars_of_demsars_diagram_are_found() -> None:
    # Demšar (2006), figure 1 (a), at 0.10 with a critical difference of 1.12: C4.5+m+cf, C4.5+m and C4.5+cf are one
    # group, C4.5+cf and C4.5 another.
    found = compare_ranks(AUC, direction="maximize", level=0.90)
    assert alike(found.mean_ranks, found.critical_difference) == ((3, 1, 2), (2, 0))


def test_conditions_that_all_differ_have_no_bar_and_those_that_do_not_have_one() -> None:
    assert alike((1.0, 2.0, 3.0), 0.5) == ()
    assert alike((1.2, 1.1, 1.3), 0.5) == ((1, 0, 2),)


def autoranks_example() -> np.ndarray:
    """The data of the usage example in autorank's README, version 1.3.0; NumPy keeps this generator as it is."""
    source = np.random.RandomState(42)
    return np.column_stack([source.normal(mean, 0.3, 50).clip(0, 1) for mean in (0.2, 0.3, 0.5, 0.8, 0.85, 0.9)])


def test_ranks_statistic_and_bars_are_those_of_autoranks_example() -> None:
    # README of autorank 1.3.0 (Herbold 2020, doi:10.21105/joss.02173): mean ranks 5.40 to 2.18 of pop_0 to pop_5,
    # pvalue=2.3412212612346733e-28, and "no significant differences within the following groups: pop_5, pop_4, and
    # pop_3; pop_2 and pop_1; pop_1 and pop_0".
    found = compare_ranks(autoranks_example(), direction="maximize")
    assert found.mean_ranks == pytest.approx((5.40, 4.71, 3.95, 2.47, 2.29, 2.18), abs=1e-12)
    assert stats.chi2.sf(found.statistic, 5) == pytest.approx(2.3412212612346733e-28, rel=1e-9)
    assert alike(found.mean_ranks, found.critical_difference) == ((5, 4, 3), (2, 1), (1, 0))


def test_the_critical_difference_is_autoranks_but_for_its_approximated_quantile() -> None:
    # The same example has cd=1.0662484349869374. autorank takes the quantile of the studentized range from
    # statsmodels' qsturng, which interpolates a table; scipy integrates. The two differ in the fifth digit.
    found = compare_ranks(autoranks_example(), direction="maximize").critical_difference
    assert found == pytest.approx(1.0662484349869374, rel=2e-5)
    assert found == pytest.approx(1.0662621, abs=5e-8)


def test_where_autorank_takes_chi_squared_the_f_form_rejects_more_often() -> None:
    # Demšar (2006), section 3.2.2, on Friedman's chi squared: "undesirably conservative".
    found = compare_ranks(autoranks_example(), direction="maximize")
    assert found.p_value < stats.chi2.sf(found.statistic, 5)


def test_bars_are_those_of_autoranks_paper() -> None:
    # Herbold (2020), JOSS 5(48), 2173: six classifiers, 20 samples, CD=1.686, and the groups "Naive Bayes, Random
    # Forest, RBF SVM, and Neural Net; Random Forest, RBF SVM, Neural Net, and Decision Tree; Neural Net, Decision
    # Tree, and Linear SVM".
    ranks = (2.750, 2.850, 2.900, 3.300, 4.525, 4.675)
    cd = critical_difference(6, 20)
    assert cd == pytest.approx(1.686, abs=5e-4)
    assert alike(ranks, cd) == ((0, 1, 2, 3), (1, 2, 3, 4), (3, 4, 5))
