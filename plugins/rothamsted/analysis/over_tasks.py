"""Turn runs of conditions on tasks into a dataset of conditions that are compared over tasks.

A replicate of a condition is its mean score over the tasks at one seed. So seeds pair conditions, and intervals are
over seeds, as for all replicates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rothamsted.analysis.conditions import in_order, values_key
from rothamsted.analysis.typed import label, shown
from rothamsted.analysis.values import Condition, Dataset, Replicate
from rothamsted.errors import UserError
from rothamsted.space import identity

NO_SCALE = "its tasks have no scale: fewer than two conditions have a score on every task"
Cells = Mapping[tuple[int, str], Sequence[Replicate]]  # (condition, task) -> its replicates of the search


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Holds conditions and tasks, and the runs of each condition on each task."""

    tasks: tuple[str, ...]
    conditions: tuple[Condition, ...]  # without the task; the number is the least of its cells
    cells: Cells
    compared: tuple[int, ...]  # conditions with a score on every task, no diverged run, not pruned, none broken
    ends: Mapping[str, tuple[float, float]]  # task -> low and high of its scale; empty: scores are as they are
    scored: tuple[str, ...]  # tasks that have a scale

    def values(self, condition: int, task: str) -> np.ndarray:
        """Return the finite objectives of a condition on a task, (run,)."""
        values = np.array([one.objective for one in self.cells[condition, task] if one.outcome == "finished"])
        return values[np.isfinite(values)]

    def scores(self, condition: int, task: str, *, is_lower_better: bool) -> np.ndarray:
        """Return the objectives of a condition on a task, on the task's scale, (run,)."""
        return self.score(self.values(condition, task), task, is_lower_better=is_lower_better)

    def score(self, values: Any, task: str, *, is_lower_better: bool) -> Any:
        """Return values on the task's scale, 0 at its bad end and 1 at its good end; unchanged without a scale."""
        if not self.ends:
            return values
        low, high = self.ends[task]
        return (high - values) / (high - low) if is_lower_better else (values - low) / (high - low)


def grid_of(dataset: Dataset) -> Grid:
    """Split the conditions of a dataset into conditions and tasks.

    Raises:
        UserError: The dataset has no such factor, or it has only one value, or a scale is for a task that does not
            exist.
    """
    task = dataset.task
    if task is None:
        raise UserError("task: no factor is marked as task; give task=FACTOR")
    levels = _levels(dataset, task.factor)
    numbers: dict[Hashable, int] = {}
    conditions: dict[int, Condition] = {}
    members: dict[int, list[Replicate]] = {}
    for one in dataset.replicates:
        members.setdefault(one.condition, []).append(one)
    cells: dict[tuple[int, str], list[Replicate]] = {}
    for cell in dataset.conditions:
        if task.factor not in cell.values:
            continue
        values = {name: value for name, value in cell.values.items() if name != task.factor}
        number = numbers.setdefault(values_key(values), cell.number)
        on = shown(cell.values[task.factor])
        known = conditions.get(number) or Condition(number=number, values=values, label=label(values))
        conditions[number] = replace(
            known,
            pruned=known.pruned or (f"on {on}: {cell.pruned}" if cell.pruned else ""),
            violations=(*known.violations, *((f"{text} on {on}", amount) for text, amount in cell.violations)),
        )
        found = cells.setdefault((number, on), [])
        found += [one for one in members.get(cell.number, []) if one.phase == "search"]
    everything = {(number, on): cells.get((number, on), []) for number in conditions for on in levels}
    grid = Grid(
        tasks=levels, conditions=tuple(conditions.values()), cells=everything, compared=(), ends={}, scored=levels
    )
    compared = tuple(one.number for one in grid.conditions if _is_compared(grid, one))
    grid = replace(grid, compared=compared)
    if task.scale == "none":
        return grid
    ends = _observed(grid) if task.scale == "range" else _given(task.scale, grid, task.factor)
    return replace(grid, ends=ends, scored=tuple(on for on in levels if on in ends))


def over_tasks(dataset: Dataset, grid: Grid) -> Dataset:
    """Return the dataset for the comparison over tasks. Its `cells` is the dataset that was given."""
    task = dataset.task
    has_scale = bool(grid.ends) or (task is not None and task.scale == "none")
    is_scaled = bool(grid.ends)
    metric = f"{'normalised ' if is_scaled else ''}{dataset.objective.metric} over {len(grid.scored)} tasks"
    direction = "maximize" if is_scaled else dataset.objective.direction
    replicates = [one for c in grid.conditions for one in _replicates(grid, c.number, dataset, has_scale=has_scale)]
    return replace(
        dataset,
        objective=dataset.objective.model_copy(
            update={"metric": metric, "direction": direction, "expression": None, "name": None}
        ),
        factors=tuple(factor for factor in dataset.factors if task is None or factor.name != task.factor),
        conditions=grid.conditions,
        replicates=in_order(replicates),
        design={**dataset.design, "task": f"{task.factor if task else ''}: {', '.join(grid.tasks)}"},
        others=(),
        metrics={},
        unconfirmed=frozenset(),
        cells=dataset,
    )


