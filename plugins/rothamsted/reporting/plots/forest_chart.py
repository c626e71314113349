"""Lay the forest out as a chart of a page: rows, places along the axis, ticks, and what is folded away."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from rothamsted.reporting.parts import ChartRow, IntervalChart
from rothamsted.reporting.plots.axes import log_ticks
from rothamsted.reporting.plots.forest import Forest, ForestRow, ends
from rothamsted.reporting.plots.labels import distinct_numbers, percent
from rothamsted.wording import MINUS, count

MOST_ROWS = 50  # those that are folded included
IN_SIGHT = 20  # rows that are not folded
LAPTOP = 735.0  # width of the chart on a laptop: eight thirteenths of the page
NARROW = 90.0  # least width of the axis in it
PADDING = 13.0  # of a cell, left and right together
LETTER = 6.7  # width of a letter of its labels
CELL_LETTER = 7.6  # of the table's cells, most of them figures
MOST_TICKS = 9  # of a log axis: 1, 2 and 5 of three decades; those of decades where not all have room
EDGE = 0.02  # share of the axis that is left free at each end


def chart_of(data: Forest) -> IntervalChart:
    """Return the forest as a chart of a page."""
    rows = data.rows[:MOST_ROWS]
    n_shown = len(rows) if len(rows) <= IN_SIGHT + 2 else IN_SIGHT
    hidden = len(data.rows) - len(rows)
    seen, folded = _on_own_axis(data, rows[:n_shown]), _on_own_axis(data, rows[n_shown:])
    return IntervalChart(
        caption=f"{data.metric}, {'lower' if data.is_lower_better else 'higher'} is better, best first",
        columns=data.columns,
        metric=f"{data.centre} {data.metric}",
        interval=f"{percent(data.level)} interval",
        has_verdicts=data.has_verdicts,
        rows=tuple(_shown_row(row, part) for part in (seen, folded) for row in part.rows),
        n_shown=n_shown,
        ticks=_ticks(seen),
        folded_ticks=_ticks(folded) if folded.rows else (),
        notes=tuple(
            one
            for one in (
                f"Axis: {data.label}{', logarithmic' if data.is_log else ''}.",
                f"Order: by means adjusted for missing seeds; shown: {data.centre}s as measured."
                if data.is_adjusted
                else "",
                f"Condition: {data.order}." if data.order else "",
                f"{count(hidden, 'more condition')}: statistics/conditions.csv." if hidden else "",
                f"Not shown: {data.left_out}." if data.left_out else "",
            )
            if one
        ),
    )


def _on_own_axis(data: Forest, rows: Sequence[ForestRow]) -> Forest:
    """Some rows on an axis of their own: rows that are folded away, or left out, do not flatten those in sight."""
    if not rows or len(rows) == len(data.rows):
        return replace(data, rows=tuple(rows))
    low, high = ends(rows, is_log=data.is_log)
    return replace(data, rows=tuple(rows), low=low, high=high)


def _shown_row(row: ForestRow, data: Forest) -> ChartRow:
    mark = "fresh" if row.is_fresh else "best" if row.is_winner else "member" if row.is_in_set else ""
    return ChartRow(
        cells=row.cells,
        place=_place(row.mean, data),
        low=_place(row.low, data),
        high=_place(row.high, data),
        estimate=row.written.value,
        interval=row.written.interval,
        verdict=row.verdict,
        mark=mark or ("worse" if row.is_worse else ""),
        hint=f"condition {row.condition}, n = {row.n}",
    )


def _place(value: float, data: Forest) -> float:
    """Where a value lies on the axis, as a share of it; NaN stays, and what lies beyond goes to the end."""
    if not math.isfinite(value):
        return math.nan if math.isnan(value) else float(value > 0)
    if data.is_log and value <= 0:
        return 0.0
    scale = math.log if data.is_log else float
    low, high = scale(data.low), scale(data.high)
    share = (scale(value) - low) / ((high - low) or 1.0)
    return min(1.0, max(0.0, EDGE + (1 - 2 * EDGE) * share))


def _ticks(data: Forest) -> tuple[tuple[float, str], ...]:
    """A few round numbers along the axis."""
    if data.is_log:
        found = log_ticks(data.low, data.high, most=MOST_TICKS) or [data.low, data.high]
    else:
        from matplotlib.ticker import MaxNLocator

        all_ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(data.low, data.high)
        found = [float(tick) for tick in all_ticks if data.low <= tick <= data.high]
        gap = min((b - a for a, b in pairwise(found)), default=math.inf)
        found = [round(tick / gap * 1e6) * gap / 1e6 if math.isfinite(gap) else tick for tick in found]
    labels = [text.replace("-", MINUS) for text in distinct_numbers(found)]
    placed = [(_place(tick, data), text) for tick, text in zip(found, labels, strict=True)]
    width = _axis_width(data)
    kept = _apart(placed, width)
    decades = [one for one, tick in zip(placed, found, strict=True) if data.is_log and math.log10(tick).is_integer()]
    return _apart(decades, width) if len(kept) < len(placed) and len(decades) > 1 else kept


def _axis_width(data: Forest) -> float:
    """What the other columns leave for the axis, by their longest words."""
    names = (max(re.split(r"(?<=[._\s])", name), key=len) for name in (*data.columns, data.metric))
    rows = [row for row in data.rows if len(row.cells) == len(data.columns)]  # that of fresh seeds has one for all
    texts = ([*row.cells, row.written.value, row.written.interval, row.verdict] for row in rows)
    cells = [max(map(len, column)) for column in zip(*texts, strict=True)]
    letters = [*(max(n, len(name)) for n, name in zip(cells[:-2], names, strict=True)), *cells[-2:]]
    return max(NARROW, LAPTOP - sum(CELL_LETTER * n + PADDING for n in letters))


def _apart(ticks: Sequence[tuple[float, str]], width: float) -> tuple[tuple[float, str], ...]:
    """The ticks whose labels do not touch the one before where the axis is so wide, in points."""
    kept: list[tuple[float, str]] = []
    for at, text in ticks:
        room = LETTER * (len(text) + len(kept[-1][1])) / 2 + LETTER if kept else 0.0
        if not kept or (at - kept[-1][0]) * width >= room:
            kept.append((at, text))
    return tuple(kept)
