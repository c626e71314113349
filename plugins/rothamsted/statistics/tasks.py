"""Combine the scores of several tasks: aggregates, performance profiles, probability of improvement.

Agarwal, Schwarzer, Castro, Courville & Bellemare (2021), NeurIPS 34, arXiv:2108.13264. The tasks are fixed: intervals
are about other replicates on the same tasks, not about other tasks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rothamsted.statistics.intervals import DEFAULT_LEVEL, check_level
from rothamsted.statistics.reduce import Direction

N_RESAMPLES = 2000  # as many as Agarwal and others take for intervals of profiles
TRIMMED = 0.25  # of all runs at each end: what is left is the interquartile mean

Runs = Sequence[np.ndarray]  # of one condition: for each task an array (run,), all finite
Aggregate = Literal["mean", "iqm"]


@dataclass(frozen=True, kw_only=True)
class OverTasks:
    """Holds one number over tasks, with the interval of the stratified bootstrap."""

    estimate: float
    low: float  # NaN where a task has fewer than two runs
    high: float
    level: float


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Holds the share of runs that are better than each threshold. All tasks have equal weight."""

    thresholds: np.ndarray  # (threshold,)
    share: np.ndarray  # (threshold,)
    low: np.ndarray  # (threshold,) holds point by point; NaN where a task has fewer than two runs
    high: np.ndarray


def aggregate(
    runs: Runs,
    how: Aggregate,
    *,
    rng: np.random.Generator,
    level: float = DEFAULT_LEVEL,
    n_resamples: int = N_RESAMPLES,
) -> OverTasks:
    """Return the mean, or the interquartile mean, of the runs of all tasks, with equal weight for each task.

    The interquartile mean leaves out a quarter of all runs at each end, rounded down, as `scipy.stats.trim_mean` does;
    if tasks have unequal numbers of runs, the runs of each task together have the same weight.

    Args:
        runs: For each task the runs (run,) of one condition.
        how: mean or iqm.
        rng: Generator of the resamples.
        level: Nominal coverage of the interval.
        n_resamples: Number of resamples, drawn within each task. Of n runs, n - 1 are drawn, so that resampled means
            have the right spread (Rao & Wu 1988, JASA 83). With n of n it would be too small by sqrt((n - 1) / n).

    Raises:
        ValueError: No task, a task without runs, or a value that is not finite.
    """
    _check(runs, level)
    estimate = float(_aggregated([run[None] for run in runs], how)[0])
    if min(map(len, runs)) < 2:
        return OverTasks(estimate=estimate, low=math.nan, high=math.nan, level=level)
    drawn = [run[rng.integers(0, len(run), (n_resamples, len(run) - 1))] for run in runs]
    low, high = _ends(_aggregated(drawn, how), level)
    return OverTasks(estimate=estimate, low=float(low), high=float(high), level=level)


def profile(
    runs: Runs,
    thresholds: np.ndarray,
    *,
    direction: Direction,
    rng: np.random.Generator,
    level: float = DEFAULT_LEVEL,
    n_resamples: int = N_RESAMPLES,
) -> Profile:
    """Return the performance profile of one condition: the share of runs that are better than each threshold.

    Better means strictly above a threshold if more is better, strictly below it if less is. The band holds for each
    threshold alone. Resamples are drawn as in `aggregate`.

    Raises:
        ValueError: As `aggregate`.
    """
    _check(runs, level)
    sign = 1.0 if direction == "maximize" else -1.0
    is_better = [sign * run[:, None] > sign * thresholds for run in runs]
    share = np.mean([one.mean(axis=0) for one in is_better], axis=0)
    if min(map(len, runs)) < 2:
        low, high = np.full((2, len(thresholds)), np.nan)
        return Profile(thresholds=thresholds, share=share, low=low, high=high)
    drawn = np.mean([_weights(len(one), n_resamples, rng) @ one for one in is_better], axis=0)
    low, high = _ends(drawn, level)
    return Profile(thresholds=thresholds, share=share, low=low, high=high)


def probability_of_improvement(
    first: Runs,
    second: Runs,
    *,
    direction: Direction,
    rng: np.random.Generator,
    level: float = DEFAULT_LEVEL,
    n_resamples: int = N_RESAMPLES,
) -> OverTasks:
    """Return the mean over tasks of the probability that a run of the first condition beats one of the second.

    On each task every run is compared with every run (Mann & Whitney's U over n m); ties count half. Resamples are
    drawn as in `aggregate`. If they all agree, as when every run of the first wins, there is no interval.

    Raises:
        ValueError: As `aggregate`, or unequal numbers of tasks.
    """
    _check(first, level)
    _check(second, level)
    if len(first) != len(second):
        raise ValueError(f"first and second: {len(first)} and {len(second)} tasks; both need the same tasks")
    sign = 1.0 if direction == "maximize" else -1.0
    wins = [(np.sign(sign * (a[:, None] - b)) + 1) / 2 for a, b in zip(first, second, strict=True)]
    estimate = float(np.mean([one.mean() for one in wins]))
    if min(map(len, (*first, *second))) < 2:
        return OverTasks(estimate=estimate, low=math.nan, high=math.nan, level=level)
    drawn = [
        np.einsum("rn,nm,rm->r", _weights(len(one), n_resamples, rng), one, _weights(one.shape[1], n_resamples, rng))
        for one in wins
    ]
    low, high = _ends(np.mean(drawn, axis=0), level)
    if low == high:  # every run beat every other one: resamples cannot say how rare the opposite is
        low = high = np.array(math.nan)
    return OverTasks(estimate=estimate, low=float(low), high=float(high), level=level)


def _aggregated(drawn: Sequence[np.ndarray], how: Aggregate) -> np.ndarray:
    """Aggregate arrays (resample, run), one a task, to (resample,)."""
    if how == "mean":
        return np.mean([one.mean(axis=1) for one in drawn], axis=0)
    values = np.concatenate(drawn, axis=1)
    units = math.lcm(*(one.shape[1] for one in drawn))  # each task has as many; with equal n each run has one
    own = np.concatenate([np.full(one.shape[1], units // one.shape[1], dtype=np.float64) for one in drawn])
    order = np.argsort(values, axis=1, kind="stable")
    own, total = own[order], float(units * len(drawn))
    cut, above = math.floor(TRIMMED * total), np.cumsum(own, axis=1)
    kept = np.clip(np.minimum(above, total - cut) - np.maximum(above - own, cut), 0, None)
    return (np.take_along_axis(values, order, axis=1) * kept).sum(axis=1) / kept.sum(axis=1)


def _weights(n: int, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n - 1 of n runs with replacement: the share of each run, (resample, run)."""
    return rng.multinomial(n - 1, np.full(n, 1 / n), n_resamples) / (n - 1)


def _ends(drawn: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2), axis=0)
    return low, high


def _check(runs: Runs, level: float) -> None:
    check_level(level)
    if not len(runs):
        raise ValueError("runs: there is no task; give an array of runs for each")
    for i, run in enumerate(runs):
        if not len(run) or not np.isfinite(run).all():
            raise ValueError(f"runs: task {i} has {len(run)} runs, all of which must be finite; leave out what is not")
