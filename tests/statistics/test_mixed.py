"""The mixed model, against R's nlme, analysis of variance where both are exact, statsmodels and simulation."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rothamsted.statistics.mixed import MixedEffects, mixed_effects

# Effort to rise from four types of stool, nine subjects (Pinheiro & Bates 2000, Mixed-Effects Models in S and
# S-PLUS, section 1.2; R's data set ergoStool). Rows are subjects, columns are types.
STOOLS = np.array(
    [
        [12, 15, 12, 10], [10, 14, 13, 12], [7, 14, 13, 9], [7, 11, 10, 9], [8, 11, 8, 7],
        [9, 11, 11, 10], [8, 12, 12, 11], [7, 11, 8, 7], [9, 13, 10, 8],
    ],
    dtype=float,
)  # fmt: skip


def stools() -> MixedEffects:
    subjects, types = np.indices(STOOLS.shape)
    return mixed_effects(STOOLS.ravel(), {"type": types.ravel().tolist()}, subjects.ravel().tolist())


def table(seed: int, sizes: tuple[int, int, int] = (3, 4, 6), missing: int = 0):
    """Values, levels of two factors and seeds of a grid."""
    rng = np.random.default_rng(seed)
    a, b, seeds = (levels.ravel() for levels in np.indices(sizes))
    values = a * 0.5 + a * b * 0.2 + rng.normal(size=sizes[2])[seeds] + rng.normal(size=len(a))
    values[rng.choice(len(a), size=missing, replace=False)] = np.nan
    return values, {"a": a.tolist(), "b": b.tolist()}, seeds.tolist()


def test_variances_agree_with_the_published_fit() -> None:
    # Pinheiro & Bates (2000), section 1.2.1: standard deviations 1.332465 (Subject) and 1.100295 (Residual), REML.
    found = stools()
    assert (found.seed_variance**0.5, found.residual_variance**0.5) == pytest.approx((1.332465, 1.100295), abs=5e-7)


def test_effects_agree_with_the_published_fit() -> None:
    # As above: means of the types 8.555556, and 3.888889, 2.222222 and 0.666667 more.
    effects = [effect.effect for effect in stools().effects]
    assert np.subtract(effects, effects[0]) == pytest.approx([0, 3.888889, 2.222222, 0.666667], abs=5e-7)


def test_the_test_of_a_factor_is_the_quotient_of_mean_squares() -> None:
    # Theory, every subject having every type. By hand: means of types 77, 112, 97 and 83 ninths, of all 369 / 36;
    # SS 81.194444 with 3 df; error 1.100295^2 = 1.210648 with 24 df: F = 27.064815 / 1.210648 = 22.3556.
    (found,) = stools().tests
    assert (found.df, found.df_error, found.f) == pytest.approx((3, 24, 22.3556), abs=1e-4)


def test_the_standard_error_of_an_effect_is_the_contrast_s() -> None:
    # Theory, every subject having every type: sqrt(MSE (1 - 1/4) / 9), MSE = 1.210648.
    errors = {round(effect.standard_error, 9) for effect in stools().effects}
    assert errors == {round((1.2106481481 * 0.75 / 9) ** 0.5, 9)}


def test_the_mean_is_as_sure_as_the_means_of_the_seeds() -> None:
    # Theory, every subject having every type: the t interval of the nine subjects' means, 8 degrees of freedom.
    from rothamsted.statistics.intervals import mean_interval

    found, expected = stools().mean, mean_interval(STOOLS.mean(axis=1))
    assert found is not None
    assert expected is not None
    assert (found.estimate, found.low, found.high) == pytest.approx((expected.estimate, expected.low, expected.high))


def test_balanced_variances_are_those_of_mean_squares() -> None:
    # Theory: REML equals the estimators from mean squares of the saturated two-way table, where none is negative
    # (Searle, Casella & McCulloch 1992, section 4.8). Computed by hand from means here.
    values, factors, seeds = table(0)
    cube = values.reshape(12, 6)  # (condition, seed)
    rest = cube - cube.mean(axis=1, keepdims=True) - cube.mean(axis=0) + cube.mean()
    error = float((rest**2).sum() / (11 * 5))
    between = float(12 * cube.mean(axis=0).var(ddof=1))
    found = mixed_effects(values, factors, seeds)
    assert (found.seed_variance, found.residual_variance) == pytest.approx(((between - error) / 12, error), rel=1e-10)


@pytest.mark.parametrize("missing", [0, 15])
def test_variances_and_effects_agree_with_statsmodels(missing: int) -> None:
    # Second opinion: statsmodels' MixedLM, whose search stops at four digits.
    import pandas
    from statsmodels.regression.mixed_linear_model import MixedLM

    values, factors, seeds = table(1, missing=missing)
    frame = pandas.DataFrame({"y": values, **factors, "s": seeds}).dropna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = MixedLM.from_formula("y ~ C(a, Sum) * C(b, Sum)", groups="s", data=frame).fit(gtol=1e-8)
    ours = mixed_effects(values, factors, seeds)
    first = next(effect for effect in ours.effects if (effect.factor, effect.level) == ("a", 0))
    name = next(name for name in theirs.params.index if name.startswith("C(a") and ":" not in name and "0" in name)
    assert [ours.seed_variance, ours.residual_variance, first.effect, first.standard_error] == pytest.approx(
        [float(theirs.cov_re.iloc[0, 0]), theirs.scale, theirs.params[name], theirs.bse[name]], rel=1e-3
    )


def test_seeds_without_variance_are_said_to_have_none() -> None:
    # Every seed has the same mean, so that its estimate is below zero: REML puts it at zero.
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 5))
    values -= values.mean(axis=0)
    types, seeds = (levels.ravel().tolist() for levels in np.indices((4, 5)))
    found = mixed_effects(values.ravel(), {"type": types}, seeds)
    assert (found.seed_variance, "estimated as zero" in found.note) == (0.0, True)


def test_with_seeds_at_zero_the_residual_variance_is_that_of_least_squares() -> None:
    # Theory: at the boundary the model is least squares without the block: SS within types / (20 - 4).
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 5))
    values -= values.mean(axis=0)
    types, seeds = (levels.ravel().tolist() for levels in np.indices((4, 5)))
    found = mixed_effects(values.ravel(), {"type": types}, seeds)
    assert found.residual_variance == pytest.approx(values.var(axis=1, ddof=1).mean())


def test_empty_cells_cost_the_interactions_and_the_note_says_so() -> None:
    values, factors, seeds = table(2)
    values[[i for i in range(72) if (factors["a"][i], factors["b"][i]) == (2, 3)]] = np.nan
    found = mixed_effects(values, factors, seeds)
    assert [test.source for test in found.tests] == ["a", "b"]
    assert "cells are empty" in found.note


@pytest.mark.parametrize(
    ("values", "factors", "seeds", "reason"),
    [
        ([1.0, 2, 3, 4], {"a": [1, 1, 2, 2]}, [0, 0, 0, 0], "no seeds to take as a block"),
        ([1.0, 2, 3, 4], {"a": [1, 1, 2, 2]}, [0, 1, 2, 3], "no seeds to take as a block"),
        ([1.0, 2, 3, 4], {"a": [1, 1, 1, 1]}, [0, 1, 0, 1], "no factor has more than one level"),
        ([1.0, 1, 1, 1, 1, 1], {"a": [1, 1, 1, 2, 2, 2]}, [0, 1, 2, 0, 1, 2], "without spread"),
        ([math.nan] * 4, {"a": [1, 1, 2, 2]}, [0, 1, 0, 1], "0 finite values"),
        ([1.0, 2, 3, 5] * 2, {"a": [1, 2] * 4, "b": [1, 2] * 4}, [0, 0, 1, 1, 2, 2, 3, 3], "confounded"),
    ],
)
def test_what_cannot_be_fitted_has_a_reason_and_no_estimate(
    values: list[float], factors: dict[str, list[int]], seeds: list[int], reason: str
) -> None:
    found = mixed_effects(values, factors, seeds)
    assert (found.mean, found.effects, math.isnan(found.seed_variance)) == (None, (), True)
    assert reason in found.note


@settings(max_examples=20, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(-100, 100))
def test_variances_scale_with_the_square_of_the_values_and_ignore_shifts(shift: float, exponent: float) -> None:
    values, factors, seeds = table(3, missing=9)
    plain, unit = mixed_effects(values, factors, seeds), 10.0**exponent
    other = mixed_effects((values + shift) * unit, factors, seeds)
    assert (other.seed_variance / unit**2, other.residual_variance / unit**2) == pytest.approx(
        (plain.seed_variance, plain.residual_variance), rel=1e-6
    )


def misses(n_simulations: int) -> tuple[float, float]:
    """How often the intervals of the mean and of a level's effect miss the truth, seeds drawn anew each time."""
    rng = np.random.default_rng(3)
    a, seeds = (levels.ravel() for levels in np.indices((4, 5)))
    missed = np.zeros(2)
    for _ in range(n_simulations):
        values = np.array([0.0, 1.0, 2.0, 5.0])[a] + rng.normal(size=5)[seeds] + rng.normal(size=20)
        found = mixed_effects(values, {"a": a.tolist()}, seeds.tolist())
        mean, effect = found.mean, found.effects[3]
        assert mean is not None
        missed += [not mean.low <= 2 <= mean.high, not effect.low <= 3 <= effect.high]
    return tuple((missed / n_simulations).tolist())


def test_intervals_miss_as_often_as_stated() -> None:
    # Theory: 0.05 and 0.05 where the seeds' variance is not cut at zero; at 400 simulations 3.5 standard errors.
    assert misses(400) == pytest.approx((0.05, 0.05), abs=3.5 * (0.05 * 0.95 / 400) ** 0.5)


@pytest.mark.slow
def test_intervals_miss_as_often_as_stated_in_the_long_run() -> None:
    # As above. Where seeds seem to have no variance the intervals are a little off: 0.01 more is allowed.
    assert misses(20_000) == pytest.approx((0.05, 0.05), abs=0.01)
