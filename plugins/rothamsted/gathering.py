"""Gather, publish and show the result of a sweep in the process that ran it, and show it again when it is over."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console

from rothamsted.analysis.analyze import QUICK, Settings, analyze, settings_of
from rothamsted.analysis.values import Analysis
from rothamsted.errors import UserError
from rothamsted.mirroring.beside import catch_up
from rothamsted.publish.ahead import make_ready, rehearse
from rothamsted.publish.console import say_where, sayer, show, show_report
from rothamsted.publish.experiment_log.write import log_sweep
from rothamsted.publish.finished import publish_ended, publish_finished
from rothamsted.publish.published import read_published, write_published
from rothamsted.reporting.next_steps import next_steps
from rothamsted.result import SessionResult
from rothamsted.spec import Sweep, plan
from rothamsted.studies import Study
from rothamsted.studies.defaults import defaults_of
from rothamsted.sweeping.coordinator.coordinator import Session
from rothamsted.sweeping.coordinator.meanwhile import Meanwhile
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.open.over import digest_of, is_tried_again, open_over
from rothamsted.sweeping.opened import Opened, Place, log_path
from rothamsted.sweeping.phases.follow_up import StageToRun
from rothamsted.unsaved import is_unsaved
from rothamsted.wording import plain_count, verb

MOST_REHEARSED = 1000  # replicates of a search: an analysis of more takes seconds of a processor, and much memory


def gathered(opened: Opened, session: Session, console: Console, *, is_given: bool) -> SessionResult:
    """Gather what a session of a sweep has found, publish it where this process decided, and show it."""
    settings = settings_of(opened.sweep.statistics)
    ending = partial(_result, opened, exit_status=session.exit_status, is_complete=session.is_complete, why=session.why)
    analysis = _of_search(opened, settings, publishes=session.decided)
    if session.decided:
        opened.end_run(session.status)
    _show(opened, ending(analysis), console, left=session.left, is_given=is_given)
    if not session.is_complete or not session.decided or opened.labels:
        return ending(analysis)
    if not opened.sweep.execution.report:
        _keep(opened, None, is_whole=not session.exit_status)
        return ending(analysis)
    del analysis  # its replicates would be held beside those of the record: 16 MiB for ten thousand
    whole = publish_finished(opened.sweep_run_id, settings, uri=opened.tracking_uri)
    if whole is None:
        return ending(_of_search(opened, settings, publishes=False))
    show_report(next_steps(whole), opened.sweep.name, console)
    _keep(opened, whole, is_whole=not session.exit_status)
    return ending(whole)


def _of_search(opened: Opened, settings: Settings, *, publishes: bool) -> Analysis:
    """The quick analysis of what the search holds, published by the process that decided."""
    if not publishes:
        return analyze(opened.data(), settings, parts=QUICK)
    return publish_ended(
        opened.recorder, opened.data(), settings, queue=opened.queue, confirmation=opened.confirm_queue
    )


def _keep(opened: Opened, whole: Analysis | None, *, is_whole: bool) -> None:
    """Say on the run of a finished sweep of what its result is, unless the same command would train more."""
    if is_whole and not is_tried_again(opened):
        write_published(opened.sweep_run_id, digest_of(opened), whole, uri=opened.tracking_uri)


def shown_again(stage: StageToRun, study: Study | ForeignStudy, place: Place, console: Console) -> SessionResult | None:
    """Show again what is published of a finished sweep; None: something is to be done, or to be published anew.

    Nothing is written, neither to the databases nor to the artifacts, unless a replicate is missing in a mirror.
    """
    opened = open_over(stage.sweep, study, place, stage=stage.link)
    if opened is None:
        return None
    with opened, _no_collections():
        published = read_published(opened.sweep_run_id, digest_of(opened), uri=opened.tracking_uri)
        if published is None:
            return None
        say_where(opened.tracking_uri, opened.experiment_id, opened.sweep_run_id, console)
        result = _result(opened, analyze(opened.data(), settings_of(opened.sweep.statistics), parts=QUICK))
        n_done = len(result.analysis.dataset.replicates)
        sayer(console)(
            f"sweep {opened.sweep.name} is finished: {plain_count(n_done, 'replicate')} {verb(n_done, 'is', 'are')} "
            "done already, and its result is published"
        )
        _show(opened, result, console, is_given=True)
        if published.has_report:
            show_report(published.steps, opened.sweep.name, console)
        catch_up(opened, sayer(console))
    return result


def write_log(
    sweep: Sweep, result: SessionResult, study: Study | ForeignStudy, place: Place, *, say: Callable[[str], None]
) -> None:
    """Write a finished sweep into the experiment log that its file names; one that cannot be written is a warning."""
    if sweep.log is None or not result.is_complete or result.exit_status or is_unsaved(sweep.storage):
        return
    dataset, ranking = result.analysis.dataset, result.analysis.ranking
    fixed, path = result.sweep.stage_parameters(0), log_path(sweep.log, place)
    best = {one.number: one.values for one in dataset.conditions}.get(ranking[0], {}) if ranking else {}
    defaults = defaults_of(study.config, {**fixed, **best}) if isinstance(study, Study) else None
    try:
        has_changed = log_sweep(path, dataset, uri=place.tracking_uri, fixed=fixed, defaults=defaults)
        say(f"experiment log: {path}" if has_changed else "")
    except UserError as error:
        say(f"warning: {error}; the sweep and its result are safe: rothamsted experiment_log {result.sweep.name}")


def meanwhile_of(opened: Opened) -> Meanwhile:
    """Say what is done of the report while workers train: in processes of their own, for not many replicates."""
    execution, uri = opened.sweep.execution, opened.tracking_uri
    if not execution.report:
        return Meanwhile()
    settings, is_small = settings_of(opened.sweep.statistics), plan(opened.sweep).n_trainings <= MOST_REHEARSED
    is_beside = execution.executor != "in_process" and not opened.labels  # a study in this process may draw, too
    drawn = partial(rehearse, opened.sweep_run_id, settings, uri=uri)
    return Meanwhile(
        make_ready=make_ready,
        rehearse=(lambda is_over: drawn(is_over=is_over)) if is_beside and is_small else None,
    )


def _show(opened: Opened, result: SessionResult, console: Console, *, left: str = "", is_given: bool) -> None:
    show(
        result.analysis,
        console,
        left=left,
        tracking_uri=opened.tracking_uri,
        storage=opened.sweep.storage,
        is_kept=not is_unsaved(opened.sweep.storage),
        is_given=is_given and not result.exit_status,  # one that was stopped raises in a call, and gives none
    )


def _result(
    opened: Opened, analysis: Analysis, *, exit_status: int = 0, is_complete: bool = True, why: str = ""
) -> SessionResult:
    return SessionResult(
        sweep=opened.sweep,
        run_id=opened.sweep_run_id,
        experiment_id=opened.experiment_id,
        exit_status=exit_status,
        is_complete=is_complete,
        why=why,
        analysis=analysis,
    )


@contextmanager
def _no_collections() -> Iterator[None]:
    """No garbage is collected within: values of all replicates are made, and no cycles of them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
