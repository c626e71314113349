"""Draw performance profiles: for each score the share of runs that are better, over all tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rothamsted.analysis.task_values import Tasks
from rothamsted.analysis.values import Analysis
from rothamsted.reporting.plots.axes import draw_values
from rothamsted.reporting.plots.contract import MOST_SERIES, NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.labels import named, percent
from rothamsted.reporting.plots.look import DASHES, PALETTE, WIDTH, legend_below
from rothamsted.reporting.plots.view import by_number, condition_label
from rothamsted.statistics.tasks import Profile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_TASK = "no factor is marked as task (task=FACTOR)"
MOST_BANDS = 3  # more bands hide each other
N_SERIES = 5


@dataclass(frozen=True, kw_only=True)
class TaskProfiles:
    """Holds profiles of the best conditions, best first."""

    metric: str
    is_lower_better: bool
    labels: tuple[str, ...]
    profiles: tuple[Profile, ...]
    n_tasks: int
    n_compared: int
    level: float
    has_bands: bool


def tasks_of(analysis: Analysis) -> Tasks:
    """Return what was compared over tasks.

    Raises:
        NotApplicable: Nothing was compared over tasks.
    """
    found = analysis.tasks
    if found is None:
        raise NotApplicable(NO_TASK)
    if len(found.compared) < 2:
        raise NotApplicable(f"{words(len(found.compared), 'condition')} can be compared over tasks, fewer than two")
    return found


def profiles_data(analysis: Analysis, options: PlotOptions) -> TaskProfiles:
    """Take the profiles of the best conditions.

    Raises:
        NotApplicable: Fewer than two conditions are compared over tasks, or their scores have no scale.
    """
    found = tasks_of(analysis)
    if not found.profiles:
        raise NotApplicable("the scores of the tasks have no common scale")
    shown = [one.condition for one in found.aggregates][: options.n_series or N_SERIES]
    conditions = by_number(analysis)
    profiles = tuple(found.profiles[number] for number in shown)
    return TaskProfiles(
        metric=analysis.dataset.objective.metric,
        is_lower_better=found.direction == "minimize",
        labels=tuple(condition_label(conditions[number]) for number in shown),
        profiles=profiles,
        n_tasks=len(found.scored),
        n_compared=len(found.compared),
        level=analysis.level,
        has_bands=any(np.isfinite(one.low).any() for one in profiles),
    )


def profiles_draw(data: TaskProfiles, figure: Figure) -> None:
    """Draw a line for each condition, and the bands of the first few."""
    figure.set_size_inches(WIDTH, 3.6)
    axes = figure.subplots()
    handles = []
    for i, one in enumerate(data.profiles[:MOST_SERIES]):
        if i < MOST_BANDS and np.isfinite(one.low).any():
            axes.fill_between(one.thresholds, one.low, one.high, color=PALETTE[i], alpha=0.15, linewidth=0)
        handles += axes.plot(one.thresholds, one.share, color=PALETTE[i], linestyle=DASHES[i], drawstyle="steps-post")
    axes.set_ylim(-0.02, 1.02)
    draw_values(axes, "x", data.profiles[0].thresholds, is_log=False, margin=0.02)
    axes.set_xlabel(f"score: {named(data.metric.replace(f' over {data.n_tasks} tasks', ''))}")
    axes.set_ylabel(f"share of replicates {'below' if data.is_lower_better else 'above'} the score")
    legend_below(figure, handles, data.labels)


def profiles_caption(data: TaskProfiles) -> str:
    """Say how it is read, and what the bands are."""
    n_bands = min(MOST_BANDS, len(data.profiles))
    return joined(
        [
            f"Share of the replicates on all {words(data.n_tasks, 'task')} that are better than a score; each task "
            "counts alike. A condition is better than another if its line is above the other at every score",
            f"Bands of the first {n_bands}: {percent(data.level)} at each score by itself, replicates drawn again "
            "within each task"
            if data.has_bands
            else "No bands: some task has one replicate only",
            f"The {len(data.profiles)} best of {data.n_compared} conditions"
            if len(data.profiles) < data.n_compared
            else "",
        ]
    )


PLOT = Plot(title="Performance profiles over tasks", data=profiles_data, draw=profiles_draw, caption=profiles_caption)
