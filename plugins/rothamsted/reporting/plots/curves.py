"""Draw learning curves: a metric by step, epoch, samples or seconds of training, with the interval at every point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rothamsted.analysis.values import Analysis, Axis, Band
from rothamsted.reporting.plots.axes import draw_values
from rothamsted.reporting.plots.contract import Better, NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.curve_bands import (
    PlainCurve,
    bands_of,
    computed,
    finite,
    replicates_of,
    thinned,
    with_curves,
)
from rothamsted.reporting.plots.labels import seconds_unit
from rothamsted.reporting.plots.look import DASHES, PALETTE, legend_below, sized
from rothamsted.reporting.plots.value_axis import ValueAxis, draw_value_axis, value_axis
from rothamsted.reporting.plots.view import (
    better_of,
    by_number,
    by_rank,
    condition_label,
    level_words,
    metric_name,
    metric_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MOST_BANDS = 5  # where no number is asked for: more bands than that lie over each other


@dataclass(frozen=True, kw_only=True)
class ConditionCurve:
    """Holds one condition along training."""

    condition: int
    label: str
    x: np.ndarray  # (point,)
    mean: np.ndarray  # (point,) finite
    low: np.ndarray  # (point,) NaN where fewer than two replicates are alive
    high: np.ndarray
    n_first: int  # replicates alive at the first point
    n_last: int  # and at the last
    n_most: int  # and where the most are; points where fewer than half of these are alive are left out
    beneath: tuple[PlainCurve, ...] = ()  # pale: each replicate of a lone condition, else the mean before smoothing


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Holds the best conditions along training, best first."""

    metric: str
    x_label: str
    curves: tuple[ConditionCurve, ...]
    n_conditions: int  # with a curve, shown or not
    better: Better | None  # values of the metric
    values: ValueAxis  # of whole curves
    level: float
    instead_of: str = ""  # the objective, where it has no curve and this metric is drawn in its place
    smoothed_by: str = ""  # in words; empty: as measured


def curves_data(analysis: Analysis, options: PlotOptions, *, axis: Axis) -> Curves:
    """Take the curves of the best ranked conditions, `options.n_series` at most.

    Args:
        analysis: What was computed.
        options: `metric`, `axis` and `smoothing` may be given.
        axis: Used where `options.axis` is not given.

    Raises:
        NotApplicable: No curves of this metric, or none along this axis.
    """
    axis = options.axis or axis
    wanted = metric_of(analysis, options.metric)
    metric = wanted if options.metric is not None else with_curves(analysis, wanted, axis)
    bands = {band.condition: band for band in bands_of(analysis, metric, axis)}
    conditions = by_number(analysis)
    shown = by_rank(analysis, bands)[: options.n_series or MOST_BANDS]
    size, x_label = _axis(axis, max(float(bands[number].x[-1]) for number in shown))
    curves = []
    for number in shown:
        of_one = _curve(_smoothed(analysis, bands[number], metric, axis, options), size)
        beneath = _beneath(analysis, bands[number], metric, axis, size, options, is_alone=len(shown) == 1)
        curves.append(replace(of_one, label=condition_label(conditions[number]), beneath=beneath))
    better = better_of(analysis, metric)
    return Curves(
        metric=metric_name(analysis, metric),
        x_label=x_label,
        curves=tuple(curves),
        n_conditions=len(bands),
        better=better,
        values=_values(curves, better),
        level=analysis.level,
        instead_of="" if metric == wanted else metric_name(analysis, wanted),
        smoothed_by=options.smoothing.words if options.smoothing is not None else "",
    )


def by_time_data(analysis: Analysis, options: PlotOptions) -> Curves:
    """Return the curves along training time.

    Raises:
        NotApplicable: As `curves_data`; or another axis is asked for, which the plot of curves shows.
    """
    if options.axis not in (None, "seconds"):
        raise NotApplicable(f"the plot 'curves' already shows them by {options.axis}")
    return curves_data(analysis, options, axis="seconds")


def _smoothed(analysis: Analysis, band: Band, metric: str, axis: Axis, options: PlotOptions) -> Band:
    """The band over the smoothed curves of the replicates, where smoothing is asked for."""
    if options.smoothing is None:
        return band
    found = computed(analysis, band.condition, metric, axis, options.smoothing)
    return band if found is None else finite(found)


def _beneath(
    analysis: Analysis, band: Band, metric: str, axis: Axis, size: float, options: PlotOptions, *, is_alone: bool
) -> tuple[PlainCurve, ...]:
    if is_alone:
        curves = replicates_of(analysis, band.condition, metric, axis)
        return tuple(replace(curve, x=curve.x / size) for curve in curves)
    if options.smoothing is None:
        return ()
    raw = _curve(band, size)
    return (PlainCurve(x=raw.x, y=raw.mean),)


def _axis(axis: Axis, most: float) -> tuple[float, str]:
    if axis == "seconds":
        size, unit = seconds_unit(most)
        return size, f"training time ({unit})"
    return 1.0, "samples seen" if axis == "samples" else axis


