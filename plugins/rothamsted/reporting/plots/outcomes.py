"""Draw how many replicates of each condition ended in which way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rothamsted.analysis.values import Analysis
from rothamsted.reporting.plots.axes import fix_ticks
from rothamsted.reporting.plots.contract import NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.labels import wrapped
from rothamsted.reporting.plots.look import BLACK, GREY, ORANGE, PALE, PINK, RED, SKY, legend_below, sized
from rothamsted.reporting.plots.view import by_number, condition_label, searched

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS = 25
FINISHED = "finished"
OUTCOMES = {  # in the order of a bar: colour and hatch
    FINISHED: (PALE, ""),
    "diverged": (RED, ""),
    "failed": (BLACK, ""),
    "interrupted": (PINK, "///"),
    "pruned": (SKY, ""),
    "running": (ORANGE, "..."),
    "other": (GREY, "xx"),
}


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """Holds replicates by outcome: one row for each condition that lost some, those that lost most first."""

    outcomes: tuple[str, ...]  # those that occur, in the order of a bar
    labels: tuple[str, ...]
    conditions: tuple[int, ...]
    counts: np.ndarray  # (condition, outcome)
    totals: tuple[int, ...]  # over all conditions, by outcome
    n_conditions: int
    n_affected: int  # conditions that lost a replicate, shown or not


def outcomes_data(analysis: Analysis, options: PlotOptions, *, of_all: bool = False) -> Outcomes:
    """Count the outcomes of the search's replicates.

    Args:
        analysis: What was computed.
        options: Not used.
        of_all: Whether conditions without losses are shown too, even if nothing was lost at all.

    Raises:
        NotApplicable: There is no replicate, or all finished and conditions without losses are not shown.
    """
    by_condition: dict[int, Counter[str]] = {c.number: Counter() for c in analysis.dataset.conditions}
    for replicate in searched(analysis):
        name = replicate.outcome if replicate.outcome in OUTCOMES else "other"
        by_condition.setdefault(replicate.condition, Counter())[name] += 1
    total = sum(by_condition.values(), Counter())
    if not total.total():
        raise NotApplicable("there is no replicate to count")
    if set(total) == {FINISHED} and not of_all:
        n = f"{words(total.total(), 'replicate')} of {words(len(by_condition), 'condition')}"
        raise NotApplicable(f"all {n} finished: nothing was lost")
    lost = {number: counts.total() - counts[FINISHED] for number, counts in by_condition.items()}
    affected = sorted((number for number in lost if lost[number]), key=lambda number: (-lost[number], number))
    rest = [number for number in by_condition if not lost[number]] if of_all else []
    shown = [*affected, *rest][:MOST_ROWS]
    occurring = tuple(name for name in OUTCOMES if total[name])
    conditions = by_number(analysis)
    return Outcomes(
        outcomes=occurring,
        labels=tuple(condition_label(conditions[number]) for number in shown),
        conditions=tuple(shown),
        counts=np.array([[by_condition[number][name] for name in occurring] for number in shown]),
        totals=tuple(total[name] for name in occurring),
        n_conditions=len(by_condition),
        n_affected=len(affected),
    )


def outcomes_draw(data: Outcomes, figure: Figure) -> None:
    """Draw one stacked bar for each condition."""
    n = len(data.labels)
    names = [wrapped(label) for label in data.labels]
    row = 0.33 if any("\n" in name for name in names) else 0.21
    sized(figure, 1.35 + row * n)
    axes = figure.subplots()
    rows, left, handles = np.arange(n), np.zeros(n), []
    for name, counts in zip(data.outcomes, data.counts.T, strict=True):
        colour, hatch = OUTCOMES[name]
        style = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.8}
        handles.append(axes.barh(rows, counts, left=left, height=0.72, **style))
        left = left + counts
    axes.set_yticks(rows, labels=names)
    axes.set_ylim(n - 0.4, -0.6)
    axes.set_xlim(0, float(left.max()))
    _whole_ticks(axes, int(left.max()))
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False)
    axes.set_xlabel("replicates")
    labels = [f"{name} ({total} in all)" for name, total in zip(data.outcomes, data.totals, strict=True)]
    legend_below(figure, handles, labels)


def outcomes_caption(data: Outcomes) -> str:
    """Say how many there are in all, and which conditions are shown."""
    counts = ", ".join(f"{n:,} {name}" for name, n in zip(data.outcomes, data.totals, strict=True))
    n_shown, whole = len(data.labels), data.n_conditions - data.n_affected
    rest, is_cut = max(data.n_affected - n_shown, 0), data.n_affected < n_shown < data.n_conditions
    return joined(
        [
            f"{words(sum(data.totals), 'replicate')} of {words(data.n_conditions, 'condition')}: {counts}",
            f"The {n_shown} conditions that lost most are shown; {rest} more lost some" if rest else "",
            f"{words(n_shown, 'condition')} are shown" if is_cut else "",
            f"{words(whole, 'condition')} lost none" if whole else "",
        ]
    )


def _whole_ticks(axes: Axes, most: int) -> None:
    """Label whole numbers only: half a replicate is none."""
    if most <= 8:
        axes.set_xticks(range(most + 1))
    else:
        fix_ticks(axes, "x")


PLOT = Plot(title="Completion and failures", data=outcomes_data, draw=outcomes_draw, caption=outcomes_caption)
OF_ALL = replace(PLOT, data=partial(outcomes_data, of_all=True))
