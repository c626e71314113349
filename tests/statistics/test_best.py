"""The set that cannot be told from the best: it must hold the truly best condition, whoever wins by luck."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from rothamsted.statistics.best import BEST_METHODS, indistinguishable_from_best, others_better

METHODS = sorted(BEST_METHODS)
PAIRWISE = sorted(set(METHODS) - {"pooled"})

LEVEL = 0.95


def _error_rate(
    method: str, *, n_conditions: int, n: int, is_paired: bool, own_sd: float, lead: float, n_sweeps: int
) -> float:
    """Share of simulated sweeps whose set lacks condition 0, which is the best: by `lead`, or tied with all others."""
    rng = np.random.default_rng([n_conditions, n, int(10 * own_sd)])
    sd = np.ones(n_conditions)
    sd[0] = own_sd
    lost = 0
    for _ in range(n_sweeps):
        values = sd[:, None] * rng.normal(size=(n_conditions, n))
        values[0] += lead
        if is_paired:
            values += 2 * rng.normal(size=n)  # seed effects, shared by all conditions
        result = indistinguishable_from_best(values, direction="maximize", is_paired=is_paired, method=method)
        lost += result is not None and 0 not in result.members
    return lost / n_sweeps


def _bound(n_sweeps: int) -> float:
    """Return 5 % and 3.5 Monte-Carlo standard errors."""
    return 0.05 + 3.5 * math.sqrt(0.05 * 0.95 / n_sweeps)


@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [3, 5])
def test_a_tied_best_condition_is_rarely_lost(method: str, n: int, is_paired: bool) -> None:
    # Theory: with all conditions equal, the hardest case, condition 0 is lost in 5 % of sweeps at most.
    rate = _error_rate(method, n_conditions=6, n=n, is_paired=is_paired, own_sd=1.0, lead=0.0, n_sweeps=250)
    assert rate <= _bound(250)


@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("own_sd", [0.1, 10.0])
@pytest.mark.parametrize("method", PAIRWISE)
def test_a_best_condition_that_scatters_otherwise_is_rarely_lost(method: str, own_sd: float, is_paired: bool) -> None:
    rate = _error_rate(method, n_conditions=20, n=3, is_paired=is_paired, own_sd=own_sd, lead=0.0, n_sweeps=200)
    assert rate <= _bound(200)


def test_the_pooled_method_does_lose_a_best_condition_that_scatters_more() -> None:
    # Why "pooled" is not the default: the simulation sees an error rate far above 5 %, so it can fail for the others.
    rate = _error_rate("pooled", n_conditions=20, n=3, is_paired=False, own_sd=3.0, lead=0.0, n_sweeps=100)
    assert rate > 0.15


@pytest.mark.slow
@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("n_conditions", [2, 5, 10, 20, 50])
@pytest.mark.parametrize("own_sd", [0.1, 0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("method", PAIRWISE)
def test_the_best_condition_is_rarely_lost_in_full(
    method: str, own_sd: float, n_conditions: int, n: int, is_paired: bool
) -> None:
    rate = _error_rate(
        method, n_conditions=n_conditions, n=n, is_paired=is_paired, own_sd=own_sd, lead=0.0, n_sweeps=2_000
    )
    assert rate <= _bound(2_000)


@pytest.mark.slow
@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("n_conditions", [2, 10, 50])
def test_gupta_selection_errs_at_just_its_level_where_conditions_scatter_alike(
    n_conditions: int, n: int, is_paired: bool
) -> None:
    # Theory: exact, so the error rate is 5 %, neither more nor less.
    n_sweeps = 1_000 if n_conditions == 50 else 4_000
    rate = _error_rate(
        "pooled", n_conditions=n_conditions, n=n, is_paired=is_paired, own_sd=1.0, lead=0.0, n_sweeps=n_sweeps
    )
    assert abs(rate - 0.05) <= _bound(n_sweeps) - 0.05


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_best_condition_with_a_small_lead_is_rarely_lost(method: str) -> None:
    rate = _error_rate(method, n_conditions=20, n=5, is_paired=True, own_sd=1.0, lead=0.5, n_sweeps=4_000)
    assert rate <= _bound(4_000)


def test_simes_rules_out_more_of_a_grid_than_bonferroni() -> None:
    # Theory: whatever Bonferroni rejects Simes rejects; on a surface of 50 conditions with three seeds it gains.
    rng = np.random.default_rng(12)
    surface = -((np.arange(50) - 20.0) ** 2) / 200
    sizes = dict.fromkeys(PAIRWISE, 0)
    for _ in range(10):
        values = surface[:, None] + 0.2 * rng.normal(size=(50, 3)) + rng.normal(size=3)
        for method in PAIRWISE:
            result = indistinguishable_from_best(values, direction="maximize", is_paired=True, method=method)
            sizes[method] += len(result.members) if result else 0
    assert sizes["simes"] < 0.95 * sizes["bonferroni"]


def test_two_paired_conditions_are_compared_by_one_sided_t() -> None:
    # Second opinion: scipy.stats.ttest_rel, one-sided; with one comparison no method has anything to correct.
    values = np.array([[1.0, 2.0, 4.0, 3.0], [1.5, 2.9, 4.1, 3.8]])
    expected = stats.ttest_rel(values[1], values[0], alternative="greater").pvalue
    for method in METHODS:
        result = indistinguishable_from_best(values, direction="maximize", is_paired=True, method=method)
        assert result is not None
        assert result.p_values == pytest.approx((expected, 1 - expected), rel=1e-6)


def test_unpaired_comparisons_take_the_degrees_of_freedom_of_the_smaller_sample() -> None:
    # Second opinion: Welch's statistic from scipy, looked up with 3 - 1 degrees of freedom (Mickey & Brown 1966).
    other, own = np.array([1.0, 2.0, 4.0, 3.0, 2.5]), np.array([0.5, 0.7, 1.9, math.nan, math.nan])
    statistic = stats.ttest_ind(other, own[:3], equal_var=False).statistic
    got = others_better(other[None], own, is_paired=False)
    assert got == pytest.approx([stats.t.sf(statistic, 2)], rel=1e-9)


def test_simes_takes_the_least_of_the_ordered_p_values_times_their_share() -> None:
    # By hand: condition 0 against 1, 2, 3 has one-sided p-values p1 <= p2 <= p3: min(3 p1, 3/2 p2, p3).
    values = np.random.default_rng(4).normal(size=(4, 5))
    p = np.sort([stats.ttest_rel(values[other], values[0], alternative="greater").pvalue for other in (1, 2, 3)])
    result = indistinguishable_from_best(values, direction="maximize", is_paired=True, method="simes")
    assert result is not None
    assert result.p_values[0] == pytest.approx(min(3 * p[0], 1.5 * p[1], p[2]), rel=1e-9)


@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_clearly_worse_conditions_are_not_in_the_set(method: str, is_paired: bool) -> None:
    values = np.random.default_rng(6).normal(size=(5, 6)) * 0.01 + np.array([0.0, 5.0, 0.0, 7.0, 9.0])[:, None]
    result = indistinguishable_from_best(values, direction="minimize", is_paired=is_paired, method=method)
    assert result is not None
    assert set(result.members) <= {0, 2}


@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("method", METHODS)
@given(
    table=arrays(np.float64, st.tuples(st.integers(1, 5), st.just(3)), elements=st.integers(-9, 9).map(float)),
    seed=st.integers(0, 99),
)
@settings(max_examples=20, deadline=None)
def test_relabelling_conditions_relabels_the_set(method: str, is_paired: bool, table: np.ndarray, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(table))
    one = indistinguishable_from_best(table, direction="minimize", is_paired=is_paired, method=method)
    other = indistinguishable_from_best(table[order], direction="minimize", is_paired=is_paired, method=method)
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(other.p_values, np.array(one.p_values)[order], rtol=1e-9)


@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_the_best_mean_is_always_a_member(method: str, is_paired: bool) -> None:
    rng = np.random.default_rng(7)
    for _ in range(20):
        values = rng.normal(size=(6, 4))
        values[rng.random(values.shape) < 0.3] = math.nan
        result = indistinguishable_from_best(values, direction="maximize", is_paired=is_paired, method=method)
        assert result is not None
        assert result.best in result.members


@pytest.mark.parametrize("method", METHODS)
def test_a_condition_without_values_is_no_candidate(method: str) -> None:
    values = np.random.default_rng(8).normal(size=(4, 5))
    values[2] = math.nan
    with_gap = indistinguishable_from_best(values, direction="maximize", is_paired=True, method=method)
    without = indistinguishable_from_best(np.delete(values, 2, 0), direction="maximize", is_paired=True, method=method)
    assert with_gap is not None
    assert without is not None
    assert 2 not in with_gap.members
    assert np.delete(with_gap.p_values, 2) == pytest.approx(without.p_values)
    assert "1 have no value" in with_gap.note


def test_a_condition_with_one_replicate_cannot_be_ruled_out_and_is_counted() -> None:
    values = np.random.default_rng(9).normal(size=(4, 6)) * 0.01 + np.array([5.0, 0.0, 5.0, 5.0])[:, None]
    values[1, 1:] = math.nan
    result = indistinguishable_from_best(values, direction="maximize", is_paired=True)
    assert result is not None
    assert 1 in result.members
    assert (result.n_excluded, "1 could not be compared" in result.note) == (5, True)


def test_without_replicates_nothing_can_be_ruled_out() -> None:
    result = indistinguishable_from_best(np.array([[1.0], [2.0], [3.0]]), direction="minimize", is_paired=True)
    assert result is not None
    assert (result.best, result.members) == (0, (0, 1, 2))
    assert "3 could not be compared" in result.note


def test_a_huge_but_finite_score_does_not_stop_the_others_from_being_compared() -> None:
    values = np.random.default_rng(10).normal(size=(4, 5)) * 0.01 + np.array([0.0, 1.0, 2.0, 1e20])[:, None]
    values[3] *= np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    result = indistinguishable_from_best(values, direction="minimize", is_paired=True)
    assert result is not None
    assert (result.members, result.note) == ((0,), "") or 3 in result.members
    assert max(result.p_values[1:3]) < 0.001


def test_one_condition_is_its_own_set() -> None:
    result = indistinguishable_from_best(np.array([[1.0, 2.0]]), direction="minimize", is_paired=True)
    assert result is not None
    assert (result.best, result.members, result.p_values) == (0, (0,), (1.0,))


def test_without_any_value_there_is_no_best() -> None:
    assert indistinguishable_from_best(np.full((3, 2), math.nan), direction="minimize", is_paired=True) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "hsu"}, "use simes, bonferroni, pooled"),
        ({"direction": "down"}, "minimize or maximize"),
        ({"level": 0.0}, "between 0 and 1"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        indistinguishable_from_best(np.ones((2, 2)), **({"direction": "minimize", "is_paired": True} | arguments))


def test_one_row_of_values_is_refused() -> None:
    with pytest.raises(ValueError, match="condition, replicate"):
        indistinguishable_from_best(np.ones(3), direction="minimize", is_paired=True)
