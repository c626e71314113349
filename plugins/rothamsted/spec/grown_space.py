"""Check whether a search space has grown: more values of a choice, a wider range, more points of a grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rothamsted.catalog import SAMPLERS
from rothamsted.space import Choice, Domain, Range, identity
from rothamsted.spec.schema import Sweep


@dataclass(frozen=True, kw_only=True)
class SpaceGrowth:
    """Says how the space of a sweep has changed.

    Attributes:
        is_wider: it has changed.
        reason: why the change is refused, with the way out; empty if it is allowed.
    """

    is_wider: bool
    reason: str


def growth_of_space(old: Sweep, new: Sweep) -> SpaceGrowth:
    """Compare the spaces of two files of a sweep."""
    is_same = old.space == new.space and list(old.space) == list(new.space)
    return SpaceGrowth(is_wider=not is_same, reason="" if is_same else _refusal(old, new))


def _refusal(old: Sweep, new: Sweep) -> str:
    if more := [name for name in new.space if name not in old.space]:
        return f"finished conditions have no value of {more[0]}; a factor cannot be added"
    if gone := [name for name in old.space if name not in new.space]:
        return f"finished conditions differ in {gone[0]}; a factor cannot be taken away"
    if list(old.space) != list(new.space):
        return "the order of the parameters decides which condition is which; put them as they were"
    if SAMPLERS[old.sampler.name].keeps_state:
        return f"sampler {old.sampler.name} keeps a state that it made in the old space; tpe and random do not"
    is_cut = SAMPLERS[old.sampler.name].needs_finite_space
    reasons = (_of_domain(old.space[name], new.space[name], is_cut=is_cut) for name in old.space)
    return next((reason for reason in reasons if reason), "")


def _of_domain(old: Domain, new: Domain, *, is_cut: bool) -> str:
    if old == new:
        return ""
    if not _has_equal_when(old.when, new.when):
        return "its `when` may not change"
    if isinstance(old, Choice) and isinstance(new, Choice):
        gone = _missing(old.values, new.values)
        return f"finished conditions have {gone[0]!r}; keep the values and add others" if gone else ""
    if not isinstance(old, Range) or not isinstance(new, Range):
        return "a range cannot become a choice, nor a choice a range"
    if (old.log, old.is_integer) != (new.log, new.is_integer):
        return "log may not change, nor whole numbers become numbers: Optuna keeps one kind under a name"
    if new.low > old.low or new.high < old.high:
        return "finished conditions may lie outside; a range may only become wider"
    if old.step != new.step:
        return "step may not change"
    known = old.grid_points() if is_cut or old.step is not None else ()
    cut = new.grid_points() if known else ()
    gone = _missing(known, cut)
    if gone:
        return f"the new grid has no {gone[0]!r}, which is finished; give bounds and points that have it, or a list"
    return ""


def _has_equal_when(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return {name: tuple(values) for name, values in old.items()} == {n: tuple(v) for n, v in new.items()}


def _missing(values: tuple[Any, ...], among: tuple[Any, ...]) -> list[Any]:
    there = {identity(value) for value in among}
    return [value for value in values if identity(value) not in there]
