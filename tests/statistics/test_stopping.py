"""Stopping at a narrow interval: its decisions, and that the interval still covers, by simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rothamsted.metric import Metric
from rothamsted.statistics.intervals import mean_interval
from rothamsted.statistics.sequential import schedule_looks, stopping_level
from rothamsted.statistics.stopping import StopDecision, is_narrow_enough

NAN, INF = np.nan, np.inf
VALUES = np.random.default_rng(0).standard_normal(20)


def decide(values: Any, **changes: Any) -> StopDecision:
    """Decide at level 0.95 from 3 to 20 values with a width of 1.5, unless told otherwise."""
    return is_narrow_enough(values, **({"width": 1.5, "level": 0.95, "n_min": 3, "n_max": 20} | changes))


def coverage(
    draw: Callable[[np.random.Generator], np.ndarray], mean: float, *, width: float, n: int, seed: int, **changes: Any
) -> float:
    """Return the share of n samples whose reported interval holds the mean."""
    rng = np.random.default_rng(seed)
    n_covered = 0
    for _ in range(n):
        interval = decide(draw(rng), width=width, **changes).interval
        assert interval is not None
        n_covered += interval.low <= mean <= interval.high
    return n_covered / n


def normal(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(20)


def lowest_by_chance(n: int, level: float = 0.95) -> float:
    """The level less three standard errors of a simulated share: undercut by chance once in 700."""
    return level - 3 * (level * (1 - level) / n) ** 0.5


def test_one_look_is_students_interval() -> None:
    # scipy.stats.t.interval: with a fixed number of values there is nothing to pay for.
    interval = decide(VALUES[:8], n_min=8, n_max=8).interval
    assert interval is not None
    expected = stats.t.interval(0.95, 7, loc=VALUES[:8].mean(), scale=stats.sem(VALUES[:8]))
    assert (interval.low, interval.high) == pytest.approx(expected, rel=1e-9)


def test_many_looks_widen_the_interval() -> None:
    looks = schedule_looks(n_min=3, n_max=20)
    paid, plain = decide(VALUES, width=1e-9).interval, mean_interval(VALUES, level=0.95)
    assert paid is not None
    assert plain is not None
    at_price = mean_interval(VALUES, level=stopping_level(looks, level=0.95))
    assert at_price is not None
    assert (paid.low, paid.high) == (at_price.low, at_price.high)
    assert paid.high - paid.low > plain.high - plain.low
    assert (paid.level, paid.method) == (0.95, "sequential t")


def test_it_stops_at_the_first_narrow_interval_and_later_values_do_not_count() -> None:
    stop = decide(VALUES)
    assert stop.is_narrow
    assert stop.next_n is None
    assert decide(VALUES[: stop.n_run]) == stop
    assert not decide(VALUES[: stop.n_run - 1]).is_finished


def test_until_then_it_asks_for_the_next_round() -> None:
    decision = decide(VALUES[:4], width=1e-6, step=3)
    assert (decision.is_finished, decision.n_run, decision.next_n) == (False, 3, 6)
    assert "go on to 6" in decision.reason


def test_at_n_max_it_ends_with_a_wide_interval_that_says_so() -> None:
    decision = decide(VALUES, width=1e-6)
    assert (decision.is_narrow, decision.is_finished, decision.next_n) == (False, True, None)
    assert decision.reason.endswith("not within 1e-06; n_max is reached")


@pytest.mark.parametrize("gap", [NAN, INF, -INF])
def test_a_missing_or_infinite_value_is_left_out_and_counted(gap: float) -> None:
    decision = decide([*VALUES[:6], gap], width=1e-6)
    assert (decision.n_run, decision.n_excluded) == (7, 1)
    assert decision.interval is not None
    assert decision.interval.n == 6


def test_replicates_that_failed_do_not_hasten_the_first_look() -> None:
    # Two equal values of three replicates: an interval of no width, from fewer values than n_min.
    assert not decide([1.0, NAN, 1.0]).is_narrow


def test_without_two_values_there_is_no_interval() -> None:
    decision = decide([NAN] * 20)
    assert (decision.interval, decision.is_narrow, decision.is_finished) == (None, False, True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0.0}, "width: 0.0 is not a width"),
        ({"width": INF}, "width: inf is not a width"),
        ({"level": 0.0}, "level: 0.0 is not a coverage"),
        ({"n_min": 1}, "n_min: 1 is too few"),
        ({"n_max": 10}, "values: 20 replicates, but n_max is 10"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decide(VALUES, **changes)


def test_values_need_one_axis() -> None:
    with pytest.raises(ValueError, match=r"values: shape \(1, 20\)"):
        decide(VALUES[None])


def test_students_interval_at_a_stop_of_its_own_choosing_covers_too_rarely() -> None:
    # What is paid for: the same stop with plain intervals. Simulated, 2,000 samples: about 0.90.
    rng = np.random.default_rng(1)
    n_covered = 0
    for _ in range(2000):
        values = rng.standard_normal(20)
        sizes = np.arange(3, 21)
        sd = np.array([values[:n].std(ddof=1) for n in sizes])
        half = stats.t.ppf(0.975, sizes - 1) * sd / np.sqrt(sizes)
        stop = int(np.argmax(np.append(half[:-1] <= 0.8, True)))
        n_covered += abs(values[: sizes[stop]].mean()) <= half[stop]
    assert n_covered / 2000 < 0.93


@pytest.mark.parametrize("width", [0.8, 1.6, 3.0, 8.0])
def test_the_reported_interval_covers_for_any_width(width: float) -> None:
    assert coverage(normal, 0.0, width=width, n=1000, seed=2) >= lowest_by_chance(1000)


@pytest.mark.parametrize("level", [0.8, 0.99])
def test_the_reported_interval_covers_at_other_levels(level: float) -> None:
    assert coverage(normal, 0.0, width=1.6, n=1000, seed=3, level=level) >= lowest_by_chance(1000, level)


def test_the_worst_width_is_covered_at_the_level_and_not_far_above() -> None:
    # Theory: the price is set so that the worst width has coverage `level`; the least over widths stays near it.
    shares = [coverage(normal, 0.0, width=width, n=1000, seed=4) for width in (1.0, 1.2)]
    assert min(shares) <= 0.95 + 3 * (0.05 * 0.95 / 1000) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n_min", [2, 3, 6])
@pytest.mark.parametrize("width", [0.8, 1.2, 1.6, 2.0, 3.0, 5.0])
def test_the_reported_interval_covers_in_many_simulations(width: float, n_min: int, level: float) -> None:
    share = coverage(normal, 0.0, width=width, n=6000, seed=5, n_min=n_min, level=level)
    print(f"width {width}, n_min {n_min}, level {level}: {share:.4f}")  # for docs/log.md: pytest -s
    assert share >= lowest_by_chance(6000, level)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1.2, 2.0, 3.0])
def test_under_t4_noise_the_interval_still_covers(width: float) -> None:
    # No theory holds here: heavy tails make Student's interval wide, stops make it narrow. Simulated: 0.96 to 0.98.
    share = coverage(lambda rng: rng.standard_t(4, 20) / 2**0.5, 0.0, width=width, n=6000, seed=6)
    print(f"t4 noise, width {width}: {share:.4f}")
    assert share >= 0.93


def test_equal_shares_of_a_hundred_rows_are_not_narrow_before_half_a_row_of_spread_would_be() -> None:
    # Student's t at the level that pays for the looks, with a standard deviation of half a row.
    of_100 = Metric(low=0, high=1, rows=100)
    found = decide([0.95] * 3, width=0.02, metric=of_100).interval
    assert found is not None
    paid = stopping_level(schedule_looks(n_min=3, n_max=20, step=1), level=0.95)
    half = stats.t.ppf((1 + paid) / 2, 2) * 0.005 / 3**0.5
    assert (found.low, found.high) == pytest.approx((0.95 - half, 0.95 + half))
    assert not decide([0.95] * 3, width=0.02, metric=of_100).is_narrow
    assert decide([0.95] * 3, width=0.02).is_narrow  # where nothing is known of the metric
    spread = [0.90, 0.93, 0.95, 0.96]
    assert decide(spread, width=0.001, metric=of_100) == decide(spread, width=0.001)
