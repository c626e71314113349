"""Read the final metrics of confirmed replicates as the sweep recorded them when it ended."""

from __future__ import annotations

import csv
import io

from rothamsted import tracking
from rothamsted.errors import StoreError
from rothamsted.given_files import reading
from rothamsted.printable import csv_value

CONFIRMED_METRICS = "statistics/confirmed_metrics.csv"


def read_confirmed_metrics(run_id: str, *, uri: str) -> dict[str, dict[str, float]]:
    """Return run of a replicate -> metric -> final value, as the sweep's run has them; empty if it has no record."""
    text = tracking.read_text(run_id, CONFIRMED_METRICS, uri=uri)
    found: dict[str, dict[str, float]] = {}
    place = f"run {run_id}: artifact {CONFIRMED_METRICS}"
    with reading(place, way_out="give the sweep's command again", error=StoreError):
        for row in csv.DictReader(io.StringIO(text or "")):
            found.setdefault(row["run_id"], {})[csv_value(row["metric"])] = float(row["value"] or "nan")
    return found
