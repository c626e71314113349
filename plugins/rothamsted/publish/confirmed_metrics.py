"""The final metrics of every confirmed replicate, written down when the sweep ends: what promotion holds runs against.

Apart from the other tables because this one is never written anew: what stood first stays, so that a metric that is
altered later is found out.
"""

from __future__ import annotations

import csv
import io

from rothamsted import tracking
from rothamsted.analysis.values import Dataset
from rothamsted.report.tables.csv_tables import Table, to_csv
from rothamsted.tracking import Recorder

CONFIRMED_METRICS = "statistics/confirmed_metrics.csv"


def write_confirmed_metrics(recorder: Recorder, dataset: Dataset, *, uri: str) -> None:
    """Add the finished replicates of the confirmation that are not in the record yet; nothing where there are none."""
    stood = read_confirmed_metrics(dataset.run_id, uri=uri)
    confirmed = [one for one in dataset.replicates if one.phase == "confirm" and one.outcome == "finished"]
    metrics = {one.run_id: dict(one.metrics) for one in confirmed} | stood
    if len(metrics) == len(stood):
        return
    rows = [(run_id, name, value) for run_id, of_run in metrics.items() for name, value in sorted(of_run.items())]
    table = Table(name="confirmed_metrics", columns=("run_id", "metric", "value"), rows=tuple(rows))
    recorder.log_text(dataset.run_id, to_csv(table), CONFIRMED_METRICS)


def read_confirmed_metrics(run_id: str, *, uri: str) -> dict[str, dict[str, float]]:
    """Return run of a replicate -> metric -> final value, as the sweep's run has them; empty where it has no record."""
    text = tracking.read_text(run_id, CONFIRMED_METRICS, uri=uri)
    found: dict[str, dict[str, float]] = {}
    for row in csv.DictReader(io.StringIO(text or "")):
        found.setdefault(row["run_id"], {})[row["metric"]] = float(row["value"] or "nan")
    return found
