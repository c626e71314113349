"""Order parameters by their dependencies, and find the ancestors of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def topological_order(parents: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the names with every parent before its children, and otherwise in the order given.

    Args:
        parents: for each name, the names that must come before it; unknown ones are ignored.

    Raises:
        ValueError: there is a circle; the message has its names, with the first again at the end.
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
    """Return all names that this one depends on, near ones first, each once; an unknown name has no parents."""
    found: dict[str, None] = {}
    waiting = list(parents.get(name, ()))
    while waiting:
        parent = waiting.pop(0)
        if parent not in found and parent != name:
            found[parent] = None
            waiting.extend(parents.get(parent, ()))
    return tuple(found)
