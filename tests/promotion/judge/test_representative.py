"""Which replicate stands for a model: the one in the middle, never the luckiest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rothamsted.errors import DataError
from rothamsted.promotion.judge.verdict import representative
from tests.promotion.contestants import evidence


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((3.0, 1.0, 2.0), "m-2"),
        ((4.0, 1.0, 2.0, 3.0), "m-2"),  # by hand: the lower of 2 and 3
        ((2.0, 1.0, 2.0, 2.0, 3.0), "m-2"),  # of three runs of 2, in the order of run ids, the one in the middle
        ((1.0, math.nan, 2.0, 3.0), "m-2"),
    ],
)
def test_the_median_replicate_stands_for_a_model(values: Sequence[float], expected: str) -> None:
    assert representative(evidence("m", values)).run_id == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=12, unique=True))
def test_the_luckiest_replicate_never_stands_for_a_model(values: list[float]) -> None:
    chosen = representative(evidence("m", values)).objective
    assert min(values) < chosen < max(values)


def test_diverged_and_failed_replicates_stand_for_nothing() -> None:
    model = evidence("m", (1.0, 2.0, 3.0, 4.0, 5.0), outcomes={0: "diverged", 1: "failed"})
    assert representative(model).run_id == "m-3"


def test_two_replicates_have_none_in_the_middle() -> None:
    with pytest.raises(
        DataError, match=("of 2 finished replicates none is in the middle; confirm it on at least 3 seeds")
    ):
        representative(evidence("m", (1.0, 2.0)))
