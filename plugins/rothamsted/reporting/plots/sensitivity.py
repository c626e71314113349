"""Draw scale sensitivity: how sharp the optimum along one factor is, and whether it moves along another.

Each line is shown relative to its own best, so that lines of different height can be compared. Wortsman et al. (2023),
arXiv:2309.14322, compare the loss at a rate with the best loss over all rates, for each scale.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rothamsted.analysis.independent import independent
from rothamsted.analysis.ranking import by_seed, is_paired
from rothamsted.analysis.values import Analysis
from rothamsted.reporting.plots.axes import FactorAxis, draw_factor
from rothamsted.reporting.plots.contract import NotApplicable, Plot, PlotOptions, joined
from rothamsted.reporting.plots.crossing import Line, Lines, lines_of
from rothamsted.reporting.plots.labels import named, percent
from rothamsted.reporting.plots.look import GREY, MARKERS, interval_bars, legend_below, series_colours, sized
from rothamsted.reporting.plots.trends import draw_partial, lines_words
from rothamsted.reporting.plots.value_axis import ValueAxis, draw_value_axis, mark_beyond, note_beyond, value_axis
from rothamsted.reporting.plots.view import is_lower_better, metric_label, metric_of, replicate_words
from rothamsted.statistics import compare_with_best

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """Says where one line is best."""

    group: float  # where the line's level lies on the axis of the group
    best: float  # where along x
    first: float  # lowest x, next to each other, that cannot be ruled out as the best of the line
    last: float  # highest such x


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Holds lines relative to their own best, and where that best is."""

    label: str  # of the vertical axis
    lines: Lines  # mean, low and high relative to the line's own best
    values: ValueAxis
    is_ratio: bool
    group: FactorAxis
    optima: tuple[Optimum, ...]  # one a line
    points: str
    level: float  # of the stretches


def sensitivity_data(analysis: Analysis, options: PlotOptions) -> Sensitivity:
    """Relate each line to its own best point: by ratio where all means are positive and minimised, else by difference.

    Raises:
        NotApplicable: No second factor, or fewer than three levels along the first, or one that is not a number.
    """
    metric = metric_of(analysis, options.metric)
    if metric != analysis.dataset.objective.metric:
        raise NotApplicable(f"a best point needs a direction, and only the objective has one, not {named(metric)}")
    lines = lines_of(analysis, options, metric)
    if lines.group is None:
        raise NotApplicable("sensitivity needs two factors; here one varies: the plot 'trends' shows it")
    name = named(lines.x.name)
    if lines.x.kind == "category" or len(lines.x.keys) < 3:
        raise NotApplicable(f"sensitivity needs a number with three levels along x; {name} is not one")
    lower = is_lower_better(analysis)
    ends = np.concatenate([line.mean for line in lines.lines])
    is_ratio = lower and bool((ends > 0).all())
    relative = tuple(_relative(line, lower, is_ratio) for line in lines.lines)
    group = lines.group
    optima = tuple(
        _optimum(line, _can_be_best(analysis, line, options), group.places[group.labels.index(line.label)], lower)
        for line in lines.lines
    )
    label = metric_label(analysis, metric)
    return Sensitivity(
        label=f"{label}\n{'relative to' if is_ratio else 'short of'} the best of its line",
        lines=replace(lines, lines=relative),
        values=value_axis(
            np.concatenate([line.mean for line in relative]),
            "lower",
            [end for line in relative for end in (line.low, line.high)],
            is_ratio=is_ratio,
        ),
        is_ratio=is_ratio,
        group=group,
        optima=optima,
        level=analysis.level,
        points=replicate_words(analysis, metric, [number for line in lines.lines for number in line.conditions]),
    )


def _best(line: Line, lower: bool) -> int:
    return int(np.argmin(line.mean) if lower else np.argmax(line.mean))


def _relative(line: Line, lower: bool, is_ratio: bool) -> Line:
    best = line.mean[_best(line, lower)]
    if is_ratio:
        ends = (line.mean / best, line.low / best, line.high / best)
    elif lower:
        ends = (line.mean - best, line.low - best, line.high - best)
    else:
        ends = (best - line.mean, best - line.high, best - line.low)
    return replace(line, mean=ends[0], low=ends[1], high=ends[2])


