"""Draw learning curves: a metric by step, epoch or wall-clock second, with the interval at every point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rothamsted.analysis.values import Analysis, Axis, Band
from rothamsted.report.plots.axes import draw_values, is_spread
from rothamsted.report.plots.contract import NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.report.plots.labels import named, seconds_unit
from rothamsted.report.plots.look import DASHES, PALETTE, WIDTH, legend_below
from rothamsted.report.plots.view import by_number, by_rank, condition_label, is_learning_rate, level_words, metric_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MOST_BANDS = 5  # where no number is asked for: more bands than that lie over each other
MOST_POINTS = 300  # of one drawn curve: more than a column can show


@dataclass(frozen=True, kw_only=True)
class ConditionCurve:
    """One condition along training."""

    condition: int
    label: str
    x: np.ndarray  # (point,)
    mean: np.ndarray  # (point,) finite
    low: np.ndarray  # (point,) NaN where fewer than two replicates are alive
    high: np.ndarray
    n_first: int  # replicates alive at the first point
    n_last: int  # and at the last
    n_most: int  # and where the most are; points where fewer than half of these are alive are left out


@dataclass(frozen=True, kw_only=True)
class Curves:
    """The best conditions along training, best first."""

    metric: str
    x_label: str
    curves: tuple[ConditionCurve, ...]
    n_conditions: int  # with a curve, shown or not
    is_log: bool
    level: float
    instead_of: str = ""  # the objective, where it has no curve and this metric is drawn in its place


def curves_data(analysis: Analysis, options: PlotOptions, *, axis: Axis) -> Curves:
    """Take the curves of the best ranked conditions, `options.n_series` at most.

    Args:
        analysis: What was computed.
        options: `metric` and `axis` may be given.
        axis: Used where `options.axis` is not given.

    Raises:
        NotApplicable: No curves of this metric, or none along this axis.
    """
    axis = options.axis or axis
    wanted = metric_of(analysis, options.metric)
    metric = wanted if options.metric is not None else _with_curves(analysis, wanted, axis)
    bands = {band.condition: band for band in bands_of(analysis, metric, axis)}
    conditions = by_number(analysis)
    shown = by_rank(analysis, bands)[: options.n_series or MOST_BANDS]
    size, x_label = _axis(axis, max(float(bands[number].x[-1]) for number in shown))
    curves = tuple(_curve(bands[number], condition_label(conditions[number]), size) for number in shown)
    return Curves(
        metric=named(metric),
        x_label=x_label,
        curves=curves,
        n_conditions=len(bands),
        is_log=is_spread(np.concatenate([curve.mean for curve in curves])),
        level=analysis.level,
        instead_of="" if metric == wanted else named(wanted),
    )


def _with_curves(analysis: Analysis, objective: str, axis: Axis) -> str:
    """The objective, or where it has no curve (it was measured once) the first loss or other metric that has one."""
    others = [name for name in sorted(analysis.bands) if name != objective and not is_learning_rate(name)]
    for metric in (objective, *sorted(others, key=lambda name: not name.endswith("loss"))):
        longest = max((len(band.x) for band in analysis.bands.get(metric, {}).get(axis, ())), default=0)
        if longest > 1 and any(np.isfinite(band.mean).sum() > 1 for band in analysis.bands[metric][axis]):
            return metric
    return objective


def bands_of(analysis: Analysis, metric: str, axis: Axis) -> list[Band]:
    """Return the bands with a finite mean and a finite x somewhere, cut to those points.

    Raises:
        NotApplicable: There is none; the text names the metrics and axes that there are.
    """
    if metric not in analysis.bands:
        known = ", ".join(named(name) for name in sorted(analysis.bands)) or "none"
        raise NotApplicable(f"no curves of {named(metric)} were read; curves read: {known}")
    kept = []
    for band in analysis.bands[metric].get(axis, ()):
        is_finite = np.isfinite(band.mean) & np.isfinite(band.x)
        if is_finite.any():
            parts = {name: getattr(band, name)[is_finite] for name in ("x", "mean", "low", "high", "n")}
            kept.append(Band(condition=band.condition, **parts))
    if not kept:
        axes = (
            ", ".join(str(a) for a, found in analysis.bands[metric].items() if any(len(b.x) for b in found)) or "none"
        )
        raise NotApplicable(f"no finite curve of {named(metric)} by {axis}; axes with curves: {axes}")
    if max(len(band.x) for band in kept) < 2:
        raise NotApplicable(f"{named(metric)} was measured at one {axis} only: a point, not a curve")
    return kept


def _axis(axis: Axis, most: float) -> tuple[float, str]:
    if axis == "seconds":
        size, unit = seconds_unit(most)
        return size, f"training time ({unit})"
    return 1.0, axis


def _curve(band: Band, label: str, size: float) -> ConditionCurve:
    is_most = 2 * band.n >= band.n.max()  # a lone late replicate is no mean: its start would look like a relapse
    points = np.flatnonzero(is_most)
    kept = points[thinned(len(points))]
    return ConditionCurve(
        condition=band.condition,
        label=label,
        x=band.x[kept] / size,
        mean=band.mean[kept],
        low=band.low[kept],
        high=band.high[kept],
        n_first=int(band.n[0]),
        n_last=int(band.n[-1]),
        n_most=int(band.n.max()),
    )


def thinned(n_points: int, most: int = MOST_POINTS) -> np.ndarray:
    """Return the indices of at most so many points, evenly spaced, the first and the last among them."""
    if n_points <= most:
        return np.arange(n_points)
    return np.unique(np.linspace(0, n_points - 1, most).round().astype(int))


def curves_draw(data: Curves, figure: Figure) -> None:
    """Draw means as lines over pale bands, whole on the left and the last half on the right; the best is on top."""
    figure.set_size_inches(WIDTH, 3.1 + 0.16 * len(data.curves))
    start = last_half(data)
    panels = figure.subplots(1, 1 if start is None else 2, squeeze=False)[0]
    handles = _draw_panel(panels[0], data, -math.inf)
    panels[0].set_ylabel(data.metric)
    if start is not None:
        _draw_panel(panels[1], data, start)
        panels[1].set_title("the last half")
    legend_below(figure, handles, [curve.label for curve in data.curves])


def last_half(data: Curves) -> float | None:
    """Return where the last half of the longest curve begins; None where no curve has three points there."""
    start = max(float(curve.x[-1]) for curve in data.curves) / 2
    return start if any((curve.x >= start).sum() >= 3 for curve in data.curves) else None


def _draw_panel(axes: Axes, data: Curves, start: float) -> list[Line2D]:
    handles, cut = [], [_from(curve, start) for curve in data.curves]
    for i, curve in reversed(list(enumerate(cut))):
        floor = curve.mean[curve.mean > 0].min() / 10 if data.is_log and len(curve.x) else -math.inf
        low = np.maximum(curve.low, floor)
        axes.fill_between(curve.x, low, curve.high, color=PALETTE[i], alpha=0.16, linewidth=0, zorder=2 - i * 0.01)
        handles += axes.plot(curve.x, curve.mean, color=PALETTE[i], linestyle=DASHES[i], zorder=4 - i * 0.01)
    axes.set_xlabel(data.x_label)
    draw_values(axes, "x", np.concatenate([curve.x for curve in cut]), is_log=False, margin=0.02)
    draw_values(axes, "y", _range(cut, is_log=data.is_log), is_log=data.is_log)
    return handles[::-1]


def _from(curve: ConditionCurve, start: float) -> ConditionCurve:
    kept = curve.x >= start
    parts = {name: getattr(curve, name)[kept] for name in ("x", "mean", "low", "high")}
    return replace(curve, **parts)


def _range(curves: Sequence[ConditionCurve], *, is_log: bool) -> np.ndarray:
    """All means, and the ends of bands that do not reach far beyond them: a wide band of two must not flatten all."""
    means = np.concatenate([curve.mean for curve in curves])
    ends = np.concatenate([end for curve in curves for end in (curve.low, curve.high)])
    if is_log:
        return np.concatenate([means, ends[(ends > means.min() / 3) & (ends < means.max() * 3)]])
    spread = means.max() - means.min()
    widths = np.concatenate([curve.high - curve.low for curve in curves])
    reach = max(0.35 * spread, float(np.nanmedian(widths)) if np.isfinite(widths).any() else 0.0)
    return np.concatenate([means, ends[(ends > means.min() - reach) & (ends < means.max() + reach)]])


def curves_caption(data: Curves) -> str:
    """Say how many are shown, what bands are, and how many replicates are alive."""
    rest = data.n_conditions - len(data.curves)
    lost = [curve for curve in data.curves if curve.n_last < curve.n_first]
    has_band = any(np.isfinite(curve.low).any() for curve in data.curves)
    first = sorted({curve.n_most for curve in data.curves})
    is_cut = any(2 * min(curve.n_first, curve.n_last) < curve.n_most for curve in data.curves)
    n = f"{first[0]}" if len(first) == 1 else f"{first[0]} to {first[-1]}"
    shown = f"The best {len(data.curves)} of {words(data.n_conditions, 'condition')} with curves" if rest else ""
    return joined(
        [
            f"{data.instead_of} has no curve, so {data.metric} is drawn in its place" if data.instead_of else "",
            f"{shown or words(len(data.curves), 'condition')}; means over {n} replicates"
            + (
                f" with {level_words(data.level)} at each point, not for whole curves" if has_band else "; no intervals"
            ),
            f"{words(len(lost), 'curve')} of these lost replicates on the way" if lost else "",
            "A curve is drawn where at least half of its replicates have a value" if is_cut else "",
            "Logarithmic vertical axis" if data.is_log else "",
        ]
    )


BY_STEP = Plot(
    title="Learning curves by step",
    data=partial(curves_data, axis="step"),
    draw=curves_draw,
    caption=curves_caption,
)
BY_SECONDS = Plot(
    title="Learning curves by training time",
    data=partial(curves_data, axis="seconds"),
    draw=curves_draw,
    caption=curves_caption,
)
