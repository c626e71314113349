"""Read the curves of replicates with their axes: step, epoch, samples, seconds of training.

Our sweeps log seconds and epochs; runs of other tools may not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from rothamsted import tracking
from rothamsted.analysis.logged import EPOCH, SAMPLES, SECONDS
from rothamsted.analysis.values import Dataset, Series
from rothamsted.tracking import Curve

_RUNS_AT_ONCE = 1000  # so that not all runs lie here twice, as they were logged and as they are analysed
LEARNING_RATES = ("learning_rate", "lr")
LOSSES = ("val_loss", "validation/loss", "train_loss", "train/loss", "loss")  # the first of them is a run's progress


def read_series(
    starts_ms: Mapping[str, int], metrics: Collection[str], *, uri: str, has_samples: bool = False
) -> dict[str, dict[str, Series]]:
    """Return the curves of some metrics: run -> metric -> series.

    Args:
        starts_ms: Run -> its start, milliseconds since 1970: the zero of its seconds if the run has no metric
            `seconds`.
        metrics: The metrics to read. Metrics that a run did not log are left out for that run.
        uri: Tracking URI.
        has_samples: Whether the samples seen are read too.
    """
    wanted = {*metrics, SECONDS, EPOCH, *([SAMPLES] if has_samples else [])}
    run_ids, found, known = list(starts_ms), dict[str, dict[str, Series]](), dict[tuple[str, bytes], np.ndarray]()
    for start in range(0, len(run_ids), _RUNS_AT_ONCE):
        curves = tracking.read_curves(run_ids[start : start + _RUNS_AT_ONCE], wanted, uri=uri)
        for run_id, of_run in curves.items():
            found[run_id] = {
                name: _once(_series(curve, of_run, starts_ms[run_id], has_samples=has_samples), known)
                for name, curve in of_run.items()
                if name in metrics
            }
    return found


def all_series(dataset: Dataset, *, uri: str) -> dict[str, dict[str, Series]]:
    """Return the curves of all metrics that the runs of a dataset have logged: run -> metric -> series."""
    runs = [one for one in dataset.replicates if one.run_id]
    metrics = {name for one in runs for name in one.metrics}
    return read_series({one.run_id: one.started_ms for one in runs}, metrics, uri=uri)


def default_curves(objective: str, known: Collection[str]) -> list[str]:
    """Return the metrics to read with curves by default: the objective, its partner, a loss, the learning rate.

    The loss shows the progress of a run if the objective is measured once.
    """
    partner = objective.replace("val", "train").replace("idation", "") if "val" in objective else objective
    loss = [] if objective in LOSSES else [name for name in LOSSES if name in known][:1]
    wanted = [objective, partner, *loss, *(name for name in LEARNING_RATES if name in known)]
    return [name for name in dict.fromkeys(wanted) if name in known]


def _once(series: Series, known: dict[tuple[str, bytes], np.ndarray]) -> Series:
    """The series with the steps, epochs and samples of another one that has the same: most runs have."""

    def shared(axis: np.ndarray) -> np.ndarray:
        return known.setdefault((axis.dtype.str, axis.tobytes()), axis)

    samples = None if series.samples is None else shared(series.samples)
    return replace(series, steps=shared(series.steps), epochs=shared(series.epochs), samples=samples)


def _series(curve: Curve, of_run: Mapping[str, Curve], start_ms: int, *, has_samples: bool) -> Series:
    seconds = of_run.get(SECONDS)
    elapsed = (curve.times_ms - start_ms) / 1000.0 if seconds is None else _at(curve.steps, seconds)
    return Series(
        steps=curve.steps,
        values=curve.values,
        seconds=elapsed,
        epochs=_at(curve.steps, of_run.get(EPOCH)),
        samples=_at(curve.steps, of_run.get(SAMPLES)) if has_samples else None,
    )


def _at(steps: np.ndarray, other: Curve | None) -> np.ndarray:
    """The values of another curve at these steps; NaN where it has none."""
    if other is None or not len(other.steps):
        return np.full(len(steps), np.nan)
    place = np.minimum(np.searchsorted(other.steps, steps), len(other.steps) - 1)
    return np.where(other.steps[place] == steps, other.values[place], np.nan)
