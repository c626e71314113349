"""The power of replicates, against Cohen's tables, statsmodels and simulation; spreads, against hand calculation."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rothamsted.statistics.power import power_of
from rothamsted.statistics.spread import pooled_sd, sd_of_paired_differences, upper_limit


def fewest(effect: float, *, is_paired: bool) -> int:
    """The fewest replicates that show an effect with a power of 0.8."""
    return next(n for n in range(2, 1000) if power_of(n, 1.0, effect, is_paired=is_paired) >= 0.8)


@pytest.mark.parametrize(("effect", "n"), [(0.5, 64), (0.6, 45), (0.8, 26), (1.0, 17)])
def test_unpaired_power_agrees_with_cohen_s_table(effect: float, n: int) -> None:
    # Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed., table 2.4.1, two-sided 0.05,
    # power 0.80.
    assert fewest(effect, is_paired=False) == n


@pytest.mark.parametrize(("effect", "n"), [(0.2, 393), (0.3, 175), (0.4, 99), (0.7, 33)])
def test_where_cohen_s_table_is_rounded_power_lies_within_one_replicate_of_it(effect: float, n: int) -> None:
    # As above; the table rounds to the nearest n, here n is the first with the power asked for.
    assert fewest(effect, is_paired=False) - n in (0, 1)


def test_paired_power_agrees_with_the_published_one() -> None:
    # Faul et al. (2007), Behavior Research Methods 39(2), G*Power 3: d_z 0.5, power 0.8, two-sided 0.05: 34 pairs.
    assert fewest(0.5, is_paired=True) == 34


@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("n", [2, 3, 5, 20, 200])
@pytest.mark.parametrize("noncentrality", [0.0, 0.5, 2.0, 4.0])
def test_power_agrees_with_statsmodels(noncentrality: float, n: int, is_paired: bool) -> None:
    from statsmodels.stats.power import TTestIndPower, TTestPower

    effect = noncentrality / n**0.5
    theirs = TTestPower().power(effect, n, 0.01) if is_paired else TTestIndPower().power(effect, n, 0.01)
    ours = power_of(n, 2.0, -2.0 * effect, level=0.99, is_paired=is_paired)
    assert ours == pytest.approx(theirs, abs=1e-10)


def test_power_is_defined_far_out() -> None:
    # Theory: two pairs, t(0.999) with 1 df is 318.3; a noncentrality of 2e6 leaves |Z + 2e6| / |Z'| above it
    # unless |Z'| > 6283: never.
    assert power_of(2, 1.0, 1e6 * 2**0.5, level=0.998) == pytest.approx(1.0)


@settings(max_examples=20, deadline=None)
@given(st.floats(-100, 100))
def test_units_do_not_change_the_power(exponent: float) -> None:
    unit = 10.0**exponent
    assert power_of(9, 2 * unit, unit) == pytest.approx(power_of(9, 2.0, 1.0))


def test_the_upper_limit_of_a_deviation_is_worked_from_chi_square() -> None:
    # NIST/SEMATECH e-Handbook, table 1.3.6.7.4: chi-square with 10 df has 0.05 below 3.940.
    assert upper_limit(2.0, 10, level=0.95) == pytest.approx(2.0 * (10 / 3.940) ** 0.5, rel=2e-4)


def test_plans_from_the_upper_limit_of_small_pilots_reach_the_power_as_often_as_stated() -> None:
    # Browne (1995), Statistics in Medicine 14(17): at least 80 % of plans; rounding n up adds a little. Plans from
    # the pilot's own deviation reach it in under half (theory: P(chi2_4 > 4) = 0.406, and rounding up).
    rng = np.random.default_rng(0)
    reached = np.zeros(2)
    for deviation in np.sqrt(rng.chisquare(4, size=400) / 4):
        sizes = [fewest(0.5 / sd, is_paired=False) for sd in (deviation, upper_limit(float(deviation), 4))]
        reached += np.array([power_of(n, 1.0, 0.5, is_paired=False) for n in sizes]) >= 0.8
    assert reached / 400 == pytest.approx([0.41, 0.81], abs=3.5 * (0.4 * 0.6 / 400) ** 0.5)


def seen(n_simulations: int, is_paired: bool) -> tuple[float, float]:
    """How often 14 or 21 replicates show the difference, and the power that is stated."""
    from scipy.stats import ttest_ind, ttest_rel

    n, sd = (14, (2 * 0.6) ** 0.5) if is_paired else (21, 1.0)  # of differences: var(a - b) = 2 (1 - r), r = 0.4
    rng = np.random.default_rng(17)
    seeds = rng.normal(size=(n_simulations, n, 1)) * (0.4**0.5 if is_paired else 0.0)
    rest = 0.6**0.5 if is_paired else 1.0
    values = seeds + rest * rng.normal(size=(n_simulations, n, 2)) + np.array([0.0, 0.9])
    a, b = values[..., 0], values[..., 1]
    found = ttest_rel(a, b, axis=1) if is_paired else ttest_ind(a, b, axis=1, equal_var=False)
    return float((found.pvalue < 0.05).mean()), power_of(n, sd, 0.9, is_paired=is_paired)


@pytest.mark.parametrize("is_paired", [True, False])
def test_replicates_show_the_difference_with_the_power_stated(is_paired: bool) -> None:
    # Unpaired is tested by Welch's test, whose power at equal n is Student's less about 0.001. Tolerance: 3.5
    # standard errors of 10,000 simulations.
    share, stated = seen(10_000, is_paired)
    assert share == pytest.approx(stated, abs=3.5 * (0.8 * 0.2 / 10_000) ** 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("is_paired", [True, False])
def test_replicates_keep_the_power_in_the_long_run(is_paired: bool) -> None:
    # As above, with 400,000 simulations; 0.001 more for Welch's test.
    share, stated = seen(400_000, is_paired)
    assert share == pytest.approx(stated, abs=3.5 * (0.8 * 0.2 / 400_000) ** 0.5 + 0.001)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sd": 0.0}, "sd: 0.0 is no spread"),
        ({"difference": math.nan}, "difference: nan"),
        ({"level": 95}, "level: 95"),
        ({"n": 1}, "n: 1 is too few to show a spread"),
    ],
)
def test_what_has_no_power_is_refused_by_name(arguments: dict[str, float], message: str) -> None:
    asked: dict[str, Any] = {"n": 5, "sd": 1.0, "difference": 1.0, **arguments}
    with pytest.raises(ValueError, match=message):
        power_of(**asked)


def test_pooled_deviation_is_worked_by_hand() -> None:
    # By hand: SS within 2 (1, 3), 8 (0, 2, 4) and none (one value): sqrt(10 / (1 + 2)).
    found = pooled_sd(np.array([[1.0, 3.0, math.nan], [0.0, 2.0, 4.0], [7.0, math.nan, math.inf]]))
    assert (found.sd, found.df, found.n_excluded) == (pytest.approx((10 / 3) ** 0.5), 3, 3)


def test_deviation_of_differences_is_the_mean_over_all_pairs() -> None:
    # Theory, nothing missing: 2 MS of conditions by seeds is the mean variance of differences over pairs.
    values = np.random.default_rng(0).normal(size=(5, 7)) + np.arange(7)
    pairs = [np.var(values[i] - values[j], ddof=1) for i, j in combinations(range(5), 2)]
    assert sd_of_paired_differences(values).sd == pytest.approx(np.mean(pairs) ** 0.5)


def test_deviation_of_differences_of_two_conditions_is_that_of_their_differences() -> None:
    # Student's sleep data (1908), ten sleepers: the standard deviation of their differences is 1.229995.
    drugs = [
        [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
        [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
    ]
    found = sd_of_paired_differences(np.array(drugs))
    assert (found.sd, found.df) == (pytest.approx(1.229995, abs=1e-6), 9)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4)])
def test_deviation_of_differences_with_values_missing_agrees_with_statsmodels(shape: tuple[int, int]) -> None:
    import pandas
    from statsmodels.formula.api import ols

    values = np.random.default_rng(1).normal(size=shape)
    values[0, 1] = values[2, 3] = math.nan
    rows, columns = (levels.ravel() for levels in np.indices(shape))
    table = pandas.DataFrame({"y": values.ravel(), "r": rows, "c": columns}).dropna()
    fitted = ols("y ~ C(r) + C(c)", data=table).fit()
    found = sd_of_paired_differences(values)
    assert (found.sd, found.df) == pytest.approx(((2 * fitted.mse_resid) ** 0.5, fitted.df_resid))


@pytest.mark.parametrize(
    "values", [[[1.0, math.nan], [math.nan, 2.0]], [[1.0, 2.0, 3.0]], [[math.nan] * 2] * 2, [[1.0], [2.0]]]
)
def test_deviation_of_differences_needs_shared_seeds(values: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="share two seeds"):
        sd_of_paired_differences(np.array(values))


def test_pooled_deviation_needs_replicates() -> None:
    with pytest.raises(ValueError, match="a spread needs replicates"):
        pooled_sd(np.array([[1.0], [2.0]]))
