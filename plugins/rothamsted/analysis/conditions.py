"""Make the conditions of a sweep and order its replicates, for the reader of the search and that of the record."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from rothamsted.analysis.typed import label, typed
from rothamsted.analysis.values import Condition, Replicate
from rothamsted.space import identity

MOST_REASON = 500  # characters of a reason that are kept, in tags and in the search
_DROPPED = re.compile(r"dropped after (\d+)")


def make_condition(
    number: int, values: Mapping[str, Any], *, race: str = "", pruned: str = "", **more: Any
) -> Condition:
    """Make a condition of a sweep; `more` are further fields."""
    dropped = _DROPPED.fullmatch(race)
    after = int(dropped[1]) if dropped else 0
    kept = pruned[:MOST_REASON]
    return Condition(
        number=number, values=values, label=label(values), race=race, dropped_after=after, pruned=kept, **more
    )


def values_key(values: Mapping[str, Any]) -> Hashable:
    """Return a key that is equal for conditions with equal values."""
    return identity(values)


def in_order(replicates: Sequence[Replicate]) -> tuple[Replicate, ...]:
    """Order replicates by condition, those of the search first, then by seed."""
    return tuple(sorted(replicates, key=lambda r: (r.condition, r.phase == "confirm", _seed_order(r.seed))))


def _seed_order(seed: str) -> tuple[int, float, str]:
    number = typed(seed)
    return (0, float(number), "") if isinstance(number, int | float) else (1, 0.0, seed)
