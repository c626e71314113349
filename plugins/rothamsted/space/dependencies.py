"""Which parameter depends on which: order, ancestors, and the values that switch a parameter on.

Apart from `space`, because this is a walk over names and needs no domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import product
from typing import Any


def topological_order(parents: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The names with every parent before its children, and otherwise in the order given.

    Args:
        parents: for each name, the names that must come before it; unknown ones are passed over.

    Raises:
        ValueError: with the circle of names, first name again at its end.
    """
    known = {name: [parent for parent in above if parent in parents] for name, above in parents.items()}
    try:
        TopologicalSorter(known).prepare()
    except CycleError as error:
        raise ValueError(tuple(error.args[1])) from None
    order: list[str] = []
    waiting = list(known)
    while waiting:
        ready = next(name for name in waiting if all(parent in order for parent in known[name]))
        order.append(ready)
        waiting.remove(ready)
    return tuple(order)


def ancestors(name: str, parents: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """All names that this one depends on, near ones first, each once; an unknown name has no parents."""
    found: dict[str, None] = {}
    waiting = list(parents.get(name, ()))
    while waiting:
        parent = waiting.pop(0)
        if parent not in found and parent != name:
            found[parent] = None
            waiting.extend(parents.get(parent, ()))
    return tuple(found)


def activating_choices(name: str, whens: Mapping[str, Mapping[str, tuple[Any, ...]]]) -> Iterator[dict[str, Any]]:
    """Assignments of a parameter's ancestors among which are all that could switch it on.

    An ancestor only matters through the values that some `when` on the way names.
    """
    parents = {other: tuple(when) for other, when in whens.items()}
    above = [other for other in ancestors(name, parents) if other in whens]
    asked = {
        parent: [
            value
            for other in (name, *above)
            for known, allowed in whens[other].items()
            if known == parent
            for value in allowed
        ]
        for parent in above
    }
    for values in product(*asked.values()):
        yield dict(zip(asked, values, strict=True))
