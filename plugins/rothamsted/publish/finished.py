"""Publish a sweep on its run: tables, metrics, tags, descriptions and the report."""

from __future__ import annotations

from rothamsted import tracking
from rothamsted.analysis.analyze import ALL, QUICK, Settings, analyze
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.analysis.values import Analysis, Dataset
from rothamsted.printable import markdown
from rothamsted.publish.confirmed_metrics import write_confirmed_metrics
from rothamsted.publish.confirmed_tables import confirmed_replicates_table
from rothamsted.publish.dashboard_plots import attributes_of_study, attributes_of_trials, dashboard_plots
from rothamsted.publish.description import description
from rothamsted.publish.record import write_record
from rothamsted.reporting.tables.csv_tables import to_csv
from rothamsted.search import Queue
from rothamsted.tracking import Recorder


def publish_ended(
    recorder: Recorder, dataset: Dataset, settings: Settings, *, queue: Queue, confirmation: Queue | None = None
) -> Analysis:
    """Publish a sweep that ended or was stopped from its search, also for optuna-dashboard.

    Slow parts are left out: comparisons, effects, curves, the picture.

    Args:
        recorder: Of the tracking store.
        dataset: From the search (`read_search`).
        settings: Of the analysis.
        queue: Of the search.
        confirmation: Of the replicates on fresh seeds; None: there are none.
    """
    analysis = analyze(dataset, settings, parts=QUICK)
    write_record(recorder, analysis, dataset.run_id)
    if confirmation is not None:
        replicates = confirmed_replicates_table(dataset)  # from the search alone: runs may be altered later
        recorder.log_text(dataset.run_id, to_csv(replicates), f"statistics/{replicates.name}.csv")
    text = description(analysis)
    metrics = [one.metric for one in (dataset.objective, *dataset.others)]
    queue.describe(metric=metrics, note=text)
    queue.show(
        plots=dashboard_plots(analysis),
        on_trials=attributes_of_trials(analysis),
        on_study=attributes_of_study(analysis),
    )
    if confirmation is not None:
        of = f"Fresh seeds for the best of sweep [{markdown(dataset.name)}](/dashboard/studies/{queue.study_id}): "
        confirmation.describe(metric=metrics, note=f"{of}one trial a replicate.\n\n{text}")
    return analysis


def publish_finished(run_id: str, settings: Settings, *, uri: str) -> Analysis | None:
    """Publish a finished sweep completely from its record, with the report.

    Returns:
        What the report shows; None if the sweep is not finished: nothing was written then.
    """
    from rothamsted.publish.pages import begun_report, log_picture, picture_address, write_page  # a second of imports

    dataset = read_sweep(run_id, uri=uri)
    if not dataset.is_complete:
        return None
    analysis = analyze(dataset, settings, parts=ALL)
    with begun_report(analysis, has_picture=True) as finish, tracking.open_recorder(uri) as recorder:
        write_record(recorder, analysis, dataset.run_id, picture=picture_address(analysis, dataset.run_id))
        write_confirmed_metrics(recorder, dataset, uri=uri)
        drawn = finish()
        log_picture(recorder, run_id, drawn.picture)
        write_page(recorder, run_id, drawn.page)
    return analysis
