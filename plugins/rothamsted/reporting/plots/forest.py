"""Draw all conditions, best first: the mean of each with its interval, and its verdict.

The report shows the same as a chart in HTML (`forest_chart.chart_of`), which works on phones and dark pages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rothamsted.analysis.left_out import left_out_words
from rothamsted.analysis.values import Analysis, ConditionSummary
from rothamsted.reporting.plots.axes import draw_values, is_spread
from rothamsted.reporting.plots.contract import NotApplicable, Plot, PlotOptions, joined
from rothamsted.reporting.plots.labels import clean, percent, wrapped
from rothamsted.reporting.plots.look import BLUE, GREY, RED, SMALL, WIDTH, interval_bars
from rothamsted.reporting.plots.view import metric_label
from rothamsted.reporting.tables.cells import METHODS, mean_estimate
from rothamsted.reporting.verdicts import verdict_of
from rothamsted.wording import MISSING, Estimate, digits_of, estimate, setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rothamsted.analysis.values import Factor

MOST_DRAWN = 25  # rows of a figure
MOST_COLUMNS = 4  # factors with a column each; with more a condition has its label
LOG_SPAN = 10.0  # means that are all positive and span more are drawn on a log axis
FAR = 12.0  # what lies further from the best mean than this many times the middle one is cut at the edge
BETWEEN = " · "  # values of a condition that share a column


@dataclass(frozen=True, kw_only=True)
class ForestRow:
    """Holds one condition, or the same on fresh seeds."""

    condition: int
    cells: tuple[str, ...]  # its values, by the columns of the forest
    label: str  # its values in a line, with its number
    mean: float
    low: float  # NaN without an interval
    high: float
    n: int
    written: Estimate
    verdict: str  # empty where there is none
    is_winner: bool
    is_in_set: bool  # cannot be ruled out as the best
    is_worse: bool
    is_fresh: bool = False  # on fresh seeds, which had no part in the choice


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Holds means with intervals and verdicts, best condition first."""

    metric: str
    label: str  # of the axis
    columns: tuple[str, ...]
    rows: tuple[ForestRow, ...]
    is_lower_better: bool
    is_log: bool
    low: float  # ends of the axis; what lies beyond is cut
    high: float
    level: float
    method: str  # of the intervals, in words; empty without any
    has_verdicts: bool
    left_out: str  # conditions without a mean, with why; empty: none
    centre: str = "mean"  # what stands for a condition over its seeds
    is_adjusted: bool = False  # the order is by means adjusted for missing seeds, which are not the means shown
    order: str = ""  # of the values that share a column: the names of the factors

    @property
    def conditions(self) -> tuple[int, ...]:
        """Return the conditions in their order, each once."""
        return tuple(row.condition for row in self.rows if not row.is_fresh)

    @property
    def is_shown(self) -> tuple[bool, ...]:
        """Say which of them are shown to be worse than the best."""
        return tuple(row.is_worse for row in self.rows if not row.is_fresh)


def forest_data(analysis: Analysis, options: PlotOptions) -> Forest:
    """Take every ranked condition, and the confirmed ones on fresh seeds, too.

    Raises:
        NotApplicable: No condition has a mean.
    """
    if not analysis.ranking:
        raise NotApplicable("no condition has a mean")
    dataset = analysis.dataset
    factors = dataset.factors if 0 < len(dataset.factors) <= MOST_COLUMNS else ()
    rows = tuple(_rows(analysis, factors))
    is_log = _is_log(rows)
    low, high = ends(rows, is_log=is_log)
    methods = {one.interval.method for one in analysis.objective if one.interval}
    return Forest(
        metric=dataset.objective.metric,
        label=metric_label(analysis, dataset.objective.metric),
        columns=("No.", *(tuple(factor.name for factor in factors) or ("condition",))),
        rows=rows,
        is_lower_better=dataset.objective.direction == "minimize",
        is_log=is_log,
        low=low,
        high=high,
        level=analysis.level,
        method=" or ".join(sorted(METHODS.get(one, one) for one in methods)),
        has_verdicts=analysis.best is not None,
        centre=analysis.over_words,
        is_adjusted=any(one.n_missing for one in analysis.objective if one.condition in set(analysis.ranking)),
        left_out=left_out_words(dataset, analysis.ranking),
        order="" if factors else BETWEEN.join(factor.name for factor in dataset.factors),
    )


def _rows(analysis: Analysis, factors: Sequence[Factor]) -> list[ForestRow]:
    summaries = {one.condition: one for one in analysis.objective}
    conditions = {one.number: one for one in analysis.dataset.conditions}
    fresh = {one.condition: one.confirmed for one in analysis.confirmed if one.confirmed is not None}
    digits = {factor.name: digits_of(factor.levels) for factor in analysis.dataset.factors}
    found = []
    for number in analysis.ranking:
        values = conditions[number].values
        written = {name: setting(value, digits.get(name, 17)) for name, value in values.items()}
        label = ", ".join(f"{name}={value}" for name, value in written.items()) or conditions[number].label
        cells = tuple(clean(written.get(factor.name, "")) for factor in factors) or (_short(analysis, written, label),)
        row = _row(
            analysis, summaries[number], (str(number), *cells), f"{number}: {clean(label)}", conditions[number].race
        )
        found.append(row)
        if number in fresh:
            again = fresh[number]
            found.append(
                ForestRow(
                    condition=number,
                    cells=("on fresh seeds",),
                    label="on fresh seeds",
                    mean=again.estimate,
                    low=again.low,
                    high=again.high,
                    n=again.n,
                    written=estimate(again.estimate, again.low, again.high),
                    verdict="confirmed",
                    is_winner=row.is_winner,
                    is_in_set=row.is_in_set,
                    is_worse=False,
                    is_fresh=True,
                )
            )
    return found


