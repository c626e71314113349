"""Draw parallel coordinates: one line for each condition, through its factor values to its score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rothamsted.analysis.values import Analysis
from rothamsted.reporting.plots.axes import FactorAxis, factor_axis, log_ticks
from rothamsted.reporting.plots.contract import NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.labels import distinct_numbers, in_two_lines, named, shorten
from rothamsted.reporting.plots.look import GREY, SMALL, share_of_width, sized
from rothamsted.reporting.plots.value_axis import value_axis
from rothamsted.reporting.plots.view import (
    ABSENT,
    better_of,
    by_number,
    leading,
    level_keys,
    metric_label,
    metric_of,
    reduced_label,
    scores,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_AXES = 7
MOST_CONDITIONS = 300
ABSENT_PLACE = -0.12  # below the axis: the factor does not apply


@dataclass(frozen=True, kw_only=True)
class Vertical:
    """Holds one vertical axis, from 0 at the bottom to 1 at the top."""

    name: str
    ticks: tuple[float, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Parallel:
    """Holds lines through the axes of factors, and last that of the metric."""

    verticals: tuple[Vertical, ...]
    lines: np.ndarray  # (condition, axis) in [0, 1]; ABSENT_PLACE where a factor does not apply; best condition last
    shade: np.ndarray  # (condition,) 0 worst, 1 best, by rank
    n_conditions: int  # with a mean and a rank, shown or not
    centre: str  # what stands for a condition over its seeds
    n_left_out: int  # conditions without a rank
    n_factors: int
    has_absent: bool
    metric: str


def parallel_data(analysis: Analysis, options: PlotOptions) -> Parallel:
    """Place every ranked condition on the axes of the leading factors.

    Raises:
        NotApplicable: Fewer than two factors vary, or fewer than three conditions have a rank.
    """
    metric = metric_of(analysis, options.metric)
    factors = leading(analysis)
    if len(factors) < 2:
        raise NotApplicable("parallel coordinates need two factors; here one varies: the plot 'trends' shows it")
    known = scores(analysis, metric)
    ranked = [number for number in analysis.ranking if number in known]
    if len(ranked) < 3:
        raise NotApplicable(f"parallel coordinates need three conditions with a rank; there are {len(ranked)}")
    chosen, shown = factors[: MOST_AXES - 1], ranked[:MOST_CONDITIONS]
    conditions = by_number(analysis)
    verticals, columns = [], []
    for factor in chosen:
        axis, keys = factor_axis(factor), level_keys(factor, conditions)
        vertical, scale = _vertical(axis)
        verticals.append(vertical)
        columns.append([ABSENT_PLACE if keys[n] is ABSENT else scale(axis.position(keys[n])) for n in shown])
    means = np.array([known[number].mean for number in shown])
    is_log = value_axis(means, better_of(analysis, metric)).is_log
    vertical, places = _metric_vertical(metric_label(analysis, metric), means, is_log=is_log)
    lines = np.array([*columns, places]).T[::-1]
    return Parallel(
        verticals=(*verticals, vertical),
        lines=lines,
        shade=np.linspace(0, 1, len(shown)) if len(shown) > 1 else np.ones(1),
        n_conditions=len(ranked),
        n_left_out=len(conditions) - len(ranked),
        n_factors=len(factors),
        has_absent=bool((lines == ABSENT_PLACE).any()),
        metric=reduced_label(analysis, metric),
        centre=analysis.over_words if metric == analysis.dataset.objective.metric else "mean",
    )


def _vertical(axis: FactorAxis) -> tuple[Vertical, Any]:
    """Make the axis of a factor, and the function from a position to its height."""
    places = axis.places
    low, high = min(places), max(places)
    if axis.kind == "log":

        def scale(x: float) -> float:
            return float(np.log(x / low) / np.log(high / low))

        ticks = places if len(places) <= 7 else log_ticks(low, high)
    else:

        def scale(x: float) -> float:
            return (x - low) / (high - low)

        ticks = places if axis.kind == "category" or len(places) <= 7 else [low, (low + high) / 2, high]
    ticks = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)] or [low, high]
    labels = [axis.labels[places.index(t)] for t in ticks] if axis.kind == "category" else distinct_numbers(ticks)
    stride = -(-len(ticks) // 12)
    kept = slice(None, None, stride)
    ticks, labels = ticks[kept], labels[kept]
    return Vertical(name=axis.name, ticks=tuple(scale(t) for t in ticks), labels=tuple(labels)), scale


def _metric_vertical(label: str, means: np.ndarray, *, is_log: bool) -> tuple[Vertical, list[float]]:
    low, high = float(means.min()), float(means.max())
    if low == high:
        return Vertical(name=label, ticks=(0.5,), labels=(distinct_numbers([low])[0],)), [0.5] * len(means)
    if is_log:
        places = np.log(means / low) / np.log(high / low)
        ticks = [low, *[t for t in log_ticks(low, high) if low * 1.6 < t < high / 1.6], high]
        heights = [float(np.log(t / low) / np.log(high / low)) for t in ticks]
    else:
        places = (means - low) / (high - low)
        ticks = list(np.linspace(low, high, 5))
        heights = list(np.linspace(0, 1, 5))
    return Vertical(name=label, ticks=tuple(heights), labels=tuple(distinct_numbers(ticks))), places.tolist()


def parallel_draw(data: Parallel, figure: Figure) -> None:
    """Draw the lines, the best on top, coloured by rank, over one vertical line for each axis."""
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection

    sized(figure, 3.8)
    axes = figure.subplots()
    n_axes = len(data.verticals)
    x = np.arange(n_axes, dtype=float)
    crowd = min(1.0, 40 / len(data.lines))
    colours = colormaps["viridis"](0.95 * (1 - data.shade))  # the best darkest: yellow is pale on white
    colours[:, 3] = np.clip(0.25 + 0.75 * np.maximum(data.shade**3, crowd), 0, 1)
    widths = 0.7 + 1.1 * data.shade**4
    segments = [np.column_stack([x, line]) for line in data.lines]
    axes.add_collection(LineCollection(segments, colors=[tuple(c) for c in colours], linewidths=widths.tolist()))
    for i, vertical in enumerate(data.verticals):
        axes.plot([i, i], [0, 1], color="#404040", linewidth=1, zorder=5)
        _write_ticks(axes, i, vertical)
        text = in_two_lines(vertical.name, int(84 * share_of_width(figure)) // n_axes)
        axes.text(i, 1.07, text, ha=("left" if i == 0 else "right" if i == n_axes - 1 else "center"), va="bottom")
        if data.has_absent and (data.lines[:, i] == ABSENT_PLACE).any():
            axes.text(i, ABSENT_PLACE - 0.03, "not used", ha="center", va="top", fontsize=SMALL, color=GREY)
    axes.set_xlim(-0.25, n_axes - 1 + 0.4)
    axes.set_ylim((ABSENT_PLACE - 0.12) if data.has_absent else -0.05, 1.16)
    axes.set_axis_off()


def _write_ticks(axes: Any, i: int, vertical: Vertical) -> None:
    ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.9, "pad": 0.6}
    for height, label in zip(vertical.ticks, vertical.labels, strict=True):
        axes.plot([i, i + 0.03], [height, height], color="#404040", linewidth=0.8, zorder=5)
        axes.text(i + 0.05, height, shorten(label, 14), ha="left", va="center", fontsize=SMALL, bbox=ground, zorder=6)


def parallel_caption(data: Parallel) -> str:
    """Say what colours mean and what is not shown."""
    rest, hidden = data.n_conditions - len(data.lines), data.n_factors - (len(data.verticals) - 1)
    return joined(
        [
            f"One line a condition, through its factor values to its {data.centre} {named(data.metric)}; "
            "dark and on top: best rank",
            f"The best {len(data.lines)} of {data.n_conditions} are shown" if rest else "",
            f"{data.n_factors - hidden} of {data.n_factors} factors are shown" if hidden else "",
            "Lines that dip below an axis: the factor does not apply there" if data.has_absent else "",
            f"{words(data.n_left_out, 'condition')} without a rank left out" if data.n_left_out else "",
        ]
    )


PLOT = Plot(title="Parallel coordinates", data=parallel_data, draw=parallel_draw, caption=parallel_caption)
