"""Convert domains to plain values, as a sweep file writes them, and back.

A list is a choice, and a single value a choice of one. A mapping with `low` and `high` is a range, one with `values` a
choice that can have a `when`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from rothamsted.caps import MOST_CHOICES
from rothamsted.space.domains import Choice, Domain, DomainError, Range, When

RANGE_KEYS = ("low", "high", "log", "step", "points", "when")
CHOICE_KEYS = ("values", "when")


def domain_from_plain(raw: Any, *, is_integer: bool | None = None) -> Domain:
    """Read one domain.

    Args:
        raw: a list, a mapping with `low` and `high` or with `values`, or a single value.
        is_integer: whether the parameter takes only whole numbers. None: not known; a range is then of whole numbers if
            its ends and its step are.

    Raises:
        DomainError: names the wrong part of the domain.
    """
    if isinstance(raw, Mapping):
        return _from_mapping(raw, is_integer)
    return Choice(values=_values("", raw) if isinstance(raw, (list, tuple)) else (raw,))


def domain_to_plain(domain: Domain) -> Any:
    """Return one domain as a sweep file writes it; `domain_from_plain` reads it back."""
    when = {parent: list(allowed) for parent, allowed in domain.when.items()}
    if isinstance(domain, Choice):
        return {"values": list(domain.values), "when": when} if when else list(domain.values)
    plain: dict[str, Any] = {"low": domain.low, "high": domain.high}
    if domain.log:
        plain["log"] = True
    for key, value in (("step", domain.step), ("points", domain.points), ("when", when or None)):
        if value is not None:
            plain[key] = value
    return plain


def _from_mapping(raw: Mapping[str, Any], is_integer: bool | None) -> Domain:
    known = CHOICE_KEYS if "values" in raw else RANGE_KEYS
    for key in raw:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise DomainError(str(key), f"unknown key; {hint}known: {', '.join(known)}, or values for a choice")
    when = _when(raw.get("when"))
    if "values" in raw:
        if not isinstance(raw["values"], (list, tuple)):
            raise DomainError("values", f"must be a list, not {raw['values']!r}; write [{raw['values']!r}]")
        return Choice(values=_values("values", raw["values"]), when=when)
    for key in ("low", "high"):
        if raw.get(key) is None:
            raise DomainError("", f"{key} is missing; give low and high, or a list of values")
    if is_integer is None:
        is_integer = all(_is_whole(raw.get(key)) for key in ("low", "high")) and (
            raw.get("step") is None or _is_whole(raw["step"])
        )
    numbers = {key: raw[key] for key in ("low", "high", "log", "step", "points") if raw.get(key) is not None}
    return Range(**numbers, is_integer=is_integer, when=when)


def _values(part: str, given: Sequence[Any]) -> tuple[Any, ...]:
    if len(given) > MOST_CHOICES:
        raise DomainError(part, f"{len(given)} values, and at most {MOST_CHOICES} are allowed; give fewer, or a range")
    return tuple(given)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _when(raw: Any) -> When:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping) or not raw:
        raise DomainError("when", f"must name other parameters, as in {{optimizer: sgd}}, not {raw!r}")
    when = {}
    for parent, allowed in raw.items():
        if isinstance(allowed, Mapping) or allowed == []:
            raise DomainError(f"when.{parent}", f"must be a value or a list of values, not {allowed!r}")
        when[str(parent)] = tuple(allowed) if isinstance(allowed, (list, tuple)) else (allowed,)
    return when