def _can_be_best(analysis: Analysis, line: Line, options: PlotOptions) -> np.ndarray:
    """Which points cannot be ruled out as the best of their line, (point,), by the procedure of all verdicts."""
    dataset, numbers = analysis.dataset, list(line.conditions)
    if options.over == "mean":  # a point is then no condition, but a mean over several
        return np.zeros(len(numbers), dtype=bool)
    found = compare_with_best(
        by_seed(independent(dataset), numbers)[0],
        direction=dataset.objective.direction,
        is_paired=is_paired(independent(dataset), numbers),
        level=analysis.level,
    )
    if found is None:
        return np.zeros(len(numbers), dtype=bool)
    return np.array([row.is_in_set for row in found.rows])


def _optimum(line: Line, can_be_best: np.ndarray, group: float, lower: bool) -> Optimum:
    """Find the best x, and the stretch around it of levels that cannot be ruled out."""
    best = _best(line, lower)
    first, last = best, best
    while first > 0 and can_be_best[first - 1]:
        first -= 1
    while last < len(line.x) - 1 and can_be_best[last + 1]:
        last += 1
    return Optimum(group=group, best=float(line.x[best]), first=float(line.x[first]), last=float(line.x[last]))


def sensitivity_draw(data: Sensitivity, figure: Figure) -> None:
    """Draw the relative lines on the left, and where the best x lies at each level of the group on the right."""
    sized(figure, 3.7)
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
    colours = series_colours(len(data.lines.lines), is_ordered=data.group.kind != "category")
    handles = []
    for i, (line, colour) in enumerate(zip(data.lines.lines, colours, strict=True)):
        handles += left.plot(line.x, line.mean, color=colour, marker=MARKERS[i], zorder=3)
        draw_partial(left, line, colour, MARKERS[i])
        interval_bars(left, line.x, (line.mean, line.low, line.high), color=colour, zorder=2.5)
    left.axhline(1.0 if data.is_ratio else 0.0, color=GREY, linewidth=0.8, zorder=1)
    draw_factor(left, "x", data.lines.x)
    left.set_ylabel(data.label)
    draw_value_axis(left, "y", data.values)
    for line, colour in zip(data.lines.lines, colours, strict=True):
        mark_beyond(left, data.values, line.x, line.mean, color=colour)
    note_beyond(left, data.values)
    _draw_optima(right, data, colours)
    legend_below(figure, handles, [line.label for line in data.lines.lines], data.group.name)


def _draw_optima(axes: Any, data: Sensitivity, colours: list[Any]) -> None:
    for i, (optimum, colour) in enumerate(zip(data.optima, colours, strict=True)):
        axes.plot([optimum.group] * 2, [optimum.first, optimum.last], color=colour, linewidth=5, alpha=0.3, zorder=2)
        axes.plot([optimum.group], [optimum.best], color=colour, marker=MARKERS[i], markersize=7, zorder=3)
    axes.plot([o.group for o in data.optima], [o.best for o in data.optima], color=GREY, linewidth=0.8, zorder=1)
    draw_factor(axes, "x", data.group)
    draw_factor(axes, "y", data.lines.x, with_label=False)
    axes.set_ylabel(f"best {named(data.lines.x.name)}")


def sensitivity_caption(data: Sensitivity) -> str:
    """Say what both panels show."""
    how = "divided by that of the line's best point" if data.is_ratio else "minus that of the line's best point"
    return joined(
        [
            data.points,
            f"Left: the metric {how}; if a line is flat, {named(data.lines.x.name)} makes no difference",
            "Right: where each line is best; the pale stretch holds the neighbouring levels that cannot be ruled out "
            f"as the best of their line at {percent(data.level)}",
            *lines_words(data.lines),
            data.values.words,
        ]
    )


PLOT = Plot(title="Scale sensitivity", data=sensitivity_data, draw=sensitivity_draw, caption=sensitivity_caption)
