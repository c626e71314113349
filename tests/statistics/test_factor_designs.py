"""What an analysis of factors does with designs that are not full grids: it drops, refuses or marks, and says why."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rothamsted.statistics.factors import FactorEffects, factor_effects
from rothamsted.statistics.observations import observe

VALUES = [3, 5, 5, 7, 7, 9, 5, 7, 9, 11, 16, 18]  # worked by hand in test_factors.py: F of a is 37.5
FACTORS = {"a": [1] * 6 + [2] * 6, "b": [1, 1, 2, 2, 3, 3] * 2}


def row(effects: FactorEffects, source: str):
    return next(row for row in effects.rows if row.source == source)


def mean(effects: FactorEffects, factor: str, level: object):
    return next(mean for mean in effects.means if (mean.factor, mean.level) == (factor, level))


def grid(*sizes: int) -> list[list[int]]:
    """Levels of each factor of a full grid, the last running fastest."""
    return [levels.ravel().tolist() for levels in np.indices(sizes)]


def test_a_factor_name_that_is_no_identifier_is_only_a_name() -> None:
    odd = 'optimizer.lr ~ C("x") + 1'
    plain, named = (factor_effects(VALUES, {name: FACTORS["a"]}) for name in ("a", odd))
    assert (named.rows[0].source, named.rows[0].f) == (odd, plain.rows[0].f)


def test_a_factor_called_residual_is_told_from_the_residual() -> None:
    effects = factor_effects(VALUES, {"residual": FACTORS["a"], "b": FACTORS["b"]})
    assert [row.source for row in effects.rows] == ["residual", "b", "residual x b", "residual (error)"]


def test_a_factor_called_seed_beside_seeds_is_told_from_the_block() -> None:
    a, seeds = grid(3, 4)
    effects = factor_effects(np.random.default_rng(0).normal(size=12), {"seed": a}, seeds=seeds)
    assert set(effects.variance_shares) == {"seed", "seed (block)", "residual"}


def test_a_factor_with_one_level_is_left_out_and_named() -> None:
    effects = factor_effects(VALUES, {"a": FACTORS["a"], "depth": [3] * 12})
    assert [row.source for row in effects.rows] == ["a", "residual"]
    assert "depth has one level only" in effects.note


def test_values_that_are_not_finite_are_left_out_and_counted() -> None:
    effects = factor_effects([*VALUES, math.nan, math.inf], {key: [*value, 1, 1] for key, value in FACTORS.items()})
    assert (effects.n, effects.n_excluded, row(effects, "a").f) == (12, 2, pytest.approx(37.5))
    assert "2 of 14 values not finite" in effects.note


def test_without_replicates_interactions_give_way_to_an_error() -> None:
    a, b = grid(4, 3)
    effects = factor_effects(np.random.default_rng(0).normal(size=12), {"a": a, "b": b})
    assert [(row.source, row.df) for row in effects.rows] == [("a", 3), ("b", 2), ("residual", 6)]
    assert "no interactions" in effects.note


def test_with_nothing_left_for_the_error_nothing_is_tested() -> None:
    effects = factor_effects([1.0, 2.0, 4.0], {"a": [1, 2, 3]})
    assert math.isnan(row(effects, "a").p_value)
    assert "add replicates" in effects.note


def test_with_nothing_left_for_the_error_no_mean_has_an_interval() -> None:
    effects = factor_effects([1.0, 2.0, 4.0], {"a": [1, 2, 3]})
    assert [(mean.mean, math.isnan(mean.low)) for mean in effects.means] == [
        (pytest.approx(value), True) for value in (1.0, 2.0, 4.0)
    ]


def test_values_that_never_vary_within_a_cell_have_no_f() -> None:
    # 0.1 + 0.2 is not 0.3: what is left is rounding, and a test of it would be of nothing.
    effects = factor_effects([0.3, 0.1 + 0.2, 0.3, 0.7, 0.7, 0.7], {"a": [1, 1, 1, 2, 2, 2]})
    assert math.isnan(row(effects, "a").f)
    assert "rounding" in effects.note


def test_equal_values_have_no_shares() -> None:
    effects = factor_effects([5.0] * 6, {"a": [1, 1, 1, 2, 2, 2]})
    assert (dict(effects.variance_shares), math.isnan(row(effects, "a").share)) == ({}, True)


def test_a_random_search_is_refused_with_a_reason() -> None:
    rng = np.random.default_rng(0)
    rates, widths = rng.random(30).tolist(), rng.integers(2, size=30).tolist()
    effects = factor_effects(rng.normal(size=30), {"learning_rate": rates, "width": widths})
    assert effects.rows == ()
    assert "learning_rate has 30 levels in 30 conditions" in effects.note


def test_a_random_search_is_analysed_in_groups_where_asked() -> None:
    rng = np.random.default_rng(0)
    rates, widths = rng.random(40).tolist(), rng.integers(2, size=40).tolist()
    effects = factor_effects(rng.normal(size=40), {"rate": rates, "width": widths}, n_groups=4)
    assert row(effects, "rate").df == 3
    assert [mean.n for mean in effects.means if mean.factor == "rate"] == [10, 10, 10, 10]


def test_groups_at_quantiles_keep_equal_values_together() -> None:
    observed = observe(np.arange(8.0), {"rate": [1, 1, 1, 1, 1, 2, 3, 4]}, n_groups=2)
    assert observed.factors[0].levels == ("1 to 1", "2 to 4")


def test_factors_that_always_change_together_are_refused() -> None:
    effects = factor_effects(np.random.default_rng(0).normal(size=9), {"a": [1, 2, 3] * 3, "b": ["x", "y", "z"] * 3})
    assert (effects.rows, "change together" in effects.note) == ((), True)


def test_a_factor_that_another_decides_is_named_as_confounded() -> None:
    # Momentum is given with sgd alone, in two values: optimizer is decided by momentum.
    optimizer, momentum = ["sgd", "sgd", "adam"] * 4, [0.0, 0.9, None] * 4
    width = [width for width in (16, 32) for _ in range(6)]
    effects = factor_effects(
        np.random.default_rng(0).normal(size=12), {"optimizer": optimizer, "momentum": momentum, "width": width}
    )
    assert row(effects, "optimizer").df == 0
    assert "confounded with other sources, not tested: optimizer" in effects.note


def test_a_level_with_an_empty_cell_has_no_mean_rather_than_a_wrong_one() -> None:
    a, b, seeds = grid(3, 3, 4)
    values = np.random.default_rng(0).normal(size=36)
    values[[i for i in range(36) if (a[i], b[i]) == (2, 2)]] = np.nan
    effects = factor_effects(values, {"a": a, "b": b}, seeds=seeds)
    assert [math.isnan(mean(effects, "a", level).mean) for level in (0, 1, 2)] == [False, False, True]
    assert "empty cells" in effects.note


def test_a_grid_with_an_empty_cell_has_one_degree_of_freedom_less_in_its_interaction() -> None:
    # Authority: the interaction has cells - 1 - main effects = 8 - 1 - 4 = 3 degrees of freedom.
    a, b, seeds = grid(3, 3, 4)
    values = np.random.default_rng(0).normal(size=36)
    values[[i for i in range(36) if (a[i], b[i]) == (2, 2)]] = np.nan
    assert row(factor_effects(values, {"a": a, "b": b}, seeds=seeds), "a x b").df == 3


def test_seeds_that_no_two_conditions_share_are_no_block() -> None:
    effects = factor_effects(VALUES, FACTORS, seeds=list(range(12)))
    assert "seed" not in [row.source for row in effects.rows]
    assert "no seed is shared" in effects.note


def test_numeric_levels_are_in_rising_order_and_others_as_they_come() -> None:
    effects = factor_effects(VALUES, {"rate": [3, 1, 2] * 4, "name": ["z", "z", "a", "a"] * 3})
    assert [mean.level for mean in effects.means] == [1, 2, 3, "z", "a"]


def test_true_and_false_are_names_not_numbers() -> None:
    effects = factor_effects(VALUES, {"amp": [True] * 6 + [False] * 6})
    assert [mean.level for mean in effects.means] == [True, False]


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"width": [1, 2]}, "width: 2 levels for 12 values"),
        ({"width": [math.nan] * 12}, "width: NaN is not a level"),
    ],
)
def test_bad_factors_are_refused_by_name(factors: dict[str, list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        factor_effects(VALUES, factors)


def test_no_finite_value_at_all_is_a_reason_not_a_crash() -> None:
    effects = factor_effects([math.nan] * 4, {"a": [1, 1, 2, 2]})
    assert (effects.rows, effects.n_excluded) == ((), 4)
