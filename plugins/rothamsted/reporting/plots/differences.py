"""Draw how far each condition is from the named reference, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rothamsted.analysis.values import Analysis, ComparisonRow
from rothamsted.reporting.plots.axes import draw_values
from rothamsted.reporting.plots.contract import NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.labels import percent, wrapped
from rothamsted.reporting.plots.look import BLUE, GREY, SMALL, WIDTH, interval_bars
from rothamsted.reporting.plots.view import by_number, by_rank, condition_label, is_lower_better, metric_label
from rothamsted.reporting.verdicts import comparison_words, intervals_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 25
FAR = 12.0  # a row further out than this many times the middle one is cut at the edge and marked


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Holds differences from a reference, best condition first."""

    metric: str
    reference: str  # the condition that was named
    is_lower_better: bool
    labels: tuple[str, ...]
    conditions: tuple[int, ...]
    difference: np.ndarray  # (row,)
    low: np.ndarray  # (row,) may be infinite
    high: np.ndarray
    is_shown: np.ndarray  # (row,) bool: different from the reference by the corrected p
    edge: float  # rows beyond +-edge are cut there; infinite where none is
    n_rows: int  # of the family, shown or not
    n_undefined: int  # rows without a finite difference
    how: str  # the procedure
    intervals: str  # what they hold for
    level: float


def differences_data(analysis: Analysis, options: PlotOptions) -> Differences:
    """Take the comparisons of the best ranked conditions, 25 at most, with the named reference.

    Raises:
        NotApplicable: No reference was named, or nothing can be compared with it; the analysis says why.
    """
    conditions, family = by_number(analysis), analysis.comparisons
    if family is None:
        why = analysis.gaps.get("comparisons", "no reference was named (reference)")
        raise NotApplicable(f"nothing is compared with a reference: {why}")
    rows = {row.condition: row for row in family.rows if row.condition != family.reference}
    finite = {number: row for number, row in rows.items() if np.isfinite(row.difference)}
    if not finite:
        raise NotApplicable("no comparison has a finite difference")
    shown = by_rank(analysis, finite)[:MOST_ROWS]
    chosen = [finite[number] for number in shown]
    return Differences(
        metric=metric_label(analysis, analysis.dataset.objective.metric),
        reference=condition_label(conditions[family.reference]),
        is_lower_better=is_lower_better(analysis),
        labels=tuple(condition_label(conditions[number]) for number in shown),
        conditions=tuple(shown),
        difference=np.array([row.difference for row in chosen]),
        low=np.array([row.low for row in chosen]),
        high=np.array([row.high for row in chosen]),
        is_shown=np.array([row.is_different for row in chosen], dtype=bool),
        edge=_edge(chosen),
        n_rows=len(rows),
        n_undefined=len(rows) - len(finite),
        how=comparison_words(family),
        intervals=intervals_words(family),
        level=family.level,
    )


def _edge(rows: list[ComparisonRow]) -> float:
    """Where to cut the axis, so that a condition that exploded does not flatten all others."""
    ends = np.array([[row.difference, row.low, row.high] for row in rows])
    reach = np.nanmax(np.where(np.isfinite(ends), np.abs(ends), np.nan), axis=1)
    middle = float(np.median(reach))
    is_open = not np.isfinite(ends).all()  # a limit without end is cut at the edge
    if middle <= 0 or (reach.max() <= FAR * middle and not is_open):
        return float("inf")
    return float(reach[reach <= FAR * middle].max() * 1.1)


def differences_draw(data: Differences, figure: Figure) -> None:
    """Draw one row for each condition: filled if it is shown to differ, open if not."""
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
    axes.set_xlabel(f"difference in {data.metric} from\n{wrapped(data.reference, 42)}")
    _mark_better(axes, data)


def _mark_far(axes: Any, data: Differences, rows: np.ndarray) -> None:
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


def _mark_better(axes: Any, data: Differences) -> None:
    left, right = ("← better", "worse →") if data.is_lower_better else ("← worse", "better →")
    for x, text, side in ((0.0, left, "left"), (1.0, right, "right")):
        axes.text(x, 1.01, text, transform=axes.transAxes, ha=side, va="bottom", fontsize=SMALL, color="#404040")


def differences_caption(data: Differences) -> str:
    """Say what is compared, by which procedure, and how many rows are not shown."""
    rest = data.n_rows - data.n_undefined - len(data.labels)
    n_far = int((np.abs(data.difference) > data.edge).sum())
    level = percent(data.level)
    said = [
        f"Condition minus reference, with {data.intervals}",
        f"Filled: shown to differ from the reference (level {level}, {data.how}); open: not shown to differ",
    ]
    return joined(
        [
            *said,
            f"The {len(data.labels)} best ranked are shown; {rest} more are in the table" if rest else "",
            f"{words(n_far, 'row')} beyond the axis, marked at the edge" if n_far else "",
            f"{words(data.n_undefined, 'comparison')} without a finite difference left out" if data.n_undefined else "",
        ]
    )


PLOT = Plot(
    title="Differences from the reference", data=differences_data, draw=differences_draw, caption=differences_caption
)
