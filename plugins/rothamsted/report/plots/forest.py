"""Draw a forest plot: how much worse each condition is than the best of the others, or a reference, with its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rothamsted.analysis.values import Analysis, Best, Comparisons
from rothamsted.report.plots.axes import draw_values
from rothamsted.report.plots.contract import NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.report.plots.labels import percent, wrapped
from rothamsted.report.plots.look import BLUE, GREY, SMALL, WIDTH, interval_bars
from rothamsted.report.plots.view import by_number, by_rank, condition_label, is_lower_better, metric_label
from rothamsted.report.verdicts import METHODS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 25
FAR = 12.0  # a row further out than this many times the middle one is cut at the edge and marked


@dataclass(frozen=True, kw_only=True)
class ForestRow:
    """One row: a difference with its limits, and whether something is shown of it."""

    difference: float
    low: float
    high: float
    is_shown: bool  # worse than the best, or different from the reference


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Losses against the best of the others, or differences from a reference; best condition first."""

    metric: str
    reference: str  # a condition that was named; empty: each against the best of the others
    is_lower_better: bool
    labels: tuple[str, ...]
    conditions: tuple[int, ...]
    difference: np.ndarray  # (row,)
    low: np.ndarray  # (row,) may be infinite
    high: np.ndarray
    is_shown: np.ndarray  # (row,) bool: worse, or different from the reference by the corrected p
    edge: float  # rows beyond +-edge are cut there; infinite where none is
    n_rows: int  # of the family, shown or not
    n_undefined: int  # rows without a finite difference
    how: str  # the procedure
    level: float


def forest_data(analysis: Analysis, options: PlotOptions) -> Forest:
    """Take what is said of the best ranked conditions, 25 at most: against the reference where one was named.

    Raises:
        NotApplicable: There is nothing to compare; the analysis says why.
    """
    conditions = by_number(analysis)
    family, best = analysis.comparisons, analysis.best
    if family is not None:
        rows, how = _from_reference(family), f"{family.test}, corrected by {family.correction}"
        reference, level = condition_label(conditions[family.reference]), family.level
    elif best is not None:
        rows, how, reference, level = _from_best(best), METHODS[best.method], "", best.level
    else:
        why = analysis.gaps.get("best", "it has fewer than two conditions that can be compared")
        raise NotApplicable(f"this analysis has no comparisons: {why}")
    finite = {number: row for number, row in rows.items() if np.isfinite(row.difference)}
    if not finite:
        raise NotApplicable("no comparison has a finite difference")
    shown = by_rank(analysis, finite)[:MOST_ROWS]
    chosen = [finite[number] for number in shown]
    return Forest(
        metric=metric_label(analysis, analysis.dataset.objective.metric),
        reference=reference,
        is_lower_better=is_lower_better(analysis),
        labels=tuple(condition_label(conditions[number]) for number in shown),
        conditions=tuple(shown),
        difference=np.array([row.difference for row in chosen]),
        low=np.array([row.low for row in chosen]),
        high=np.array([row.high for row in chosen]),
        is_shown=np.array([row.is_shown for row in chosen], dtype=bool),
        edge=_edge(chosen),
        n_rows=len(rows),
        n_undefined=len(rows) - len(finite),
        how=how,
        level=level,
    )


def _from_reference(family: Comparisons) -> Mapping[int, ForestRow]:
    return {
        row.condition: ForestRow(difference=row.difference, low=row.low, high=row.high, is_shown=row.is_different)
        for row in family.rows
        if row.condition != family.reference
    }


def _from_best(best: Best) -> Mapping[int, ForestRow]:
    return {
        number: ForestRow(difference=one.difference, low=one.low, high=one.high, is_shown=one.verdict == "worse")
        for number, one in best.verdicts.items()
    }


