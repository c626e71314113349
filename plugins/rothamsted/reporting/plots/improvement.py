"""Draw the probability that the best condition over tasks beats each other one on the same task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rothamsted.analysis.values import Analysis
from rothamsted.reporting.plots.axes import set_ticks
from rothamsted.reporting.plots.contract import NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.labels import percent, wrapped
from rothamsted.reporting.plots.look import BLUE, WIDTH, interval_bars
from rothamsted.reporting.plots.task_profiles import tasks_of
from rothamsted.reporting.plots.view import by_number, condition_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 25


@dataclass(frozen=True, kw_only=True)
class Improvements:
    """Holds the comparisons of the best condition with each other one, best first."""

    first: str
    labels: tuple[str, ...]
    probability: np.ndarray  # (row,)
    low: np.ndarray  # (row,) NaN without an interval
    high: np.ndarray
    n_tasks: int
    n_rows: int
    level: float


def improvement_data(analysis: Analysis, options: PlotOptions) -> Improvements:
    """Take the probabilities of the best condition against the next 25 at most.

    Raises:
        NotApplicable: Fewer than two conditions are compared over tasks, or their scores have no scale.
    """
    found = tasks_of(analysis)
    if not found.improvements:
        raise NotApplicable("the scores of the tasks have no common scale")
    conditions, shown = by_number(analysis), found.improvements[:MOST_ROWS]
    return Improvements(
        first=condition_label(conditions[shown[0].first]),
        labels=tuple(condition_label(conditions[one.second]) for one in shown),
        probability=np.array([one.probability.estimate for one in shown]),
        low=np.array([one.probability.low for one in shown]),
        high=np.array([one.probability.high for one in shown]),
        n_tasks=len(found.scored),
        n_rows=len(found.improvements),
        level=analysis.level,
    )


def improvement_draw(data: Improvements, figure: Figure) -> None:
    """Draw one row for each condition, with a line at one half."""
    n = len(data.labels)
    names = [wrapped(label) for label in data.labels]
    row = 0.36 if any("\n" in name for name in names) else 0.26
    figure.set_size_inches(WIDTH, 1.3 + row * n)
    axes, rows = figure.subplots(), np.arange(n, dtype=float)
    interval_bars(axes, rows, (data.probability, data.low, data.high), color=BLUE, is_flat=True)
    axes.plot(data.probability, rows, "o", color=BLUE, zorder=3)
    axes.axvline(0.5, color="#202020", linewidth=1)
    axes.set_xlim(-0.02, 1.02)
    set_ticks(axes.xaxis, [0.0, 0.25, 0.5, 0.75, 1.0], -0.02, 1.02)
    axes.set_ylim(n - 0.4, -0.6)
    axes.set_yticks(rows, labels=names)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(
        f"probability that a replicate of {wrapped(data.first, 40)}\nbeats one of this condition on the same task"
    )


def improvement_caption(data: Improvements) -> str:
    """Say what the probability is, and what its interval is conditional on."""
    has_bars = np.isfinite(data.low).any()
    return joined(
        [
            f"Averaged over {words(data.n_tasks, 'task')}; ties count half; one half means no difference",
            f"Bars: {percent(data.level)}, replicates drawn again within each task, not corrected for the number of "
            "rows; the condition that looked best was picked, so its probabilities are optimistic"
            if has_bars
            else "No bars: some task has one replicate only",
            f"The first {len(data.labels)} of {data.n_rows} rows" if len(data.labels) < data.n_rows else "",
        ]
    )


PLOT = Plot(
    title="Probability of improvement over tasks",
    data=improvement_data,
    draw=improvement_draw,
    caption=improvement_caption,
)
