"""The Pareto set, by hand and against the definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rothamsted.statistics.pareto import pareto_set


def test_a_point_is_in_the_set_unless_another_is_as_good_in_both_and_better_in_one() -> None:
    # By hand: (1,4), (2,2) and (4,1) are the set; (2,3) is beaten by (2,2); equal points stay together.
    costs = np.array([[1.0, 4.0], [2.0, 2.0], [4.0, 1.0], [2.0, 3.0], [2.0, 2.0]])
    assert pareto_set(costs).tolist() == [True, True, True, False, True]


def test_a_point_without_a_number_is_out_and_beats_nobody() -> None:
    assert pareto_set(np.array([[np.nan, 0.0], [1.0, 1.0]])).tolist() == [False, True]


@given(arrays(np.float64, (7, 3), elements=st.integers(0, 4).map(float)))
def test_every_point_outside_is_dominated_by_one_inside_and_no_point_inside_is(costs: np.ndarray) -> None:
    is_in = pareto_set(costs)

    def dominates(one: np.ndarray, other: np.ndarray) -> bool:
        return all(one <= other) and any(one < other)

    for row, is_member in enumerate(is_in):
        beaten = [dominates(costs[other], costs[row]) for other in range(len(costs)) if is_in[other]]
        assert any(beaten) != is_member
