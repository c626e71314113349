"""Draw Demšar's diagram: conditions by mean rank over tasks, and which ones do not differ significantly.

Demšar (2006), JMLR 7, section 3.2.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rothamsted.analysis.values import Analysis
from rothamsted.reporting.plots.contract import NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.labels import number, percent, shorten
from rothamsted.reporting.plots.look import BLACK, BLUE, FONT, RED, SMALL, WIDTH
from rothamsted.reporting.plots.task_profiles import tasks_of
from rothamsted.reporting.plots.view import by_number, condition_label
from rothamsted.statistics.ranks import alike
from rothamsted.wording import p_value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SHOWN = 20
LABEL = 30  # characters
STEP = 0.24  # inches between two labels
BAR = 0.1  # inches between two bars


@dataclass(frozen=True, kw_only=True)
class RankDiagram:
    """Holds conditions by mean rank, best first."""

    labels: tuple[str, ...]
    mean_ranks: tuple[float, ...]
    groups: tuple[tuple[int, ...], ...]  # positions in `labels` of those that cannot be told apart
    critical_difference: float
    p_value: float  # of Friedman's test
    n_tasks: int
    n_compared: int
    level: float


def diagram_data(analysis: Analysis, options: PlotOptions) -> RankDiagram:
    """Take the conditions with the best mean ranks, 20 at most.

    Raises:
        NotApplicable: Fewer than two conditions are compared over tasks.
    """
    found = tasks_of(analysis)
    ranks = found.ranks
    if ranks is None or not np.isfinite(ranks.critical_difference):
        raise NotApplicable("there are no ranks over tasks")
    order = sorted(range(len(found.compared)), key=lambda i: (ranks.mean_ranks[i], found.compared[i]))[:MOST_SHOWN]
    conditions = by_number(analysis)
    means = tuple(ranks.mean_ranks[i] for i in order)
    return RankDiagram(
        labels=tuple(condition_label(conditions[found.compared[i]]) for i in order),
        mean_ranks=means,
        groups=alike(means, ranks.critical_difference),
        critical_difference=ranks.critical_difference,
        p_value=ranks.p_value,
        n_tasks=ranks.n,
        n_compared=len(found.compared),
        level=ranks.level,
    )


def diagram_draw(data: RankDiagram, figure: Figure) -> None:
    """Draw the axis of ranks, the labels on both sides, and a bar over each group that is alike."""
    n, k = len(data.labels), data.n_compared
    left = (n + 1) // 2
    depth = BAR * (len(data.groups) + 1)
    height = 0.75 + depth + STEP * left
    figure.set_size_inches(WIDTH, height + 0.15)
    axes = figure.subplots()
    axes.set_axis_off()
    pad = 0.62 * (k - 1)  # room for the labels, in ranks
    axes.set_xlim(1 - pad, k + pad)
    axes.set_ylim(-(height - 0.6), 0.65)
    axes.plot([1, k], [0, 0], color=BLACK, linewidth=1.2)
    for rank in _ticks(k):
        axes.plot([rank, rank], [0, 0.06], color=BLACK, linewidth=1)
        axes.text(rank, 0.09, str(rank), ha="center", va="bottom", fontsize=SMALL)
    _draw_difference(axes, data, k)
    for i, (label, rank) in enumerate(zip(data.labels, data.mean_ranks, strict=True)):
        is_left = i < left
        row = i if is_left else n - 1 - i
        y = -(depth + STEP * (row + 0.6))
        end = 1 - 0.06 * (k - 1) if is_left else k + 0.06 * (k - 1)
        axes.plot([rank, rank, end], [0, y, y], color=BLUE, linewidth=1)
        text = f"{shorten(label, LABEL)} (rank {number(rank)})"
        shift = -0.02 * (k - 1) if is_left else 0.02 * (k - 1)
        axes.text(end + shift, y, text, ha="right" if is_left else "left", va="center", fontsize=SMALL)
    for i, group in enumerate(data.groups):
        ends = [data.mean_ranks[group[0]], data.mean_ranks[group[-1]]]
        reach = 0.015 * (k - 1)
        y = -BAR * (i + 1)
        axes.plot([ends[0] - reach, ends[1] + reach], [y, y], color=RED, linewidth=3, solid_capstyle="butt", zorder=4)


def _draw_difference(axes: Any, data: RankDiagram, k: int) -> None:
    """Draw how long the critical difference is, above the axis."""
    end = min(1 + data.critical_difference, k + 0.6 * (k - 1))
    axes.plot([1, end], [0.42, 0.42], color=BLACK, linewidth=1.2)
    for x in (1, end):
        axes.plot([x, x], [0.38, 0.46], color=BLACK, linewidth=1.2)
    text = f"critical difference {number(data.critical_difference)}"
    axes.text((1 + end) / 2, 0.47, text, ha="center", va="bottom", fontsize=FONT)


def _ticks(k: int) -> list[int]:
    stride = max(1, -(-k // 12))
    return sorted({1, *range(1, k + 1, stride), k})


def diagram_caption(data: RankDiagram) -> str:
    """Say which test it is, and whether it found anything at all."""
    at = percent(data.level)
    least = f"{data.n_compared - 1:g}"
    none_can = data.critical_difference > data.n_compared - 1
    return joined(
        [
            f"Mean ranks of {words(data.n_compared, 'condition')} over {words(data.n_tasks, 'task')}, 1 is the best",
            "Red bars join conditions that cannot be told apart" if data.groups else "All can be told apart",
            f"Nemenyi's test of all pairs at {at}; Friedman's test that all are alike: {p_value(data.p_value)}",
            f"With so few tasks no pair can be told apart: ranks differ by {least} at most" if none_can else "",
            f"The {len(data.labels)} with the best mean ranks are shown" if len(data.labels) < data.n_compared else "",
        ]
    )


PLOT = Plot(title="Mean ranks over tasks", data=diagram_data, draw=diagram_draw, caption=diagram_caption)
