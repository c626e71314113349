"""The curves of replicates with the axes that a reader may ask for: step, epoch, samples, seconds of training.

Apart from the loaders because sweeps of ours log their own seconds and epochs, and strangers may not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from rothamsted import tracking
from rothamsted.analysis.axes import EPOCH, OFF, SAMPLES, SECONDS, at_steps
from rothamsted.analysis.values import Dataset, Series
from rothamsted.tracking import Curve

BOOKKEEPING = frozenset({SECONDS, EPOCH, SAMPLES, "objective"})  # metrics that are no result
LEARNING_RATES = ("learning_rate", "lr")
LOSSES = ("val_loss", "validation/loss", "train_loss", "train/loss", "loss")  # the first of them is a run's progress


def read_series(
    starts_ms: Mapping[str, int],
    metrics: Collection[str],
    *,
    uri: str,
    has_samples: bool = False,
    is_thinned: bool = False,
) -> dict[str, dict[str, Series]]:
    """Return the curves of some metrics: run -> metric -> series.

    Args:
        starts_ms: Run -> when it started, milliseconds since 1970: the zero of its seconds where the run has
            no metric `seconds` of its own.
        metrics: Those that a run did not log are absent from its answer.
        uri: Tracking URI.
        has_samples: Whether the samples seen are read, too.
        is_thinned: Whether the runs are a sweep's, whose axes were written with few points: one that is read as a
            metric has all of them.
    """
    fills = {*OFF}.intersection(metrics) if is_thinned else set()
    wanted = None if fills else {*metrics, SECONDS, EPOCH, *([SAMPLES] if has_samples else [])}
    curves = tracking.read_curves(list(starts_ms), wanted, uri=uri)
    return {
        run_id: {
            name: _series(_filled(curve, of_run) if name in fills else curve, of_run, starts_ms[run_id], has_samples)
            for name, curve in of_run.items()
            if name in metrics
        }
        for run_id, of_run in curves.items()
    }


def all_series(dataset: Dataset, *, uri: str) -> dict[str, dict[str, Series]]:
    """Return the curves of everything that the runs of a dataset have logged: run -> metric -> series."""
    runs = [one for one in dataset.replicates if one.run_id]
    metrics = {name for one in runs for name in one.metrics}
    return read_series({one.run_id: one.started_ms for one in runs}, metrics, uri=uri)


def default_curves(objective: str, known: Collection[str]) -> list[str]:
    """The metrics whose curves are read when nobody says which: the objective, its partner, a loss, the learning rate.

    The loss is what stands for a run's progress where the objective is measured once.
    """
    partner = objective.replace("val", "train").replace("idation", "") if "val" in objective else objective
    loss = [] if objective in LOSSES else [name for name in LOSSES if name in known][:1]
    wanted = [objective, partner, *loss, *(name for name in LEARNING_RATES if name in known)]
    return [name for name in dict.fromkeys(wanted) if name in known]


def _filled(axis: Curve, of_run: Mapping[str, Curve]) -> Curve:
    """An axis at every step of its run that lies between its first and its last."""
    all_steps = np.unique(np.concatenate([one.steps for one in of_run.values()]))
    steps = all_steps[(all_steps >= axis.steps[0]) & (all_steps <= axis.steps[-1])]
    times = np.interp(steps, axis.steps, axis.times_ms).astype(np.int64)
    return Curve(steps=steps, values=at_steps(axis, steps), times_ms=times)


def _series(curve: Curve, of_run: Mapping[str, Curve], start_ms: int, has_samples: bool) -> Series:
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
    """The values of an axis at these steps; NaN where it has none."""
    return at_steps(other, steps) if other is not None and len(other.steps) else np.full(len(steps), np.nan)
