"""Numbers as a person reads them: digits follow uncertainty, and nothing undefined is shown as a number."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rothamsted import wording as text

FINITE = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False, allow_subnormal=False)
WIDTHS = st.floats(min_value=1e-12, max_value=1e12, allow_nan=False, allow_subnormal=False)
SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def plain(written: str) -> str:
    """Text with ordinary spaces, as it looks."""
    return written.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " ")


def read(written: str) -> float:
    """The number that a text stands for, read independently of how it was written."""
    mantissa, _, power = written.replace("−", "-").partition(" × 10")
    return float(f"{mantissa}e{power.translate(SUPERSCRIPTS)}") if power else float(mantissa)


# By hand: the second leading digit of the uncertainty is the last one written.
@pytest.mark.parametrize(
    ("value", "uncertainty", "expected"),
    [
        (0.123456, 0.01, "0.123"),
        (0.123456, 0.034, "0.123"),
        (0.123456, 0.00999, "0.123"),  # 0.00999 is 0.010 to two digits
        (0.123456, 0.5, "0.12"),
        (-0.123456, 0.01, "−0.123"),
        (12345.6, 200.0, "12350"),
        (0.00001, 0.01, "0.000"),
        (-0.00001, 0.01, "0.000"),  # no minus before a zero
        (1.5e-7, 1.0e-9, "1.500 × 10⁻⁷"),
        (2.5e9, 1.0e7, "2.500 × 10⁹"),
        (0.0, 0.01, "0.000"),
    ],
)
def test_the_uncertainty_decides_how_many_digits_are_written(value: float, uncertainty: float, expected: str) -> None:
    assert text.with_uncertainty(value, uncertainty) == expected


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_an_en_dash(value: float) -> None:
    shown = {text.number(value), text.with_uncertainty(value, 1.0), str(text.estimate(value, 0.0, 1.0))}
    assert shown == {"–"}


def test_undefined_p_values_shares_and_times_are_never_shown_as_nan() -> None:
    nan = math.nan
    shown = [text.probability(nan), text.p_value(nan), text.percent(nan), text.duration(nan), text.setting(nan)]
    assert shown == ["–", "p unknown", "–", "–", "–"]


@pytest.mark.parametrize("uncertainty", [0.0, math.nan, math.inf])
def test_without_a_usable_uncertainty_a_number_has_four_digits(uncertainty: float) -> None:
    assert text.with_uncertainty(0.123456, uncertainty) == "0.1235"


# By hand: half the width is 0.0051, so that the fourth decimal is the last.
def test_an_estimate_and_its_interval_end_at_the_same_digit() -> None:
    assert str(text.estimate(0.123456, 0.118356, 0.128556)) == "0.1235 [0.1184, 0.1286]"


def test_an_estimate_without_an_interval_stands_alone() -> None:
    assert str(text.estimate(0.5, math.nan, math.nan)) == "0.5"


def test_an_interval_of_no_width_repeats_the_number() -> None:
    assert str(text.estimate(0.25, 0.25, 0.25)) == "0.25 [0.25, 0.25]"


# Half the width is 0.01: to its second digit 0.0004 would be 0.000, as if the interval held zero.
def test_a_bound_that_is_not_zero_is_not_written_as_zero() -> None:
    assert text.estimate(0.0104, 0.0004, 0.0204).interval == "[0.0004, 0.0204]"


def test_a_bound_very_near_to_zero_is_written_by_itself() -> None:
    assert text.estimate(0.01, 1e-12, 0.02).interval == "[1 × 10⁻¹², 0.020]"


# By hand: half the width is 2.5, so that tenths are written, also of ten million and more.
def test_a_long_number_keeps_the_digits_that_its_interval_supports() -> None:
    assert str(text.estimate(10000002, 9999999.5, 10000004.5)) == "10000002 [9999999.5, 10000004.5]"
    assert str(text.estimate(10000002, 10000002, 10000002)) == "10000002 [10000002, 10000002]"


# By hand: on the log scale 1 times and over exp(6); the nearer end is 0.998 away, whose second digit is a tenth.
def test_a_lopsided_interval_does_not_round_its_estimate_away() -> None:
    written = text.estimate(1.0, 0.0025, 403.0)
    assert read(written.value) == 1.0
    assert written.interval == "[0.003, 403.000]"


def test_an_estimate_stands_with_its_interval_level_method_and_n() -> None:
    found = plain(text.with_basis(0.123456, 0.118356, 0.128556, level=0.95, method="t", n=3))
    assert found == "0.1235 [0.1184, 0.1286] (95 %, t, n = 3)"
    assert plain(text.with_basis(0.5, math.nan, math.nan, level=0.95, method="t", n=1)) == "0.5 (n = 1: no interval)"


@given(FINITE, WIDTHS, WIDTHS)
def test_a_written_interval_is_off_by_less_than_a_tenth_of_its_half_width(mid: float, down: float, up: float) -> None:
    low, high = mid - down, mid + up
    half = (high - low) / 2
    assume(half > 1e-9 * max(abs(low), abs(high)))  # within the digits that a float holds
    written = text.estimate(mid, low, high)
    first, last = (read(part) for part in written.interval.strip("[]").split(", "))
    errors = (abs(read(written.value) - mid), abs(first - low), abs(last - high))
    assert max(errors) <= 0.1 * half


@given(FINITE, WIDTHS, WIDTHS)
def test_a_written_interval_lies_on_the_same_side_of_zero(mid: float, down: float, up: float) -> None:
    low, high = mid - down, mid + up
    assume(low < high)
    first, last = (read(part) for part in text.estimate(mid, low, high).interval.strip("[]").split(", "))
    assert (math.copysign(1, first) if first else 0, math.copysign(1, last) if last else 0) == (
        math.copysign(1, low) if low else 0,
        math.copysign(1, high) if high else 0,
    )


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(allow_nan=True, allow_infinity=True))
def test_no_number_is_ever_written_as_nan_or_inf(value: float, other: float) -> None:
    shown = [text.number(value), text.with_uncertainty(value, other), str(text.estimate(value, other, value))]
    assert not any(word in one.lower() for one in shown for word in ("nan", "inf"))


@given(st.floats(min_value=-1e300, max_value=1e300, allow_subnormal=False))
def test_a_number_of_four_digits_is_off_by_less_than_a_thousandth(value: float) -> None:
    assert read(text.number(value)) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.0, "p < 0.001"),
        (0.00099, "p < 0.001"),
        (0.001, "p = 0.001"),
        (0.0321, "p = 0.032"),
        (0.45, "p = 0.450"),
        (0.9999, "p > 0.999"),
        (1.0, "p = 1"),
    ],
)
def test_p_values_are_written_as_a_paper_does(p: float, expected: str) -> None:
    assert plain(text.p_value(p)) == expected


# 1 - 0.95 is 0.050000000000000044 in floating point, and has to count as 0.05.
@pytest.mark.parametrize(("p", "expected"), [(0.0498, "0.0498"), (0.05, "0.050"), (0.0502, "0.050")])
def test_a_p_value_near_its_threshold_is_written_on_its_own_side_of_it(p: float, expected: str) -> None:
    assert text.probability(p, 1 - 0.95) == expected


def test_a_p_value_below_a_threshold_that_is_itself_small_shows_its_size() -> None:
    assert text.probability(0.00031, 0.0005) == "0.00031"


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.834, "83 %"), (0.004, "under 1 %"), (0.999, "over 99 %"), (1.0, "100 %"), (0.0, "0 %"), (-0.02, "−2 %")],
)
def test_shares_are_whole_percentages_that_claim_neither_nothing_nor_all(share: float, expected: str) -> None:
    assert plain(text.percent(share)) == expected


@pytest.mark.parametrize(("level", "expected"), [(0.95, "95 %"), (0.999, "99.9 %"), (0.57, "57 %")])
def test_a_level_keeps_all_its_digits(level: float, expected: str) -> None:
    assert plain(text.level_percent(level)) == expected


# By hand: 7,505 s are 2 h 5 min 5 s; 273,600 s are 3 d 4 h.
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0154, "15.4 ms"),
        (3.2, "3.2 s"),
        (59.97, "1 min"),
        (252.0, "4 min 12 s"),
        (7505.0, "2 h 5 min"),
        (273600.0, "3 d 4 h"),
        (-1.0, "–"),
    ],
)
def test_times_have_their_two_largest_units(seconds: float, expected: str) -> None:
    assert plain(text.duration(seconds)) == expected


def test_one_thing_is_counted_in_the_singular() -> None:
    assert [plain(text.count(n, "condition")) for n in (0, 1, 7)] == ["0 conditions", "1 condition", "7 conditions"]


@pytest.mark.parametrize(("words", "expected"), [([], ""), (["a"], "a"), (["a", "b", "c"], "a, b and c")])
def test_words_are_joined_as_in_a_sentence(words: list[str], expected: str) -> None:
    assert text.joined(words) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, "0.1"),
        (3.0, "3"),
        (1e-6, "1e-06"),
        (True, "true"),
        (None, "null"),
        ("adam", "adam"),
        ([1, 2], "[1, 2]"),
        (10**20, "100000000000000000000"),
    ],
)
def test_settings_are_written_as_in_a_sweep_file(value: object, expected: str) -> None:
    assert text.setting(value) == expected


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20, unique=True))
def test_different_settings_never_look_the_same(values: list[float]) -> None:
    digits = text.digits_of(values)
    assert len({text.setting(value, digits) for value in values}) == len({value + 0.0 for value in values})
