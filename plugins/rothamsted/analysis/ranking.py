"""Which conditions have a mean, in what order: the one rule for tables, comparisons and promotion.

Apart, because a condition with a diverged replicate has no mean, one that was pruned neither, one that breaks a
constraint has no place, and everybody has to agree on that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from rothamsted.analysis.values import Dataset, Phase, Replicate
from rothamsted.statistics.pareto import pareto_set


def members_of(dataset: Dataset, phase: Phase = "search") -> dict[int, list[Replicate]]:
    """The replicates of each condition in a phase; a condition without any has an empty list."""
    members: dict[int, list[Replicate]] = {condition.number: [] for condition in dataset.conditions}
    for replicate in dataset.replicates:
        if replicate.phase == phase:
            members[replicate.condition].append(replicate)
    return members


def scores_of(replicates: Sequence[Replicate]) -> np.ndarray:
    """The objective of the finished ones: (replicate,), NaN and infinity as they are."""
    return np.array([r.objective for r in replicates if r.outcome == "finished"], dtype=np.float64)


def others_of(replicates: Sequence[Replicate], index: int) -> np.ndarray:
    """A further objective of the finished ones: (replicate,), NaN where it is not known."""
    finished = [r.others for r in replicates if r.outcome == "finished"]
    return np.array([of_one[index] if index < len(of_one) else np.nan for of_one in finished], dtype=np.float64)


def ranked(dataset: Dataset, phase: Phase = "search") -> list[int]:
    """Conditions with a mean of every objective that keep every constraint, best first; ties by number.

    A condition with a diverged replicate has none: the mean of those that did not diverge would be the mean of
    the lucky ones. One that was pruned has none: its replicates were stopped because of their values. Conditions
    that a race dropped come after all others, the last dropped first: their means are over fewer seeds. With
    several objectives those of the Pareto set come first, in the order of the first objective.
    """
    conditions = {condition.number: condition for condition in dataset.conditions}
    of_all = means_of(dataset, phase)
    means = {number: of_one[0] for number, of_one in of_all.items() if not conditions[number].broken}
    sign = 1.0 if dataset.objective.direction == "minimize" else -1.0
    front = pareto_front(dataset, list(means), phase)

    def place(number: int) -> tuple[bool, int, bool, float, int]:
        dropped = conditions[number].dropped_after
        return dropped > 0, -dropped, number not in front, sign * means[number], number

    return sorted(means, key=place)


def means_of(dataset: Dataset, phase: Phase = "search") -> dict[int, tuple[float, ...]]:
    """The mean of every objective, of the conditions that have them: not pruned, none of their replicates diverged."""
    pruned = {condition.number for condition in dataset.conditions if condition.pruned}
    found = {}
    for number, replicates in members_of(dataset, phase).items():
        if number in pruned or any(r.outcome == "diverged" for r in replicates):
            continue
        means = tuple(_means(dataset, replicates))
        if all(map(np.isfinite, means)):
            found[number] = means
    return found


def pareto_front(dataset: Dataset, numbers: Sequence[int], phase: Phase = "search") -> frozenset[int]:
    """The conditions that no other of these beats in the means of all objectives; all of them with one objective."""
    if not dataset.others or not numbers:
        return frozenset(numbers)
    members = members_of(dataset, phase)
    is_in = pareto_set(np.array([_means(dataset, members[number]) for number in numbers]) * signs_of(dataset))
    return frozenset(number for number, kept in zip(numbers, is_in, strict=True) if kept)


def signs_of(dataset: Dataset) -> np.ndarray:
    """(objective,) 1 where less is better, -1 where more is."""
    return np.array([1.0 if o.direction == "minimize" else -1.0 for o in (dataset.objective, *dataset.others)])


def only(dataset: Dataset, numbers: Collection[int]) -> Dataset:
    """The dataset with these of its conditions."""
    return replace(
        dataset,
        conditions=tuple(one for one in dataset.conditions if one.number in numbers),
        replicates=tuple(one for one in dataset.replicates if one.condition in numbers),
    )


def _means(dataset: Dataset, replicates: Sequence[Replicate]) -> list[float]:
    """The mean of every objective; NaN where there is none."""
    return [_mean(scores_of(replicates)), *(_mean(others_of(replicates, i)) for i in range(len(dataset.others)))]


def _mean(values: np.ndarray) -> float:
    """The mean of the finite ones; NaN without any."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def survivors(dataset: Dataset, numbers: Sequence[int]) -> list[int]:
    """Those that no race has dropped, in their order."""
    dropped = {condition.number for condition in dataset.conditions if condition.dropped_after}
    return [number for number in numbers if number not in dropped]


def by_seed(dataset: Dataset, numbers: Sequence[int]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Objectives (condition, seed) of the search, NaN where a condition has none at a seed; and the seeds.

    Replicates without a seed are put side by side as they come: nothing pairs them (see `is_paired`).
    """
    members = members_of(dataset)
    columns: dict[str, int] = {}
    cells: list[tuple[int, str, float]] = []
    for row, number in enumerate(numbers):
        seen: dict[str, int] = defaultdict(int)
        for replicate in members[number]:
            seen[replicate.seed] += 1
            name = replicate.seed or f"#{seen['']}"
            columns.setdefault(name, len(columns))
            if replicate.outcome == "finished" and np.isfinite(replicate.objective):
                cells.append((row, name, replicate.objective))
    values = np.full((len(numbers), len(columns)), np.nan)
    for row, name, value in cells:
        values[row, columns[name]] = value
    return values, tuple(columns)


def is_paired(dataset: Dataset, numbers: Sequence[int]) -> bool:
    """Whether seeds pair the replicates: all have one, and all repeated conditions share two or more."""
    members = members_of(dataset)
    has_all = all(r.seed for number in numbers for r in members[number])
    seeds = [{r.seed for r in members[number]} for number in numbers]
    repeated = [of_one for of_one in seeds if len(of_one) > 1]
    return has_all and len(repeated) > 1 and all(len(of_one & repeated[0]) > 1 for of_one in repeated)


def near_best(numbers: Sequence[int], members: Sequence[int]) -> list[int]:
    """The conditions whose spread counts when replicates are planned, best first.

    Those that cannot be told from the best, or the best quarter where that is more: a bad condition often
    scatters far more than a good one, and nobody plans to tell bad ones apart.
    """
    n = max(2, len(members), -(-len(numbers) // 4))
    return list(numbers[:n])
