"""Draw a scatter plot: every replicate, and the mean of its condition, against each factor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rothamsted.analysis.values import Analysis, Factor
from rothamsted.reporting.plots.axes import FactorAxis, draw_factor, factor_axis
from rothamsted.reporting.plots.contract import NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.labels import named
from rothamsted.reporting.plots.look import BLUE, GREY, PALE, RED, interval_bars, sized
from rothamsted.reporting.plots.value_axis import ValueAxis, draw_value_axis, mark_beyond, value_axis
from rothamsted.reporting.plots.view import (
    ABSENT,
    better_of,
    by_number,
    factor_named,
    leading,
    level_keys,
    metric_label,
    metric_of,
    replicate_words,
    scores,
    searched,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS = 6
MOST_BARS = 60  # conditions: with more, bars are a hedge that hides the points
MOST_SHAPES = 1_500  # points of a panel; more are drawn as one picture
SPREAD = 0.12  # half the width over which replicates of one category are laid out


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Holds one factor."""

    axis: FactorAxis
    x: np.ndarray  # (replicate,)
    y: np.ndarray  # (replicate,) finite
    x_lost: np.ndarray  # (replicate,) those that diverged
    x_mean: np.ndarray  # (condition,)
    mean: np.ndarray  # (condition,)
    low: np.ndarray  # (condition,) NaN without an interval
    high: np.ndarray
    n_absent: int  # conditions with a mean to which the factor does not apply


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """Holds one panel a factor."""

    label: str
    panels: tuple[Panel, ...]
    n_factors: int
    values: ValueAxis
    n_lost: int  # replicates without a finite value
    points: str


def scatter_data(analysis: Analysis, options: PlotOptions) -> Scatter:
    """Put replicates and condition means against the factor asked for, or against the six leading ones.

    Raises:
        NotApplicable: Nothing varies, or nothing has a finite value.
    """
    metric = metric_of(analysis, options.metric)
    factors = leading(analysis)
    chosen = [factor_named(analysis, options.x)] if options.x is not None else factors[:MOST_PANELS]
    values = _replicate_values(analysis, metric)
    if not any(math.isfinite(value) for _, value, _ in values):
        raise NotApplicable(f"no replicate has a finite {named(metric)}")
    known = scores(analysis, metric)
    finite = [value for _, value, _ in values if math.isfinite(value)]
    ends = [np.array([(score.low, score.high) for score in known.values()])]
    return Scatter(
        label=metric_label(analysis, metric),
        panels=tuple(_panel(analysis, factor, metric, values) for factor in chosen),
        n_factors=len(factors),
        values=value_axis(finite, better_of(analysis, metric), ends if len(known) <= MOST_BARS else ()),
        n_lost=len(values) - len(finite),
        points=replicate_words(analysis, metric, known),
    )


def _replicate_values(analysis: Analysis, metric: str) -> list[tuple[int, float, bool]]:
    """Return condition, value and whether it diverged, of each replicate of the search."""
    is_objective = metric == analysis.dataset.objective.metric
    found = []
    for replicate in searched(analysis):
        value = replicate.objective if is_objective else replicate.metrics.get(metric, math.nan)
        has_score = replicate.outcome == "finished"
        found.append((replicate.condition, value if has_score else math.nan, replicate.outcome == "diverged"))
    return found


def _panel(analysis: Analysis, factor: Factor, metric: str, values: list[tuple[int, float, bool]]) -> Panel:
    axis, keys = factor_axis(factor), level_keys(factor, by_number(analysis))
    known = {number: score for number, score in scores(analysis, metric).items() if keys[number] is not ABSENT}
    present = [(axis.position(keys[c]), value, lost) for c, value, lost in values if keys[c] is not ABSENT]
    finite = [(x, value) for x, value, _ in present if math.isfinite(value)]
    marks = [known[number] for number in sorted(known)]
    return Panel(
        axis=axis,
        x=np.array([x for x, _ in finite], dtype=float),
        y=np.array([value for _, value in finite], dtype=float),
        x_lost=np.array([x for x, _, lost in present if lost], dtype=float),
        x_mean=np.array([axis.position(keys[mark.condition]) for mark in marks], dtype=float),
        mean=np.array([mark.mean for mark in marks], dtype=float),
        low=np.array([mark.low for mark in marks], dtype=float),
        high=np.array([mark.high for mark in marks], dtype=float),
        n_absent=len(scores(analysis, metric)) - len(known),
    )


