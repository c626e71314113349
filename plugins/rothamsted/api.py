"""What a sweep is: open it, run each phase, gather what came of it, publish it, promote the best.

The console script, MLflow's backend, stages and the contest of a promotion all call this.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

from rich.console import Console

from rothamsted.analysis.analyze import QUICK, Settings, analyze, settings_of
from rothamsted.analysis.values import Analysis
from rothamsted.errors import UserError
from rothamsted.executors import Executor, ask_first
from rothamsted.mirroring.beside import catch_up, mirrored
from rothamsted.promoting import with_decision
from rothamsted.promotion.judge.applies import policy_of
from rothamsted.publish.ahead import make_ready, rehearse
from rothamsted.publish.console import say_where, sayer, show, show_report
from rothamsted.publish.finished import publish_ended, publish_finished
from rothamsted.publish.published import read_published, write_published
from rothamsted.records import RunStatus
from rothamsted.reporting.next_steps import next_steps
from rothamsted.result import SessionResult
from rothamsted.spec import Sweep, n_workers, plan
from rothamsted.studies import Study
from rothamsted.sweeping.coordinator.coordinator import STOPPED, Coordinator
from rothamsted.sweeping.coordinator.job import job_of
from rothamsted.sweeping.coordinator.meanwhile import Meanwhile
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.open.over import digest_of, is_tried_again, open_over
from rothamsted.sweeping.open.start import open_passed, open_sweep
from rothamsted.sweeping.opened import Opened, Place
from rothamsted.sweeping.phases import follow_up
from rothamsted.sweeping.phases.follow_up import StageToRun
from rothamsted.unsaved import is_unsaved

MOST_REHEARSED = 1000  # replicates of a search: an analysis of more takes seconds of a processor, and much memory


def run(
    sweep: Sweep, study: Study | ForeignStudy, place: Place, *, executor: Executor, console: Console
) -> SessionResult:
    """Run a sweep with all its stages, or go on with it, until it is finished, stopped or out of time.

    Raises:
        UserError: in one line, before anything has been made.
    """
    policy = policy_of(sweep, place.root)
    asked = job_of(sweep, tracking_uri=place.tracking_uri, until=None, uses_gpu=study.uses_gpu)
    for line in ask_first(executor, asked, n_workers(sweep)):
        console.print(line, soft_wrap=True, markup=False)
    until = time.time() + sweep.timeout if sweep.timeout else None  # of all stages together
    say, stage = sayer(console), follow_up.first_of(sweep, place.question)
    while True:
        here = replace(place, question=stage.question)
        passed = None if stage.is_last else open_passed(stage.sweep, study, here, stage=stage.link)
        say(follow_up.announcement(stage, is_passed=passed is not None))
        if stage.is_last and (result := look(stage, study, here, console)) is not None:
            break
        with passed or open_sweep(stage.sweep, study, here, stage=stage.link, say=say) as opened:
            given = {"until": until, "is_given": stage.is_last}
            if passed is not None:
                catch_up(replace(opened, sweep=stage.sweep), say)
            result = None if passed is not None else work(opened, executor, console, **given)
            if result is not None and (stage.is_last or result.exit_status or not result.is_complete):
                break
            following = follow_up.next_of(stage, sweep, opened, say=say, question=place.question)
        if result is not None and (following is None or follow_up.is_late(following, until, say)):
            break
        stage = following or stage
    return with_decision(result, policy, place, work=partial(work, executor=executor, console=console), say=say)


def look(stage: StageToRun, study: Study | ForeignStudy, place: Place, console: Console) -> SessionResult | None:
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
            f"sweep {opened.sweep.name} is finished: {n_done} replicates are done already, and its result is published"
        )
        _show(opened, result, console, is_given=True)
        if published.has_report:
            show_report(published.steps, opened.sweep.name, console)
        catch_up(opened, sayer(console))
    return result


def work(
    opened: Opened, executor: Executor, console: Console, *, until: float | None = None, is_given: bool = False
) -> SessionResult:
    """Work on an opened sweep until nothing is left, gather what came of it, publish it, show it, and mirror it.

    With `is_given` its result is what the call gives, which a notebook shows by itself.
    """
    with mirrored(opened, sayer(console)) as mirror:
        meanwhile = _meanwhile(opened)
        if mirror is not None:
            meanwhile.tick = mirror.tick
        result = _work(opened, executor, console, meanwhile, until=until, is_given=is_given)
        if mirror is not None and result.exit_status not in STOPPED:
            mirror.catch_up()
    return result


def _work(
    opened: Opened,
    executor: Executor,
    console: Console,
    meanwhile: Meanwhile,
    *,
    until: float | None,
    is_given: bool,
) -> SessionResult:
    if not opened.labels:
        say_where(opened.tracking_uri, opened.experiment_id, opened.sweep_run_id, console)
    coordinator = Coordinator(opened=opened, executor=executor, console=console, until=until, meanwhile=meanwhile)
    try:
        session = coordinator.run()
    except UserError:
        with suppress(UserError):  # a store that is away
            opened.end_run(RunStatus.FAILED)
        raise
    data, settings = opened.data(), settings_of(opened.sweep.statistics)
    if session.decided:
        analysis = publish_ended(opened.recorder, data, settings, queue=opened.queue, confirmation=opened.confirm_queue)
        opened.end_run(session.status)
    else:
        analysis = analyze(data, settings, parts=QUICK)  # whoever decides writes it down
    result = _result(opened, analysis, exit_status=session.exit_status, is_complete=session.is_complete)
    _show(opened, result, console, left=session.left, is_given=is_given)
    if session.is_complete and session.decided and not opened.labels:
        _publish_whole(opened, settings, console, keeps=not session.exit_status)
    if session.is_complete:
        follow_up.forget(opened)
        opened.lease.leave("over")
    return result


def _meanwhile(opened: Opened) -> Meanwhile:
    """What is done of the report while workers train: in processes of their own, and not many replicates of them."""
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


def _publish_whole(opened: Opened, settings: Settings, console: Console, *, keeps: bool) -> None:
    """Write the report of a finished sweep where its file wants one; with `keeps`, say on its run of what it is."""
    has_report, run_id, uri = opened.sweep.execution.report, opened.sweep_run_id, opened.tracking_uri
    whole = publish_finished(run_id, settings, uri=uri) if has_report else None
    if whole is not None:
        show_report(next_steps(whole), opened.sweep.name, console)
    if keeps and (whole is not None or not has_report) and not is_tried_again(opened):
        write_published(run_id, digest_of(opened), whole, uri=uri)


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


def _result(opened: Opened, analysis: Analysis, *, exit_status: int = 0, is_complete: bool = True) -> SessionResult:
    return SessionResult(
        sweep=opened.sweep,
        run_id=opened.sweep_run_id,
        experiment_id=opened.experiment_id,
        exit_status=exit_status,
        is_complete=is_complete,
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
