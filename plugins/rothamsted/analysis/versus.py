"""Compare all conditions with a named one: within each task if there are tasks, and over all tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rothamsted.analysis.analyze import Part, analyze
from rothamsted.analysis.settings import Settings
from rothamsted.analysis.typed import label, shown
from rothamsted.analysis.values import Comparisons, Condition, Dataset
from rothamsted.catalog import CORRECTIONS
from rothamsted.errors import UserError
from rothamsted.space import identity
from rothamsted.statistics.corrections import correct

ALL_TASKS = "all"
_PARTS: frozenset[Part] = frozenset(("comparisons",))


@dataclass(frozen=True, kw_only=True)
class ComparedOn:
    """Holds the comparison of all conditions with the reference on one task, on all tasks, or without tasks."""

    task: str  # empty where there are none; "all": over all of them
    dataset: Dataset  # its conditions have no task
    comparisons: Comparisons


def versus(dataset: Dataset, settings: Settings) -> tuple[ComparedOn, ...]:
    """Compare all conditions with `settings.reference`: the tasks one by one, then all.

    The p-values of all single tasks are corrected together as one family. The comparisons over all tasks are another
    family; their differences are of scores on the tasks' common scale.

    Raises:
        UserError: The reference is not a condition, or nothing can be compared with it.
    """
    if dataset.task is None:
        return (_compared("", dataset, settings),)
    parts = [_compared(on, one, settings) for on, one in _by_task(dataset)]
    return (*_corrected(parts, settings), _compared(ALL_TASKS, dataset, settings))


def _compared(task: str, dataset: Dataset, settings: Settings) -> ComparedOn:
    found = analyze(dataset, settings, parts=_PARTS)
    if found.comparisons is None:
        on = f" on {task}" if task else ""
        raise UserError(f"versus{on}: {found.gaps.get('comparisons', 'nothing can be compared')}")
    return ComparedOn(task=task, dataset=found.dataset, comparisons=found.comparisons)


def _by_task(dataset: Dataset) -> list[tuple[str, Dataset]]:
    """For each task its conditions, without the task."""
    factor = dataset.task.factor if dataset.task else ""
    levels = next((one.levels for one in dataset.factors if one.name == factor), ())
    return [(shown(level), _only(dataset, factor, level)) for level in levels]


def _only(dataset: Dataset, factor: str, level: object) -> Dataset:
    conditions = tuple(
        _without(one, factor)
        for one in dataset.conditions
        if factor in one.values and identity(one.values[factor]) == identity(level)
    )
    numbers = {one.number for one in conditions}
    return replace(
        dataset,
        task=None,
        conditions=conditions,
        replicates=tuple(one for one in dataset.replicates if one.condition in numbers),
        factors=tuple(one for one in dataset.factors if one.name != factor),
    )


def _without(condition: Condition, factor: str) -> Condition:
    values = {name: value for name, value in condition.values.items() if name != factor}
    return replace(condition, values=values, label=label(values))


def _corrected(parts: Sequence[ComparedOn], settings: Settings) -> list[ComparedOn]:
    """The same with the p-values of all tasks as one family; a joint correction stays within its task."""
    if CORRECTIONS[settings.correction].is_joint:
        return list(parts)
    p_values = np.array([row.p_value for part in parts for row in part.comparisons.rows])
    corrected = iter(correct(p_values, settings.correction).tolist())
    found = []
    for part in parts:
        rows = [
            replace(row, p_corrected=p, is_different=bool(p < 1 - settings.level))
            for row, p in zip(part.comparisons.rows, corrected)
        ]
        found.append(replace(part, comparisons=replace(part.comparisons, rows=tuple(rows))))
    return found
