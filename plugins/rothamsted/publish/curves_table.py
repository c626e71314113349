"""Make one long table of all curves that were read, for other programs.

Only its CSV file is written.
"""

from __future__ import annotations

import math

from rothamsted.analysis.values import Analysis
from rothamsted.reporting.tables.csv_tables import Table

_COLUMNS = ("condition", "label", "metric", "axis", "x", "mean", "ci_low", "ci_high", "n")


def curves_table(analysis: Analysis) -> Table:
    """Return one row for each metric (the objective first), condition, axis and point: mean, interval, n."""
    labels = {condition.number: condition.label for condition in analysis.dataset.conditions}
    objective = analysis.dataset.objective.metric
    rows = [
        (band.condition, labels[band.condition], metric, axis, x, mean, _finite(low), _finite(high), int(n))
        for metric in sorted(analysis.bands, key=lambda name: (name != objective, name))
        for axis, bands in analysis.bands[metric].items()
        for band in bands
        for x, mean, low, high, n in zip(
            band.x.tolist(), band.mean.tolist(), band.low.tolist(), band.high.tolist(), band.n.tolist(), strict=True
        )
        if math.isfinite(mean)
    ]
    return Table(name="curves", columns=_COLUMNS, rows=tuple(rows))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
