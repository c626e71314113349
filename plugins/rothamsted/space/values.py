"""Decide whether two values of a parameter are equal. Unlike Python's `==`, True is not 1."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

MOST_LISTED = 20  # values of a choice in an error
MOST_SHOWN = 80  # characters of a value in an error
ROUNDING = 1e-11  # of a number: so much the last digits of a computed one may be off


def is_number(value: Any) -> bool:
    """Say whether a value is an int or a float, and not a truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_finite_number(value: Any) -> bool:
    """Say whether a value is a number that a float can hold, neither infinite nor NaN."""
    try:
        return is_number(value) and math.isfinite(value)
    except OverflowError:  # a whole number of 400 digits
        return False


def unwritable(value: Any) -> str:
    """Say why a plain value cannot be kept: "holds NaN", "holds a NUL character"; empty if it can.

    Args:
        value: a number, text, truth value, None, or a list or mapping of such.
    """
    if isinstance(value, Mapping):
        return next(filter(None, (unwritable(part) for pair in value.items() for part in pair)), "")
    if isinstance(value, (list, tuple)):
        return next(filter(None, map(unwritable, value)), "")
    if isinstance(value, str):
        if "\x00" in value:
            return "holds a NUL character"
        is_whole = value.isascii() or not any("\ud800" <= one <= "\udfff" for one in value)
        return "" if is_whole else "holds a broken character"
    if isinstance(value, float) and not math.isfinite(value):
        return f"holds {value!r}"
    return ""


def identity(value: Any) -> Hashable:
    """Return a key that is equal for equal values: 1 and 1.0 are one value, True is another, lists go by members."""
    if isinstance(value, Mapping):
        return ("map", tuple(sorted((str(key), identity(member)) for key, member in value.items())))
    if isinstance(value, (list, tuple)):
        return ("list", tuple(identity(member) for member in value))
    if is_number(value):
        return ("number", value if value == value else "nan")  # NaN is no key: it equals nothing, itself included
    return (type(value).__name__, value)


def is_equal_value(first: Any, second: Any) -> bool:
    """Say whether two values of a parameter are the same one."""
    return identity(first) == identity(second)


def among(known: Iterable[Any], value: Any) -> Any:
    """Return the known value that a value means: the equal one, else the nearest number within rounding.

    If there is none it is the value itself: 0.1 + 0.2 is 0.3 among 0.1, 0.2, 0.3, and 0.31 is 0.31.
    """
    known = list(known)
    key = identity(value)
    for one in known:
        if identity(one) == key:
            return one
    if not is_finite_number(value):
        return value
    near = [one for one in known if is_finite_number(one) and abs(one - value) <= ROUNDING * abs(one)]
    return min(near, key=lambda one: abs(one - value), default=value)


def shortened(value: Any) -> str:
    """Write a value as an error shows it, however long it is."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**MOST_SHOWN:
        return f"a whole number of more than {MOST_SHOWN} digits"
    text = ascii(value) if unwritable(value) else repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


def listed(values: tuple[Any, ...]) -> str:
    """Write values as an error lists them."""
    more = f" and {len(values) - MOST_LISTED} more" if len(values) > MOST_LISTED else ""
    return ", ".join(map(shortened, values[:MOST_LISTED])) + more
