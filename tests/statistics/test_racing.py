"""What a race decides, on small cases worked out by hand or by scipy; its error rate is in test_racing_simulation."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from rothamsted.statistics.racing import Race, race
from rothamsted.statistics.sequential import one_sided_levels, schedule_looks

NAN, INF = np.nan, np.inf


def run(values: Any, **changes: Any) -> Race:
    """Race with level 0.95 from 3 to 20 replicates, minimising, unless told otherwise."""
    arguments = {"direction": "minimize", "level": 0.95, "n_min": 3, "n_max": 20} | changes
    return race(np.asarray(values, dtype=np.float64), **arguments)


def sweep(n_conditions: int = 8, *, seed: int = 0, spacing: float = 1.0) -> np.ndarray:
    """Values (condition, 20) with condition 0 the best, each next one `spacing` standard deviations worse."""
    rng = np.random.default_rng(seed)
    seeds = rng.standard_normal((1, 20))
    return spacing * np.arange(n_conditions)[:, None] + seeds + rng.standard_normal((n_conditions, 20))


def assert_same(one: Race, other: Race) -> None:
    np.testing.assert_array_equal(one.dropped_after, other.dropped_after)
    assert (one.n_rounds, one.is_finished, one.next_n) == (other.n_rounds, other.is_finished, other.next_n)


@pytest.mark.parametrize("seed", range(40))
def test_of_two_conditions_with_one_look_the_one_that_a_paired_t_test_rejects_is_dropped(seed: int) -> None:
    # scipy.stats.ttest_rel, one-sided at 0.05: with one look and one rival the rule is that test.
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((2, 6)) + np.array([[0.0], [1.0]])
    result = run(values, n_min=6, n_max=6)
    p = stats.ttest_rel(values[1], values[0], alternative="greater").pvalue
    assert result.dropped_after[1] == (6 if p <= 0.05 else 0)


def test_five_conditions_are_set_against_three_leaders_chosen_before() -> None:
    # By hand, replicate 0 only ranks: 0, 1, 2, 3, 4. In replicates 1 and 2 condition 4 is set against 0, 1, 2:
    # 10 - 1 = 9 and 10.5 - 1 = 9.5, mean 9.25, sd 0.353553, t = 37, one degree of freedom.
    # p = 1/2 - arctan(37) / pi = 0.008601. Two looks share 0.05 or more as 1/3 to 1/20: allowed at 3.
    values = np.array([[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 2, 4.5], [4, 10, 10.5]])
    result = run(values, n_min=3, n_max=4)
    assert result.dropped_after.tolist() == [0, 0, 0, 0, 3]
    assert "by 9.25 on average over 2 replicates: p = 0.0086" in result.reasons[4]


def test_a_leader_is_set_against_the_others_not_against_itself() -> None:
    # By hand: condition 0 leads after replicate 0 and then is far behind 1, 2, 3 (means 2, 2): 18 and 18.1.
    values = np.array([[0, 20, 20.1], [1, 1, 1], [2, 2, 2], [3, 3, 3.0], [4, 4, 4.0]])
    result = run(values, n_min=3, n_max=4)
    # Replicate 1: leaders 1, 2, 3, so 20 - 2. Replicate 2: 0 has mean 10 and is last, leaders 1, 2, 3: 20.1 - 2.
    assert "by 18.05 on average over 2 replicates" in result.reasons[0]


def test_a_choice_of_leaders_by_the_same_replicate_would_show() -> None:
    # Were the leaders of replicate r chosen with replicate r, a tie would set everyone against the luckiest three.
    rng = np.random.default_rng(3)
    n_dropped = sum((run(rng.standard_normal((30, 20))).dropped_after > 0).sum() for _ in range(30))
    assert n_dropped <= 0.05 * 30 * 30 + 3 * 30  # 5 % each expected; correlated within a race, hence the allowance


def test_conditions_that_are_far_behind_go_early_and_the_best_stays() -> None:
    result = run(sweep(spacing=3.0))
    assert result.alive.tolist() == [True] + [False] * 7
    assert result.dropped_after[4:].max() <= 6


def test_a_race_is_over_when_one_is_left() -> None:
    result = run(sweep(spacing=50.0))
    assert (result.is_finished, result.next_n, int(result.alive.sum())) == (True, None, 1)
    assert result.n_rounds < 18


def test_a_race_is_over_when_n_max_is_reached() -> None:
    result = run(sweep(2, spacing=0.0))
    assert (result.is_finished, result.next_n, result.n_rounds) == (True, None, 18)


def test_before_the_first_look_nobody_is_dropped() -> None:
    result = run(sweep(spacing=50.0)[:, :2])
    assert result.alive.all()
    assert (result.n_rounds, result.is_finished, result.next_n) == (0, False, 3)


@pytest.mark.parametrize("step", [1, 4])
def test_a_race_resumed_after_any_round_decides_as_one_that_was_never_stopped(step: int) -> None:
    values = sweep(12, spacing=0.5)
    whole = run(values, step=step)
    for look in schedule_looks(n_min=3, n_max=20, step=step):
        part = run(values[:, :look], step=step)
        expected = np.where(whole.dropped_after <= look, whole.dropped_after, 0)
        np.testing.assert_array_equal(part.dropped_after, expected)


def test_what_a_condition_did_after_it_was_dropped_does_not_count() -> None:
    values = sweep(12, spacing=0.5)
    whole = run(values)
    after = (whole.dropped_after[:, None] > 0) & (np.arange(20) >= whole.dropped_after[:, None])
    assert after.any()
    assert_same(run(np.where(after, NAN, values)), whole)
    assert_same(run(np.where(after, -100.0, values)), whole)


def test_columns_that_are_not_complete_are_not_looked_at() -> None:
    values = sweep()
    assert_same(run(values, n_run=5), run(values[:, :5]))


def test_columns_without_any_value_at_the_end_have_not_been_run() -> None:
    values = sweep()
    values[:, 5:] = NAN
    assert_same(run(values), run(values[:, :5]))


def test_rounds_of_several_replicates_end_at_n_max() -> None:
    assert schedule_looks(n_min=3, n_max=20, step=5) == (3, 8, 13, 18, 20)
    assert run(sweep()[:, :3], step=5).next_n == 8


def test_a_replicate_that_one_of_two_misses_counts_for_neither() -> None:
    values = sweep(2, spacing=0.3)
    values[0, 2] = NAN
    values[1] += 0.8
    with_gap = run(values[:, :10], n_min=10, n_max=10)
    # scipy.stats.ttest_rel on the nine pairs that are whole.
    pairs = np.delete(values[:, :10], 2, axis=1)
    p = stats.ttest_rel(pairs[1], pairs[0], alternative="greater").pvalue
    assert f"over 9 replicates: p = {p:.2g}" in with_gap.reasons[1]


def test_a_failed_replicate_does_not_drop_the_best() -> None:
    values = sweep(spacing=3.0)
    values[0, [0, 3, 4]] = NAN
    assert run(values).alive[0]


def test_a_condition_that_always_failed_stays_for_nothing_is_known_against_it() -> None:
    values = sweep(spacing=5.0)
    values[3] = NAN
    result = run(values)
    assert result.alive[3]
    assert np.delete(result.alive, 3).tolist() == [True] + [False] * 6


@pytest.mark.parametrize("infinite", [INF, -INF])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_condition_that_diverged_is_dropped_at_the_first_look(infinite: float, direction: str) -> None:
    values = sweep(spacing=0.0)
    values[2, 1] = infinite
    result = run(values, direction=direction)
    assert result.dropped_after[2] == 3
    assert result.reasons[2] == "diverged in replicate 1"


def test_a_flag_makes_a_finite_value_diverged() -> None:
    values = sweep(spacing=0.0)
    flags = np.zeros(values.shape, dtype=bool)
    flags[5, 6] = True
    infinite = np.where(flags, INF, values)
    assert run(values, diverged=flags).reasons[5] == "diverged in replicate 6"
    assert_same(run(values, diverged=flags), run(infinite))


def test_who_diverged_sets_nobody_else_back() -> None:
    values = sweep(spacing=0.0)
    best_then_diverged = np.vstack([values, np.r_[-1000.0, INF, np.full(18, NAN)]])
    np.testing.assert_array_equal(run(best_then_diverged).dropped_after[:-1], run(values).dropped_after)


def test_where_all_diverged_nobody_is_alive_and_the_race_is_over() -> None:
    result = run(np.full((3, 3), INF))
    assert not result.alive.any()
    assert (result.is_finished, result.next_n) == (True, None)


def test_one_condition_alone_is_done_after_the_first_look() -> None:
    result = run([[1.0, 2.0, 3.0]])
    assert (result.alive.tolist(), result.is_finished) == ([True], True)


def test_equal_conditions_without_noise_all_stay() -> None:
    assert run(np.ones((5, 20))).alive.all()


def test_a_study_without_noise_still_loses_its_worse_conditions() -> None:
    assert run(np.arange(10.0)[:, None] * np.ones((1, 20))).dropped_after[9] > 0


def test_three_equal_differences_of_a_coarse_metric_drop_nobody() -> None:
    # An accuracy on a hundred images in steps of 0.01: the spread of the differences is 0 by chance.
    assert run([[0.95] * 3, [0.94] * 3], direction="maximize").alive.all()


def test_huge_and_tiny_values_do_not_overflow() -> None:
    # Scaling by a power of two is exact, so that nothing but an overflow could change a decision.
    values = sweep(6, spacing=0.5)
    assert_same(run(values * 2.0**1015), run(values))
    assert_same(run(values * 2.0**-1000), run(values))


def test_a_reason_is_given_for_each_that_was_dropped() -> None:
    result = run(sweep(spacing=2.0))
    assert set(result.reasons) == set(np.flatnonzero(~result.alive).tolist())


def on_grid(x: np.ndarray) -> np.ndarray:
    """Sums of these are exact, so that means that are equal stay equal."""
    return np.round(x * 1024) / 1024


@given(st.integers(0, 1000), st.floats(-1e3, 1e3), st.sampled_from([0.25, 2.0, 1024.0]))
@settings(max_examples=25, deadline=None)
def test_a_shift_of_all_and_a_change_of_unit_change_nothing(seed: int, shift: float, unit: float) -> None:
    values = on_grid(sweep(6, seed=seed, spacing=0.5))
    assert_same(run(unit * (values + on_grid(np.array(shift)))), run(values))


@example(361, 7.0)
@given(st.integers(0, 1000), st.floats(-1e3, 1e3))
@settings(max_examples=25, deadline=None)
def test_a_shift_of_each_seed_changes_nothing_but_how_coarse_the_metric_looks(seed: int, shift: float) -> None:
    # Means over earlier replicates move together, so that ranks stay; p-values move by rounding only. How coarse a
    # metric is, is read from all scores together, where seeds that move apart leave other steps between them.
    values = on_grid(sweep(6, seed=seed, spacing=0.5))
    shifts = on_grid(shift * np.random.default_rng(seed).standard_normal((1, 20)))
    with patch("rothamsted.statistics.racing.smallest_step", return_value=0.0):
        assert_same(run(values + shifts), run(values))


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_maximising_is_minimising_upside_down(seed: int) -> None:
    values = sweep(6, seed=seed, spacing=0.5)
    assert_same(run(-values, direction="maximize"), run(values))


@given(st.permutations(range(7)), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_order_of_conditions_does_not_matter(order: list[int], seed: int) -> None:
    values = sweep(7, seed=seed, spacing=0.5)
    np.testing.assert_array_equal(run(values[order]).dropped_after, run(values).dropped_after[order])


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(0, 20), st.floats(0, 0.9))
@settings(max_examples=60, deadline=None)
def test_any_pattern_of_gaps_leaves_a_race_that_holds_together(seed: int, k: int, n: int, gaps: float) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((k, n)) < gaps, NAN, rng.standard_normal((k, n)))
    result = run(values)
    assert result.alive.any()
    assert result.is_finished == (result.next_n is None)
    np.testing.assert_array_equal(result.alive, result.dropped_after == 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_min": 1}, "n_min: 1 is too few to show a spread"),
        ({"n_max": 2}, "n_max: 2 is below n_min"),
        ({"step": 0}, "step: 0 replicates a round"),
        ({"level": 1.0}, "level: 1.0 is not a coverage"),
        ({"direction": "up"}, "direction: 'up' is not known"),
        ({"n_max": 10}, "values: 20 replicates, but n_max is 10"),
        ({"n_run": 21}, "n_run: 21 replicates, but values has 20 columns"),
        ({"diverged": np.zeros((2, 2), dtype=bool)}, r"diverged: shape \(2, 2\)"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(sweep(), **changes)


def test_values_need_two_axes() -> None:
    with pytest.raises(ValueError, match=r"values: shape \(3,\), must be \(condition, replicate\)"):
        run([1.0, 2.0, 3.0])


def test_one_look_costs_nothing() -> None:
    assert one_sided_levels((8,), alpha=0.05) == (0.05,)


def test_a_sample_of_fewer_than_two_is_not_tested() -> None:
    assert one_sided_levels((2, 3, 4), alpha=0.05, n_unused=1)[0] == 0.0


@pytest.mark.parametrize(("alpha", "n_unused"), [(0.05, 0), (0.05, 1), (0.2, 1), (0.01, 1)])
def test_looks_at_pure_noise_raise_the_alarm_as_often_as_paid_for(alpha: float, n_unused: int) -> None:
    # Second opinion: scipy's t distribution on series of another seed; 60,000 of them, three standard errors.
    looks = schedule_looks(n_min=3, n_max=20)
    noise = np.random.default_rng(99).standard_normal((60_000, 20 - n_unused))
    alarm = np.zeros(len(noise), dtype=bool)
    for look, allowed in zip(looks, one_sided_levels(looks, alpha=alpha, n_unused=n_unused)):
        alarm |= stats.ttest_1samp(noise[:, : look - n_unused], 0, axis=1, alternative="greater").pvalue <= allowed
    error = 3 * (alpha * (1 - alpha) / len(noise)) ** 0.5
    assert alpha - error - 0.05 * alpha <= alarm.mean() <= alpha + error


def test_equal_calls_give_equal_levels() -> None:
    looks = schedule_looks(n_min=3, n_max=9)
    first = one_sided_levels(looks, alpha=0.05)
    one_sided_levels.cache_clear()
    assert one_sided_levels(looks, alpha=0.05) == first
