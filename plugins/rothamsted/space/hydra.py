"""Read Hydra's grammar: domains (`lr=tag(log,interval(1e-4,1e-1)) dropout=0.2,0.4`) and values (`hidden=[256,128]`).

Hydra's own parser reads it. That parser accepts things that are not a search space (an interval from 5 to 1, a glob, a
shuffle), so everything is checked here.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    OverrideType,
    QuotedString,
    RangeSweep,
    Sweep,
)
from hydra.errors import HydraException

from rothamsted.caps import MOST_DEPTH, MOST_DIGITS, MOST_GRID_POINTS, MOST_OF_GRAMMAR
from rothamsted.space.domains import Choice, Domain, DomainError, Range
from rothamsted.space.space import SpaceError
from rothamsted.space.values import shortened, unwritable

_NEXT_OVERRIDE = re.compile(r"\s++(?=[~+]*[A-Za-z_][\w.@/:-]*=|~)")
_EXAMPLE = "lr=tag(log,interval(1e-4,1e-1)) dropout=0.2,0.4 width=range(8,33,8)"
_FIXED_EXAMPLE = "model.hidden=[256,128] model.dropout=0.2"


def domains_from_hydra(text: str) -> dict[str, Domain]:
    """Read a search space in Hydra's sweep grammar.

    `a,b` and `choice(a,b)` are choices, `interval(low,high)` is a range of numbers (of whole numbers with
    `int(interval(…))`), `range(start,stop,step)` a range with a step and, as in Python, without its stop;
    `tag(log,interval(…))` is a log range.

    Raises:
        SpaceError: with the parameter and what is not accepted.
    """
    domains: dict[str, Domain] = {}
    for override in _split(text):
        name, value = _parse(override)
        if name in domains:
            raise SpaceError((name,), "is given twice; give it once")
        try:
            domains[name] = _domain(value)
        except DomainError as error:
            raise SpaceError((name, error.part) if error.part else (name,), error.reason) from None
    if not domains:
        raise SpaceError((), f"no parameter in {text!r}; write for example {_EXAMPLE}")
    return domains


def domain_from_hydra(text: str) -> tuple[str, Domain]:
    """Read one parameter with its domain.

    Raises:
        SpaceError: with the parameter and what is not accepted; there are several.
    """
    found = list(domains_from_hydra(text).items())
    if len(found) > 1:
        raise SpaceError((found[0][0],), f"{text!r} has {len(found)} parameters; quote a value that has a blank and =")
    return found[0]


def values_from_hydra(text: str) -> dict[str, Any]:
    """Read fixed values in Hydra's grammar: `model.hidden=[256,128] model.dropout=0.2 name='a b' weights={a:1,b:2}`.

    Raises:
        SpaceError: with the parameter and what is not accepted.
    """
    values: dict[str, Any] = {}
    for override in _split(text):
        name, value = _parse(override, _FIXED_EXAMPLE)
        if name in values:
            raise SpaceError((name,), "is given twice; give it once")
        if isinstance(value, Sweep | Glob):
            raise SpaceError(
                (name,), f"{override!r} gives several values; a fixed parameter has one, others go in space"
            )
        if value == "":
            raise SpaceError((name,), f"has no value; write for example {_FIXED_EXAMPLE}")
        values[name] = _value(value)
        if reason := unwritable(values[name]):
            raise SpaceError((name,), f"{override!r} {reason}; give a value that can be kept")
    if not values:
        raise SpaceError((), f"no parameter in {text!r}; write for example {_FIXED_EXAMPLE}")
    return values


def _split(text: str) -> list[str]:
    """The overrides of a line: split at blanks before a `name=`, outside brackets and quotes.

    Raises:
        SpaceError: it is longer, or nested deeper, than its parser reads at once.
    """
    if len(text) > MOST_OF_GRAMMAR:
        way = "give the space in a sweep file"
        raise SpaceError((), f"has {len(text)} characters, and at most {MOST_OF_GRAMMAR} are read here; {way}")
    parts, start, depth, quote, position = [], 0, 0, "", 0
    while position < len(text):
        char = text[position]
        if quote:
            position += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
            if depth > MOST_DEPTH:
                raise SpaceError((), f"is nested deeper than {MOST_DEPTH} brackets; make it flat")
        elif char in ")]}":
            depth -= 1
        elif depth == 0 and (blank := _NEXT_OVERRIDE.match(text, position)):
            parts.append(text[start:position])
            start = position = blank.end()
            continue
        position += 1
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]


def _parse(override: str, example: str = _EXAMPLE) -> tuple[str, Any]:
    if reason := unwritable(override):
        raise SpaceError((), f"{shortened(override)} {reason}; write for example {example}")
    try:
        parsed = OverridesParser.create().parse_override(override)
    except (HydraException, ValueError) as error:  # ValueError: of a number of 5,000 digits
        reason = str(error).splitlines()[0]
        raise SpaceError((), f"Hydra cannot read {override!r}: {reason}; write for example {example}") from None
    name = parsed.key_or_group
    if parsed.type is not OverrideType.CHANGE or parsed.package is not None or "/" in name:
        raise SpaceError((name,), f"{override!r} adds, deletes or names a package; write {name}=VALUES only")
    return name, parsed._value  # Override.value() flattens sweeps to text; this is the parsed object


def _domain(value: Any) -> Domain:
    if isinstance(value, Glob):
        raise DomainError("", "glob(…) picks names of files, of which a study has none; list the values")
    if isinstance(value, ChoiceSweep):
        _check_tags(value.tags, allowed=frozenset())
        _check_order(value.shuffle)
        return Choice(values=tuple(_value(member) for member in value.list))
    if isinstance(value, RangeSweep):
        _check_tags(value.tags, allowed=frozenset())
        _check_order(value.shuffle)
        return _from_range(value)
    if isinstance(value, IntervalSweep):
        _check_tags(value.tags, allowed=frozenset({"log"}))
        if value.start is None or value.end is None:
            raise DomainError("", "an interval needs both ends; write interval(low,high)")
        is_integer = isinstance(value.start, int) and isinstance(value.end, int)
        return Range(low=value.start, high=value.end, log="log" in value.tags, is_integer=is_integer)
    if value == "":
        raise DomainError("", f"has no value; write for example {_EXAMPLE}")
    return Choice(values=(_value(value),))


def _from_range(value: RangeSweep) -> Domain:
    """A step range without its stop, counted in decimals so that range(0,0.3,0.1) ends at 0.2."""
    parts = (value.start, value.stop, value.step)
    if any(isinstance(part, bool) or not isinstance(part, (int, float)) for part in parts):
        raise DomainError("", f"range({','.join(map(str, parts))}) needs numbers; write range(8,33,8)")
    if any(abs(part) >= 10**MOST_DIGITS for part in parts if isinstance(part, int)):
        raise DomainError("", f"a range has a number of more than {MOST_DIGITS} digits; write range(8,33,8)")
    start, stop, step = (Decimal(str(part)) for part in parts)
    if not all(part.is_finite() for part in (start, stop, step)) or step <= 0:
        what = f"range({start},{stop},{step})"
        raise DomainError("", f"{what} needs finite numbers and a step above 0; write range(8,33,8)")
    n_values = math.ceil((stop - start) / step)
    if n_values < 1:
        raise DomainError("", f"range({start},{stop},{step}) holds no value; the stop is not part of it")
    if n_values > MOST_GRID_POINTS:
        raise DomainError(
            "", f"range({start},{stop},{step}) holds {n_values} values; at most {MOST_GRID_POINTS} are allowed"
        )
    is_integer = all(isinstance(part, int) for part in parts)
    number = int if is_integer else float
    last = start + (n_values - 1) * step
    if n_values == 1:
        return Choice(values=(number(start),))
    return Range(low=number(start), high=number(last), step=number(step), is_integer=is_integer)


def _check_tags(given: set[str], *, allowed: frozenset[str]) -> None:
    if unknown := sorted(given - allowed):
        raise DomainError("", f"tag {unknown[0]!r} is not allowed here; only tag(log,interval(low,high)) is")


def _check_order(is_shuffled: bool) -> None:
    if is_shuffled:
        raise DomainError("", "shuffle(…) has no seed, so that no two runs agree; leave it out")


def _value(value: Any) -> Any:
    if isinstance(value, (ChoiceSweep, RangeSweep, IntervalSweep, Glob)):
        raise DomainError("", "holds a search within a search; list the values")
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [_value(member) for member in value]
    if isinstance(value, dict):
        return {str(key): _value(member) for key, member in value.items()}
    return value
