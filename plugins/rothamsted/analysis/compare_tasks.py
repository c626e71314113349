"""Compare conditions over tasks: aggregates, profiles, probability of improvement, ranks, and remarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rothamsted.analysis.over_tasks import Grid
from rothamsted.analysis.settings import Settings
from rothamsted.analysis.task_values import Improvement, TaskAggregate, TaskCell, Tasks
from rothamsted.analysis.values import Dataset
from rothamsted.statistics import RankComparison, compare_ranks, mean_interval
from rothamsted.statistics.reduce import Direction
from rothamsted.statistics.tasks import Runs, aggregate, probability_of_improvement, profile
from rothamsted.wording import count, joined

MOST_COMPARED = 60  # conditions that are resampled: 2,000 times each; beyond, the first by mean
MOST_THRESHOLDS = 201  # of a profile
MOST_NAMED = 8
FEW_TASKS = 10  # Demsar (2006) asks for more than ten tasks and five conditions before ranks are trusted


def compare_over_tasks(dataset: Dataset, grid: Grid, ranking: Sequence[int], settings: Settings) -> Tasks:
    """Compare the conditions of a grid.

    Args:
        dataset: The runs as they were made, with the task.
        grid: The grid of the dataset.
        ranking: Conditions by their mean over tasks, best first.
        settings: The level of all intervals and of the ranks.
    """
    is_lower = dataset.objective.direction == "minimize"
    has_scores = bool(grid.ends) or (dataset.task is not None and dataset.task.scale == "none")
    scored = grid.scored if has_scores else ()
    runs = {n: [grid.scores(n, on, is_lower_better=is_lower) for on in scored] for n in grid.compared if scored}
    order = [*(n for n in ranking if n in runs), *(n for n in runs if n not in ranking)][:MOST_COMPARED]
    ranks = _ranks(grid, dataset.objective.direction, settings.level)
    tasks = Tasks(
        factor=dataset.task.factor if dataset.task else "",
        tasks=grid.tasks,
        scored=scored,
        ends=grid.ends,
        direction="minimize" if is_lower and not grid.ends else "maximize",
        compared=grid.compared,
        cells=_cells(grid, settings.level, is_lower=is_lower),
        runs=runs,
        aggregates=(),
        profiles={},
        improvements=(),
        ranks=ranks,
        best_of_each=_best_of_each(grid, is_lower=is_lower),
        said=(*said_of(dataset, grid), *_of_ranks(ranks, len(grid.compared))),
    )
    return _resampled(tasks, order, settings.level, np.random.default_rng(0))


def _resampled(tasks: Tasks, order: Sequence[int], level: float, rng: np.random.Generator) -> Tasks:
    """What rests on runs drawn again within each task, of these conditions, best first."""
    runs, direction = tasks.runs, tasks.direction
    mean_rank = dict(zip(tasks.compared, tasks.ranks.mean_ranks, strict=True)) if tasks.ranks else {}
    thresholds = _thresholds([runs[n] for n in order])
    return replace(
        tasks,
        aggregates=tuple(
            TaskAggregate(
                condition=n,
                mean=aggregate(runs[n], "mean", rng=rng, level=level),
                iqm=aggregate(runs[n], "iqm", rng=rng, level=level),
                mean_rank=mean_rank.get(n, np.nan),
            )
            for n in order
        ),
        profiles={n: profile(runs[n], thresholds, direction=direction, rng=rng, level=level) for n in order},
        improvements=tuple(
            Improvement(
                first=order[0],
                second=n,
                probability=probability_of_improvement(
                    runs[order[0]], runs[n], direction=direction, rng=rng, level=level
                ),
            )
            for n in order[1:]
        ),
    )


def said_of(dataset: Dataset, grid: Grid) -> tuple[str, ...]:
    """Say what the number of a condition means, and what is left out."""
    return (_how(dataset, grid), *_left_out(grid), *_uneven(grid))


def _how(dataset: Dataset, grid: Grid) -> str:
    task = dataset.task
    factor = task.factor if task is not None else ""
    names = joined(grid.tasks[:MOST_NAMED]) if len(grid.tasks) <= MOST_NAMED else f"{len(grid.tasks)} values"
    what = f"Conditions are compared over {count(len(grid.tasks), 'task')} ({factor}: {names})."
    if not grid.ends:
        if task is not None and task.scale != "none":
            return f"{what} Their scores have no common scale: fewer than two conditions have a score on every task."
        how = f"Scores are {dataset.objective.metric} as logged. It has to mean the same on every task."
    elif task is not None and task.scale == "range":
        how = (
            f"On each task {dataset.objective.metric} is put on a scale from 0, the worst mean of the "
            f"{count(len(grid.compared), 'condition')} compared, to 1, the best."
        )
    else:
        how = f"On each task {dataset.objective.metric} is put on the given scale, on which 1 is the good end."
    return f"{what} {how} The number of a condition is the mean over tasks, seed by seed."


def _left_out(grid: Grid) -> list[str]:
    """Which conditions, and which tasks, are in no aggregate, and why."""
    said = []
    for one in grid.conditions:
        if one.number in grid.compared:
            continue
        lacking = [on for on in grid.tasks if not len(grid.values(one.number, on))]
        diverged = [on for on in grid.tasks if any(r.outcome == "diverged" for r in grid.cells[one.number, on])]
        why = f"has no score on {joined(lacking)}" if lacking else "was pruned, or breaks a constraint"
        why = f"diverged on {joined(diverged)}" if diverged else why
        said.append(f"condition {one.number} ({one.label}) {why}")
    more = f" and {len(said) - MOST_NAMED} more" if len(said) > MOST_NAMED else ""
    texts = [f"Not compared over tasks: {'; '.join(said[:MOST_NAMED])}{more}."] if said else []
    if grid.ends and (same := [on for on in grid.tasks if on not in grid.ends]):
        texts.append(
            f"No condition is better than another on {joined(same)}: left out of means, and a tie in the ranks."
        )
    return texts


def _uneven(grid: Grid) -> list[str]:
    """Say where runs of a condition differ in number between tasks: they cannot all be put together seed by seed."""
    uneven = [n for n in grid.compared if len({len(grid.values(n, on)) for on in grid.tasks}) > 1]
    if not uneven:
        return []
    which = joined(map(str, uneven[:MOST_NAMED]))
    have = f"Conditions {which} have" if len(uneven) > 1 else f"Condition {which} has"
    return [
        f"{have} unequal numbers of replicates on their tasks. A seed that lacks a task is left out of the mean, but "
        "counts in interquartile mean, profiles and ranks."
    ]


def _of_ranks(ranks: RankComparison | None, n_conditions: int) -> list[str]:
    if ranks is None:
        return []
    if ranks.n <= FEW_TASKS or n_conditions <= 5:
        return [
            f"Ranks of {count(n_conditions, 'condition')} on {count(ranks.n, 'task')} show large differences only: "
            "their tests are meant for more than ten tasks and five conditions (Demšar 2006)."
        ]
    return []


def _ranks(grid: Grid, direction: Direction, level: float) -> RankComparison | None:
    """Ranks by the means of each task, in units of the objective: no scale is needed."""
    if len(grid.compared) < 2:
        return None
    return compare_ranks(_means(grid), direction=direction, level=level)


def _means(grid: Grid) -> np.ndarray:
    """(task, compared condition)."""
    return np.array([[grid.values(n, on).mean() for n in grid.compared] for on in grid.tasks])


def _ranks_on(grid: Grid, on: str, is_lower: bool) -> Sequence[float]:
    from scipy.stats import rankdata

    if not grid.compared:
        return []
    means = np.array([grid.values(n, on).mean() for n in grid.compared])
    return rankdata(means if is_lower else -means).tolist()


def _best_of_each(grid: Grid, *, is_lower: bool) -> dict[str, int]:
    """The best condition of each task by mean, of all that did not diverge there."""
    best = {}
    for on in grid.tasks:
        means = {
            c.number: float(grid.values(c.number, on).mean())
            for c in grid.conditions
            if len(grid.values(c.number, on))
            and not any(r.outcome == "diverged" for r in grid.cells[c.number, on])
            and not c.pruned
        }
        if means:
            best[on] = min(means, key=lambda n: (means[n] if is_lower else -means[n], n))
    return best


def _cells(grid: Grid, level: float, *, is_lower: bool) -> tuple[TaskCell, ...]:
    on_each = {on: dict(zip(grid.compared, _ranks_on(grid, on, is_lower), strict=True)) for on in grid.tasks}
    return tuple(
        _cell(grid, c.number, on, level, on_each[on].get(c.number, np.nan), is_lower=is_lower)
        for c in grid.conditions
        for on in grid.tasks
    )


def _cell(grid: Grid, condition: int, on: str, level: float, rank: float, *, is_lower: bool) -> TaskCell:
    values = grid.values(condition, on)
    n = len(values)
    found = mean_interval(values, level=level) if n > 1 else None
    mean = float(values.mean()) if n else np.nan
    has_score = n > 0 and condition in grid.compared and (not grid.ends or on in grid.ends)
    return TaskCell(
        condition=condition,
        task=on,
        n=n,
        mean=mean,
        sd=float(values.std(ddof=1)) if n > 1 else np.nan,
        low=found.low if found else np.nan,
        high=found.high if found else np.nan,
        score=float(grid.score(mean, on, is_lower_better=is_lower)) if has_score else np.nan,
        rank=rank,
        outcomes=dict(Counter(r.outcome for r in grid.cells[condition, on])),
    )


def _thresholds(runs: Sequence[Runs]) -> np.ndarray:
    """Thresholds of the profiles, from the worst score to the best."""
    if not runs:
        return np.zeros(0)
    every = np.concatenate([one for of_one in runs for one in of_one])
    return np.linspace(every.min(), every.max(), MOST_THRESHOLDS)
