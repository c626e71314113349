"""Check that members can train in one compiled call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

C = TypeVar("C")


def shared_key(configs: Sequence[C], static_key: Callable[[C], C], why_not: Callable[[int, C, C], str]) -> C:
    """Return the static key that all members of a population have.

    Args:
        configs: Members.
        static_key: Of a config: what may not vary within a call.
        why_not: Of a member's number, the first's key and its own: the error's words.

    Raises:
        ValueError: There is no member, or members differ in what may not vary.
    """
    if not configs:
        raise ValueError("train: configs is empty; give one config or more")
    first = static_key(configs[0])
    for index, config in enumerate(configs[1:], start=1):
        key = static_key(config)
        if key != first:
            raise ValueError(why_not(index, first, key))
    return first
