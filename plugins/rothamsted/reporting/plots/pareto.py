"""Draw the Pareto front: conditions that no other beats in both of two metrics."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rothamsted.analysis.values import Analysis
from rothamsted.metric import Metric
from rothamsted.reporting.plots.contract import Better, Direction, NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.labels import named, seconds_unit
from rothamsted.reporting.plots.look import BLUE, PALE, RED, interval_bars, sized, write_beside
from rothamsted.reporting.plots.value_axis import ValueAxis, draw_value_axis, value_axis
from rothamsted.reporting.plots.view import Score, metric_label, metric_of, replicate_words, scores, searched
from rothamsted.statistics import mean_interval
from rothamsted.statistics.pareto import pareto_set

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COST = "seconds"  # what a condition costs: the other metric where none is asked for
MOST_NAMED = 10  # members of the front that carry their number
MOST_BARS = 60


@dataclass(frozen=True, kw_only=True)
class MeasuredAxis:
    """Holds one measured axis: mean, low and high of each condition, (condition,)."""

    label: str
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    values: ValueAxis
    direction: Direction


@dataclass(frozen=True, kw_only=True)
class Pareto:
    """Holds conditions with both metrics."""

    conditions: tuple[int, ...]
    first: MeasuredAxis  # vertical: the objective
    second: MeasuredAxis  # horizontal
    is_front: np.ndarray  # (condition,) bool
    n_left_out: int
    points: str
    n_objectives: int = 2  # of which two are shown; the front is that of all of them


def pareto_data(analysis: Analysis, options: PlotOptions) -> Pareto:
    """Pair the objective with a second metric: the given one, else the second objective, else training time.

    Raises:
        NotApplicable: Fewer than two conditions have both.
    """
    objective, others = analysis.dataset.objective, analysis.dataset.others
    second = options.second or (others[0].metric if others else COST)
    own = next((one for one in others if one.metric == second), None)
    ours = _ranked(analysis, scores(analysis, objective.metric))
    is_logged = own is not None or second in analysis.metrics
    theirs = scores(analysis, metric_of(analysis, second)) if is_logged or second != COST else _costs(analysis)
    both = sorted(ours.keys() & theirs.keys())
    if len(both) < 2:
        names = f"{named(objective.metric)} and {named(second)}"
        raise NotApplicable(f"a front needs two conditions with a finite mean of {names}; there are {len(both)}")
    direction = options.second_direction or (own.direction if own is not None else "minimize")
    first = _axis([ours[n] for n in both], metric_label(analysis, objective.metric), objective.direction)
    other = _axis([theirs[n] for n in both], metric_label(analysis, second), direction)
    if second == COST and own is None:
        other = _in_units(other)
    is_ours = own is not None and own.direction == direction and analysis.pareto is not None
    of_all = set(analysis.pareto.members) if analysis.pareto is not None else set()
    front = np.array([n in of_all for n in both])
    return Pareto(
        conditions=tuple(both),
        first=first,
        second=other,
        is_front=front if is_ours else pareto_set(np.column_stack([_cost(first), _cost(other)])),
        n_left_out=len(analysis.dataset.conditions) - len(both),
        points=replicate_words(analysis, objective.metric, both),
        n_objectives=1 + len(others) if is_ours else 2,
    )


def _ranked(analysis: Analysis, known: dict[int, Score]) -> dict[int, Score]:
    return {number: known[number] for number in analysis.ranking if number in known}


def _costs(analysis: Analysis) -> dict[int, Score]:
    """Wall-clock seconds of the finished replicates, where training time was not logged as a metric."""
    seconds = defaultdict(list)
    for replicate in searched(analysis):
        if replicate.outcome == "finished" and math.isfinite(replicate.seconds):
            seconds[replicate.condition].append(replicate.seconds)
    found = {}
    for number, values in seconds.items():
        interval = mean_interval(values, level=analysis.level, metric=Metric(low=0))
        low, high = (interval.low, interval.high) if interval else (math.nan, math.nan)
        mean = float(np.mean(values))
        found[number] = Score(condition=number, mean=mean, low=low, high=high, n=len(values), is_partial=False)
    return found


def _axis(known: list[Score], label: str, direction: Direction) -> MeasuredAxis:
    mean, low, high = (np.array([getattr(score, name) for score in known]) for name in ("mean", "low", "high"))
    return MeasuredAxis(
        label=label,
        mean=mean,
        low=low,
        high=high,
        values=value_axis(mean, _good(direction), [low, high], is_cut=False),
        direction=direction,
    )


def _in_units(axis: MeasuredAxis) -> MeasuredAxis:
    size, unit = seconds_unit(float(axis.mean.max()))
    parts = {name: getattr(axis, name) / size for name in ("mean", "low", "high")}
    return replace(
        axis,
        label=f"time of a replicate ({unit})",
        values=value_axis(parts["mean"], _good(axis.direction), [parts["low"], parts["high"]], is_cut=False),
        **parts,
    )


def _good(direction: Direction) -> Better:
    return "lower" if direction == "minimize" else "higher"


def _cost(axis: MeasuredAxis) -> np.ndarray:
    return axis.mean if axis.direction == "minimize" else -axis.mean


def pareto_draw(data: Pareto, figure: Figure) -> None:
    """Draw all conditions with both intervals, the front joined and numbered."""
    sized(figure, 3.9)
    axes = figure.subplots()
    x, y = data.second, data.first
    for is_front, colour in ((False, PALE), (True, RED)):
        at = data.is_front == is_front
        if is_front or len(data.conditions) <= MOST_BARS:
            interval_bars(axes, x.mean[at], (y.mean[at], y.low[at], y.high[at]), color=colour, capsize=0)
            interval_bars(axes, y.mean[at], (x.mean[at], x.low[at], x.high[at]), color=colour, capsize=0, is_flat=True)
        style = {"color": RED, "markersize": 5} if is_front else {"color": BLUE, "markersize": 4, "mfc": "white"}
        axes.plot(x.mean[at], y.mean[at], "o", **style, zorder=3 + is_front)
    axes.set_xlabel(f"{x.label}, {_better(x)}")
    axes.set_ylabel(f"{y.label}, {_better(y)}")
    draw_value_axis(axes, "x", x.values)
    draw_value_axis(axes, "y", y.values)
    _draw_front(axes, data)


def _draw_front(axes: Any, data: Pareto) -> None:
    at = np.flatnonzero(data.is_front)
    at = at[np.argsort(data.second.mean[at], kind="stable")]
    if data.n_objectives == 2:
        axes.plot(data.second.mean[at], data.first.mean[at], color=RED, linewidth=1, alpha=0.7, zorder=2)
    if len(at) <= MOST_NAMED:
        places = np.column_stack([data.second.mean[at], data.first.mean[at]])
        others = np.column_stack([data.second.mean[~data.is_front], data.first.mean[~data.is_front]])
        write_beside(axes, places, [str(data.conditions[i]) for i in at], others, color=RED)


def _better(axis: MeasuredAxis) -> str:
    return "less is better" if axis.direction == "minimize" else "more is better"


def pareto_caption(data: Pareto) -> str:
    """Say what the front is and how sure it is."""
    n = int(data.is_front.sum())
    bars = "; bars on the front only" if len(data.conditions) > MOST_BARS else ""
    several = f"the means of all {data.n_objectives} objectives, two of which are shown"
    beaten = "both means" if data.n_objectives == 2 else several
    numbered = ", numbered as in the table" if n <= MOST_NAMED else ""
    return joined(
        [
            data.points + bars,
            f"Filled, red: {n} of {words(len(data.conditions), 'condition')} that no other beats in {beaten}{numbered}",
            "If bars overlap, it is not certain which conditions are on the front",
            f"{words(data.n_left_out, 'condition')} without a rank or without both metrics left out"
            if data.n_left_out
            else "",
        ]
    )


PLOT = Plot(title="Pareto front", data=pareto_data, draw=pareto_draw, caption=pareto_caption)
