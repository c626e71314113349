"""Define the results of comparing conditions over several tasks, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rothamsted.statistics import RankComparison
from rothamsted.statistics.reduce import Direction
from rothamsted.statistics.tasks import OverTasks, Profile, Runs


@dataclass(frozen=True, kw_only=True)
class TaskCell:
    """Holds one condition on one task, in units of the objective."""

    condition: int
    task: str
    n: int  # runs with a score
    mean: float  # NaN without a score
    sd: float  # NaN with fewer than two
    low: float  # of Student's t interval; NaN without one
    high: float
    score: float  # the mean on the task's scale; NaN where the task has none, and where a condition is left out
    rank: float  # on this task among the conditions that are compared, 1 the best; NaN where it is left out
    outcomes: Mapping[str, int]  # how its runs ended


@dataclass(frozen=True, kw_only=True)
class TaskAggregate:
    """Holds one condition over all tasks."""

    condition: int
    mean: OverTasks  # of its scores
    iqm: OverTasks
    mean_rank: float


@dataclass(frozen=True, kw_only=True)
class Improvement:
    """Holds the probability that a run of the first condition beats one of the second on the same task."""

    first: int
    second: int
    probability: OverTasks


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """Holds the comparison of conditions over tasks: those with a score on every task and no diverged run."""

    factor: str  # whose values are the tasks
    tasks: tuple[str, ...]
    scored: tuple[str, ...]  # those that scores are aggregated over: the ones with a scale
    ends: Mapping[str, tuple[float, float]]  # task -> low and high of its scale; empty where scores are as they are
    direction: Direction  # of the scores
    compared: tuple[int, ...]  # conditions, in the order of their numbers
    cells: tuple[TaskCell, ...]  # of all conditions, by condition, then task
    runs: Mapping[int, Runs]  # compared condition -> scores of its runs on each scored task
    aggregates: tuple[TaskAggregate, ...]  # of the compared ones, by mean, best first
    profiles: Mapping[int, Profile]
    improvements: tuple[Improvement, ...]  # the best by mean against each other one
    ranks: RankComparison | None  # over all tasks; its conditions are `compared`
    best_of_each: Mapping[str, int]  # task -> its best condition by mean
    said: tuple[str, ...]  # what a number means, and what is left out: sentences
