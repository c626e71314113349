"""Record the final metrics of every confirmed replicate when the sweep ends; promotion compares the runs with them.

They are never overwritten, so that a metric that is altered later is noticed.
"""

from __future__ import annotations

from rothamsted.analysis.read_confirmed_metrics import CONFIRMED_METRICS, read_confirmed_metrics
from rothamsted.analysis.values import Dataset
from rothamsted.reporting.tables.csv_tables import Table, to_csv
from rothamsted.tracking import Recorder


def write_confirmed_metrics(recorder: Recorder, dataset: Dataset, *, uri: str) -> None:
    """Add the finished replicates of the confirmation that are not in the record yet."""
    stood = read_confirmed_metrics(dataset.run_id, uri=uri)
    confirmed = [one for one in dataset.replicates if one.phase == "confirm" and one.outcome == "finished"]
    metrics = {one.run_id: dict(one.metrics) for one in confirmed} | stood
    if len(metrics) == len(stood):
        return
    rows = [(run_id, name, value) for run_id, of_run in metrics.items() for name, value in sorted(of_run.items())]
    table = Table(name="confirmed_metrics", columns=("run_id", "metric", "value"), rows=tuple(rows))
    recorder.log_text(dataset.run_id, to_csv(table), CONFIRMED_METRICS)