def _edge(rows: list[ForestRow]) -> float:
    """Where to cut the axis, so that a condition that exploded does not flatten all others."""
    ends = np.array([[row.difference, row.low, row.high] for row in rows])
    reach = np.nanmax(np.where(np.isfinite(ends), np.abs(ends), np.nan), axis=1)
    middle = float(np.median(reach))
    is_open = not np.isfinite(ends).all()  # a limit without end is cut at the edge
    if middle <= 0 or (reach.max() <= FAR * middle and not is_open):
        return float("inf")
    return float(reach[reach <= FAR * middle].max() * 1.1)


def forest_draw(data: Forest, figure: Figure) -> None:
    """Draw one row a condition: filled where it is shown to be worse, or different, open where not."""
    n = len(data.labels)
    names = [wrapped(label) for label in data.labels]
    row = 0.33 if any("\n" in name for name in names) else 0.21
    figure.set_size_inches(WIDTH, 1.3 + row * n)
    axes = figure.subplots()
    rows = np.arange(n, dtype=float)
    for is_shown, colour in ((True, BLUE), (False, GREY)):
        chosen = (data.is_shown == is_shown) & (np.abs(data.difference) <= data.edge)
        ends = tuple(np.clip(part[chosen], -data.edge, data.edge) for part in (data.difference, data.low, data.high))
        interval_bars(axes, rows[chosen], (ends[0], ends[1], ends[2]), color=colour, is_flat=True)
        face = colour if is_shown else "white"
        axes.plot(ends[0], rows[chosen], "o", color=colour, markerfacecolor=face, zorder=3)
    axes.axvline(0, color="#202020", linewidth=1)
    shown = np.concatenate([[0.0], data.difference, data.low, data.high])
    draw_values(axes, "x", np.clip(shown, -data.edge, data.edge), is_log=False, margin=0.08)
    _mark_far(axes, data, rows)
    axes.set_ylim(n - 0.4, -0.6)
    axes.set_yticks(rows, labels=names)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(
        f"difference in {data.metric} from\n{wrapped(data.reference, 42)}"
        if data.reference
        else f"loss in {data.metric} against the best of the others"
    )
    _mark_better(axes, data)


def _mark_far(axes: Any, data: Forest, rows: np.ndarray) -> None:
    for row, difference in zip(rows, data.difference, strict=True):
        if abs(difference) > data.edge:
            side = "right" if difference > 0 else "left"
            axes.annotate(
                f"{difference:+.3g} →" if side == "right" else f"← {difference:+.3g}",
                (1.0 if side == "right" else 0.0, row),
                xycoords=axes.get_yaxis_transform(),
                ha=side,
                va="center",
                fontsize=SMALL,
                color=BLUE,
            )


def _mark_better(axes: Any, data: Forest) -> None:
    is_loss = not data.reference or data.is_lower_better
    left, right = ("← better", "worse →") if is_loss else ("← worse", "better →")
    for x, text, side in ((0.0, left, "left"), (1.0, right, "right")):
        axes.text(x, 1.01, text, transform=axes.transAxes, ha=side, va="bottom", fontsize=SMALL, color="#404040")


def forest_caption(data: Forest) -> str:
    """Say what is compared, by which procedure, and how many rows are not shown."""
    rest = data.n_rows - data.n_undefined - len(data.labels)
    n_far = int((np.abs(data.difference) > data.edge).sum())
    at = f"at {percent(data.level)} ({data.how})"
    if data.reference:
        said = [
            f"Condition minus reference, with {percent(data.level)} intervals that are not corrected",
            f"Filled: different from the reference {at}; open: not shown to differ",
        ]
    else:
        said = [
            "How much worse each condition is than the best of the others; left of zero: better than all others",
            f"Filled: worse {at}; open: not shown to be",
        ]
    return joined(
        [
            *said,
            f"The {len(data.labels)} best ranked are shown; {rest} more are in the table" if rest else "",
            f"{words(n_far, 'row')} beyond the axis, marked at the edge" if n_far else "",
            f"{words(data.n_undefined, 'comparison')} without a finite difference left out" if data.n_undefined else "",
        ]
    )


PLOT = Plot(title="How much worse than the best", data=forest_data, draw=forest_draw, caption=forest_caption)
