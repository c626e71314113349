"""Datasets of conditions on tasks, without any store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rothamsted.analysis.values import Dataset
from rothamsted.spec import Task
from tests.analysis.runs import dataset

Scores = Mapping[str, Mapping[str, Sequence[float]]]  # method -> task -> a value a seed


def on_tasks(
    scores: Scores, *, direction: str = "maximize", scale: Any = "range", outcomes: Mapping[Any, str] | None = None
) -> Dataset:
    """A dataset with the factors method and data, of which data is the task; outcomes by (method, task, seed)."""
    cells = [(method, task) for method, of_one in scores.items() for task in of_one]
    numbers = {cell: number for number, cell in enumerate(cells)}
    found = dataset(
        {numbers[method, task]: scores[method][task] for method, task in cells},
        direction=direction,
        factors={number: {"method": method, "data": task} for (method, task), number in numbers.items()},
        outcomes={(numbers[method, task], seed): how for (method, task, seed), how in (outcomes or {}).items()},
    )
    return replace(found, task=Task(factor="data", scale=scale))
