"""Define the parts of a page: paragraphs, tables, figures, commands.

The sections fill them, and the templates lay them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup

from rothamsted.wording import MISSING, joined


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    """Holds a piece of running text."""

    text: str
    kind: Literal["text", "gap"] = "text"  # a gap says why something is missing


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Holds one cell: the text that is read and the value that it is sorted by."""

    text: str
    sort: str = ""  # a number where its column is numeric; empty goes last
    hint: str = ""  # shown when pointed at
    link: str = ""  # address of a page beside this one; empty: no link


@dataclass(frozen=True, kw_only=True)
class Column:
    """Describes one column of a table that is read."""

    title: str
    is_numeric: bool = False
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Holds one row of a table that is read."""

    cells: tuple[Cell, ...]
    mark: Literal["", "best", "member", "unranked"] = ""


@dataclass(frozen=True, kw_only=True)
class DataTable:
    """Holds a table with a caption, sortable by every column."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    kind: Literal["table"] = field(default="table", init=False)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Holds names with their values, one a line."""

    caption: str
    items: tuple[tuple[str, str], ...]
    collapsed: str = ""  # where this is given, the facts are folded away under it
    kind: Literal["facts"] = field(default="facts", init=False)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Holds a plot: SVG that has been checked, and what it shows."""

    name: str
    title: str
    caption: str
    svg: Markup
    kind: Literal["figure"] = field(default="figure", init=False)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Names a plot that does not apply."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Commands:
    """Holds lines to type into a shell."""

    lines: tuple[str, ...]
    kind: Literal["commands"] = field(default="commands", init=False)


@dataclass(frozen=True, kw_only=True)
class Heading:
    """Holds a title within a section."""

    name: str  # its anchor
    title: str
    kind: Literal["heading"] = field(default="heading", init=False)


@dataclass(frozen=True, kw_only=True)
class ChartRow:
    """Holds one row of a chart of intervals. Places are shares of the axis, 0 to 1."""

    cells: tuple[str, ...]  # what names it, one a column of the chart
    place: float  # of the estimate; NaN: it has none
    low: float  # of the interval; NaN: it has none
    high: float
    estimate: str
    interval: str
    verdict: str
    mark: Literal["", "best", "member", "worse", "fresh"] = ""
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class IntervalChart:
    """Estimates with their intervals on one axis, each with its verdict; the first rows in sight, the rest folded."""

    caption: str
    columns: tuple[str, ...]  # titles of the rows' `cells`
    metric: str
    interval: str  # title of the intervals: "95 % interval"
    has_verdicts: bool
    rows: tuple[ChartRow, ...]
    n_shown: int  # rows in sight
    ticks: tuple[tuple[float, str], ...]  # of the rows in sight: place on the axis, label
    folded_ticks: tuple[
        tuple[float, str], ...
    ] = ()  # of the rows that are folded away, which have an axis of their own
    notes: tuple[str, ...] = ()
    kind: Literal["chart"] = field(default="chart", init=False)


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Holds parts that are folded away under a title."""

    title: str
    parts: tuple[Part, ...]
    is_printed: bool = True  # opened on paper; else left out there, and the title says where it is
    kind: Literal["fold"] = field(default="fold", init=False)


@dataclass(frozen=True, kw_only=True)
class BestAnswer:
    """Holds the answer of a report, in large letters."""

    title: str  # "Best condition, confirmed on fresh seeds"
    name: str  # of the condition; empty where there is none
    estimate: str  # "val_loss 0.0901 [0.0818, 0.0993]"
    basis: str  # "95 % interval, 10 fresh seeds"
    words: tuple[str, ...]  # what must be known of it


@dataclass(frozen=True, kw_only=True)
class ShownStep:
    """Holds one thing to do next."""

    words: str
    commands: Commands | None


@dataclass(frozen=True, kw_only=True)
class FirstScreen:
    """Holds the first screen: question, answer, next step, and the chart of all conditions."""

    question: str
    answer: BestAnswer | None
    verdicts: str
    steps: tuple[ShownStep, ...]
    chart: IntervalChart | None


Part = Paragraph | DataTable | Facts | Figure | Commands | Heading | IntervalChart | Fold


@dataclass(frozen=True, kw_only=True)
class Section:
    """Holds a titled piece of a page."""

    name: str  # its anchor
    title: str
    parts: tuple[Part, ...]


def text(value: str) -> Cell:
    """Return a cell that is sorted as it reads."""
    return Cell(text=value or MISSING, sort=value)


def numeric(written: str, value: float | int | None, hint: str = "") -> Cell:
    """Return a cell that is sorted by the number behind it; NaN and None go last."""
    sort = "" if value is None or value != value else repr(float(value)).replace("inf", "Infinity")
    return Cell(text=written, sort=sort, hint=hint)


def columns(*titles: str, numeric_from: int = 0, hints: Sequence[str] = ()) -> tuple[Column, ...]:
    """Return columns of the given titles, those from `numeric_from` on numeric."""
    padded = (*hints, *("",) * len(titles))
    return tuple(Column(title=title, is_numeric=i >= numeric_from, hint=padded[i]) for i, title in enumerate(titles))


def paragraphs(*texts: str) -> tuple[Paragraph, ...]:
    """Return running text without empty paragraphs."""
    return tuple(Paragraph(text=one) for one in texts if one)


def gap(why: str) -> tuple[Paragraph, ...]:
    """Return a paragraph on what is missing, and why."""
    return (Paragraph(text=why, kind="gap"),)


def figures(drawn: Iterable[Figure | LeftOut]) -> tuple[Part, ...]:
    """Return figures, then one paragraph on those that were left out, by reason."""
    shown, by_reason = [], {}
    for one in drawn:
        if isinstance(one, Figure):
            shown.append(one)
        else:
            by_reason.setdefault(one.reason.strip().rstrip("."), []).append(one.name.replace("_", " "))
    reasons = [f"{joined(names)} ({reason})" for reason, names in by_reason.items()]
    return (*shown, *gap(f"Plots left out: {'; '.join(reasons)}.")) if reasons else tuple(shown)


def folded(title: str, parts: Iterable[Part], *, is_printed: bool = True) -> tuple[Fold, ...]:
    """Return parts under a title that opens them; nothing if there are none."""
    kept = tuple(parts)
    return (Fold(title=title, parts=kept, is_printed=is_printed),) if kept else ()


def facts(caption: str, items: Iterable[tuple[str, str]]) -> tuple[Facts, ...]:
    """Return facts; nothing if there are none."""
    kept = tuple(items)
    return (Facts(caption=caption, items=kept),) if kept else ()
