"""Describe a domain in words: its kind, its bounds, its number of values, and points that do not fit."""

from __future__ import annotations

from rothamsted.space.domains import Choice, Domain, Range
from rothamsted.wording import setting

MOST_VALUES = 8  # of a choice that are listed


def domain_words(domain: Domain, *, is_cut: bool) -> str:
    """Describe a domain: 'numbers 0.001 to 1, log: 4 points', 'whole numbers 1 to 8: 8 values'.

    Args:
        domain: the domain of one parameter.
        is_cut: whether the sampler takes the points of a range, and no values between them.
    """
    only = "".join(f", if {name} is {_listed(values, ' or ')}" for name, values in domain.when.items())
    if isinstance(domain, Choice):
        return f"a choice of {len(domain.values)}: {_listed(domain.values)}{only}"
    kind = "whole numbers" if domain.is_integer else "numbers"
    text = f"{kind} {setting(domain.low)} to {setting(domain.high)}{', log' if domain.log else ''}"
    text += f" in steps of {setting(domain.step)}" if domain.step is not None else ""
    return f"{text}{_count(domain, is_cut=is_cut)}{only}"


def unplaced(name: str, domain: Domain, *, knows_kind: bool) -> str:
    """Say why a range has fewer points than asked for, and the way out; empty if it has all of them.

    Args:
        name: name of the parameter.
        domain: its domain.
        knows_kind: whether the study says that the parameter takes whole numbers; otherwise the ends in the file do.
    """
    if not isinstance(domain, Range) or domain.points is None:
        return ""
    n_placed = len(domain.grid_points())
    if n_placed == domain.points:
        return ""
    way = f"give points: {n_placed}, or a wider range"
    if not knows_kind:
        way += f"; for a range of numbers write {float(domain.low)!r} and {float(domain.high)!r}"
    return (
        f"space.{name}: {domain.points} points are asked for, and only {n_placed} whole numbers can be placed between "
        f"{domain.low} and {domain.high}: {_listed(domain.grid_points())}; {way}"
    )


def _count(domain: Range, *, is_cut: bool) -> str:
    if domain.step is not None:
        return f": {len(domain.grid_points())} values"
    if is_cut and domain.points is not None:
        return f": {len(domain.grid_points())} {'values' if domain.is_integer else 'points'}"
    return f": {int(domain.high) - int(domain.low) + 1} values" if domain.is_integer else ""


def _listed(values: tuple[object, ...], between: str = ", ") -> str:
    shown = [setting(value) for value in values[:MOST_VALUES]]
    return between.join([*shown, *(["…"] if len(values) > MOST_VALUES else [])])