def _levels(dataset: Dataset, factor: str) -> tuple[str, ...]:
    found = next((one for one in dataset.factors if one.name == factor), None)
    if found is None:
        known = ", ".join(one.name for one in dataset.factors) or "none"
        raise UserError(f"task={factor}: is not a factor of these conditions; there are: {known}")
    first = {identity(level): shown(level) for level in found.levels}
    if len(first) < 2:
        only = ", ".join(first.values()) or "none"
        raise UserError(
            f"task={factor}: there is only one task ({only}), so there is nothing to compare; leave task out"
        )
    return tuple(first.values())


def _is_compared(grid: Grid, one: Condition) -> bool:
    if one.pruned or one.broken:
        return False
    of_each = [grid.cells[one.number, on] for on in grid.tasks]
    is_whole = all(len(grid.values(one.number, on)) for on in grid.tasks)
    return is_whole and not any(r.outcome == "diverged" for of_one in of_each for r in of_one)


def _observed(grid: Grid) -> dict[str, tuple[float, float]]:
    """The range of the compared conditions' means on each task; none where they do not differ."""
    ends = {}
    for on in grid.tasks:
        means = [float(grid.values(number, on).mean()) for number in grid.compared]
        if means and min(means) < max(means):
            ends[on] = (min(means), max(means))
    return ends


def _given(scale: Any, grid: Grid, factor: str) -> dict[str, tuple[float, float]]:
    lacking = [on for on in grid.tasks if on not in scale]
    unknown = [on for on in scale if on not in grid.tasks]
    if lacking or unknown:
        what = f"no ends for {', '.join(lacking)}" if lacking else f"{', '.join(unknown)} is not a value of {factor}"
        raise UserError(f"task={factor}: scale: {what}; give low and high for each of {', '.join(grid.tasks)}")
    return {on: scale[on] for on in grid.tasks}


def _replicates(grid: Grid, condition: int, dataset: Dataset, *, has_scale: bool) -> list[Replicate]:
    """The replicates of a condition over tasks: one a seed; where seeds tell nothing, in the order of the runs."""
    on_each = {on: grid.cells[condition, on] for on in grid.tasks}
    seeds = _common_seeds(list(on_each.values()))
    is_lower = dataset.objective.direction == "minimize"
    if seeds is None:
        n = max(len(of_one) for of_one in on_each.values())
        parts = [("", [of_one[i] if i < len(of_one) else None for of_one in on_each.values()]) for i in range(n)]
    else:
        by_seed = [{one.seed: one for one in of_one} for of_one in on_each.values()]
        parts = [(seed, [of_one.get(seed) for of_one in by_seed]) for seed in seeds]
    found = []
    for i, (seed, of_seed) in enumerate(parts):
        outcome, reason = _outcome(grid.tasks, of_seed)
        if outcome == "finished" and not (has_scale and grid.scored):
            outcome, reason = "failed", NO_SCALE
        kept = [(r, on) for on, r in zip(grid.tasks, of_seed, strict=True) if r is not None]
        scores = [
            grid.score(r.objective, on, is_lower_better=is_lower)
            for r, on in kept
            if outcome == "finished" and on in grid.scored
        ]
        found.append(
            Replicate(
                run_id="",
                condition=condition,
                seed=seed,
                outcome=outcome,
                objective=float(np.mean(scores)) if scores else math.nan,
                seconds=float(sum(r.seconds for r, _ in kept)),
                reason=reason,
                started_ms=min((r.started_ms for r, _ in kept), default=0),
                ended_ms=max((r.ended_ms for r, _ in kept), default=0),
                number=i,
            )
        )
    return found


def _common_seeds(of_each: Sequence[Sequence[Replicate]]) -> list[str] | None:
    """The seeds of a condition's runs in their order; None where they do not say which runs go together."""
    names = [[one.seed for one in of_one] for of_one in of_each]
    if any(not seed or n > 1 for of_one in names for seed, n in Counter(of_one).items()):
        return None
    filled = [set(of_one) for of_one in names if of_one]
    if not filled:
        return []
    common = set.intersection(*filled)
    if len(common) < min(len(of_one) for of_one in filled) * 2 / 3:
        return None
    return list(dict.fromkeys(seed for of_one in names for seed in of_one))


def _outcome(tasks: Sequence[str], of_seed: Sequence[Replicate | None]) -> tuple[str, str]:
    """How a replicate over tasks ended: finished where all did, else as the worst of them did, and on which task."""
    for outcome in ("diverged", "pruned", "failed", "interrupted", "running"):
        for on, one in zip(tasks, of_seed, strict=True):
            if one is not None and one.outcome == outcome:
                return outcome, f"on {on}: {one.reason}" if one.reason else f"on {on}"
    lacking = [on for on, one in zip(tasks, of_seed, strict=True) if one is None or not math.isfinite(one.objective)]
    return ("failed", f"no score on {', '.join(lacking)}") if lacking else ("finished", "")
