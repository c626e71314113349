"""Corrections of a family of p-values: by hand, against statsmodels and scipy, and by their properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rothamsted.catalog import CORRECTIONS
from rothamsted.statistics.corrections import correct

METHODS = sorted(name for name, row in CORRECTIONS.items() if not row.is_joint)
FAMILIES = st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=12).map(np.array)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        # By hand, of 0.01, 0.04, 0.03, 0.005: holm 3p, then the running maximum of 4p, 3p, 2p, p by rank.
        ("holm", [0.03, 0.06, 0.06, 0.02]),
        ("bonferroni", [0.04, 0.16, 0.12, 0.02]),
        ("bh", [0.02, 0.04, 0.04, 0.02]),  # 4p/rank: 0.02, 0.02, 0.04, 0.04, nothing to lower from above
        ("none", [0.01, 0.04, 0.03, 0.005]),
    ],
)
def test_a_small_family_is_corrected_as_by_hand(method: str, expected: list[float]) -> None:
    assert correct(np.array([0.01, 0.04, 0.03, 0.005]), method) == pytest.approx(expected)


def test_benjamini_and_hochbergs_own_example_has_four_findings_and_bonferroni_three() -> None:
    # Benjamini & Hochberg (1995), section 4.1: 15 hypotheses, at 0.05.
    findings = [0.0001, 0.0004, 0.0019, 0.0095]
    others = [0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
    p_values = np.array([*findings, *others])
    assert [(correct(p_values, method) <= 0.05).sum() for method in ("bh", "bonferroni")] == [4, 3]


@pytest.mark.parametrize(("method", "theirs"), [("holm", "holm"), ("bonferroni", "bonferroni"), ("bh", "fdr_bh")])
def test_statsmodels_agrees(method: str, theirs: str) -> None:
    # Second opinion: statsmodels.stats.multitest.multipletests, with ties among the p-values.
    from statsmodels.stats.multitest import multipletests

    p_values = np.round(np.random.default_rng(3).random(40) ** 2, 2)
    assert correct(p_values, method) == pytest.approx(multipletests(p_values, method=theirs)[1], rel=1e-12)


def test_scipy_agrees_on_false_discoveries() -> None:
    # Second opinion: scipy.stats.false_discovery_control.
    p_values = np.random.default_rng(4).random(30) ** 3
    assert correct(p_values, "bh") == pytest.approx(stats.false_discovery_control(p_values), rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
@given(p_values=FAMILIES)
def test_a_missing_p_value_is_kept_and_not_counted(method: str, p_values: np.ndarray) -> None:
    corrected = correct(p_values, method)
    made = ~np.isnan(p_values)
    np.testing.assert_array_equal(np.isnan(corrected), ~made)
    np.testing.assert_array_equal(corrected[made], correct(p_values[made], method))


@pytest.mark.parametrize("method", METHODS)
@given(p_values=FAMILIES)
def test_a_correction_never_lowers_a_p_value_nor_leaves_zero_to_one(method: str, p_values: np.ndarray) -> None:
    made = ~np.isnan(p_values)
    corrected = correct(p_values, method)[made]
    assert ((corrected >= p_values[made] * (1 - 1e-12)) & (corrected <= 1)).all()


@pytest.mark.parametrize("method", METHODS)
@given(p_values=FAMILIES, seed=st.integers(0, 9))
def test_the_order_of_the_tests_does_not_matter(method: str, p_values: np.ndarray, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(p_values))
    np.testing.assert_allclose(correct(p_values[order], method), correct(p_values, method)[order], rtol=1e-12)


@given(p_values=FAMILIES)
def test_bh_is_at_most_holm_and_holm_at_most_bonferroni(p_values: np.ndarray) -> None:
    # Theory: each step-wise procedure rejects whatever the next does.
    bh, holm, bonferroni = (correct(p_values, method) for method in ("bh", "holm", "bonferroni"))
    made = ~np.isnan(p_values)
    assert (bh <= holm * (1 + 1e-12))[made].all()
    assert (holm <= bonferroni * (1 + 1e-12))[made].all()


def test_an_unknown_correction_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="holm, bonferroni, bh, none"):
        correct(np.array([0.1]), "sidak")


@pytest.mark.parametrize("value", [-0.1, 1.1, math.inf])
def test_what_is_no_p_value_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="outside 0 to 1"):
        correct(np.array([0.5, value]), "holm")
