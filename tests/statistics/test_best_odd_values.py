"""What "which is best" makes of odd values: huge, constant, equal and diverged ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rothamsted.statistics import BEST_METHODS, BestResult, compare_with_best


def _found(values: np.ndarray, **more) -> BestResult:
    result = compare_with_best(values, **({"direction": "minimize", "is_paired": True} | more))
    assert result is not None
    return result


def _noisy(n_conditions: int, n: int, *, step: float = 0.5) -> np.ndarray:
    """Conditions at even steps, noise of 1, seed effects of 2."""
    rng = np.random.default_rng(1)
    values = step * np.arange(n_conditions)[:, None] + rng.normal(size=(n_conditions, n))
    return values + 2 * rng.normal(size=n)


def test_a_huge_but_finite_score_does_not_stop_the_others_from_being_compared() -> None:
    values = np.random.default_rng(10).normal(size=(5, 5)) * 0.01 + np.array([0.0, 1.0, 2.0, 1e20, 3.0])[:, None]
    values[3] *= np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    result = _found(values)
    assert 0 in result.members
    assert max(result.rows[index].p for index in (1, 2, 4)) < 0.001


def test_scores_beyond_what_can_be_squared_are_worse_and_named() -> None:
    values = np.vstack([_noisy(5, 3, step=0.0), np.array([[1e300, 2e300, 3e300]])])
    result = _found(values)
    assert result.rows[5].verdict == "worse"
    assert any("too large to compute with" in text for text in result.warnings)
    assert set(result.members) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("n_conditions", [2, 3, 5])
def test_conditions_without_any_spread_are_told_apart_beyond_rounding_alone(n_conditions: int) -> None:
    same = _found(np.full((n_conditions, 3), 0.1 + 0.2))
    assert same.members == tuple(range(n_conditions))
    apart = np.array([2.33, 1e7, 5e7, 6e7, 7e7])[:n_conditions, None] * np.ones(3)
    result = _found(apart)
    assert [row.verdict for row in result.rows] == ["as good", *["worse"] * (n_conditions - 1)]
    assert any("Check that the seed has an effect" in text for text in result.warnings)


def test_all_values_zero_is_a_sweep_in_which_all_are_in_the_set() -> None:
    result = _found(np.zeros((5, 3)))
    assert (result.members, {row.verdict for row in result.rows}) == ((0, 1, 2, 3, 4), {"open"})


def test_equal_conditions_share_the_first_place() -> None:
    values = _noisy(6, 4, step=5.0)
    values[3] = values[0]
    result = _found(values)
    assert result.rows[3] == result.rows[0]
    assert (result.winner, {0, 3} <= set(result.members)) == (0, True)


@pytest.mark.parametrize("method", sorted(BEST_METHODS))
def test_a_condition_that_is_constant_does_not_stop_the_comparison(method: str) -> None:
    values = _noisy(6, 6, step=3.0)
    values[5] = 30.0
    result = _found(values, method=method)
    assert result.rows[5].verdict == "worse"
    assert all(math.isfinite(row.low) for row in result.rows)


def test_runs_that_diverged_are_left_out_and_warned_of() -> None:
    values = _noisy(6, 4)
    values[2, 0] = math.inf
    result = _found(values)
    gap = values.copy()
    gap[2, 0] = math.nan
    assert (result.rows, result.n_excluded) == (_found(gap).rows, 1)
    assert ["diverged" in text for text in result.warnings] == [True]
    assert _found(gap).warnings == ()


def test_a_winner_that_scatters_far_more_than_the_rest_is_warned_of() -> None:
    values = _noisy(8, 6, step=0.0)
    values[0] = values[0].mean() - 4 + 10 * (values[0] - values[0].mean())
    result = _found(values)
    assert result.winner == 0
    assert any("differ far more than those of the others" in text for text in result.warnings)
