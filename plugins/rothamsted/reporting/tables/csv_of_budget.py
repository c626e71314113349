"""Make the CSV table of the expected best by budget."""

from __future__ import annotations

from rothamsted.analysis.search_scores import curves_of, search_of
from rothamsted.analysis.values import Analysis
from rothamsted.reporting.tables.csv_tables import Table


def expected_best_table(analysis: Analysis) -> Table:
    """Return one row for each budget; none if the conditions were not drawn at random."""
    dataset = analysis.dataset
    curves, _ = curves_of((search_of(dataset),), dataset.objective.direction)
    columns = ("conditions", "expected_best", "low", "high", "n_conditions", "n_without")
    rows = tuple(
        (int(k), float(best), float(low), float(high), one.n, one.n_without)
        for one in curves.values()
        for k, best, low, high in zip(one.budgets, one.expected, one.low, one.high, strict=True)
    )
    return Table(name="expected_best", columns=columns, rows=rows)
