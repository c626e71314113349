"""Write numbers, p-values, times and settings for people.

The number of digits follows from the uncertainty. No page shows "nan", or digits that the replicates do not support.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

MISSING = "–"  # what has no value
MINUS = "−"
SPACE = "\N{NARROW NO-BREAK SPACE}"  # between a number and its unit
GAP = "\N{NO-BREAK SPACE}"  # between a number and the word that it counts
MOST_DIGITS = 15  # decimal digits that a float holds for certain
MOST_EXTRA_DIGITS = 2  # spent on a bound that would be written as zero
_SUBJECT = re.compile(r"^(Input|Value|String|Tuple|List|Set|Dictionary) should\b")  # of a rule of pydantic's
_AFTER_THE_RULE = re.compile(r", unable to parse string as .*$| after validation, not \d+$")
PLAIN_EXPONENTS = range(-4, 7)  # leading digits from 0.0001 to millions are written without a power of ten
LOPSIDED = 10  # an end so much nearer than half the width decides how many digits the estimate has
SCALES = {
    "log": "t on the log scale",
    "logit": "t on the logit scale",
    "trimmed log": "trimmed t on the log scale",
    "trimmed logit": "trimmed t on the logit scale",
}  # the method of an interval, as results keep it -> in words; others are words already
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Estimate(NamedTuple):
    """Holds an estimate and its interval, written to the same last digit."""

    value: str  # "0.123"
    interval: str  # "[0.113, 0.133]"; an en dash where there is none

    def __str__(self) -> str:
        """Both together; the value alone where there is no interval."""
        return self.value if self.interval == MISSING else f"{self.value} {self.interval}"


def with_uncertainty(value: float, uncertainty: float) -> str:
    """Write a number to the second leading digit of its uncertainty: 0.123456 with 0.01 is "0.123".

    Args:
        value: The number; one that is not finite is an en dash.
        uncertainty: Half the width of its interval, or its own size. Where it is zero or not finite it tells
            nothing, and the number has four digits.
    """
    if not math.isfinite(value):
        return MISSING
    if not math.isfinite(uncertainty) or uncertainty == 0:
        return number(value)
    leading = max(_exponent(one) for one in (value, uncertainty) if one)
    return _write(value, leading, _decimals(leading, uncertainty))


def number(value: float, digits: int = 4) -> str:
    """Write a number that has no uncertainty to at most `digits` digits, without zeros at its end."""
    if not math.isfinite(value):
        return MISSING
    leading = _exponent(value, digits)
    text = _write(value, leading, digits - 1 - leading)
    mantissa, power, exponent = text.partition(" × ")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return mantissa + power + exponent


def estimate(value: float, low: float, high: float) -> Estimate:
    """Write an estimate and its interval to the second leading digit of half the interval's width.

    Where one end is far nearer, as on a log scale, the digits are those of its distance. A bound that is not zero is
    never written as zero: the interval of a difference must not seem to touch it. Without finite bounds there is no
    interval; with no width at all the number has six digits, or all that it has before the point.
    """
    if not math.isfinite(value):
        return Estimate(value=MISSING, interval=MISSING)
    if not (math.isfinite(low) and math.isfinite(high)):
        return Estimate(value=number(value), interval=MISSING)
    if low == high:
        digits = min(max(6, _exponent(value) + 1), MOST_DIGITS) if value else 6
        return Estimate(value=number(value, digits), interval=f"[{number(low, digits)}, {number(high, digits)}]")
    leading = max(_exponent(one) for one in (value, low, high) if one)
    decimals = _decimals(leading, _uncertainty(value, low, high))
    fits = (places for places in range(decimals, decimals + MOST_EXTRA_DIGITS + 1) if _keeps(low, high, places))
    decimals = next(fits, decimals)
    first, last = (
        _write(bound, leading, decimals) if _keeps(bound, bound, decimals) else number(bound, 2)
        for bound in (low, high)
    )
    return Estimate(value=_write(value, leading, decimals), interval=f"[{first}, {last}]")


def with_basis(value: float, low: float, high: float, *, level: float, method: str, n: int) -> str:
    """Write an estimate with its interval, level, method and n: "0.123 [0.113, 0.133] (95 %, t, n = 3)".

    Without finite bounds it is "0.123 (n = 1: no interval)".
    """
    written = estimate(value, low, high)
    n_text = f"n{GAP}={GAP}{n}"
    if written.interval == MISSING:
        return f"{written.value} ({n_text}: no interval)"
    return f"{written} ({level_percent(level)}, {SCALES.get(method, method)}, {n_text})"


def share_better(n_better: float, n_compared: int, low: float, high: float, *, is_paired: bool) -> str:
    """Write how often one beat the other: "0 of 3 pairs, at most 0.56", "2 of 3 pairs, 0.21 to 0.94"."""
    counted = f"{n_better:g} of {n_compared} {'pairs' if is_paired else 'comparisons'}"
    if n_better == 0:
        return f"{counted}, at most {high:.2f}"
    return f"{counted}, at least {low:.2f}" if n_better == n_compared else f"{counted}, {low:.2f} to {high:.2f}"


def probability(p: float, threshold: float = math.nan) -> str:
    """Write a probability or p-value: "0.032", "< 0.001", "> 0.999".

    Args:
        p: In [0, 1]; one that is not finite is an en dash.
        threshold: What it is compared with: digits are added until the text lies on the same side of it.
    """
    if not math.isfinite(p):
        return MISSING
    threshold = round(threshold, 12)  # 1 - 0.95 is 0.05 and a little
    if p < 0.001 <= threshold or (p < 0.001 and math.isnan(threshold)):
        return "< 0.001"
    if p < 0.001:
        return number(p, 3)
    if p == 1 or p >= 0.9995:
        return "1" if p == 1 else "> 0.999"
    decimals = 3
    while decimals < MOST_DIGITS and (float(f"{p:.{decimals}f}") < threshold) != (p < threshold):
        decimals += 1
    return f"{p:.{decimals}f}"


def p_value(p: float, threshold: float = math.nan) -> str:
    """Write a p-value in a sentence, without a place to break: "p = 0.032", "p < 0.001", "p > 0.999"."""
    text = probability(p, threshold)
    if text == MISSING:
        return "p unknown"
    sign = "" if text[0] in "<>" else f"={GAP}"
    return f"p{GAP}{sign}{text.replace(' ', GAP)}"


def percent(share: float) -> str:
    """Write a share as a whole percentage: "83 %", "under 1 %", "over 99 %"."""
    if not math.isfinite(share):
        return MISSING
    hundred = round(100 * share)
    if hundred == 0 and share > 0:
        return f"under 1{SPACE}%"
    if hundred == 100 and share < 1:
        return f"over 99{SPACE}%"
    return f"{_signed(str(hundred))}{SPACE}%"


def level_percent(level: float) -> str:
    """Write a level of confidence with all its digits: "95 %", "99.9 %"."""
    return f"{100 * level:.8g}{SPACE}%"


def duration(seconds: float) -> str:
    """Write a time with its two largest units: "15 ms", "3.2 s", "4 min 12 s", "2 h 5 min", "3 d 4 h"."""
    if not math.isfinite(seconds) or seconds < 0:
        return MISSING
    if seconds < 0.9995:
        return f"{number(1000 * seconds, 3)}{SPACE}ms"
    if seconds < 59.95:
        return f"{number(seconds, 3)}{SPACE}s"
    whole = round(seconds)
    for size, unit, part, part_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size}{SPACE}{unit}" + (f" {rest}{SPACE}{part_unit}" if rest else "")
    return f"{whole}{SPACE}s"


def count(n: int, noun: str, plural: str = "") -> str:
    """Write a number of things: "1 condition", "7 conditions"."""
    return f"{n}{GAP}{noun if n == 1 else plural or noun + 's'}"


def plain_count(n: int, noun: str, plural: str = "") -> str:
    """Write a number of things as `count` does, with an ordinary blank, for lines of a terminal."""
    return count(n, noun, plural).replace(GAP, " ")


def verb(n: int, one: str, several: str) -> str:
    """Write the verb of a number of things: `verb(1, "is", "are")` is "is"."""
    return one if n == 1 else several


def rule_words(message: str) -> str:
    """Write a message of pydantic as our errors are written: "Input should be a valid number" as "must be a …"."""
    text = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    text = _SUBJECT.sub("must", text).replace("a valid tuple", "a list")
    return _AFTER_THE_RULE.sub("", text)


def joined(words: Iterable[str]) -> str:
    """Join words as a sentence does: "a, b and c"."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def setting(value: Any, digits: int = 17) -> str:
    """Write the value of a parameter as a sweep file would: a number's shortest form, at most `digits` digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float) and math.isnan(value):
        return MISSING
    if isinstance(value, float):
        shorter = float(f"{value:.{min(digits, 17)}g}")
        return str(int(shorter)) if shorter.is_integer() and abs(shorter) < 1e7 else f"{shorter!r}"
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def digits_of(values: Sequence[Any]) -> int:
    """Return how many digits keep the different numbers among `values` different, at least 4."""
    numbers = {value for value in values if isinstance(value, float) and math.isfinite(value)}
    for digits in range(4, 17):
        if len({f"{value:.{digits}g}" for value in numbers}) == len(numbers):
            return digits
    return 17


def _exponent(value: float, digits: int = MOST_DIGITS) -> int:
    """Return the power of ten of the leading digit, after rounding to `digits` digits."""
    return int(f"{value:.{digits - 1}e}".partition("e")[2])


def _uncertainty(value: float, low: float, high: float) -> float:
    """Return half the width of an interval; where one end is far nearer to the estimate, its distance."""
    half, near = abs(high / 2 - low / 2), min(abs(value - low), abs(high - value))
    return near if low < value < high and near * LOPSIDED < half else half


def _decimals(leading: int, uncertainty: float) -> int:
    """Return the place of the last digit that an uncertainty supports: 3 is thousandths, -1 is tens."""
    return min(1 - _exponent(uncertainty, 2), MOST_DIGITS - 1 - leading)


def _rounded(value: float, decimals: int) -> float:
    return round(value, decimals) or 0.0  # not -0.0


def _keeps(low: float, high: float, decimals: int) -> bool:
    """Whether no bound but zero itself is rounded to zero."""
    half = 0.5 * 10.0**-decimals
    return all(abs(bound) > half or bound == 0 for bound in (low, high))


def _write(value: float, leading: int, decimals: int) -> str:
    """Write a number to a decimal place, with a power of ten where `leading` asks for one and digits are left out."""
    if leading > PLAIN_EXPONENTS[-1] and decimals >= 0:  # a long number: whole ones without a point
        text = f"{_rounded(value, decimals):.{decimals}f}"
        return _signed(text.rstrip("0").rstrip(".") if decimals and not float(value) % 1 else text)
    if leading in PLAIN_EXPONENTS:
        return _signed(f"{_rounded(value, decimals):.{max(decimals, 0)}f}")
    scaled = float(Decimal(float(value)).scaleb(-leading))  # a power of ten may itself be out of a float's range
    mantissa = _rounded(scaled, decimals + leading)
    return f"{_signed(f'{mantissa:.{max(decimals + leading, 0)}f}')} × 10{str(leading).translate(SUPERSCRIPTS)}"


def _signed(text: str) -> str:
    return text.replace("-", MINUS)
