"""Run the commands that read finished runs: analyze, report, compare, power. None of them trains anything.

They read a tracking store, and need no study and no search. Slow modules are imported after the command line has been
checked.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rothamsted import tags, tracking
from rothamsted.analysis.find import find_compared, refuse_unknown_run
from rothamsted.catalog import FIGURE_FORMATS
from rothamsted.cli.arguments import pairs, take
from rothamsted.cli.figures import figures, take_plots, take_where
from rothamsted.cli.screen import Screen, screen_of
from rothamsted.cli.settings import (
    names_of,
    open_named,
    take_dataset,
    take_number,
    take_objective,
    take_over,
    take_plot_options,
    take_settings,
    with_over,
)
from rothamsted.cli.store import open_store
from rothamsted.errors import UserError
from rothamsted.given_files import check_folder_to_make
from rothamsted.places import REPORTS, command_folder, output_folder
from rothamsted.printable import markdown
from rothamsted.records import RunStatus

if TYPE_CHECKING:
    from rothamsted.analysis.values import Analysis


def analyze(arguments: Sequence[str]) -> int:
    """Compute all statistics of a sweep, or of any runs, again, and write them to MLflow."""
    write_analysis("analyze", pairs(arguments, command="analyze"), screen_of(arguments, command="analyze"))
    return 0


def report(arguments: Sequence[str]) -> int:
    """Write the report of a sweep, or of any runs, and log it to MLflow; with `format`, write figures instead."""
    found = pairs(arguments, command="report")
    if found.get("format"):
        return figures(found)
    write_analysis("report", found, screen_of(arguments, command="report"))
    return 0


def write_analysis(command: str, found: dict[str, str], screen: Screen) -> tuple[Analysis, Path | None]:
    """Analyse the runs that the keys name, and write everything to MLflow.

    Returns:
        What was found, and the copy of the page; None: no folder was given.
    """
    for key in ("format", "size"):
        if take(found, key) is not None:
            raise UserError(
                f"rothamsted {command}: {key} is for figures; give format={','.join(FIGURE_FORMATS)} with it"
            )
    request = dict(found)
    plots, folder, where = take_plots(found, command), take(found, "folder"), take_where(found)
    export, names_file = take(found, "export"), take(found, "export_names")
    if names_file is not None and export is None:
        raise UserError(f"rothamsted {command}: export_names={names_file} needs export=DIR; give it, too")
    for key, one in (("folder", folder), ("export", export)):
        if one is not None:
            check_folder_to_make(command_folder() / one, place=f"{key}={one}", way_out="name another folder")
    asked, over = take_settings(found, command), take_over(found, command)
    uri = open_named(found)
    options = take_plot_options(found, command)
    dataset = take_dataset(found, command, uri=uri, has_samples=options.axis == "samples", where=where)

    from rothamsted.analysis.analyze import analyze as analyze_dataset
    from rothamsted.analysis.analyze import settings_of
    from rothamsted.publish.description import description
    from rothamsted.publish.export import Names, read_names
    from rothamsted.publish.exported.folder import line_of, write_folder
    from rothamsted.publish.pages import REPORT, copy_page, report_html, write_page, write_picture
    from rothamsted.publish.record import write_record
    from rothamsted.publish.rewrite import rewrite_sweep_trials

    export_names = Names() if names_file is None else read_names(Path(names_file))
    settings = replace(settings_of(dataset.statistics), **asked)
    dataset = with_over(dataset, over, settings, command)
    analysis = analyze_dataset(dataset, settings)
    if "reference" in asked and analysis.comparisons is None:
        raise UserError(f"rothamsted {command}: {analysis.gaps['comparisons']}")
    html = report_html(analysis, plots=plots, options=options, where=where)
    recorder = tracking.open_recorder(uri)
    run_id = dataset.run_id or _summary_run(recorder, dataset.experiment_id, dataset.name, request, uri=uri)
    if command == "analyze" and dataset.kind == "sweep":
        rewrite_sweep_trials(recorder, dataset, settings, uri=uri)
    picture = write_picture(recorder, analysis, run_id)
    write_record(recorder, analysis, run_id, picture=picture)
    write_page(recorder, run_id, html)
    _link_outer(recorder, dataset.experiment_id, run_id, dataset.name)
    recorder.close()
    console = screen.console
    console.print(description(analysis), markup=False, soft_wrap=True)
    page = None if folder is None else copy_page(html, command_folder() / folder, dataset.name)
    if page is not None:
        console.print(f"report: {page}", markup=False, soft_wrap=True)
    if export is not None:
        for one in write_folder(analysis, command_folder() / export, uri=uri, names=export_names, only=["results"]):
            console.print(line_of(one), markup=False, soft_wrap=True)
    link = tracking.run_link(uri, dataset.experiment_id, run_id)
    console.print(f"in MLflow: {tracking.ui_command(uri)}    # then {link}", markup=False, soft_wrap=True)
    if screen.is_json:
        from rothamsted.cli.results import plain_analysis

        screen.give({**plain_analysis(analysis), "run_id": run_id, "artifact": REPORT})
    return analysis, page


def compare(arguments: Sequence[str]) -> int:
    """Put runs or sweeps side by side."""
    found, screen = pairs(arguments, command="compare"), screen_of(arguments, command="compare")
    references, folder = names_of(take(found, "runs")), take(found, "folder")
    labels = names_of(take(found, "names"))
    asked = {"reference": 0, **take_settings(found, "compare")}  # the first that is named
    objective, over = take_objective(found, "compare"), take_over(found, "compare")
    if len(references) < 2:
        raise UserError("rothamsted compare: name two or more runs or sweeps, runs=a,b")
    if labels and len(labels) != len(references):
        raise UserError(f"rothamsted compare: {len(labels)} names for {len(references)} runs; give one each, names=A,B")

    def refuse(uri: str) -> None:
        for reference in references:
            refuse_unknown_run(reference, uri=uri)

    uri = open_store(refuse)
    for reference in references:
        find_compared(reference, uri=uri)

    from rothamsted.analysis.analyze import settings_of
    from rothamsted.analysis.read_compared import read_compared
    from rothamsted.publish.comparison import comparison_html, comparison_text
    from rothamsted.publish.pages import copy_page, write_page

    dataset, subjects = read_compared(references, uri=uri, objective=objective, over=over, names=labels)
    settings = replace(settings_of(dataset.statistics), **asked)
    dataset = with_over(dataset, over, settings, "compare")
    html = comparison_html(dataset, subjects, settings)
    console = screen.console
    console.print(comparison_text(dataset, settings), markup=False, soft_wrap=True)
    outer = tracking.current_run_id()
    if outer is not None:  # `mlflow run . -e compare` has opened a run for it
        with tracking.open_recorder(uri) as recorder:
            recorder.log(outer, tags={tags.ROLE: "summary"})
            write_page(recorder, outer, html, "report/comparison.html")
    written = copy_page(html, output_folder(folder, usual=REPORTS, tracking_uri=uri), dataset.name[:80])
    console.print(f"comparison: {written}", markup=False, soft_wrap=True)
    if screen.is_json:
        from rothamsted.analysis.analyze import analyze as analyze_dataset
        from rothamsted.cli.results import plain_analysis

        screen.give({**plain_analysis(analyze_dataset(dataset, settings)), "page": str(written)})
    return 0


def power(arguments: Sequence[str]) -> int:
    """Say how many replicates it takes to see a difference, from the spread of an earlier sweep."""
    found, screen = pairs(arguments, command="power"), screen_of(arguments, command="power")
    difference = take_number(found, "difference", float, "power")
    asked, over = take_settings(found, "power"), take_over(found, "power")
    uri = open_named(found)
    dataset = take_dataset(found, "power", uri=uri)

    from rothamsted.analysis.analyze import settings_of
    from rothamsted.publish.power import power_text

    settings = replace(settings_of(dataset.statistics), **asked)
    dataset = with_over(dataset, over, settings, "power")
    text = power_text(dataset, difference, settings)
    screen.console.print(text, markup=False, soft_wrap=True)
    screen.give({"sweep": dataset.name, "difference": difference, "text": text})
    return 0


def _link_outer(recorder: tracking.Recorder, experiment_id: str, run_id: str, name: str) -> None:
    """The run that `mlflow run` opened around this command says where the results are."""
    outer = tracking.current_run_id()
    if outer is None or outer == run_id:
        return
    own = {tags.ROLE: "continuation", tags.CONTINUES: run_id, "mlflow.runName": f"{name} (analysed)"}
    recorder.log(outer, tags=own)
    link = tracking.run_path(experiment_id, run_id)
    recorder.set_description(outer, f"Analysed **{markdown(name)}**: [the run with its results]({link})\n")


def _summary_run(
    recorder: tracking.Recorder, experiment_id: str, name: str, request: Mapping[str, str], *, uri: str
) -> str:
    """The run that holds the analysis of runs that belong to no sweep; the same request finds its run again."""
    key = hashlib.sha256(json.dumps(sorted(request.items())).encode()).hexdigest()[:16]
    found = tracking.find_runs([experiment_id], {tags.ROLE: "summary", "rothamsted.request": key}, uri=uri)
    if found:
        return found[-1].run_id
    at_ms = time.time_ns() // 1_000_000
    run_id = recorder.open_run(
        experiment_id=experiment_id,
        name=f"summary of {name}"[:250],
        tags={tags.ROLE: "summary", "rothamsted.request": key},
        params=request,
        start_ms=at_ms,
    )
    recorder.end_run(run_id, RunStatus.FINISHED, at_ms)
    recorder.flush()
    return run_id
