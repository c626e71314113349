"""Promote the confirmed winner of a sweep from a call: return the decision as a word, and print its reasons."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rothamsted import api, promoting, tracking
from rothamsted.calls.described import DescribedSweep
from rothamsted.catalog import EXECUTORS
from rothamsted.printable import console as new_console
from rothamsted.publish.console import sayer
from rothamsted.sweeping.opened import Place

if TYPE_CHECKING:
    from rothamsted.promotion.judge.policy import Policy


def promote(
    sweep: DescribedSweep,
    run_id: str,
    policy: str | Path | Policy,
    *,
    tracking_uri: str,
    dry_run: bool,
    allow_policy: bool,
) -> str:
    """Judge the confirmed winners, and return the decision on the best of them.

    Raises:
        UserError: as `promoting.promote`.
    """
    from rothamsted.promotion.judge.policy_file import load_judging

    console = new_console()
    place = Place(root=sweep.root, tracking_uri=tracking_uri, outer_run_id=tracking.current_run_id())
    judged = load_judging(policy, sweep.root, allow_policy=allow_policy) if isinstance(policy, (str, Path)) else policy
    work = partial(api.work, executor=EXECUTORS["local"](), console=console)
    how = {"dry_run": dry_run, "storage": sweep.spec.storage}
    outcome = promoting.promote(run_id, judged, place, work=work, say=sayer(console), **how)
    for one in outcome.decided:
        console.print("\n".join([f"{one.decision}: {one.label}", *(f"  {line}" for line in one.reasons)]), markup=False)
    decisions = [one.decision for one in outcome.decided]
    return "promoted" if "promoted" in decisions else decisions[0]
