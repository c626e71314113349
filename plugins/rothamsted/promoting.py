"""Promote the confirmed winners of a sweep, with the contest on common fresh seeds that a policy may ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rothamsted.errors import StudyError
from rothamsted.result import SessionResult
from rothamsted.sweeping.coordinator.coordinator import STOPPED
from rothamsted.sweeping.open.contest import open_contest
from rothamsted.sweeping.opened import Opened, Place

if TYPE_CHECKING:  # imported where they are called: most sweeps promote nothing
    from rothamsted.promotion.judge.policy import Policy
    from rothamsted.promotion.ledger.decision import PromotionOutcome

Work = Callable[[Opened], SessionResult]  # trains all that an opened sweep asks for, and publishes it
Say = Callable[[str], None]  # prints a line


def with_decision(result: SessionResult, policy: Policy | None, place: Place, *, work: Work, say: Say) -> SessionResult:
    """Return the result with the policy's decision on its winner, if there is a confirmed one."""
    if policy is None or result.exit_status:
        return result
    if not result.is_confirmed:
        say(f"promote: sweep {result.sweep.name} has no confirmed winner yet; give the same command again")
        return result
    return replace(
        result, decision=promote(result.run_id, policy, place, work=work, say=say, storage=result.sweep.storage)
    )


def promote(
    name: str,
    policy: Policy,
    place: Place,
    *,
    work: Work,
    say: Say,
    dry_run: bool = False,
    n_replicates: int | None = None,
    storage: str | None = None,
) -> PromotionOutcome:
    """Judge the confirmed winners of a finished sweep by a policy, and move the champion where it says so.

    Args:
        name: of the sweep, or the id of its run.
        policy: that judges.
        place: where this is called from.
        work: trains the contest of champion and challengers.
        say: for progress.
        dry_run: write nothing, and train nothing.
        n_replicates: fresh common seeds; None: as many as the policy says.
        storage: of the contest's search; None: the recorded address of the sweep's, which has no password.
    """
    from rothamsted.promotion.promote import promote as promote_sweep
    from rothamsted.publish.verdicts import publish_verdicts
    from rothamsted.studies.source_code import code_digest
    from rothamsted.tracking.registry.registered import open_registry

    registry = open_registry(place.tracking_uri)
    registry.check_reachable()
    return promote_sweep(
        name,
        policy,
        registry=registry,
        contest=lambda **asked: contest(
            place, work=work, models=False, **{**asked, "storage": storage or asked["storage"]}
        ),
        code_digest=lambda study: code_digest(study, place.root),
        dry_run=dry_run,
        n_replicates=n_replicates,
        say=say,
        report=publish_verdicts,
    )


def contest(place: Place, *, work: Work, **asked: Any) -> Sequence[Sequence[str]]:
    """Train contestants on common seeds, or go on with it under the same name; `asked` as `open_contest` takes it.

    Returns:
        For each contestant the run ids of its replicates, in the order of the seeds; of those that diverged or
        failed, too.

    Raises:
        UserError: as `open_contest`; or workers that cannot start.
        KeyboardInterrupt: stopped by a signal; call again to go on.
    """
    with open_contest(place, **asked) as opened:
        result = work(opened)
    if result.exit_status in STOPPED:
        raise KeyboardInterrupt
    if result.exit_status or not result.is_complete:
        raise StudyError(
            f"contest {result.sweep.name}: its workers cannot run (see above); correct that and give the same command "
            "again"
        )
    found: dict[int, dict[int, str]] = {number: {} for number in range(len(asked["contestants"]))}
    for one in result.analysis.dataset.replicates:
        found[one.condition][one.number] = one.run_id
    return [[of_one[number] for number in sorted(of_one)] for of_one in found.values()]
