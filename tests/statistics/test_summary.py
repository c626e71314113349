"""Summaries over replicates, against numpy point by point."""

from __future__ import annotations

import math
import timeit
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from rothamsted.statistics import SUMMARY_KEYS, mean_interval, summarize

TABLES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
    elements=st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf])),
)


@given(TABLES)
@settings(deadline=None)
def test_each_point_agrees_with_numpy_over_its_finite_values(values: np.ndarray) -> None:
    summary = summarize(values)
    for point in range(values.shape[1]):
        kept = values[np.isfinite(values[:, point]), point]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # numpy's way of saying that nothing is there
            expected = {
                "mean": np.mean(kept),
                "sd": np.std(kept, ddof=1) if len(kept) > 1 else math.nan,
                "median": np.median(kept),
                "min": kept.min(initial=math.inf) if len(kept) else math.nan,
                "max": kept.max(initial=-math.inf) if len(kept) else math.nan,
                "n": len(kept),
            }
        got = {key: summary[key][point] for key in expected}
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


@given(TABLES, st.sampled_from([0.8, 0.95]))
@settings(deadline=None)
def test_each_interval_is_the_one_of_a_single_estimate(values: np.ndarray, level: float) -> None:
    summary = summarize(values, level)
    for point in range(values.shape[1]):
        interval = mean_interval(values[:, point], level=level)
        expected = (math.nan, math.nan) if interval is None else (interval.low, interval.high)
        got = (summary["ci_low"][point], summary["ci_high"][point])
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


@given(TABLES)
@settings(deadline=None)
def test_the_standard_error_is_sd_over_root_n(values: np.ndarray) -> None:
    summary = summarize(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = summary["sd"] / np.sqrt(summary["n"])
    np.testing.assert_array_equal(summary["sem"], expected)


@given(TABLES)
@settings(deadline=None)
def test_the_order_of_replicates_does_not_matter(values: np.ndarray) -> None:
    forward, backward = summarize(values), summarize(values[::-1])
    for key in SUMMARY_KEYS:
        np.testing.assert_allclose(forward[key], backward[key], rtol=1e-9, atol=1e-9)


@given(arrays(np.float64, (4, 3), elements=st.floats(-1e308, 1e308)))
@settings(deadline=None)
def test_mean_and_median_lie_between_min_and_max(values: np.ndarray) -> None:
    summary = summarize(values)
    for key in ("mean", "median"):
        assert np.all((summary["min"] <= summary[key]) & (summary[key] <= summary["max"]))


def test_one_replicate_has_a_mean_and_no_spread() -> None:
    summary = summarize(np.array([[2.5, math.nan]]))
    shown = {key: summary[key].tolist() for key in ("mean", "median", "min", "max", "n")}
    assert shown == {key: [2.5, pytest.approx(math.nan, nan_ok=True)] for key in shown} | {"n": [1, 0]}
    assert all(np.isnan(summary[key]).all() for key in ("sd", "sem", "ci_low", "ci_high"))


def test_a_summary_has_all_its_keys_even_without_points() -> None:
    summary = summarize(np.empty((3, 0)))
    assert {key: array.shape for key, array in summary.items()} == dict.fromkeys(SUMMARY_KEYS, (0,))


def test_a_flat_list_is_refused_with_the_shape_that_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"shape \(2,\), must be \(replicate, point\)"):
        summarize(np.array([1.0, 2.0]))


def test_a_trial_is_summarized_in_a_third_of_a_millisecond() -> None:
    # Authority: the budget of a trial. Measured: 0.03 ms. The best of several, for a busy machine.
    values = np.random.default_rng(0).normal(size=(3, 21))
    seconds = min(timeit.repeat(lambda: summarize(values), number=50, repeat=10)) / 50
    assert seconds < 0.3e-3
