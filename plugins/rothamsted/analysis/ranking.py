"""Rank conditions: which have a mean, and in what order, for tables, comparisons and promotion.

If a sweep's file names another number than the mean over seeds (`objective.over`), "mean" stands for that number here.
Ranking, confirmation, stages and verdicts all take it from `MeanOfCondition`. A condition that was pruned, or has a
diverged replicate, has no mean. One that breaks a constraint is not ranked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rothamsted.analysis.values import Condition, Dataset, Phase, Replicate
from rothamsted.statistics.adjusted_centres import adjusted_centres
from rothamsted.statistics.centres import centre_of
from rothamsted.statistics.pairing import Pairing, pairing_of_all, seeds_problem
from rothamsted.statistics.pareto import pareto_set


@dataclass(frozen=True, kw_only=True)
class MeanOfCondition:
    """Holds the mean (or the number of `objective.over`) that a condition is ranked by, and that of its own values."""

    adjusted: float  # for seeds that it lacks; equal to the raw one where it lacks none, and where seeds are not known
    raw: float
    n_missing: int  # seeds that it lacks, of those that conditions like it have
    is_alone: bool = False  # it shares no seed with most conditions, so that it cannot be adjusted to them


def members_of(dataset: Dataset, phase: Phase = "search") -> dict[int, list[Replicate]]:
    """Return the replicates of each condition in a phase. A condition without any has an empty list."""
    members: dict[int, list[Replicate]] = {condition.number: [] for condition in dataset.conditions}
    for replicate in dataset.replicates:
        if replicate.phase == phase:
            members[replicate.condition].append(replicate)
    return members


def scores_of(replicates: Sequence[Replicate]) -> np.ndarray:
    """Return the objective of the finished replicates, (replicate,); NaN and infinity stay."""
    return np.array([r.objective for r in replicates if r.outcome == "finished"], dtype=np.float64)


def others_of(replicates: Sequence[Replicate], index: int) -> np.ndarray:
    """Return a further objective of the finished replicates, (replicate,); NaN if it is not known."""
    finished = [r.others for r in replicates if r.outcome == "finished"]
    return np.array([of_one[index] if index < len(of_one) else np.nan for of_one in finished], dtype=np.float64)


def ranked(
    dataset: Dataset, phase: Phase = "search", *, means: Mapping[int, Sequence[MeanOfCondition]] | None = None
) -> list[int]:
    """Return the conditions with a mean of every objective that keep every constraint, best first; ties by number.

    A condition with a diverged replicate has no mean: the mean of the others would be that of the lucky ones. A pruned
    condition has no mean: its replicates were stopped because of their values. Conditions that a race dropped come
    after all others, the last dropped first, because their means are over fewer seeds. With several objectives the
    Pareto set comes first, in the order of the first objective. `means` are those of `adjusted_of`, if they are known
    already.
    """
    conditions = {condition.number: condition for condition in dataset.conditions}
    of_all = adjusted_of(dataset, phase) if means is None else means
    kept = {number: of_one[0].adjusted for number, of_one in of_all.items() if not conditions[number].broken}
    sign = 1.0 if dataset.objective.direction == "minimize" else -1.0
    front = pareto_front(dataset, list(kept), phase)

    def place(number: int) -> tuple[bool, int, bool, float, int]:
        dropped = conditions[number].dropped_after
        return dropped > 0, -dropped, number not in front, sign * kept[number], number

    return sorted(kept, key=place)


def means_of(dataset: Dataset, phase: Phase = "search") -> dict[int, tuple[float, ...]]:
    """Return the mean of every objective, adjusted for missing seeds, of the conditions with means."""
    return {number: tuple(one.adjusted for one in of_one) for number, of_one in adjusted_of(dataset, phase).items()}


def adjusted_of(dataset: Dataset, phase: Phase = "search") -> dict[int, tuple[MeanOfCondition, ...]]:
    """Return the mean of every objective of the conditions that were not pruned and have no diverged replicate.

    Conditions are adjusted to each other for the seeds that they lack. Conditions that a race dropped after the same
    number of replicates are adjusted among themselves, and so are those that break a constraint. The means are the raw
    ones if seeds are not known, if a seed occurs twice in a condition, or if the seeds of foreign runs do not pair
    them.
    """
    members = {number: of_one for number, of_one in members_of(dataset, phase).items() if of_one}
    kept: dict[tuple[int, bool], list[int]] = defaultdict(list)
    for condition in dataset.conditions:
        of_one = members.get(condition.number, [])
        if not condition.pruned and of_one and not any(r.outcome == "diverged" for r in of_one):
            kept[_like(condition)].append(condition.number)
    found = {}
    for numbers in kept.values():
        samples = [[r.seed for r in members[number] if r.outcome == "finished"] for number in numbers]
        is_adjusted = not seeds_problem(samples) and (dataset.kind != "runs" or pairing_of_all(samples).is_paired)
        overs = [one.over for one in (dataset.objective, *dataset.others)]
        means = [_adjusted(members, numbers, index, over, is_adjusted) for index, over in enumerate(overs)]
        found |= dict(zip(numbers, zip(*means, strict=True), strict=True))
    return {n: found[n] for n in members if n in found and all(np.isfinite(one.adjusted) for one in found[n])}


def pareto_front(dataset: Dataset, numbers: Sequence[int], phase: Phase = "search") -> frozenset[int]:
    """Return the conditions that no other of these beats in the means of all objectives; with one objective all."""
    if not dataset.others or not numbers:
        return frozenset(numbers)
    means = means_of(dataset, phase)
    is_in = pareto_set(np.array([means[number] for number in numbers]) * signs_of(dataset))
    return frozenset(number for number, kept in zip(numbers, is_in, strict=True) if kept)


def signs_of(dataset: Dataset) -> np.ndarray:
    """Return (objective,) 1 if less is better, -1 if more is better."""
    return np.array([1.0 if o.direction == "minimize" else -1.0 for o in (dataset.objective, *dataset.others)])


def only(dataset: Dataset, numbers: Collection[int]) -> Dataset:
    """Return the dataset with only these conditions."""
    return replace(
        dataset,
        conditions=tuple(one for one in dataset.conditions if one.number in numbers),
        replicates=tuple(one for one in dataset.replicates if one.condition in numbers),
    )


def _like(condition: Condition) -> tuple[int, bool]:
    """What conditions have in common that are adjusted to each other."""
    return condition.dropped_after, bool(condition.broken)


def _adjusted(
    members: Mapping[int, Sequence[Replicate]], numbers: Sequence[int], index: int, over: str, is_adjusted: bool
) -> list[MeanOfCondition]:
    """The means of one objective; NaN where there is no finite value."""
    raw = [centre_of(_values(members[number], index), over) for number in numbers]
    if not is_adjusted:
        return [MeanOfCondition(adjusted=mean, raw=mean, n_missing=0) for mean in raw]
    found = adjusted_centres(_matrix(members, numbers, index)[0], over)
    return [
        MeanOfCondition(adjusted=float(adjusted) if n else mean, raw=mean, n_missing=int(n), is_alone=bool(alone))
        for mean, adjusted, n, alone in zip(raw, found.mean, found.n_missing, found.is_alone, strict=True)
    ]


def _values(replicates: Sequence[Replicate], index: int) -> np.ndarray:
    return scores_of(replicates) if index == 0 else others_of(replicates, index - 1)


def survivors(dataset: Dataset, numbers: Sequence[int]) -> list[int]:
    """Return the conditions that no race has dropped, in their order."""
    dropped = {condition.number for condition in dataset.conditions if condition.dropped_after}
    return [number for number in numbers if number not in dropped]


def by_seed(dataset: Dataset, numbers: Sequence[int]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the objectives (condition, seed) of the search, NaN if a condition has none at a seed; and the seeds.

    Replicates without a seed, or with a seed that occurs twice in a condition, are put side by side in their order:
    nothing pairs them (see `pairing_in`).
    """
    return _matrix(members_of(dataset), numbers, 0)