def _short(analysis: Analysis, written: Mapping[str, str], label: str) -> str:
    """The values of many factors in a line, in the factors' order; the label where there are no factors."""
    values = [written.get(factor.name, MISSING) for factor in analysis.dataset.factors]
    return clean(BETWEEN.join(values) if values else label)


def _row(analysis: Analysis, one: ConditionSummary, cells: tuple[str, ...], label: str, race: str) -> ForestRow:
    dropped = race.partition(":")[0].strip() if race.startswith("dropped") else ""  # by the race: it has no verdict
    best, number, bounds = analysis.best, one.condition, one.interval
    known = best.verdicts.get(number) if best else None
    return ForestRow(
        condition=number,
        cells=cells,
        label=label,
        mean=one.value,
        low=bounds.low if bounds else math.nan,
        high=bounds.high if bounds else math.nan,
        n=one.n,
        written=mean_estimate(one)[0],
        verdict=verdict_of(analysis, number) or dropped,
        is_winner=number == (best.winner if best else analysis.ranking[0]),
        is_in_set=known is not None and known.is_in_set,
        is_worse=known is not None and known.verdict == "worse" and not (best and number == best.winner),
    )


def _is_log(rows: Sequence[ForestRow]) -> bool:
    """Whether the means span orders of magnitude, so that a linear axis would press the good ones into one place.

    Intervals that reach below zero have no place on a log axis.
    """
    return is_spread([row.mean for row in rows], LOG_SPAN) and not any(row.low <= 0 for row in rows)


def ends(rows: Sequence[ForestRow], *, is_log: bool) -> tuple[float, float]:
    """Return the ends of the axis: all means and intervals, except those that would flatten the others."""
    means = np.array([row.mean for row in rows if math.isfinite(row.mean)])
    bounds = np.array([bound for row in rows for bound in (row.low, row.high) if math.isfinite(bound)])
    known = np.concatenate([means, bounds])
    if is_log:
        shown = known[known > means.min() / LOG_SPAN]
        return float(shown.min()), float(min(shown.max(), means.max() * LOG_SPAN))
    best = float(means[0])
    reach = np.abs(known - best)
    middle = float(np.median(reach[reach > 0])) if (reach > 0).any() else 0.0
    shown = known[reach <= FAR * middle] if middle > 0 else known
    low, high = float(shown.min()), float(shown.max())
    return (low, high) if high > low else (low - (abs(low) or 1.0) / 20, high + (abs(high) or 1.0) / 20)


def forest_draw(data: Forest, figure: Figure) -> None:
    """Draw one row for each condition: the best filled, those that cannot be ruled out ringed, worse ones red."""
    rows = data.rows[:MOST_DRAWN]
    names = [wrapped(row.label) for row in rows]
    height = 0.33 if any("\n" in name for name in names) else 0.21
    figure.set_size_inches(WIDTH, 1.1 + height * len(rows))
    axes = figure.subplots()
    places = np.arange(len(rows), dtype=float)
    for at, row in zip(places, rows, strict=True):
        colour = BLUE if row.is_winner or row.is_in_set else RED if row.is_worse else GREY
        ends = tuple(np.clip(np.array([part]), data.low, data.high) for part in (row.mean, row.low, row.high))
        interval_bars(axes, np.array([at]), (ends[0], ends[1], ends[2]), color=colour, is_flat=True)
        face = colour if row.is_winner else "white"
        axes.plot(ends[0], [at], "D" if row.is_fresh else "o", color=colour, markerfacecolor=face, zorder=3)
        axes.text(1.01, at, row.verdict, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL)
    draw_values(axes, "x", np.array([data.low, data.high]), is_log=data.is_log, margin=0.04)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(places, labels=names)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(data.label)


def forest_caption(data: Forest) -> str:
    """Say what the rows are, and how many are not shown."""
    n_all, n_drawn = len(data.conditions), len({row.condition for row in data.rows[:MOST_DRAWN]})
    intervals = f" with its {percent(data.level)} interval ({data.method})" if data.method else ""
    return joined(
        [
            f"The {data.centre} of each condition{intervals}, best first",
            "Blue: cannot be ruled out as the best; red: worse; grey: not decided" if data.has_verdicts else "",
            "Diamond: on fresh seeds, which chose nothing" if any(r.is_fresh for r in data.rows) else "",
            f"The {n_drawn} best of {n_all} are shown" if n_drawn < n_all else "",
            f"Not shown: {data.left_out}" if data.left_out else "",
        ]
    )


PLOT = Plot(title="All conditions", data=forest_data, draw=forest_draw, caption=forest_caption)
