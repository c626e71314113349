"""Make the domains of a space by calls: `uniform`, `loguniform`, `integers`, `choice`. Lists and ranges work too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rothamsted.caps import MOST_GRID_POINTS
from rothamsted.errors import UserError
from rothamsted.space import Choice, Domain, DomainError, Range, domain_from_plain, domain_to_plain

_NO_LIST = (str, bytes, Mapping, int, float, type(None))


def uniform(
    low: float,
    high: float,
    *,
    step: float | None = None,
    points: int | None = None,
    when: Mapping[str, Any] | None = None,
) -> Range:
    """Let a parameter take all numbers from low to high, both included.

    Args:
        low: the least value.
        high: the greatest value.
        step: take only low, low + step, … up to high.
        points: number of values that a grid takes of it; other samplers ignore it.
        when: other parameters -> the value or values with which this parameter is used.

    Raises:
        UserError: the numbers make no range.

    Example:
        >>> uniform(0, 1, points=3).grid_points()
        (0.0, 0.5, 1.0)
    """
    plain = {"low": _float(low), "high": _float(high), "step": step and _float(step)}
    return _range("uniform", {**plain, "points": points, "when": when}, is_integer=False)


def loguniform(low: float, high: float, *, points: int | None = None, when: Mapping[str, Any] | None = None) -> Range:
    """Let a parameter take all numbers from low to high, uniform in the logarithm.

    A value from 0.001 to 0.01 is as likely as one from 0.01 to 0.1.

    Args:
        low: the least value, above zero.
        high: the greatest value.
        points: number of values that a grid takes of it; other samplers ignore it.
        when: other parameters -> the value or values with which this parameter is used.

    Raises:
        UserError: the numbers make no range.

    Example:
        >>> loguniform(0.01, 1, points=3).grid_points()
        (0.01, 0.1, 1.0)
    """
    plain = {"low": _float(low), "high": _float(high), "log": True, "points": points, "when": when}
    return _range("loguniform", plain, is_integer=False)


def integers(
    low: int,
    high: int,
    *,
    step: int = 1,
    log: bool = False,
    points: int | None = None,
    when: Mapping[str, Any] | None = None,
) -> Range:
    """Let a parameter take the whole numbers from low to high, both included.

    Args:
        low: the least value.
        high: the greatest value.
        step: take only low, low + step, … up to high.
        log: make the numbers uniform in the logarithm.
        points: number of values that a grid takes of it; None: all.
        when: other parameters -> the value or values with which this parameter is used.

    Raises:
        UserError: the numbers make no range of whole numbers.

    Example:
        >>> integers(1, 4).grid_points()
        (1, 2, 3, 4)
    """
    low, high = _plain(low), _plain(high)
    plain = {"low": low, "high": high, "log": log or None, "points": points, "when": when}
    are_whole = all(isinstance(one, int) for one in (low, high))
    is_short = are_whole and 1 < high - low < MOST_GRID_POINTS
    if step != 1 or (points is None and not log and is_short):  # a grid takes each, and says so in a file
        plain["step"] = _plain(step)
    return _range("integers", plain, is_integer=True)


def choice(values: Iterable[Any], *, when: Mapping[str, Any] | None = None) -> Choice:
    """Let a parameter take one of some values. They keep their order.

    Args:
        values: a list, a range, an array, or any other iterable.
        when: other parameters -> the value or values with which this parameter is used.

    Raises:
        UserError: there is nothing to choose from, or a value is there twice.

    Example:
        >>> choice(["sgd", "adam"]).values
        ('sgd', 'adam')
    """
    if isinstance(values, _NO_LIST):
        raise UserError(f"rt.choice: takes a list of values, not {values!r}; write rt.choice([{values!r}])")
    try:
        domain = domain_from_plain({"values": [_plain(one) for one in values], "when": when})
    except DomainError as error:
        raise UserError(f"rt.choice: {error}") from None
    if not isinstance(domain, Choice):
        raise UserError(f"rt.choice: takes a list of values, not {values!r}")
    return domain


def plain_domain(place: str, given: Any) -> Any:
    """Turn what a caller gives for a domain into what a sweep file writes.

    Args:
        place: what errors call it: "rt.sweep: space.lr".
        given: a domain, a list, range or array of values, a mapping as a sweep file has it, or one value.

    Raises:
        UserError: it is a tuple, which other tools read as a range, or not a plain value.
    """
    if isinstance(given, (Range, Choice)):
        return domain_to_plain(given)
    if isinstance(given, tuple):
        ends = ", ".join(map(repr, given))
        raise UserError(
            f"{place}: ({ends}) is a tuple, which other tools read as a range; write [{ends}] for these values, or "
            "rt.uniform(low, high)"
        )
    if isinstance(given, Mapping):
        return {str(key): _plain(value) for key, value in given.items()}
    if isinstance(given, _NO_LIST) or not isinstance(given, Iterable):
        return _checked(place, _plain(given))
    return [_checked(place, _plain(one)) for one in given]


def is_short_of(given: Any, domain: Domain) -> bool:
    """Say whether a caller gave whole numbers for a parameter that takes any number."""
    return isinstance(given, Range) and isinstance(domain, Range) and given.is_integer and not domain.is_integer


def _range(call: str, plain: Mapping[str, Any], *, is_integer: bool) -> Range:
    try:
        domain = domain_from_plain(
            {key: value for key, value in plain.items() if value is not None}, is_integer=is_integer
        )
    except DomainError as error:
        raise UserError(f"rt.{call}: {error}") from None
    if not isinstance(domain, Range):
        raise UserError(f"rt.{call}: takes low and high")
    return domain


def _float(value: Any) -> Any:
    value = _plain(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else value  # what is none is for the range to refuse, with its name


def _plain(value: Any) -> Any:
    """A value without NumPy's type around it; of containers each member."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value.item() if hasattr(value, "item") and hasattr(value, "dtype") else value


def _checked(place: str, value: Any) -> Any:
    """A value that a file can hold."""
    if isinstance(value, (str, int, float, type(None))):
        return value
    if isinstance(value, (list, dict)):
        return value
    raise UserError(
        f"{place}: {value!r} is not a number, text, boolean, list or mapping; give plain values, and make the object "
        "from them in the study"
    )
