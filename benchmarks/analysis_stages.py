"""Time reading, analysing and reporting one finished sweep; `benchmarks.analysis` runs it in a fresh process.

Peak memory is that of a process, so the sweep is made in another one.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from mlflow import MlflowClient

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.publish.pages import report_html
from rothamsted.tracking import tracking_uri

_T = TypeVar("_T")


def timed(seconds: dict[str, float], name: str, call: Callable[[], _T]) -> _T:
    """Call, and note how long it took."""
    began = time.perf_counter()
    result = call()
    seconds[name] = time.perf_counter() - began
    return result


def measure(sweep: str, n_by_client: int) -> dict[str, Any]:
    """Measure the seconds of each stage, report size, peak memory, and the seconds a run that MLflow's client takes."""
    seconds: dict[str, float] = {}
    uri = tracking_uri()
    dataset = timed(seconds, "read", lambda: read_sweep(sweep, uri=uri))
    analysis = timed(seconds, "analyze", lambda: analyze(dataset))
    cpu_began = time.process_time()
    html = timed(seconds, "report", lambda: report_html(analysis))
    cpu_seconds = time.process_time() - cpu_began
    peak_bytes = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    client = MlflowClient(uri)
    some = [replicate.run_id for replicate in dataset.replicates[:n_by_client]]
    timed(seconds, "client", lambda: [_read_by_client(client, run_id) for run_id in some])
    return {
        "seconds": seconds,
        "n_runs": len(dataset.replicates),
        "n_by_client": len(some),
        "report_cpu_seconds": cpu_seconds,
        "report_bytes": len(html.encode()),
        "peak_bytes": peak_bytes,
    }


def _read_by_client(client: MlflowClient, run_id: str) -> None:
    """What `read` reads of a run: its params, tags and metrics, and the curves of two metrics and of seconds."""
    client.get_run(run_id)
    for key in ("val_loss", "train_loss", "seconds"):
        client.get_metric_history(run_id, key)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
