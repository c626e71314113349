"""Make the table of the sources of variance of crossed replicates, for programs."""

from __future__ import annotations

from rothamsted.analysis.values import Analysis
from rothamsted.reporting.tables.csv_tables import Table


def sources_table(analysis: Analysis) -> Table:
    """Return one row for each source of variance of crossed replicates, of trainings and of differences."""
    columns = ("of", "source", "share", "low", "high", "df", "level", "n_conditions", "n_replicates")
    both = (("training", analysis.sources), ("difference", analysis.sources_of_differences))
    rows = tuple(
        (what, one.source, one.share, one.low, one.high, one.df, found.level, found.n_conditions, found.n_replicates)
        for what, found in both
        if found is not None
        for one in found.shares
    )
    return Table(name="variance_sources", columns=columns, rows=rows)
