"""Choose the curves of a figure: their metric, their axis, smoothed or not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rothamsted.analysis.bands import Smooth, band_of, curves_of
from rothamsted.analysis.points import of_curves
from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.values import Analysis, Axis, Band
from rothamsted.metric import declared
from rothamsted.reporting.plots.contract import NotApplicable
from rothamsted.reporting.plots.labels import named
from rothamsted.reporting.plots.view import is_learning_rate

MOST_POINTS = 300  # of one drawn curve: more than a column can show


@dataclass(frozen=True, kw_only=True)
class PlainCurve:
    """Holds a curve without an interval."""

    x: np.ndarray  # (point,) rising
    y: np.ndarray  # (point,) finite


def with_curves(analysis: Analysis, objective: str, axis: Axis) -> str:
    """Return the objective, or if it has no curve (measured once), the first loss or other metric with one."""
    found = "step" if axis == "samples" else axis
    others = [name for name in sorted(analysis.bands) if name != objective and not is_learning_rate(name)]
    for metric in (objective, *sorted(others, key=lambda name: not name.endswith("loss"))):
        bands = analysis.bands.get(metric, {}).get(found, ())
        longest = max((len(band.x) for band in bands), default=0)
        if longest > 1 and any(np.isfinite(band.mean).sum() > 1 for band in bands):
            return metric
    return objective


def bands_of(analysis: Analysis, metric: str, axis: Axis) -> list[Band]:
    """Return the bands with a finite mean and a finite x somewhere, cut to those points.

    Raises:
        NotApplicable: There is none; the text names the metrics and axes that exist.
    """
    if metric not in analysis.bands:
        known = ", ".join(named(name) for name in sorted(analysis.bands)) or "none"
        raise NotApplicable(f"no curves of {named(metric)} were read; curves read: {known}")
    of_metric = analysis.bands[metric]
    if axis == "samples":
        found = [computed(analysis, band.condition, metric, axis) for band in of_metric.get("step", ())]
        bands = [band for band in found if band is not None]
    else:
        bands = [*of_metric.get(axis, ())]
    kept = [band for band in map(finite, bands) if len(band.x)]
    if not kept:
        axes = ", ".join(str(a) for a, some in of_metric.items() if any(len(finite(b).x) for b in some)) or "none"
        why = ": no run has logged samples_seen" if axis == "samples" else ""
        raise NotApplicable(f"no finite curve of {named(metric)} by {axis}{why}; axes with curves: {axes}")
    if max(len(band.x) for band in kept) < 2:
        raise NotApplicable(f"{named(metric)} was measured at one {axis} only: a point, not a curve")
    return kept


def computed(analysis: Analysis, number: int, metric: str, axis: Axis, smooth: Smooth | None = None) -> Band | None:
    """Compute the band of one condition from its replicates' curves; None if there is none along this axis."""
    return band_of(
        number,
        members_of(analysis.dataset)[number],
        metric,
        axis,
        level=analysis.level,
        method=of_curves(analysis.interval),
        metric=declared(analysis.dataset.metrics, metric),
        smooth=smooth,
    )


def replicates_of(analysis: Analysis, number: int, metric: str, axis: Axis) -> tuple[PlainCurve, ...]:
    """Return the curve of each replicate of a condition that finished."""
    curves = curves_of(members_of(analysis.dataset)[number], metric, axis)
    kept = [(x[np.isfinite(y)], y[np.isfinite(y)]) for x, y in curves]
    return tuple(PlainCurve(x=x[thinned(len(x))], y=y[thinned(len(x))]) for x, y in kept if len(x) > 1)


def finite(band: Band) -> Band:
    """Return the points of a band with a finite mean and a finite x."""
    is_finite = np.isfinite(band.mean) & np.isfinite(band.x)
    return replace(band, **{name: getattr(band, name)[is_finite] for name in ("x", "mean", "low", "high", "n")})


def thinned(n_points: int, most: int = MOST_POINTS) -> np.ndarray:
    """Return the indices of at most so many points, evenly spaced, the first and the last among them."""
    if n_points <= most:
        return np.arange(n_points)
    return np.unique(np.linspace(0, n_points - 1, most).round().astype(int))
