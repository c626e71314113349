"""Variance components and shares, against hand calculation, Searle's estimators and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rothamsted.statistics.factors import factor_effects
from rothamsted.statistics.variance import two_way_components


def grid(*sizes: int) -> list[np.ndarray]:
    return [levels.ravel() for levels in np.indices(sizes)]


def shares(values: np.ndarray, seeds: np.ndarray | None, **factors: np.ndarray) -> dict[str, float]:
    named = {name: levels.tolist() for name, levels in factors.items()}
    return dict(factor_effects(values, named, seeds=None if seeds is None else seeds.tolist()).variance_shares)


def test_components_of_a_full_table_are_worked_by_hand() -> None:
    # By hand, conditions (1, 3, 2), (5, 7, 9): grand mean 4.5; SS conditions 3 * 2 * 2.5^2 = 37.5; seeds' means
    # 3, 5, 5.5: SS 2 * 3.5 = 7; total 47.5, residual 3 with 2 df. MS 37.5, 3.5, 1.5: (37.5 - 1.5) / 3 = 12 and
    # (3.5 - 1.5) / 2 = 1.
    conditions, seeds = grid(2, 3)
    found = two_way_components(np.array([1.0, 3, 2, 5, 7, 9]), conditions, seeds)
    assert found is not None
    assert (found.condition, found.seed, found.residual) == pytest.approx((12.0, 1.0, 1.5))


def test_shares_of_a_full_table_are_worked_by_hand() -> None:
    # As above: 12, 1 and 1.5 of 14.5.
    conditions, seeds = grid(2, 3)
    found = shares(np.array([1.0, 3, 2, 5, 7, 9]), seeds, width=conditions)
    assert found == pytest.approx({"width": 12 / 14.5, "seed": 1 / 14.5, "residual": 1.5 / 14.5})


def test_components_of_one_way_with_unequal_replicates_are_worked_by_hand() -> None:
    # By hand, conditions (1, 3), (4, 6, 8): means 2, 6; SS within 2 + 8 = 10 with 3 df; grand mean 4.4, SS between
    # 2 * 5.76 + 3 * 2.56 = 19.2; n0 = 5 - 13 / 5 = 2.4: (19.2 - 10 / 3) / 2.4.
    found = two_way_components(np.array([1.0, 3, 4, 6, 8]), np.array([0, 0, 1, 1, 1]), None)
    assert found is not None
    assert (found.condition, found.seed, found.residual) == (
        pytest.approx((19.2 - 10 / 3) / 2.4), None, pytest.approx(10 / 3)
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(4, 7), (7, 4)])
def test_components_with_values_missing_agree_with_expected_mean_squares(shape: tuple[int, int]) -> None:
    # Second opinion: Henderson's method 3 from the definition, E(y'Qy) = sum of variances times tr(Z'QZ), with
    # projections as full matrices.
    rng = np.random.default_rng(0)
    conditions, seeds = grid(*shape)
    kept = np.sort(rng.choice(28, size=22, replace=False))
    conditions, seeds, values = conditions[kept], seeds[kept], rng.normal(size=22)
    left, right = np.eye(shape[0])[conditions], np.eye(shape[1])[seeds]

    def onto(columns: np.ndarray) -> np.ndarray:
        return columns @ np.linalg.pinv(columns)

    both = onto(np.hstack([left, right]))
    error = values @ (np.eye(22) - both) @ values / (22 - np.trace(both))
    expected = []
    for own, other in ((left, right), (right, left)):
        beyond = both - onto(other)
        expected.append((values @ beyond @ values - np.trace(beyond) * error) / np.trace(own.T @ beyond @ own))
    found = two_way_components(values, conditions, seeds)
    assert found is not None
    assert [found.condition, found.seed, found.residual] == pytest.approx([*expected, error])


def test_a_factor_without_effect_gets_less_than_its_sum_of_squares() -> None:
    # Simulation: 'idle' has 9 df and no effect. Its share of sums of squares would be 9 / 499 = 0.018 and more.
    rng = np.random.default_rng(0)
    idle, busy, seeds = grid(10, 10, 5)
    found = [
        shares(busy * 0.1 + rng.normal(size=500), seeds, idle=idle, busy=busy)["idle"] for _ in range(20)
    ]  # fmt: skip
    assert np.mean(found) < 0.006


def test_shares_find_the_variances_that_made_the_values() -> None:
    # Theory: the factors' effects are (-1, 1) and (-1.5, 0, 1.5), of variance over the six conditions
    # (n - 1 = 5): 6/5 and 9/5; interaction 0; seed 1, residual 2: shares 0.2, 0.3, 0, 1/6, 1/3 of 6.
    # Tolerance: 500 seeds know their variance to sqrt(2 / 500) = 6 %, a hundredth of the whole; three of these.
    rng = np.random.default_rng(0)
    a, b, seeds = grid(2, 3, 500)
    values = 2.0 * a + 1.5 * b + rng.normal(size=500)[seeds] + 2**0.5 * rng.normal(size=len(a))
    found = shares(values, seeds, a=a, b=b)
    expected = {"a": 0.2, "b": 0.3, "interaction": 0.0, "seed": 1 / 6, "residual": 1 / 3}
    assert found == pytest.approx(expected, abs=0.03)


def test_an_interaction_is_told_from_main_effects() -> None:
    # Theory: crossed signs have no main effect at all.
    rng = np.random.default_rng(0)
    a, b, seeds = grid(2, 2, 500)
    values = np.where(a == b, 1.0, -1.0) + 0.1 * rng.normal(size=2_000)
    assert shares(values, seeds, a=a, b=b)["interaction"] > 0.98


def test_without_seeds_their_share_is_in_the_residual() -> None:
    a, _ = grid(4, 6)
    found = shares(np.random.default_rng(0).normal(size=24) + a, None, a=a)
    assert set(found) == {"a", "residual"}


def test_without_replicates_the_error_is_what_main_effects_leave() -> None:
    # By hand: a additive 2 x 3 table (0, 1, 2), (3, 4, 5) with +-0.1 of crossed signs in the outer columns:
    # SS a 13.5, b 4, rest 0.04 with 2 df, error 0.02. Less error: 13.48 and 3.96, each over 6 - 1 = 5; error 0.02.
    a, b = grid(2, 3)
    values = np.array([0.1, 1.0, 1.9, 2.9, 4.0, 5.1])
    found = shares(values, None, a=a, b=b)
    total = 13.48 / 5 + 3.96 / 5 + 0.02
    assert found == pytest.approx(
        {"a": 13.48 / 5 / total, "b": 3.96 / 5 / total, "interaction": 0.0, "residual": 0.02 / total}
    )


def test_a_negative_estimate_counts_as_zero_and_the_note_says_so() -> None:
    # Every seed's mean is the same: the seeds' component is below zero.
    values = np.random.default_rng(0).normal(size=(4, 5))
    values -= values.mean(axis=0)
    a, seeds = grid(4, 5)
    effects = factor_effects(values.ravel(), {"a": a.tolist()}, seeds=seeds.tolist())
    assert (effects.variance_shares["seed"], "between seeds" in effects.note) == (0.0, True)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 12), st.booleans())
def test_shares_are_never_negative_and_sum_to_one(seed: int, n_missing: int, has_seeds: bool) -> None:
    rng = np.random.default_rng(seed)
    a, b, seeds = grid(3, 3, 4)
    values = rng.normal(size=36) * rng.choice([1e-8, 1.0, 1e8]) + a * rng.normal()
    values[rng.choice(36, size=n_missing, replace=False)] = np.nan
    found = list(shares(values, seeds if has_seeds else None, a=a, b=b).values())
    assert min(found) >= 0
    assert sum(found) == pytest.approx(1.0)


@settings(max_examples=20, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(-100, 100))
def test_shift_and_scale_change_no_share(shift: float, exponent: float) -> None:
    a, b, seeds = grid(3, 3, 4)
    values = np.random.default_rng(0).normal(size=36) + a
    plain = shares(values, seeds, a=a, b=b)
    assert shares((values + shift) * 10.0**exponent, seeds, a=a, b=b) == pytest.approx(plain, rel=1e-6, abs=1e-9)


def test_a_factor_that_applies_at_one_level_of_another_leaves_no_shares() -> None:
    # frozen is set only where there are weights, so that what weights do is also what setting it does.
    weights, rate, seeds = (levels.ravel() for levels in np.indices((3, 3, 3)))
    frozen = np.array(["unset", "yes", "no"])[weights]
    values = np.random.default_rng(0).normal(size=27) + 5 * (weights > 0)
    named = {"weights": (weights > 0).tolist(), "frozen": frozen.tolist(), "rate": rate.tolist()}
    effects = factor_effects(values, named, seeds=seeds.tolist())
    assert dict(effects.variance_shares) == {}
    assert "no shares of variance: levels of weights, frozen go with those of other factors" in effects.note
