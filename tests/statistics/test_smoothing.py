"""Smoothing by name, against pandas and against plain loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rothamsted.errors import SpecError
from rothamsted.statistics.smoothing import Smoothing, smoothing_named

CURVE = np.random.default_rng(7).normal(size=50).cumsum()


def smoothed(name: str, values: np.ndarray) -> np.ndarray:
    found = smoothing_named(name)
    assert found is not None
    return found(values)


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9, 0.99])
def test_a_moving_average_is_that_of_pandas(weight: float) -> None:
    expected = pd.Series(CURVE).ewm(alpha=1 - weight, adjust=True).mean().to_numpy()
    assert smoothed(f"ema:{weight}", CURVE) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("count", [3, 5, 49, 101])
def test_a_running_mean_is_that_of_pandas(count: int) -> None:
    expected = pd.Series(CURVE).rolling(count, center=True, min_periods=1).mean().to_numpy()
    assert smoothed(f"mean:{count}", CURVE) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["ema:0.5", "mean:3"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_where_it_is_and_spoils_nothing_else(name: str, bad: float) -> None:
    # By hand: the finite values alone, smoothed, with the bad one put back in its place.
    values = np.array([1.0, 2.0, bad, 4.0, 8.0])
    found = smoothed(name, values)
    assert found[[0, 1, 3, 4]].tolist() == smoothed(name, np.array([1.0, 2.0, 4.0, 8.0])).tolist()
    assert np.isnan(found[2]) if np.isnan(bad) else np.isinf(found[2])


def test_values_far_larger_than_others_leave_these_their_digits() -> None:
    # By hand: a mean over three ones is one, whatever stands further away.
    assert smoothed("mean:3", np.array([1e30, 1.0, 1.0, 1.0]))[3] == 1.0


def test_none_is_no_smoothing() -> None:
    assert smoothing_named("none") is None
    assert smoothing_named("ema:0.9") == Smoothing(kind="ema", amount=0.9)


@pytest.mark.parametrize(
    "name", ["ema", "ema:1", "ema:0", "ema:-1", "ema:nan", "mean:4", "mean:1", "mean:2.5", "mean:inf", "median:3", ""]
)
def test_another_name_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(SpecError, match=r"write none, ema:WEIGHT with 0 < WEIGHT < 1, or mean:COUNT"):
        smoothing_named(name)
