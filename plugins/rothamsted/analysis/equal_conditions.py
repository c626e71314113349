"""Count equal conditions as one: earlier versions could train a condition of a sweep twice."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

from rothamsted.analysis.values import Condition, Replicate
from rothamsted.space import Choice, Range, condition_key

_SCORED = ("finished", "diverged")


@dataclass(frozen=True, kw_only=True)
class CountedOnce:
    """Holds the different conditions, each with its replicates.

    Attributes:
        conditions: in the order of their numbers.
        replicates: the replicates of these conditions, without copies.
        moved: number of a condition that equals another -> number of the other.
        marks: sentences that say so.
    """

    conditions: tuple[Condition, ...]
    replicates: Sequence[Replicate]
    moved: Mapping[int, int]
    marks: tuple[str, ...]

    def number(self, condition: int) -> int:
        """Return the number under which a condition counts."""
        return self.moved.get(condition, condition)


def counted_once(
    conditions: Sequence[Condition], replicates: Sequence[Replicate], space: Mapping[str, Range | Choice]
) -> CountedOnce:
    """Merge conditions with equal values, and their replicates. Conditions of a contest differ by name too.

    A condition has the number of its first trial that was neither pruned nor dropped by a race, or of its first trial.
    A replicate with a seed that the condition already has is a copy and is left out. One with another seed is added.
    """
    groups: dict[Hashable, list[Condition]] = {}
    for one in sorted(conditions, key=lambda c: c.number):
        groups.setdefault((one.name, condition_key(one.values, space)), []).append(one)
    kept: list[Condition] = []
    moved: dict[int, int] = {}
    repeats: list[str] = []
    for group in groups.values():
        first = min(group, key=lambda c: (bool(c.pruned), c.dropped_after > 0, c.number))
        others = [c for c in group if c is not first]
        confirmed = [c.confirm_run_id for c in (first, *others) if c.confirm_run_id]
        kept.append(replace(first, confirm_run_id=confirmed[0]) if confirmed else first)
        moved |= {c.number: first.number for c in others}
        repeats += [_repeats([c.number for c in others], first.number)] if others else []
    merged, differing = _merged(replicates, moved) if moved else (replicates, set())
    marks = [f"{'; '.join(repeats)}: counted once.".capitalize()] if repeats else []
    if differing:
        names = ", ".join(map(str, sorted(differing)))
        marks.append(
            f"Trials that repeat {names} have other results on the same seeds, so the training is not deterministic: "
            "the first result of each seed counts."
        )
    in_order = tuple(sorted(kept, key=lambda c: c.number))
    return CountedOnce(conditions=in_order, replicates=merged, moved=moved, marks=tuple(marks))


def _merged(replicates: Sequence[Replicate], moved: Mapping[int, int]) -> tuple[list[Replicate], set[int]]:
    """The replicates under the conditions where they count, copies left out; and where copies differ."""
    kept = [one for one in replicates if one.condition not in moved]
    at = {(one.condition, one.phase, one.seed or one.run_id): i for i, one in reversed([*enumerate(kept)])}
    numbers = {(one.condition, one.phase, one.number) for one in kept}
    differing: set[int] = set()
    for one in sorted((r for r in replicates if r.condition in moved), key=lambda r: (r.condition, r.number)):
        number = moved[one.condition]
        place = (number, one.phase, one.seed or one.run_id)
        if place not in at:
            free = next(n for n in chain([one.number], count()) if (number, one.phase, n) not in numbers)
            numbers.add((number, one.phase, free))
            at[place] = len(kept)
            kept.append(replace(one, condition=number, number=free))
            continue
        before = kept[at[place]]
        if one.outcome in _SCORED and before.outcome not in _SCORED:
            kept[at[place]] = replace(one, condition=number, number=before.number)
        elif one.outcome in _SCORED and not _is_copy(before, one):
            differing.add(number)
    return kept, differing


def _is_copy(one: Replicate, other: Replicate) -> bool:
    scores, others = (one.objective, *one.others), (other.objective, *other.others)
    equal = (a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(scores, others, strict=False))
    return one.outcome == other.outcome and all(equal)


def _repeats(numbers: Sequence[int], first: int) -> str:
    if len(numbers) == 1:
        return f"trial {numbers[0]} repeats trial {first}"
    return f"trials {', '.join(map(str, numbers))} repeat trial {first}"
