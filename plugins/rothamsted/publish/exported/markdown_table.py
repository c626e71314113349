"""Write a table in Markdown, as GitHub and pandoc read it."""

from __future__ import annotations

from collections.abc import Sequence

from rothamsted.printable import markdown, without_bars
from rothamsted.reporting.parts import DataTable


def markdown_table(table: DataTable) -> str:
    """Write a table with its caption above and its notes below; no text in it makes a link, a tag or another cell."""
    lines = [
        markdown(table.caption),
        "",
        _row([one.title for one in table.columns]),
        _row(["---:" if one.is_numeric else "---" for one in table.columns]),
        *(_row([cell.text for cell in row.cells]) for row in table.rows),
    ]
    for note in table.notes:
        lines += ["", markdown(note)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(markdown(without_bars(cell)) for cell in cells)} |"
