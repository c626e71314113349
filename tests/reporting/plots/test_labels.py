"""Numbers and names as they stand in figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rothamsted.reporting.plots.labels import (
    clean,
    distinct_numbers,
    fixed_numbers,
    number,
    seconds_unit,
    shorten,
    wrapped,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.1, "0.1"),
        (1024.0, "1024"),
        (0.001, "0.001"),
        (0.00099996, "0.001"),  # three digits make it 0.00100, which is not below 0.001 any more
        (0.000316228, "3.16e-4"),
        (123456.7, "123457"),
        (2.5e9, "2.5e9"),
        (-0.0125, "-0.0125"),
        (9.9996, "10"),
        (math.nan, "–"),
        (-math.inf, "-∞"),
    ],
)
def test_a_number_is_written_as_people_write_it(value: float, text: str) -> None:
    # By hand: three significant digits, a power of ten below 0.001 and from a million on.
    assert number(value) == text


@given(st.lists(st.floats(-1e12, 1e12, allow_subnormal=False), min_size=1, max_size=8, unique=True))
def test_different_numbers_get_different_labels(values: list[float]) -> None:
    assert len(set(distinct_numbers(values))) == len(set(values))


def test_neighbours_get_as_many_digits_as_keep_them_apart_and_no_more() -> None:
    # By hand: 0.10001 and 0.10002 differ in the fifth digit.
    assert distinct_numbers([0.10001, 0.10002]) == ["0.10001", "0.10002"]


def test_a_tick_label_is_as_exact_as_asked() -> None:
    # By hand: 0.1225 to three digits is 0.122 or 0.123, off by 0.0005.
    assert distinct_numbers([0.1225, 0.2], error=1e-5) == ["0.1225", "0.2"]


def test_numbers_of_one_table_have_the_same_decimals() -> None:
    # By hand: three digits of the largest, 3.8, are two decimals.
    assert fixed_numbers([3.8, 0.4294, math.nan]) == ["3.80", "0.43", "–"]


@given(st.text(max_size=200), st.integers(3, 40))
def test_a_shortened_name_is_one_printable_line_of_at_most_that_length(text: str, longest: int) -> None:
    short = shorten(text, longest)
    assert len(short) <= longest
    assert short.isprintable()


def test_control_characters_and_line_breaks_of_a_name_do_not_reach_the_figure() -> None:
    assert clean("a\x00b\nc\ud800") == "a\ufffdb c\ufffd"


def test_a_long_label_breaks_after_the_comma_nearest_to_its_middle() -> None:
    assert wrapped("learning_rate=0.1, width=64, depth=3", longest=20) == "learning_rate=0.1,\nwidth=64, depth=3"


@pytest.mark.parametrize(
    ("most", "unit"),
    [(0.05, "milliseconds"), (179.0, "seconds"), (181.0, "minutes"), (20000.0, "hours"), (4e5, "days")],
)
def test_a_time_axis_takes_the_largest_unit_of_which_it_has_three(most: float, unit: str) -> None:
    assert seconds_unit(most)[1] == unit
