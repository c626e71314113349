"""Analysis of variance of a grid, against hand calculation, R's published table, statsmodels and simulation."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rothamsted.statistics.factors import FactorEffects, factor_effects, omega_squared

# A 2 x 3 grid with two replicates a cell, worked by hand. Cell means: a1: 4, 6, 8; a2: 6, 10, 17. Grand mean
# 8.5. A: means 6, 11: SS 12 * 2.5^2 = 75. B: means 5, 8, 12.5: SS 4 * (12.25 + 0.25 + 16) = 114.
# AB: cells less additive fit 1.5, 0.5, -2: SS 2 * 2 * 6.5 = 26. Error: six cells of m - 1, m + 1: SS 12, df 6.
HAND = [3, 5, 5, 7, 7, 9, 5, 7, 9, 11, 16, 18]
HAND_FACTORS = {"a": [1] * 6 + [2] * 6, "b": [1, 1, 2, 2, 3, 3] * 2}

# The NPK trial of peas in six blocks (Venables & Ripley 2002, Modern Applied Statistics with S, 4th ed.,
# section 6.7; R's data set npk), in which N:P:K is confounded with blocks.
PEAS = [49.5, 62.8, 46.8, 57.0, 59.8, 58.5, 55.5, 56.0, 62.8, 55.8, 69.5, 55.0, 62.0, 48.8, 45.5, 44.2, 52.0, 51.5]
PEAS += [49.8, 48.8, 57.2, 59.0, 53.2, 56.0]
PEAS_FACTORS = {
    "N": [0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 0, 0],
    "P": [1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0],
    "K": [1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0],
}
PEAS_BLOCKS = [block for block in range(6) for _ in range(4)]


def row(effects: FactorEffects, source: str):
    return next(row for row in effects.rows if row.source == source)


def mean(effects: FactorEffects, factor: str, level: object):
    return next(mean for mean in effects.means if (mean.factor, mean.level) == (factor, level))


def grid(*sizes: int) -> list[list[int]]:
    """Levels of each factor of a full grid, the last running fastest."""
    return [levels.ravel().tolist() for levels in np.indices(sizes)]


def uneven(seed: int) -> tuple[np.ndarray, list[int], list[int], list[int]]:
    """A 3 x 4 grid of 5 seeds, a fifth of it missing, with effects of all three."""
    rng = np.random.default_rng(seed)
    a, b, seeds = grid(3, 4, 5)
    values = rng.normal(size=60) + np.array(a) * 0.7 + np.array(b) * np.array(a) * 0.2 + rng.normal(size=5)[seeds]
    values[rng.choice(60, size=12, replace=False)] = np.nan
    return values, a, b, seeds


def second_opinion(formula: str, **columns: Sequence[object]):
    """Type II table of statsmodels."""
    import pandas
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    table = pandas.DataFrame(columns).dropna()
    return anova_lm(ols(formula, data=table).fit(), typ=2)


@pytest.mark.parametrize(
    ("source", "df", "squares", "f"),
    [("a", 1, 75, 37.5), ("b", 2, 114, 28.5), ("a x b", 2, 26, 6.5), ("residual", 6, 12, math.nan)],
)
def test_a_balanced_grid_gives_the_table_worked_by_hand(source: str, df: int, squares: float, f: float) -> None:
    found = row(factor_effects(HAND, HAND_FACTORS), source)
    assert (found.df, found.sum_squares, found.f) == pytest.approx((df, squares, f), nan_ok=True)


def test_shares_are_of_the_total_sum_of_squares() -> None:
    # By hand: the total is 75 + 114 + 26 + 12 = 227.
    effects = factor_effects(HAND, HAND_FACTORS)
    assert [row.share for row in effects.rows] == pytest.approx([75 / 227, 114 / 227, 26 / 227, 12 / 227])


def test_p_value_is_the_tail_of_f() -> None:
    # Second opinion: scipy.
    from scipy.stats import f

    assert row(factor_effects(HAND, HAND_FACTORS), "a").p_value == pytest.approx(f.sf(37.5, 1, 6), rel=1e-12)


def test_partial_omega_squared_is_worked_from_mean_squares() -> None:
    # By hand: (SS - df MSE) / (SS + (n - df) MSE) = (75 - 2) / (75 + 11 * 2) = 73 / 97.
    assert row(factor_effects(HAND, HAND_FACTORS), "a").omega_squared == pytest.approx(73 / 97)


def test_partial_omega_squared_of_less_than_nothing_stays_negative() -> None:
    # By hand: F 0.5, df 2, n 12: -1 / (-1 + 12).
    assert omega_squared(2, 0.5, 12) == pytest.approx(-1 / 11)


@pytest.mark.parametrize(("factor", "level", "expected"), [("a", 1, 6), ("a", 2, 11), ("b", 1, 5), ("b", 3, 12.5)])
def test_level_means_of_a_balanced_grid_are_plain_means(factor: str, level: int, expected: float) -> None:
    assert mean(factor_effects(HAND, HAND_FACTORS), factor, level).mean == pytest.approx(expected)


def test_the_interval_of_a_level_mean_comes_from_the_pooled_error() -> None:
    # By hand: 6 values, MSE 2 with 6 df: 11 +- t(0.975, 6) sqrt(2 / 6) = 11 +- 2.446912 * 0.577350.
    found = mean(factor_effects(HAND, HAND_FACTORS), "a", 2)
    assert (found.low, found.high) == pytest.approx((11 - 1.412725, 11 + 1.412725), abs=1e-6)


@pytest.mark.parametrize(
    ("source", "df", "squares", "f", "p_value"),
    # R 4: summary(aov(yield ~ block + N*P*K, npk)), printed on MASS's help page of npk; sums of squares to 4 places.
    [
        ("seed", 5, 343.2950, 4.447, 0.01594),
        ("N", 1, 189.2817, 12.259, 0.00437),
        ("P", 1, 8.4017, 0.544, 0.47490),
        ("K", 1, 95.2017, 6.166, 0.02880),
        ("N x P", 1, 21.2817, 1.378, 0.26317),
        ("N x K", 1, 33.1350, 2.146, 0.16865),
        ("P x K", 1, 0.4817, 0.031, 0.86275),
    ],
)
def test_a_trial_in_blocks_agrees_with_its_published_table(
    source: str, df: int, squares: float, f: float, p_value: float
) -> None:
    found = row(factor_effects(PEAS, PEAS_FACTORS, seeds=PEAS_BLOCKS), source)
    assert found.df == df
    assert found.sum_squares == pytest.approx(squares, abs=5.1e-5)
    assert found.f == pytest.approx(f, abs=5.1e-4)
    assert found.p_value == pytest.approx(p_value, abs=5.1e-6)


def test_the_residual_of_a_trial_in_blocks_agrees_with_its_published_table() -> None:
    # R, as above: 185.2867 with 12 df.
    found = row(factor_effects(PEAS, PEAS_FACTORS, seeds=PEAS_BLOCKS), "residual")
    assert (found.df, found.sum_squares) == pytest.approx((12, 185.2867), abs=5.1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_an_uneven_grid_agrees_with_statsmodels_type_two(seed: int) -> None:
    values, a, b, seeds = uneven(seed)
    effects = factor_effects(values, {"a": a, "b": b}, seeds=seeds)
    table = second_opinion("y ~ C(a) * C(b) + C(s)", y=values, a=a, b=b, s=seeds)
    for source, theirs in {"a": "C(a)", "b": "C(b)", "a x b": "C(a):C(b)", "seed": "C(s)"}.items():
        found = row(effects, source)
        expected = table.loc[theirs, ["df", "sum_sq", "F", "PR(>F)"]].tolist()
        assert [found.df, found.sum_squares, found.f, found.p_value] == pytest.approx(expected, rel=1e-9)


def test_three_factors_on_an_uneven_grid_agree_with_statsmodels_type_two() -> None:
    rng = np.random.default_rng(5)
    a, b, c = grid(2, 3, 4)
    kept = rng.choice(24, size=50)  # with repeats
    kept = np.concatenate([np.arange(24), kept])
    a, b, c = (np.array(levels)[kept].tolist() for levels in (a, b, c))
    values = rng.normal(size=len(kept)) + np.array(a) + 0.5 * np.array(b) * np.array(c)
    effects = factor_effects(values, {"a": a, "b": b, "c": c})
    table = second_opinion("y ~ (C(a) + C(b) + C(c))**2", y=values, a=a, b=b, c=c)
    ours = [row(effects, source).sum_squares for source in ("a", "b", "c", "a x b", "a x c", "b x c", "residual")]
    theirs = ["C(a)", "C(b)", "C(c)", "C(a):C(b)", "C(a):C(c)", "C(b):C(c)", "Residual"]
    assert ours == pytest.approx(table.loc[theirs, "sum_sq"].tolist(), rel=1e-9)


def test_level_means_of_an_uneven_grid_agree_with_statsmodels() -> None:
    # Second opinion: OLS on one column a cell and one a seed but the first, and its t interval for the mean of
    # the four cells with a = 2, each seed with the weight of a fifth.
    from statsmodels.regression.linear_model import OLS

    values, a, b, seeds = uneven(1)
    found = mean(factor_effects(values, {"a": a, "b": b}, seeds=seeds), "a", 2)
    kept = np.isfinite(values)
    columns = np.hstack([np.eye(12)[np.array(a) * 4 + np.array(b)], np.eye(5)[seeds][:, 1:]])
    contrast = np.array([0.0] * 8 + [0.25] * 4 + [0.2] * 4)
    theirs = OLS(values[kept], columns[kept]).fit().t_test(contrast)
    low, high = theirs.conf_int()[0]
    assert (found.mean, found.low, found.high) == pytest.approx((theirs.effect[0], low, high), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.permutations(["p", "q", "r"]))
def test_neither_order_nor_names_of_levels_change_a_test(random, names: list[str]) -> None:
    values, a, b, seeds = uneven(2)
    order = list(range(60))
    random.shuffle(order)
    renamed = {"a": [names[a[i]] for i in order], "b": [f"level {b[i]}" for i in order]}
    plain = factor_effects(values, {"a": a, "b": b}, seeds=seeds)
    other = factor_effects(values[order], renamed, seeds=[seeds[i] for i in order])
    assert [row.f for row in other.rows] == pytest.approx([row.f for row in plain.rows], rel=1e-8, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(-150, 150))
def test_shift_and_scale_change_no_test(shift: float, exponent: float) -> None:
    values, a, b, seeds = uneven(3)
    plain = factor_effects(values, {"a": a, "b": b}, seeds=seeds)
    other = factor_effects((values + shift) * 10.0**exponent, {"a": a, "b": b}, seeds=seeds)
    assert [row.f for row in other.rows] == pytest.approx([row.f for row in plain.rows], rel=1e-6, nan_ok=True)


def simulated(n_simulations: int) -> tuple[float, float]:
    """Rates of false alarms of an absent interaction and of misses of a level mean, on uneven grids."""
    rng = np.random.default_rng(11)
    a, b, seeds = (np.array(levels) for levels in grid(3, 3, 4))
    alarms = misses = 0
    for _ in range(n_simulations):
        values = 0.5 * a - 0.3 * b + np.array([1.0, -1.0, 0.5, -0.5])[seeds] + rng.normal(size=36)
        values[rng.choice(36, size=5, replace=False)] = np.nan
        effects = factor_effects(values, {"a": a.tolist(), "b": b.tolist()}, seeds=seeds.tolist())
        alarms += row(effects, "a x b").p_value < 0.05
        found = mean(effects, "a", 2)
        misses += not found.low <= 1.0 - 0.3 <= found.high  # the seeds' effects sum to zero
    return alarms / n_simulations, misses / n_simulations


def test_an_absent_interaction_and_a_level_mean_err_as_often_as_stated() -> None:
    # Theory: both 0.05, exactly, for normal errors. Tolerance: 3.5 standard errors of 400 simulations.
    assert simulated(400) == pytest.approx((0.05, 0.05), abs=3.5 * (0.05 * 0.95 / 400) ** 0.5)


@pytest.mark.slow
def test_error_rates_hold_in_the_long_run() -> None:
    # As above, with 20,000 simulations.
    assert simulated(20_000) == pytest.approx((0.05, 0.05), abs=3.5 * (0.05 * 0.95 / 20_000) ** 0.5)


@pytest.mark.parametrize("sizes", [(10, 10, 10, 5), (32, 32, 5), (1000, 5)])
@pytest.mark.slow
def test_a_thousand_conditions_of_five_seeds_take_under_two_seconds(sizes: tuple[int, ...]) -> None:
    *factors, seeds = grid(*sizes)
    values = np.random.default_rng(0).normal(size=len(seeds))
    values[:3] = np.nan
    named = {f"factor {index}": levels for index, levels in enumerate(factors)}
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        factor_effects(values, named, seeds=seeds)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 2.0
