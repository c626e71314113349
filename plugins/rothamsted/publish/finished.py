"""What a sweep leaves behind when it is finished: its whole analysis and its report, on its run.

Apart from the sweep, whose own tables are there without it: this reads everything back from MLflow, as `analyze` does.
"""

from __future__ import annotations

from rothamsted import tracking
from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.publish.confirmed_metrics import write_confirmed_metrics
from rothamsted.publish.pages import REPORT, report_html, write_page
from rothamsted.publish.record import write_record


def publish_finished(run_id: str, settings: Settings, *, uri: str) -> str | None:
    """Analyse a finished sweep, and write tables, description and report to its run.

    Returns:
        The report's artifact; None where the sweep is not finished, and nothing was written.
    """
    dataset = read_sweep(run_id, uri=uri)
    if not dataset.is_complete:
        return None
    analysis = analyze(dataset, settings)
    with tracking.open_recorder(uri) as recorder:
        write_record(recorder, analysis, run_id)
        write_confirmed_metrics(recorder, dataset, uri=uri)
        write_page(recorder, run_id, report_html(analysis))
    return REPORT
