"""Draw trends: the metric against one factor, one line for each level of another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rothamsted.analysis.values import Analysis
from rothamsted.reporting.plots.axes import draw_factor
from rothamsted.reporting.plots.contract import NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.crossing import Line, Lines, axis_and_group, lines_of, over_words
from rothamsted.reporting.plots.labels import named
from rothamsted.reporting.plots.look import MARKERS, interval_bars, legend_below, series_colours, sized
from rothamsted.reporting.plots.value_axis import ValueAxis, draw_value_axis, mark_beyond, note_beyond, value_axis
from rothamsted.reporting.plots.view import better_of, metric_label, metric_of, replicate_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Trends:
    """Holds lines of one metric."""

    label: str  # of the metric
    lines: Lines
    values: ValueAxis  # the metric's axis
    points: str  # what points and bars are


def trends_data(analysis: Analysis, options: PlotOptions) -> Trends:
    """Collect the scores along one factor; see `lines_of` for the choice and the reasons not to apply."""
    metric = metric_of(analysis, options.metric)
    lines = lines_of(analysis, options, metric)
    means = np.concatenate([line.mean for line in lines.lines])
    ends = [end for line in lines.lines for end in (line.low, line.high)]
    shown = [number for line in lines.lines for number in line.conditions]
    return Trends(
        label=metric_label(analysis, metric),
        lines=lines,
        values=value_axis(means, better_of(analysis, metric), ends),
        points=replicate_words(analysis, metric, shown),
    )


def trends_across_data(analysis: Analysis, options: PlotOptions) -> Trends:
    """Collect the same scores along the factor that makes the lines of `trends`, one line for each level of the other.

    Raises:
        NotApplicable: There is no second factor, or its levels have no order.
    """
    x, group = axis_and_group(analysis, options)
    if group is None:
        raise NotApplicable(f"{named(x.name)} alone varies")
    if not group.is_numeric:
        raise NotApplicable(f"the levels of {named(group.name)} have no order to run along")
    return trends_data(analysis, replace(options, x=group.name, group=x.name))


def trends_draw(data: Trends, figure: Figure) -> None:
    """Draw points joined by lines, with interval bars; open points lost some of their replicates."""
    sized(figure, 3.6)
    axes = figure.subplots()
    handles = draw_lines(axes, data.lines)
    axes.set_ylabel(data.label)
    draw_value_axis(axes, "y", data.values)
    for line, handle in zip(data.lines.lines, handles, strict=True):
        mark_beyond(axes, data.values, line.x, line.mean, color=handle.get_color())
    note_beyond(axes, data.values)
    if data.lines.group is not None:
        legend_below(figure, handles, [line.label for line in data.lines.lines], data.lines.group.name)


def draw_lines(axes: Any, lines: Lines) -> list[Any]:
    """Draw every line with its bars and set the x axis; returns the handles for a legend."""
    is_ordered = lines.group is not None and lines.group.kind != "category"
    colours = series_colours(len(lines.lines), is_ordered=is_ordered)
    handles = []
    for i, (line, colour) in enumerate(zip(lines.lines, colours, strict=True)):
        marker = MARKERS[i % len(MARKERS)]
        (handle,) = axes.plot(line.x, line.mean, color=colour, marker=marker, zorder=3)
        draw_partial(axes, line, colour, marker)
        interval_bars(axes, line.x, (line.mean, line.low, line.high), color=colour, zorder=2.5)
        handles.append(handle)
    draw_factor(axes, "x", lines.x)
    return handles


def draw_partial(axes: Any, line: Line, colour: Any, marker: str) -> None:
    """Draw points that lost some of their replicates open."""
    if line.is_partial.any():
        x, mean = line.x[line.is_partial], line.mean[line.is_partial]
        axes.plot(x, mean, marker, color=colour, markerfacecolor="white", zorder=3.5)


def trends_caption(data: Trends) -> str:
    """Say what points and bars are, how the other factors are handled, and what is not shown."""
    return joined([data.points, *lines_words(data.lines), data.values.words])


def lines_words(lines: Lines) -> list[str]:
    """Say what a figure of lines leaves out, and what its open points are."""
    name = named(lines.x.name)
    left_out = lines.n_lines - len(lines.lines)
    group = named(lines.group.name) if lines.group is not None else ""
    either = f"{name} or {group}" if group else name
    return [
        over_words(lines.others, lines.over),
        f"{len(lines.lines)} of {lines.n_lines} levels of {group} are shown, evenly spaced" if left_out else "",
        "Open points: some replicates diverged or failed; the mean is that of the others"
        if any(line.is_partial.any() for line in lines.lines)
        else "",
        f"Left out: {lines.unscored}" if lines.n_unscored else "",
        f"{words(lines.n_outside, 'condition')} to which {either} does not apply left out" if lines.n_outside else "",
    ]


PLOT = Plot(title="Trends", data=trends_data, draw=trends_draw, caption=trends_caption)
ACROSS = Plot(title="Trends, the other way round", data=trends_across_data, draw=trends_draw, caption=trends_caption)
