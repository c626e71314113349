"""What a sweep is: open it, run each phase, gather what came of it, publish it, promote the best.

The console script, MLflow's backend, stages and the contest of a promotion all call this.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from rothamsted.analysis.analyze import QUICK, analyze, settings_of
from rothamsted.errors import StudyError
from rothamsted.executors import Executor
from rothamsted.publish.console import show, show_next
from rothamsted.publish.finished import publish_ended, publish_finished
from rothamsted.result import Result
from rothamsted.spec import Sweep
from rothamsted.study import Study
from rothamsted.sweep.coordinator.coordinator import INTERRUPTED, Coordinator
from rothamsted.sweep.foreign_study import ForeignStudy
from rothamsted.sweep.open.contest import open_contest
from rothamsted.sweep.open.start import open_passed, open_sweep
from rothamsted.sweep.opened import Opened, Place
from rothamsted.sweep.phases import follow_up

if TYPE_CHECKING:  # imported where they are called: most sweeps promote nothing
    from rothamsted.promotion.judge.policy import Policy
    from rothamsted.promotion.ledger.decision import PromotionOutcome


def run(sweep: Sweep, study: Study | ForeignStudy, place: Place, *, executor: Executor, console: Console) -> Result:
    """Run a sweep with all its stages, or go on with it, until it is finished, stopped or out of time.

    Raises:
        UserError: in one line, before anything has been made.
    """
    policy = policy_of(sweep, place.root)
    until = time.time() + sweep.timeout if sweep.timeout else None  # of all stages together
    say, stage = saying(console), follow_up.first_of(sweep, place.question)
    while True:
        here = replace(place, question=stage.question)
        passed = None if stage.is_last else open_passed(stage.sweep, study, here, stage=stage.link)
        say(follow_up.announcement(stage, is_passed=passed is not None))
        with passed or open_sweep(stage.sweep, study, here, stage=stage.link, say=say) as opened:
            result = None if passed is not None else work(opened, executor, console, until=until)
            if result is not None and (stage.is_last or result.exit_status or not result.is_complete):
                break
            following = follow_up.next_of(stage, sweep, opened, say=say, question=place.question)
        if result is not None and (following is None or follow_up.is_late(following, until, say)):
            break
        stage = following or stage
    return result if policy is None else _promoted(result, policy, place, executor=executor, console=console)


def work(opened: Opened, executor: Executor, console: Console, *, until: float | None = None) -> Result:
    """Work on an opened sweep until nothing is left, gather what came of it, publish it, and show it."""
    session = Coordinator(opened=opened, executor=executor, console=console, until=until).run()
    data, settings = opened.data(), settings_of(opened.sweep.statistics)
    if session.decided:
        analysis = publish_ended(opened.recorder, data, settings, queue=opened.queue, confirmation=opened.confirm_queue)
        opened.end_run(session.status)
    else:
        analysis = analyze(data, settings, parts=QUICK)  # whoever decides writes it down
    show(analysis, console, left=session.left, tracking_uri=opened.tracking_uri, storage=opened.sweep.storage)
    if session.is_complete and session.decided and opened.sweep.execution.report and not opened.labels:
        published = publish_finished(opened.sweep_run_id, settings, uri=opened.tracking_uri)
        if published is not None:
            artifact, whole = published
            show_next(whole, console)
            name = opened.sweep.name
            saying(console)(
                f"report: artifact {artifact} of the sweep's run; as a file: rothamsted report --sweep {name} "
                "--folder reports"
            )
    if session.is_complete:
        follow_up.forget(opened)
        opened.lease.leave("over")
    return Result(
        sweep=opened.sweep,
        run_id=opened.sweep_run_id,
        experiment_id=opened.experiment_id,
        exit_status=session.exit_status,
        is_complete=session.is_complete,
        analysis=analysis,
    )


def policy_of(sweep: Sweep, root: Path) -> Policy | None:
    """The policy that a sweep's file names; None: it names none.

    Raises:
        SpecError: the policy has a mistake, or cannot judge this sweep.
    """
    if sweep.promote is None:
        return None
    from rothamsted.promotion.judge.applies import check_sweep
    from rothamsted.promotion.judge.policy_file import load_policy

    policy = load_policy(sweep.promote, root)
    check_sweep(sweep, policy, names=(sweep.name,))
    return policy


def _promoted(result: Result, policy: Policy, place: Place, *, executor: Executor, console: Console) -> Result:
    """The result with the decision on its winner, where there is a confirmed one."""
    if result.exit_status:
        return result
    if not result.is_confirmed:
        saying(console)(f"promote: sweep {result.sweep.name} has no confirmed winner yet; give the same command again")
        return result
    return replace(result, decision=promote(result.run_id, policy, place, executor=executor, console=console))


def contest(place: Place, *, executor: Executor, console: Console, **asked: Any) -> list[list[str]]:
    """Train contestants on common seeds, or go on with it under the same name; `asked` as `open_contest` takes it.

    Returns:
        For each contestant the run ids of its replicates, in the order of the seeds; of those that diverged or
        failed, too.

    Raises:
        UserError: as `open_contest`; or workers that cannot start.
        KeyboardInterrupt: stopped by a signal; call again to go on.
    """
    with open_contest(place, **asked) as opened:
        result = work(opened, executor, console)
    if result.exit_status == INTERRUPTED:
        raise KeyboardInterrupt
    if result.exit_status or not result.is_complete:
        raise StudyError(
            f"contest {result.sweep.name}: its workers cannot run (see above); mend that and give the same command "
            "again"
        )
    found: dict[int, dict[int, str]] = {number: {} for number in range(len(asked["contestants"]))}
    for one in result.analysis.dataset.replicates:
        found[one.condition][one.number] = one.run_id
    return [[of_one[number] for number in sorted(of_one)] for of_one in found.values()]


def promote(
    name: str,
    policy: Policy,
    place: Place,
    *,
    executor: Executor,
    console: Console,
    dry_run: bool = False,
    n_replicates: int | None = None,
) -> PromotionOutcome:
    """Judge the confirmed winners of a finished sweep by a policy, and move the champion where it says so.

    Args:
        name: of the sweep, or the id of its run.
        policy: that judges.
        place: where this is called from.
        executor: runs the contest of champion and challengers.
        console: for progress.
        dry_run: write nothing, and train nothing.
        n_replicates: fresh common seeds; None: as many as the policy says.
    """

    from rothamsted.promotion.promote import promote as promote_sweep
    from rothamsted.publish.verdicts import publish_verdicts
    from rothamsted.study.source_code import code_digest
    from rothamsted.tracking.registry.registered import open_registry

    def train(**asked: Any) -> Sequence[Sequence[str]]:
        return contest(place, executor=executor, console=console, models=False, **asked)

    registry = open_registry(place.tracking_uri)
    registry.check_reachable()
    return promote_sweep(
        name,
        policy,
        registry=registry,
        contest=train,
        code_digest=lambda study: code_digest(study, place.root),
        dry_run=dry_run,
        n_replicates=n_replicates,
        say=saying(console),
        report=publish_verdicts,
    )


def saying(console: Console) -> Callable[[str], None]:
    """What prints a line as it is; an empty one is left out."""

    def say(line: str) -> None:
        if line:
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    return say
