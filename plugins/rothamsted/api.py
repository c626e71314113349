"""Run a sweep: open it, run each phase, gather the results, publish them, promote the best.

The console script, MLflow's backend, stages and the contest of a promotion call it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from functools import partial

from rich.console import Console

from rothamsted.errors import UserError
from rothamsted.executors import Executor, ask_first
from rothamsted.gathering import gathered, meanwhile_of, shown_again, write_log
from rothamsted.mirroring.beside import Mirror, catch_up, mirrored
from rothamsted.promoting import with_decision
from rothamsted.promotion.judge.applies import policy_of
from rothamsted.publish.console import say_where, sayer
from rothamsted.records import RunStatus
from rothamsted.result import SessionResult
from rothamsted.spec import Sweep, n_workers
from rothamsted.studies import Study
from rothamsted.sweeping.coordinator.coordinator import STOPPED, Coordinator
from rothamsted.sweeping.coordinator.job import job_of
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.open.start import open_passed, open_sweep
from rothamsted.sweeping.opened import Opened, Place
from rothamsted.sweeping.phases import follow_up


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
        if stage.is_last and (result := shown_again(stage, study, here, console)) is not None:
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
    write_log(sweep, result, study, place, say=say)
    return with_decision(result, policy, place, work=partial(work, executor=executor, console=console), say=say)


def work(
    opened: Opened, executor: Executor, console: Console, *, until: float | None = None, is_given: bool = False
) -> SessionResult:
    """Work on an opened sweep until nothing is left, gather what came of it, publish it, show it, and mirror it.

    With `is_given` its result is what the call gives, which a notebook shows by itself.
    """
    with mirrored(opened, sayer(console)) as mirror:
        result = _work(opened, executor, console, mirror, until=until, is_given=is_given)
        if mirror is not None and result.exit_status not in STOPPED:
            mirror.catch_up()
    return result


def _work(
    opened: Opened,
    executor: Executor,
    console: Console,
    mirror: Mirror | None,
    *,
    until: float | None,
    is_given: bool,
) -> SessionResult:
    if not opened.labels:
        say_where(opened.tracking_uri, opened.experiment_id, opened.sweep_run_id, console)
    meanwhile = meanwhile_of(opened)
    if mirror is not None:
        meanwhile.tick = mirror.tick
    coordinator = Coordinator(opened=opened, executor=executor, console=console, until=until, meanwhile=meanwhile)
    try:
        session = coordinator.run()
    except UserError:
        with suppress(UserError):  # a store that is away
            opened.end_run(RunStatus.FAILED)
        raise
    result = gathered(opened, session, console, is_given=is_given)
    if session.is_complete:
        follow_up.forget(opened)
        opened.lease.leave("over")
    return result