def _curve(band: Band, size: float) -> ConditionCurve:
    is_most = 2 * band.n >= band.n.max()  # a lone late replicate is no mean: its start would look like a relapse
    points = np.flatnonzero(is_most)
    kept = points[thinned(len(points))]
    return ConditionCurve(
        condition=band.condition,
        label="",
        x=band.x[kept] / size,
        mean=band.mean[kept],
        low=band.low[kept],
        high=band.high[kept],
        n_first=int(band.n[0]),
        n_last=int(band.n[-1]),
        n_most=int(band.n.max()),
    )


def curves_draw(data: Curves, figure: Figure) -> None:
    """Draw means as lines over pale bands, the best on top; on a linear axis the last half again, on the right."""
    sized(figure, 3.1 + 0.16 * len(data.curves))
    start = None if data.values.is_log else last_half(data)
    panels = figure.subplots(1, 1 if start is None else 2, squeeze=False)[0]
    handles = _draw_panel(panels[0], data, -math.inf, data.values)
    panels[0].set_ylabel(data.metric)
    if start is not None:
        _draw_panel(panels[1], data, start, _values([_from(curve, start) for curve in data.curves], data.better))
        panels[1].set_title("the last half")
    legend_below(figure, handles, [curve.label for curve in data.curves])


def last_half(data: Curves) -> float | None:
    """Return where the last half of the longest curve begins; None where no curve has three points there."""
    start = max(float(curve.x[-1]) for curve in data.curves) / 2
    return start if any((curve.x >= start).sum() >= 3 for curve in data.curves) else None


def _draw_panel(axes: Axes, data: Curves, start: float, values: ValueAxis) -> list[Line2D]:
    handles, cut = [], [_from(curve, start) for curve in data.curves]
    for i, curve in reversed(list(enumerate(cut))):
        floor = curve.mean[curve.mean > 0].min() / 10 if values.is_log and len(curve.x) else -math.inf
        low = np.maximum(curve.low, floor)
        axes.fill_between(curve.x, low, curve.high, color=PALETTE[i], alpha=0.16, linewidth=0, zorder=2 - i * 0.01)
        for one in curve.beneath:
            axes.plot(one.x, one.y, color=PALETTE[i], linewidth=0.7, alpha=0.4, zorder=3 - i * 0.01)
        handles += axes.plot(curve.x, curve.mean, color=PALETTE[i], linestyle=DASHES[i], zorder=4 - i * 0.01)
    axes.set_xlabel(data.x_label)
    draw_values(axes, "x", np.concatenate([curve.x for curve in cut]), is_log=False, margin=0.02)
    draw_value_axis(axes, "y", values)
    return handles[::-1]


def _from(curve: ConditionCurve, start: float) -> ConditionCurve:
    kept = curve.x >= start
    parts = {name: getattr(curve, name)[kept] for name in ("x", "mean", "low", "high")}
    beneath = tuple(PlainCurve(x=one.x[one.x >= start], y=one.y[one.x >= start]) for one in curve.beneath)
    return replace(curve, **parts, beneath=beneath)


def _values(curves: Sequence[ConditionCurve], better: Better | None) -> ValueAxis:
    """The axis of all curves: none is too bad to be shown, they all start badly; a few wide bands are cut."""
    values = [y for curve in curves for y in (curve.mean, *(one.y for one in curve.beneath))]
    ends = [end for curve in curves for end in (curve.low, curve.high)]
    return value_axis(np.concatenate(values), better, ends, is_cut=False)


def curves_caption(data: Curves) -> str:
    """Say how many are shown, what bands are, and how many replicates are alive."""
    rest = data.n_conditions - len(data.curves)
    lost = [curve for curve in data.curves if curve.n_last < curve.n_first]
    has_band = any(np.isfinite(curve.low).any() for curve in data.curves)
    first = sorted({curve.n_most for curve in data.curves})
    is_cut = any(2 * min(curve.n_first, curve.n_last) < curve.n_most for curve in data.curves)
    n = f"{first[0]}" if len(first) == 1 else f"{first[0]} to {first[-1]}"
    over = "one replicate at each point" if first == [1] else f"means over {n} replicates"
    shown = f"The best {len(data.curves)} of {words(data.n_conditions, 'condition')} with curves" if rest else ""
    return joined(
        [
            f"There is no curve of {data.instead_of}: {data.metric} is drawn instead" if data.instead_of else "",
            f"{shown or words(len(data.curves), 'condition')}; {over}"
            + (
                f" with {level_words(data.level)} at each point, not for whole curves" if has_band else "; no intervals"
            ),
            f"Smoothed by {data.smoothed_by}, each replicate before the mean" if data.smoothed_by else "",
            _beneath_words(data),
            f"{words(len(lost), 'curve')} of these lost replicates on the way" if lost else "",
            "A curve is drawn as long as at least half of its replicates have a value" if is_cut else "",
            data.values.words,
        ]
    )


def _beneath_words(data: Curves) -> str:
    if not any(curve.beneath for curve in data.curves):
        return ""
    what = "each replicate" if len(data.curves) == 1 else "the means"
    return f"Pale: {what}, as measured" if data.smoothed_by or len(data.curves) > 1 else f"Pale: {what}"


BY_STEP = Plot(
    title="Learning curves by step",
    data=partial(curves_data, axis="step"),
    draw=curves_draw,
    caption=curves_caption,
)
BY_SECONDS = Plot(
    title="Learning curves by training time",
    data=by_time_data,
    draw=curves_draw,
    caption=curves_caption,
)