def _matrix(
    members: Mapping[int, Sequence[Replicate]], numbers: Sequence[int], index: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    columns: dict[str, int] = {}
    cells: list[tuple[int, str, float]] = []
    for row, number in enumerate(numbers):
        seen: dict[str, int] = defaultdict(int)
        finished = [r for r in members[number] if r.outcome == "finished"]
        for replicate, value in zip(finished, _values(members[number], index), strict=True):
            seen[replicate.seed] += 1
            n = seen[replicate.seed]
            name = replicate.seed if replicate.seed and n == 1 else f"{replicate.seed}#{n}"
            columns.setdefault(name, len(columns))
            if np.isfinite(value):
                cells.append((row, name, value))
    values = np.full((len(numbers), len(columns)), np.nan)
    for row, name, value in cells:
        values[row, columns[name]] = value
    return values, tuple(columns)


def pairing_in(dataset: Dataset, numbers: Sequence[int]) -> Pairing:
    """Say whether seeds pair the replicates of these conditions by `statistics.pairing`; else why not."""
    return pairing_of_all(list(seeds_of(dataset, numbers).values()))


def seeds_of(dataset: Dataset, numbers: Sequence[int]) -> dict[int, list[str]]:
    """Return the seeds of the values that count in the search, by condition; empty if one is not known."""
    members = members_of(dataset)
    return {
        number: [r.seed for r in members[number] if r.outcome == "finished" and np.isfinite(r.objective)]
        for number in numbers
    }


def is_paired(dataset: Dataset, numbers: Sequence[int]) -> bool:
    """Return whether seeds pair the replicates of these conditions, see `pairing_in`."""
    return pairing_in(dataset, numbers).is_paired


def near_best(numbers: Sequence[int], members: Sequence[int]) -> list[int]:
    """Return the conditions with the spread that counts when replicates are planned, best first.

    They are those that may be the best, or the best quarter if that is more. A bad condition often scatters far more
    than a good one, and nobody plans to compare bad ones.
    """
    n = max(2, len(members), -(-len(numbers) // 4))
    return list(numbers[:n])
