"""Write the index page of the reports of several sweeps: a row for each, with its question and its best condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from rothamsted.analysis.values import Analysis
from rothamsted.reporting.page.report_page import fill
from rothamsted.reporting.parts import Cell, Column, DataTable, Row, Section, numeric, text
from rothamsted.reporting.sections.first_screen import question_of
from rothamsted.reporting.tables.cells import mean_estimate
from rothamsted.wording import count


@dataclass(frozen=True, kw_only=True)
class IndexRow:
    """Holds the row of one sweep.

    Attributes:
        page: the name of its report's file, which lies beside the index.
        name: of the sweep.
        question: its file's; empty: none.
        state: complete or not.
        n_conditions, n_replicates: numbers of its conditions and replicates.
        best: its best condition; empty: none has a mean.
        metric: what it optimises.
        estimate: estimate of the best: on fresh seeds if there are any, else that of the search.
        basis: number and kind of its replicates.
    """

    page: str
    name: str
    question: str
    state: str
    n_conditions: int
    n_replicates: int
    best: str
    metric: str
    estimate: str
    basis: str


def index_row(analysis: Analysis, page: str) -> IndexRow:
    """Return the row of one analysis.

    Args:
        analysis: Of the sweep.
        page: The name of its report's file.
    """
    dataset = analysis.dataset
    number = analysis.ranking[0] if analysis.ranking else None
    fresh = {one.condition: one.summary for one in analysis.confirmed if one.summary is not None}
    found = fresh.get(number) if number is not None else None
    summary = found or next((one for one in analysis.objective if one.condition == number), None)
    return IndexRow(
        page=page,
        name=dataset.name,
        question=question_of(analysis),
        state="complete" if dataset.is_complete else "not complete",
        n_conditions=len(dataset.conditions),
        n_replicates=len(dataset.replicates),
        best=next((one.label for one in dataset.conditions if one.number == number), ""),
        metric=dataset.objective.metric,
        estimate="" if summary is None else str(mean_estimate(summary)[0]),
        basis="" if summary is None else f"n = {summary.n}, {'fresh seeds' if found else 'as the search saw it'}",
    )


def render_index(rows: Sequence[IndexRow], *, generated_at: str, version: str) -> str:
    """Write the index as one HTML document; its links lead to pages beside it.

    Args:
        rows: One for each sweep, in their order.
        generated_at: Time of writing, as the page shows it.
        version: Version of rothamsted.
    """
    titles = ("Sweep", "Question", "Best condition", "Metric", "Mean", "Basis", "Conditions", "Replicates", "State")
    numbers = ("Conditions", "Replicates")
    table = DataTable(
        caption="The best condition of each sweep.",
        columns=tuple(Column(title=title, is_numeric=title in numbers) for title in titles),
        rows=tuple(Row(cells=_cells(row)) for row in rows),
    )
    return fill(
        "page.html.j2",
        title="Sweeps",
        subtitle=count(len(rows), "report"),
        marks=(),
        first=None,
        summary=(),
        sections=(Section(name="sweeps", title="", parts=(table,)),),
        generated_at=generated_at,
        version=version,
    )


def _cells(row: IndexRow) -> tuple[Cell, ...]:
    words = (row.question, row.best, row.metric, row.estimate, row.basis)
    return (
        Cell(text=row.name, sort=row.name, link=quote(row.page)),
        *map(text, words),
        numeric(str(row.n_conditions), row.n_conditions),
        numeric(str(row.n_replicates), row.n_replicates),
        text(row.state),
    )
