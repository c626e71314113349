"""What holds of "which is best" for every method: the set, what the verdicts mean, and what changes nothing."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rothamsted.statistics import BEST_METHODS, AgainstBest, BestResult, compare_with_best
from rothamsted.statistics.reduce import Direction

METHODS = sorted(BEST_METHODS)
each_method = pytest.mark.parametrize("method", METHODS)
each_pairing = pytest.mark.parametrize("is_paired", [True, False])


def _found(values: np.ndarray, *, direction: Direction = "minimize", is_paired: bool = True, **more) -> BestResult:
    result = compare_with_best(values, direction=direction, is_paired=is_paired, **more)
    assert result is not None
    return result


def _of(result: BestResult, name: str) -> np.ndarray:
    return np.array([getattr(row, name) for row in result.rows])


def _noisy(n_conditions: int, n: int, *, seed: int = 1, step: float = 0.5) -> np.ndarray:
    """Conditions at even steps, noise of 1, seed effects of 2."""
    rng = np.random.default_rng(seed)
    values = step * np.arange(n_conditions)[:, None] + rng.normal(size=(n_conditions, n))
    return values + 2 * rng.normal(size=n)


@each_pairing
@each_method
def test_clearly_worse_conditions_are_called_worse_and_are_not_in_the_set(method: str, is_paired: bool) -> None:
    values = np.random.default_rng(6).normal(size=(5, 6)) * 0.01 + np.array([0.0, 5.0, 0.0, 7.0, 9.0])[:, None]
    result = _found(values, is_paired=is_paired, method=method)
    assert set(result.members) <= {0, 2}
    assert [result.rows[index].verdict for index in (1, 3, 4)] == ["worse"] * 3
    assert result.method == method


@each_pairing
@each_method
@given(
    table=arrays(np.float64, st.tuples(st.integers(1, 7), st.just(3)), elements=st.integers(-9, 9).map(float)),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_relabelling_conditions_relabels_the_result(method: str, is_paired: bool, table: np.ndarray, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(table))
    one = _found(table, is_paired=is_paired, method=method)
    other = _found(table[order], is_paired=is_paired, method=method)
    np.testing.assert_equal([vars(row) for row in other.rows], [vars(one.rows[index]) for index in order])
    assert math.isclose(one.rows[one.winner].mean, other.rows[other.winner].mean)


@each_pairing
@each_method
def test_the_sign_of_the_metric_makes_no_difference(method: str, is_paired: bool) -> None:
    values = _noisy(6, 4)
    values[2, 1] = math.nan
    one = _found(values, is_paired=is_paired, method=method)
    other = _found(-values, direction="maximize", is_paired=is_paired, method=method)
    assert [replace(row, mean=-row.mean) for row in other.rows] == list(one.rows)
    assert (other.winner, other.members) == (one.winner, one.members)


@each_pairing
@each_method
@pytest.mark.parametrize("scale", [1e-30, 3.0, 1e30])
@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("gap", [0.0, 0.2])
def test_shift_and_scale_of_the_metric_change_its_units_only(
    method: str, is_paired: bool, scale: float, shift: float, gap: float
) -> None:
    values = _noisy(8, 5)
    values[np.random.default_rng(2).random(values.shape) < gap] = math.nan
    one = _found(values, is_paired=is_paired, method=method)
    other = _found((values + shift) * scale, is_paired=is_paired, method=method)
    np.testing.assert_allclose(_of(other, "p"), _of(one, "p"), rtol=1e-7)
    for name in ("low", "high", "difference"):
        np.testing.assert_allclose(_of(other, name), scale * _of(one, name), rtol=1e-7, atol=1e-9 * scale)
    np.testing.assert_allclose(_of(other, "mean"), scale * (_of(one, "mean") + shift), rtol=1e-9)
    assert list(_of(other, "verdict")) == list(_of(one, "verdict"))
    assert other.members == one.members


@pytest.mark.parametrize("shift", [1 / 3, 1e3, -7.7e5])
def test_means_that_differ_by_rounding_alone_are_equal(shift: float) -> None:
    # The trend of spread against level has no slope where all means are one: not the slope of rounding errors.
    parts = np.array([[-3, 1, 2], [1, 2, -3], [2, -3, 1], [2, 1, -3], [1, -3, 2], [-3, 2, 1]])  # each sums to 0
    values = np.geomspace(0.3, 3, 6)[:, None] * parts
    np.testing.assert_allclose(_of(_found(values + shift), "p"), _of(_found(values), "p"), rtol=1e-6)


@each_pairing
@each_method
def test_verdicts_set_and_limits_never_contradict_each_other(method: str, is_paired: bool) -> None:
    rng = np.random.default_rng(7)
    for seed in range(30):
        values = _noisy(int(rng.integers(2, 9)), int(rng.integers(2, 6)), seed=seed, step=2.0)
        values[1:][rng.random(values[1:].shape) < 0.2] = math.nan
        result = _found(values, is_paired=is_paired, method=method, smallest_difference=1.5)
        assert result.winner in result.members
        for row in result.rows:
            _agrees(row, smallest=1.5)


def _agrees(row: AgainstBest, *, smallest: float) -> None:
    if row.n == 0:
        assert (row.verdict, row.is_in_set) == ("", False)
        return
    assert (row.low <= row.difference <= row.high) or math.isnan(row.difference)
    assert not (row.verdict == "worse" and row.is_in_set)
    assert (row.verdict == "as good") == (row.high <= smallest)
    if row.low > 0:
        assert row.verdict in ("worse", "as good")
    if row.verdict == "worse":
        assert row.low >= 0


@each_method
def test_as_good_needs_limits_within_the_smallest_difference(method: str) -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(5, 8)) * 0.01 + np.array([0.0, 0.0, 0.1, 5.0, 5.0])[:, None]
    plain = _found(values, method=method)
    within = _found(values, method=method, smallest_difference=0.2)
    # The third is worse beyond doubt, by half of what matters.
    assert [row.verdict for row in plain.rows[2:]] == ["worse", "worse", "worse"]
    assert [row.verdict for row in within.rows] == ["as good", "as good", "as good", "worse", "worse"]
    assert [vars(row) | {"verdict": ""} for row in within.rows] == [vars(row) | {"verdict": ""} for row in plain.rows]


@each_method
def test_a_winner_whose_rivals_are_all_worse_is_as_good_as_the_best(method: str) -> None:
    values = np.random.default_rng(5).normal(size=(5, 5)) * 0.01 + np.array([4.0, 0.0, 4.0, 5.0, 6.0])[:, None]
    result = _found(values, method=method)
    row = result.rows[result.winner]
    assert (result.members, row.verdict, row.high) == ((1,), "as good", 0.0)
    assert row.low < row.difference < -3.9  # its lead


@each_method
def test_a_condition_without_values_is_no_candidate(method: str) -> None:
    values = np.random.default_rng(8).normal(size=(6, 5))
    values[2] = math.nan
    with_gap = _found(values, direction="maximize", method=method)
    without = _found(np.delete(values, 2, 0), direction="maximize", method=method)
    assert (2 in with_gap.members, with_gap.rows[2].verdict) == (False, "")
    np.testing.assert_equal([vars(row) for row in np.delete(with_gap.rows, 2)], [vars(row) for row in without.rows])
    assert "1 has no value" in with_gap.note


@each_method
def test_a_seed_without_values_changes_nothing(method: str) -> None:
    values = np.random.default_rng(8).normal(size=(6, 5))
    wider = np.insert(values, 2, math.nan, axis=1)
    assert _found(wider, method=method).rows == _found(values, method=method).rows


def test_simple_keeps_a_condition_with_one_replicate_in_the_set_and_says_so() -> None:
    values = np.random.default_rng(9).normal(size=(4, 6)) * 0.01 + np.array([5.0, 0.0, 5.0, 5.0])[:, None]
    values[1, 1:] = math.nan
    result = _found(values, direction="maximize", method="simple")
    assert 1 in result.members
    assert (result.n_excluded, "1 has too few replicates to be compared" in result.note) == (5, True)
    assert (result.rows[1].low, result.rows[1].high, result.rows[1].verdict) == (-math.inf, math.inf, "open")


@pytest.mark.parametrize("n_conditions", [2, 3, 5, 30])
def test_without_replicates_nothing_can_be_ruled_out(n_conditions: int) -> None:
    result = _found(np.arange(float(n_conditions))[:, None])
    assert (result.winner, result.members) == (0, tuple(range(n_conditions)))
    assert {row.verdict for row in result.rows} == {"open"}
    assert f"{n_conditions} have too few replicates to be compared" in result.note


@each_pairing
def test_three_conditions_or_too_few_with_two_values_are_compared_in_pairs(is_paired: bool) -> None:
    few_repeated = _noisy(5, 4)
    few_repeated[2:, 1:] = math.nan
    for values in (_noisy(2, 4), _noisy(3, 4), few_repeated):
        asked, simple = (_found(values, is_paired=is_paired, method=method) for method in METHODS)
        assert asked.method == "simple"
        np.testing.assert_equal([vars(row) for row in asked.rows], [vars(row) for row in simple.rows])


@pytest.mark.parametrize(("shape", "most_seconds"), [((48, 10), 0.1), ((1000, 5), 10.0)])
def test_a_large_sweep_takes_little_time(shape: tuple[int, int], most_seconds: float) -> None:
    # The target for 48 x 10. Seconds of this process, the best of three: not of what else runs here.
    values = np.random.default_rng(0).normal(size=shape)
    taken = []
    for _ in range(3):
        start = time.process_time()
        _found(values)
        taken.append(time.process_time() - start)
    assert min(taken) < most_seconds


def test_one_condition_is_its_own_set() -> None:
    result = _found(np.array([[1.0, 2.0]]))
    assert (result.winner, result.members, result.rows[0].p, result.rows[0].verdict) == (0, (0,), 1.0, "")
    assert result.note == "there is no other condition to compare with"


def test_without_any_value_there_is_no_best() -> None:
    for values in (np.full((3, 2), math.nan), np.full((5, 2), math.inf), np.empty((0, 3)), np.empty((3, 0))):
        assert compare_with_best(values, direction="minimize", is_paired=True) is None


def test_the_values_given_are_not_changed() -> None:
    values = _noisy(6, 4)
    copy = values.copy()
    _found(values, direction="maximize")
    np.testing.assert_array_equal(values, copy)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "hsu"}, "use leaders, simple"),
        ({"direction": "down"}, "minimize or maximize"),
        ({"level": 0.0}, "between 0 and 1"),
        ({"smallest_difference": -0.1}, "0 or more"),
        ({"smallest_difference": math.nan}, "0 or more"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare_with_best(np.ones((2, 2)), **({"direction": "minimize", "is_paired": True} | arguments))


def test_one_row_of_values_is_refused() -> None:
    with pytest.raises(ValueError, match="condition, replicate"):
        compare_with_best(np.ones(3), direction="minimize", is_paired=True)
