"""Count the conditions of a grid and of conditions named by hand together, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rothamsted.space.space import Space


def is_on_grid(space: Space, condition: Mapping[str, Any]) -> bool:
    """Say whether a valid condition of the space is one of its grid's conditions, value by value."""
    return all(space.domains[name].is_on_grid(value) for name, value in condition.items())


def size_of_union(space: Space, first: Sequence[Mapping[str, Any]]) -> int:
    """Return how many conditions the grid and the conditions named by hand have together, each counted once."""
    return space.size_of_grid() + sum(not is_on_grid(space, condition) for condition in first)
