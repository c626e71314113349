"""When two values of a parameter are the same one. Apart, because Python's `==` says that True is 1."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any


def is_number(value: Any) -> bool:
    """Whether a value is an int or a float, and not a truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def identity(value: Any) -> Hashable:
    """A key that is equal for equal values: 1 and 1.0 are one value, True is another, lists go by members."""
    if isinstance(value, Mapping):
        return ("map", tuple(sorted((str(key), identity(member)) for key, member in value.items())))
    if isinstance(value, (list, tuple)):
        return ("list", tuple(identity(member) for member in value))
    if is_number(value):
        return ("number", value if value == value else "nan")  # NaN is no key: it equals nothing, itself included
    return (type(value).__name__, value)


def is_equal_value(first: Any, second: Any) -> bool:
    """Whether two values of a parameter are the same one."""
    return identity(first) == identity(second)
