"""Write numbers and names for axes and legends: short, exact enough, and different from their neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

LONGEST = 32  # characters of a name in a figure of one column
LONGEST_NAME = 48  # and of one that has a line for itself


def number(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, as people write it: 0.01, 1024, 3.2e-5."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    size = abs(float(f"{value:.{digits - 1}e}"))  # after rounding: 0.00099996 is 0.001
    if 1e-3 <= size < 1e6:
        decimals = max(0, digits - 1 - math.floor(math.log10(size)))
        text = f"{value:.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"


def distinct_numbers(values: Sequence[float], *, digits: int = 3, error: float = math.inf) -> list[str]:
    """Write numbers with the fewest digits that keep them apart, and each within `error` of its value."""
    n_distinct = len(set(values))
    for count in range(digits, 17):
        texts = [number(value, count) for value in values]
        if len(set(texts)) == n_distinct and all(_error(t, v) <= error for t, v in zip(texts, values, strict=True)):
            return texts
    return [repr(float(value)) for value in values]


def fixed_numbers(values: Sequence[float], digits: int = 3) -> list[str]:
    """Write numbers that stand in one table with the same decimals where their sizes allow it."""
    finite = [abs(v) for v in values if math.isfinite(v) and v != 0]
    if not finite or max(finite) >= 1e4 or max(finite) < 1e-2:
        return [number(value, digits) for value in values]
    decimals = max(0, digits - 1 - math.floor(math.log10(max(finite))))
    return [f"{value:.{decimals}f}" if math.isfinite(value) else number(value) for value in values]


def clean(text: Any) -> str:
    """Return one line without control characters: what XML and a figure can hold, whatever a run was named."""
    line = " ".join(str(text).split())
    return "".join(c if c.isprintable() and not 0xD800 <= ord(c) <= 0xDFFF else "\ufffd" for c in line)


def shorten(text: Any, longest: int = LONGEST) -> str:
    """Cut a name in its middle, where names differ least."""
    line = clean(text)
    if len(line) <= longest:
        return line
    head = (longest - 1) // 2
    return f"{line[:head]}…{line[len(line) - (longest - 1 - head) :]}"


def named(text: Any) -> str:
    """Write the name of a factor or a metric as it stands in a caption or on an axis of its own."""
    return shorten(text, LONGEST_NAME)


def wrapped(text: str, longest: int = 46) -> str:
    """Break a long name into two lines after the comma nearest to its middle; each is cut where it must be."""
    line = clean(text)
    commas = [i for i in range(len(line)) if line.startswith(", ", i)]
    if len(line) <= longest or not commas:
        return shorten(line, longest)
    at = min(commas, key=lambda i: abs(i - len(line) / 2))
    return f"{shorten(line[: at + 1], longest)}\n{shorten(line[at + 2 :], longest)}"


def in_two_lines(name: str, longest: int) -> str:
    """Break a name at the space, comma or dot nearest to its middle where it is too long for its axis."""
    breaks = [i + 1 for i, letter in enumerate(name) if letter in " .,_/" and i + 1 < len(name)]
    if len(name) <= longest or not breaks:
        return shorten(name, longest)
    at = min(breaks, key=lambda i: abs(i - len(name) / 2))
    return f"{shorten(name[:at].rstrip(), longest)}\n{shorten(name[at:], longest)}"


def seconds_unit(most: float) -> tuple[float, str]:
    """Choose the unit of a time axis: how many seconds it is, and its name."""
    for size, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if most >= 3 * size:
            return size, name
    return (1.0, "seconds") if most >= 0.1 or most <= 0 else (1e-3, "milliseconds")


def percent(level: float) -> str:
    """Write `95 %`."""
    return f"{100 * level:.6g} %"


def _error(text: str, value: float) -> float:
    return abs(float(text) - value) if math.isfinite(value) else 0.0
