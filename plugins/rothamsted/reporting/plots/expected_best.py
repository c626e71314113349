"""Draw how good the best of k random conditions is expected to be: the result of a search at each budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rothamsted.analysis.search_scores import curves_of, search_of
from rothamsted.analysis.values import Analysis
from rothamsted.reporting.plots.axes import draw_values, is_spread
from rothamsted.reporting.plots.contract import MOST_SERIES, NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.labels import named, percent
from rothamsted.reporting.plots.look import DASHES, PALETTE, WIDTH, legend_below
from rothamsted.reporting.plots.view import metric_label
from rothamsted.statistics.expected_best import BAND, ExpectedBest

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class BestByBudget:
    """Holds curves of the searches that can have one."""

    metric: str
    labels: tuple[str, ...]
    curves: tuple[ExpectedBest, ...]
    without: tuple[str, ...]  # searches without a curve, with the reason


def best_data(analysis: Analysis, options: PlotOptions) -> BestByBudget:
    """Take the searches that are compared, else the one that is reported.

    Raises:
        NotApplicable: No search drew its conditions at random.
    """
    dataset = analysis.dataset
    searches = dataset.searches or (search_of(dataset),)
    curves, without = curves_of(searches, dataset.objective.direction)
    if not curves:
        raise NotApplicable("; ".join(dict.fromkeys(without.values())))
    return BestByBudget(
        metric=metric_label(analysis, dataset.objective.metric),
        labels=tuple(curves)[:MOST_SERIES],
        curves=tuple(curves.values())[:MOST_SERIES],
        without=tuple(f"{named(name)}: {why}" for name, why in without.items()),
    )


def best_draw(data: BestByBudget, figure: Figure) -> None:
    """Draw a line for each search, and the band in which the best of most choices lies."""
    figure.set_size_inches(WIDTH, 3.5)
    axes = figure.subplots()
    handles = []
    for i, one in enumerate(data.curves):
        axes.fill_between(one.budgets, one.low, one.high, color=PALETTE[i], alpha=0.13, linewidth=0)
        handles += axes.plot(one.budgets, one.expected, color=PALETTE[i], linestyle=DASHES[i])
    # One condition alone may be far off: the axis is that of the curves, where the band may leave it.
    falls = data.curves[0].expected[-1] < data.curves[0].expected[0]
    ends = np.concatenate([part for one in data.curves for part in (one.low if falls else one.high, one.expected)])
    budgets = np.concatenate([one.budgets for one in data.curves])
    draw_values(axes, "x", budgets, is_log=bool(budgets.max() > 10), margin=0.02)
    draw_values(axes, "y", ends, is_log=is_spread(ends))
    axes.set_xlabel("conditions tried")
    axes.set_ylabel(f"expected best {data.metric}")
    if len(data.labels) > 1:
        legend_below(figure, handles, data.labels)


def best_caption(data: BestByBudget) -> str:
    """Say what is expected over what, and that it is optimistic."""
    n_without = sum(one.n_without for one in data.curves)
    return joined(
        [
            "Mean over all choices of k of the conditions that were tried; the band holds the best of the middle "
            f"{percent(BAND)} of these choices (it is not a confidence interval)",
            "Means are the search's own, so the best one is optimistic",
            f"{words(n_without, 'condition')} without a score counted as the worst" if n_without else "",
            *(f"Without a curve: {one}" for one in data.without),
        ]
    )


PLOT = Plot(title="Expected best by budget", data=best_data, draw=best_draw, caption=best_caption)
