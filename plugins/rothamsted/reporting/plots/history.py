"""Draw the optimisation history: the objective by trial, and the best so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rothamsted.analysis.values import Analysis
from rothamsted.reporting.plots.axes import draw_values
from rothamsted.reporting.plots.contract import NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.labels import percent
from rothamsted.reporting.plots.look import BLUE, GREEN, PALE, RED, SKY, interval_bars, legend_below, sized
from rothamsted.reporting.plots.value_axis import ValueAxis, draw_value_axis, mark_beyond, note_beyond, value_axis
from rothamsted.reporting.plots.view import (
    better_of,
    is_lower_better,
    metric_label,
    pruned_numbers,
    replicate_words,
    scores,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BARS = 60


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """Holds the estimate of the winner on seeds that the search never saw."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class SearchHistory:
    """Holds condition means by trial number."""

    metric: str
    trials: np.ndarray  # (condition,) rising
    mean: np.ndarray  # (condition,)
    low: np.ndarray
    high: np.ndarray
    best_so_far: np.ndarray  # (condition,) over ranked conditions only; NaN before the first
    without: np.ndarray  # trial numbers without a mean that were not pruned
    pruned: np.ndarray  # trial numbers that were pruned
    values: ValueAxis
    is_sweep: bool  # numbers are those of trials, not of first appearance
    fresh: Fresh | None
    level: float
    points: str
    centre: str = "mean"  # what stands for a condition over its seeds


def history_data(analysis: Analysis, options: PlotOptions) -> SearchHistory:
    """Order conditions by trial number and keep the running best.

    Raises:
        NotApplicable: Fewer than two conditions have a mean.
    """
    metric = analysis.dataset.objective.metric
    known = scores(analysis, metric)
    if len(known) < 2:
        raise NotApplicable("a history needs two conditions with a score; there is one")
    trials, pruned = sorted(known), pruned_numbers(analysis)
    without = {c.number for c in analysis.dataset.conditions} - known.keys() - pruned
    means = np.array([known[number].mean for number in trials])
    counts = np.isin(trials, analysis.ranking)
    worst = np.inf if is_lower_better(analysis) else -np.inf
    best = (np.minimum if is_lower_better(analysis) else np.maximum).accumulate(np.where(counts, means, worst))
    low, high = (np.array([getattr(known[number], end) for number in trials]) for end in ("low", "high"))
    fresh = _fresh(analysis)
    ends = [*([low, high] if len(trials) <= MOST_BARS else []), *([] if fresh is None else [[fresh.low, fresh.high]])]
    return SearchHistory(
        metric=metric_label(analysis, metric),
        centre=analysis.over_words,
        trials=np.array(trials),
        mean=means,
        low=low,
        high=high,
        best_so_far=np.where(np.isfinite(best), best, np.nan),
        without=np.array(sorted(without), dtype=int),
        pruned=np.array(sorted(pruned), dtype=int),
        values=value_axis(means, better_of(analysis, metric), ends),
        is_sweep=analysis.dataset.kind == "sweep",
        fresh=fresh,
        level=analysis.level,
        points=replicate_words(analysis, metric, known),
    )


def _fresh(analysis: Analysis) -> Fresh | None:
    winner = analysis.best.winner if analysis.best else None
    for confirmed in analysis.confirmed:
        if confirmed.condition == winner and confirmed.confirmed is not None:
            interval = confirmed.confirmed
            return Fresh(mean=interval.estimate, low=interval.low, high=interval.high, n=interval.n)
    return None


def history_draw(data: SearchHistory, figure: Figure) -> None:
    """Draw means as points, the running best as steps, and the confirmed estimate as a band."""
    sized(figure, 3.5)
    axes = figure.subplots()
    if len(data.trials) <= MOST_BARS:
        interval_bars(axes, data.trials, (data.mean, data.low, data.high), color=PALE, capsize=0)
    (points,) = axes.plot(data.trials, data.mean, "o", color=BLUE, markersize=3.5, zorder=3)
    (steps,) = axes.step(data.trials, data.best_so_far, where="post", color=RED, zorder=4)
    handles, labels = [points, steps], ["condition", "best so far (optimistic)"]
    if data.fresh is not None:
        axes.axhspan(data.fresh.low, data.fresh.high, color=GREEN, alpha=0.18, linewidth=0)
        handles.append(axes.axhline(data.fresh.mean, color=GREEN, linestyle=(0, (4, 2))))
        labels.append("winner on fresh seeds")
    if len(data.without):
        bottom = np.full(len(data.without), 0.015)
        handles += axes.plot(data.without, bottom, "x", color="#404040", transform=axes.get_xaxis_transform(), zorder=5)
        labels.append("no score")
    if len(data.pruned):
        top = np.full(len(data.pruned), 0.985)
        style = {"color": SKY, "markersize": 4, "transform": axes.get_xaxis_transform(), "zorder": 5, "clip_on": False}
        handles += axes.plot(data.pruned, top, "v", **style)
        labels.append("pruned: no mean")
    axes.set_xlabel("trial" if data.is_sweep else "condition, as first seen")
    axes.set_ylabel(data.metric)
    draw_values(axes, "x", np.concatenate([data.trials, data.without, data.pruned]), is_log=False, margin=0.03)
    draw_value_axis(axes, "y", data.values)
    mark_beyond(axes, data.values, data.trials, data.mean, color=BLUE)
    note_beyond(axes, data.values)
    legend_below(figure, handles, labels)


def history_caption(data: SearchHistory) -> str:
    """Say what the points are, and why the running best is optimistic."""
    fresh = ""
    if data.fresh is not None:
        fresh = f"Green: the winner on {data.fresh.n} fresh seeds, with its {percent(data.level)} interval"
    bars = f" (bars are left out, there are {len(data.trials)} means)" if len(data.trials) > MOST_BARS else ""
    return joined(
        [
            data.points + bars,
            "The best so far is the best partly by chance: it is optimistic, and more so with more conditions",
            fresh,
            f"{words(len(data.without), 'condition')} without a finite {data.centre}" if len(data.without) else "",
            f"{words(len(data.pruned), 'condition')} pruned, marked at the top: they were stopped before the end, and "
            "their height says nothing"
            if len(data.pruned)
            else "",
            data.values.words,
        ]
    )


PLOT = Plot(title="Optimisation history", data=history_data, draw=history_draw, caption=history_caption)
