"""Find conditions that gave the same numbers, bit for bit: what differs between them had no effect.

Examples are a step schedule of 5 epochs in a training of 3, and a weight decay below what a float32 can hold.
Confirming or keeping both of such conditions would train the same condition twice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from rothamsted.analysis.conditions import values_key
from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.values import Condition, Dataset, Replicate
from rothamsted.wording import plain_count

LEAST_COMMON = 2  # seeds
MOST_SAID = 5


@dataclass(frozen=True, kw_only=True)
class Twins:
    """Holds conditions that gave the same bits at all their common seeds."""

    conditions: tuple[int, ...]  # by number, two or more
    factors: tuple[str, ...]  # that differ between them; none where they are one condition by their values, too
    has_curves: bool  # equal are whole curves; else the objectives alone, which are all that the search keeps


def twins_of(dataset: Dataset) -> tuple[Twins, ...]:
    """Return the groups of conditions that gave the same bits in the search, at two common seeds or more.

    Curves are compared if they were read, else the objectives. Some metrics have equal values by chance, such as an
    accuracy of 100 rows. So if some other objective occurs twice, there are no groups.
    """
    cells = {number: _cells(of_one) for number, of_one in members_of(dataset).items()}
    groups: dict[int, list[int]] = {}
    by_cell: dict[tuple[str, Hashable], list[int]] = {}
    for number, own in cells.items():
        near = dict.fromkeys(other for cell in own.items() for other in by_cell.get(cell, ()))
        twin = next((other for other in near if _agrees(own, cells[other])), None)
        if twin is not None:
            groups[twin].append(number)
            continue
        groups[number] = [number]
        for cell in own.items():
            by_cell.setdefault(cell, []).append(number)
    has_curves = any(len(s.values) > 1 for r in dataset.replicates for s in r.series.values())
    if not has_curves:
        values = Counter(value for number in groups for value in cells[number].values())
        if any(n > 1 for n in values.values()):
            return ()
    conditions = {condition.number: condition for condition in dataset.conditions}
    return tuple(
        Twins(conditions=tuple(group), factors=_differing([conditions[n] for n in group]), has_curves=has_curves)
        for group in groups.values()
        if len(group) > 1
    )


def distinct(dataset: Dataset, numbers: Sequence[int]) -> list[int]:
    """Return these conditions without those that gave the same bits as an earlier one, for confirmation and stages."""
    group = {number: twins.conditions[0] for twins in twins_of(dataset) for number in twins.conditions}
    first: dict[int, int] = {}
    for number in numbers:
        first.setdefault(group.get(number, number), number)
    return list(first.values())


def twin_marks(dataset: Dataset) -> list[str]:
    """Return sentences on what made no difference."""
    found = [twins for twins in twins_of(dataset) if twins.factors]
    said = [_said(twins) for twins in found[:MOST_SAID]]
    more = len(found) - len(said)
    return [*said, *([f"The same holds for {plain_count(more, 'more group')} of conditions."] if more else [])]


def _said(twins: Twins) -> str:
    shown = [str(number) for number in twins.conditions[:10]] + ["others"] * (len(twins.conditions) > 10)
    what = "bits" if twins.has_curves else "objective to the last bit"
    return (
        f"Conditions {', '.join(shown[:-1])} and {shown[-1]} gave the same {what} at every common seed: "
        f"{' and '.join(twins.factors)} made no difference there."
    )


def _cells(replicates: Sequence[Replicate]) -> dict[str, Hashable]:
    """What each seed gave, by seed: empty where one is not known, or stands twice."""
    finished = [r for r in replicates if r.outcome == "finished" and math.isfinite(r.objective)]
    found = {r.seed: _bits(r) for r in finished if r.seed}
    return found if len(found) == len(finished) else {}


def _bits(one: Replicate) -> Hashable:
    curves = tuple((name, s.steps.tobytes(), s.values.tobytes()) for name, s in sorted(one.series.items()))
    return (one.objective, *one.others, *curves)


def _agrees(own: Mapping[str, Hashable], other: Mapping[str, Hashable]) -> bool:
    common = own.keys() & other.keys()
    return len(common) >= LEAST_COMMON and all(own[seed] == other[seed] for seed in common)


def _differing(conditions: Sequence[Condition]) -> tuple[str, ...]:
    names = dict.fromkeys(name for condition in conditions for name in condition.values)
    return tuple(
        name
        for name in names
        if len({values_key({name: c.values[name]}) if name in c.values else "" for c in conditions}) > 1
    )
