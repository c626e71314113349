"""Write the runs of trials again: means and intervals of every metric at every step, as an analysis has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from operator import not_
from typing import Any

import numpy as np

from rothamsted import tracking
from rothamsted.analysis.objectives import OBJECTIVE, objective_key
from rothamsted.analysis.points import CURVE, SPREAD, looks_of, metric_points, summary_points, with_spread
from rothamsted.analysis.settings import Settings
from rothamsted.analysis.values import Dataset, Replicate
from rothamsted.metric import declared
from rothamsted.records import MetricPoint
from rothamsted.statistics.crossed import crossing_of
from rothamsted.tracking import Curve, Recorder

_TRIALS_AT_ONCE = 100  # their curves are in memory together
_AXES = frozenset({"epoch"})  # curves that are the same in every replicate by construction


def rewrite_trials(
    recorder: Recorder, dataset: Dataset, trials: Mapping[str, tracking.FoundRun], how: Settings, *, uri: str
) -> int:
    """Write the means and intervals of all trials again; returns how many trials were written.

    A trial that is its own only replicate has none. Written twice with equal numbers, a run stays as it was.

    Args:
        recorder: Of the store that the runs are in.
        dataset: The sweep.
        trials: Run id -> run, of all its trials.
        how: Which intervals are written.
        uri: Tracking URI.
    """
    members = _finished_by_trial(dataset, trials, uri=uri)
    n_written = 0
    for some in _chunks(sorted(members), _TRIALS_AT_ONCE):
        ids = [r.run_id for trial in some for r in members[trial]]
        curves = tracking.read_curves(ids, uri=uri)
        for trial in some:
            run = trials[trial]
            points = list(_points(dataset, members[trial], curves, how, run))
            recorder.replace_metrics(trial, points)
            n_written += 1
    return n_written


def _finished_by_trial(
    dataset: Dataset, trials: Mapping[str, tracking.FoundRun], *, uri: str
) -> dict[str, list[Replicate]]:
    """The finished replicates below each trial's run; trials without any are left out."""
    finished = {r.run_id: r for r in dataset.replicates if r.outcome == "finished" and r.run_id not in trials}
    below = tracking.find_runs([dataset.experiment_id], {"rothamsted.sweep": dataset.name}, uri=uri)
    members: dict[str, list[Replicate]] = defaultdict(list)
    for run in below:
        parent = run.tags.get("mlflow.parentRunId", "")
        if run.run_id in finished and parent in trials:
            members[parent].append(finished[run.run_id])
    return members


def _points(
    dataset: Dataset,
    replicates: Sequence[Replicate],
    curves: Mapping[str, Mapping[str, Curve]],
    settings: Settings,
    trial: tracking.FoundRun,
) -> Iterator[MetricPoint]:
    of_runs = [curves[r.run_id] for r in replicates]
    numbers = [r.number for r in replicates]
    how: dict[str, Any] = {
        "level": settings.level,
        "interval": settings.interval,
        "timestamp_ms": trial.end_ms or trial.start_ms,
    }
    names = {name for of_run in of_runs for name in of_run}
    for metric in sorted(name for name in names - _AXES - {OBJECTIVE} if not name.startswith(f"{OBJECTIVE}.")):
        have = [metric in of_run for of_run in of_runs]
        steps, values = side_by_side([of_run[metric] for of_run in of_runs if metric in of_run], len(of_runs))
        crossing = crossing_of(dataset.crossed, [*compress(numbers, have), *compress(numbers, map(not_, have))])
        is_judged = f"{metric}/n" in trial.metrics  # only a curve says its n at each step
        known = declared(dataset.metrics, metric)
        yield from metric_points(metric, steps, values, is_judged=is_judged, **how, known=known, crossing=crossing)
    for index, one in enumerate((dataset.objective, *dataset.others)):
        key, known = objective_key(index, one.metric), declared(dataset.metrics, one.metric)
        scores = np.array([(r.objective, *r.others)[index] for r in replicates])[:, None]
        if np.isfinite(scores).any():
            crossing = crossing_of(dataset.crossed, numbers)
            more: dict[str, Any] = {"known": known, "over": one.over}
            n_all = 1 + max(numbers)
            for n in [n_all] if dataset.crossed else looks_of(n_all):
                seen, at = scores[[number < n for number in numbers]], np.array([n])
                own = {"crossing": crossing, "keys": (*CURVE, *SPREAD) if n == n_all else CURVE}
                yield from with_spread(
                    summary_points(key, at, seen, **how, **more, **own) if len(seen) else [], one.over
                )


def side_by_side(curves: Sequence[Curve], n_replicates: int) -> tuple[np.ndarray, np.ndarray]:
    """Return steps (point,) that some replicate has, and values (replicate, point), NaN if one has none."""
    steps = np.unique(np.concatenate([curve.steps for curve in curves]))
    values = np.full((n_replicates, len(steps)), np.nan)
    for row, curve in enumerate(curves):
        values[row, np.searchsorted(steps, curve.steps)] = curve.values
    return steps, values


def _chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
