"""Two streams of metrics: the same bits, within a tolerance, or where they first differ."""

from __future__ import annotations

import math

import pytest

from rothamsted.reproducing.streams import compared

WAS = {(1, "loss"): 0.5, (2, "loss"): 0.25, (2, "accuracy"): 0.75}


def test_equal_numbers_are_identical_and_all_are_counted() -> None:
    found = compared(WAS, dict(WAS), rtol=0)
    assert (found.verdict, found.n_points, found.most, found.first) == ("identical", 3, 0.0, "")


def test_a_difference_within_the_tolerance_is_equal_and_named() -> None:
    found = compared(WAS, {**WAS, (2, "loss"): 0.25 * (1 + 1e-6)}, rtol=1e-5)
    assert found.verdict == "equal"
    assert found.first.startswith("loss at step 2 was 0.25 and is 0.2500002")
    assert found.most == pytest.approx(1e-6, rel=1e-3)  # (b - a) / b, with a = 0.25 and b = 0.25 (1 + 1e-6)


def test_the_first_difference_beyond_the_tolerance_is_named_not_a_smaller_one_before_it() -> None:
    now = {(1, "loss"): 0.5 + 1e-9, (2, "loss"): 0.3, (2, "accuracy"): 0.75}
    found = compared(WAS, now, rtol=1e-6)
    assert (found.verdict, found.first) == ("different", "loss at step 2 was 0.25 and is 0.3 now")


@pytest.mark.parametrize(
    ("now", "first"),
    [
        ({(1, "loss"): 0.5, (2, "loss"): 0.25}, "accuracy at step 2 was 0.75 and is not measured now"),
        ({**WAS, (3, "loss"): 0.1}, "loss at step 3 was not measured and is 0.1 now"),
        ({**WAS, (2, "loss"): math.nan}, "loss at step 2 was 0.25 and is nan now"),
    ],
)
def test_what_is_missing_new_or_not_finite_is_a_difference_whatever_the_tolerance(now: dict, first: str) -> None:
    found = compared(WAS, now, rtol=0.99)
    assert (found.verdict, found.first, found.most) == ("different", first, math.inf)


def test_nan_is_identical_to_nan() -> None:
    assert compared({(1, "loss"): math.nan}, {(1, "loss"): math.nan}, rtol=0).verdict == "identical"


def test_times_and_throughput_are_not_compared() -> None:
    was = {**WAS, (2, "seconds"): 1.0, (2, "samples_per_second"): 10.0, (2, "epoch_time"): 3.0}
    assert compared(was, {**WAS, (2, "seconds"): 2.0}, rtol=0).verdict == "identical"


def test_a_run_that_was_stopped_is_compared_up_to_its_last_step() -> None:
    assert compared(WAS, {**WAS, (3, "loss"): 9.0}, rtol=0, to_step=2).verdict == "identical"
