"""Turn the curves of conditions into means with interval bands, along steps, epochs, samples and seconds.

The axis samples is computed only if it is asked for, the others for every report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.values import Axis, Band, Dataset, Replicate, Series
from rothamsted.metric import Metric, declared
from rothamsted.statistics import band

MOST_BANDS = 60  # conditions whose curves are computed: the best, far more than a plot can show
_AXES: tuple[Axis, ...] = ("step", "epoch", "seconds")  # of every report
Smooth = Callable[[np.ndarray], np.ndarray]  # the values of one curve, (point,), smoothed


def bands_of(
    dataset: Dataset, ranking: Sequence[int], *, level: float, method: str, gaps: dict[str, str]
) -> dict[str, dict[Axis, tuple[Band, ...]]]:
    """Return the bands of every metric with curves: metric -> axis -> one for each condition, best conditions first.

    Args:
        dataset: A dataset with series.
        ranking: Conditions with a mean, best first; the others come after them.
        level: Nominal coverage at each point.
        method: A name of INTERVALS.
        gaps: Gets a note if there is no curve at all, or not for all conditions.
    """
    members = members_of(dataset)
    n_pruned = sum(bool(condition.pruned) for condition in dataset.conditions)
    kept_numbers = [condition.number for condition in dataset.conditions if not condition.pruned]
    numbers = [*ranking, *(number for number in kept_numbers if number not in set(ranking))][:MOST_BANDS]
    if len(kept_numbers) > MOST_BANDS:
        gaps["curves beyond"] = f"curves of the {MOST_BANDS} best of {len(kept_numbers)} conditions"
    if n_pruned:
        gaps["curves of pruned conditions"] = f"{n_pruned} were stopped before the end and have no mean curve"
    names = sorted({name for r in dataset.replicates for name in r.series})
    found: dict[str, dict[Axis, tuple[Band, ...]]] = {}
    for name in names:
        axes: dict[Axis, tuple[Band, ...]] = {}
        for axis in _AXES:
            bands = [
                band_of(n, members[n], name, axis, level=level, method=method, metric=declared(dataset.metrics, name))
                for n in numbers
            ]
            kept = tuple(one for one in bands if one is not None and len(one.x) > 1)
            if kept:
                axes[axis] = kept
        if axes:
            found[name] = axes
    if not found:
        gaps["curves"] = "no metric was measured at more than one step"
    return found


def band_of(
    number: int,
    replicates: Sequence[Replicate],
    name: str,
    axis: Axis,
    *,
    level: float,
    method: str,
    metric: Metric,
    smooth: Smooth | None = None,
) -> Band | None:
    """Return the band of one metric of one condition over its replicates; None if none has a curve along this axis.

    Args:
        number: Number of the condition.
        replicates: Replicates of the condition.
        name: Name of the metric.
        axis: The axis of the band.
        level: Nominal coverage at each point.
        method: A name of INTERVALS.
        metric: What is declared of the metric.
        smooth: Applied to the values of each replicate, in the order of steps, before the band is computed.
    """
    curves = curves_of(replicates, name, axis, smooth)
    if not curves:
        return None
    found = band(curves, level=level, method=method, metric=metric)
    return Band(condition=number, x=found.x, mean=found.mean, low=found.low, high=found.high, n=found.n)


def curves_of(
    replicates: Sequence[Replicate], name: str, axis: Axis, smooth: Smooth | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return x and values of each finished replicate. Others left only a part of a curve."""
    curves = []
    for replicate in replicates:
        series = replicate.series.get(name)
        if series is None or replicate.outcome != "finished":
            continue
        x, values = _x(series, axis), series.values
        known = np.isfinite(x)
        if known.any():
            curves.append((x[known], (values if smooth is None else smooth(values))[known]))
    return curves


def _x(series: Series, axis: Axis) -> np.ndarray:
    if axis == "step":
        return series.steps.astype(np.float64)
    if axis == "samples":
        return np.full(len(series.steps), np.nan) if series.samples is None else series.samples
    return series.epochs if axis == "epoch" else series.seconds