def scatter_draw(data: Scatter, figure: Figure) -> None:
    """Draw panels, three in each row, on one vertical axis."""
    n = len(data.panels)
    n_columns = 1 if n == 1 else (2 if n in (2, 4) else 3)
    n_rows = math.ceil(n / n_columns)
    sized(figure, 0.5 + 2.4 * n_rows + (0.5 if n == 1 else 0))
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for i, axes in enumerate(grid.ravel()):
        if i >= n:
            axes.set_visible(False)
            continue
        _draw_panel(axes, data.panels[i])
        draw_value_axis(axes, "y", data.values)
        mark_beyond(axes, data.values, data.panels[i].x, data.panels[i].y, color=GREY)
        if i % n_columns == 0:
            axes.set_ylabel(data.label)


def _draw_panel(axes: Any, panel: Panel) -> None:
    from matplotlib.transforms import ScaledTranslation

    x, x_mean, size = panel.x, panel.x_mean, 12.0 if len(panel.x) < 300 else 7.0
    if panel.axis.kind == "category":
        x, x_mean = _laid_out(x, -SPREAD), _laid_out(x_mean, SPREAD)
    beside = axes.transData
    if panel.axis.kind != "category":  # beside the means of their conditions, not under them
        beside = beside + ScaledTranslation(-4 / 72, 0, axes.figure.dpi_scale_trans)
    is_picture = len(x) > MOST_SHAPES  # a shape each would make the page megabytes
    axes.scatter(x, panel.y, s=size, color=PALE, linewidths=0, zorder=2, transform=beside, rasterized=is_picture)
    if len(panel.mean) <= MOST_BARS:
        interval_bars(axes, x_mean, (panel.mean, panel.low, panel.high), color=BLUE, capsize=0, zorder=3)
    axes.plot(x_mean, panel.mean, "o", color=BLUE, markersize=3.2, zorder=4, rasterized=is_picture)
    draw_factor(axes, "x", panel.axis)
    if len(panel.x_lost):
        top, above = np.full(len(panel.x_lost), 1.03), axes.get_xaxis_transform()
        axes.plot(panel.x_lost, top, "x", color=RED, markersize=4.5, transform=above, clip_on=False, zorder=5)


def _laid_out(places: np.ndarray, shift: float) -> np.ndarray:
    """Lay points of one category side by side around `shift`, in their order."""
    moved = places.copy()
    for place in np.unique(places):
        at = np.flatnonzero(places == place)
        offsets = np.linspace(-SPREAD, SPREAD, len(at)) * 0.8 if len(at) > 1 else np.zeros(1)
        moved[at] = place + shift * 1.2 + offsets
    return moved


def scatter_caption(data: Scatter) -> str:
    """Say what the points are and what is not shown."""
    rest = data.n_factors - len(data.panels)
    absent = [f"{named(p.axis.name)} ({p.n_absent})" for p in data.panels if p.n_absent]
    n_means = max(len(panel.mean) for panel in data.panels)
    bars = f"; bars are left out, there are {n_means} means" if n_means > MOST_BARS else ""
    return joined(
        [
            f"Grey: replicates. Blue: conditions. {data.points}{bars}",
            "Red crosses above: replicates that diverged" if any(len(panel.x_lost) for panel in data.panels) else "",
            f"{words(data.n_lost, 'replicate')} without a finite value" if data.n_lost else "",
            f"Conditions to which a factor does not apply are not in its panel: {', '.join(absent)}" if absent else "",
            f"{len(data.panels)} of {data.n_factors} factors are shown" if rest and len(data.panels) > 1 else "",
            data.values.words,
        ]
    )


PLOT = Plot(title="Every replicate against each factor", data=scatter_data, draw=scatter_draw, caption=scatter_caption)
