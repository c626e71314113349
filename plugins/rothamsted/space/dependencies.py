"""Which parameter depends on which: order and ancestors.

This is a walk over names and needs no domain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


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
    order: dict[str, None] = {}
    waiting = list(known)
    while waiting:
        ready = next(name for name in waiting if all(parent in order for parent in known[name]))
        order[ready] = None
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
