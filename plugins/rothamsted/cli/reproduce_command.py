"""Run the command reproduce, which trains recorded runs again and compares."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rothamsted.cli.arguments import pairs, take, take_many
from rothamsted.cli.screen import screen_of
from rothamsted.cli.settings import take_number
from rothamsted.cli.store import open_store
from rothamsted.errors import UserError
from rothamsted.mlproject import find_home

if TYPE_CHECKING:  # what trains is imported when the command line has no mistake
    from rothamsted.reproducing.reproduce import Reproduction

STATUSES = {"identical": 0, "equal": 4, "different": 1}
_CODES = ("recorded", "present")


def reproduce(arguments: Sequence[str]) -> int:
    """Train recorded runs again as they were, and compare.

    Exit status 0: identical in every bit; 4: equal within the tolerance; 1: different.
    """
    found, screen = pairs(arguments, command="reproduce"), screen_of(arguments, command="reproduce")
    runs, sweep, code = take_many(found, "run"), take(found, "sweep"), take(found, "code", "recorded")
    rtol = take_number(found, "rtol", float, "reproduce") if found.get("rtol") else None
    if bool(runs) == bool(sweep):
        raise UserError("rothamsted reproduce: which? give the ids of runs, or sweep=NAME for its winner")
    if code not in _CODES:
        raise UserError(f"rothamsted reproduce: code={code} is not known; there are: {', '.join(_CODES)}")
    if rtol is not None and not 0 <= rtol < 1:
        raise UserError(f"rothamsted reproduce: rtol={rtol:g} must be at least 0 and below 1")
    uri = open_store()

    from rothamsted.analysis.find import find_sweep
    from rothamsted.reproducing.reproduce import named_runs, worst_of
    from rothamsted.reproducing.reproduce import reproduce as train_again

    named = [find_sweep(sweep, uri=uri)[0]] if sweep else named_runs(runs, uri=uri)
    done = train_again(
        named,
        find_home(Path.cwd()),
        uri=uri,
        rtol=rtol,
        takes_present=code == "present",
        say=lambda one: screen.show(*lines_of(one)),
    )
    verdict = worst_of(done)
    if len(done) > 1:
        screen.show(f"all {len(done)}: {_said(verdict, max(one.rtol for one in done))}")
    screen.give({"verdict": verdict, "runs": [{**dataclasses.asdict(one), "verdict": one.verdict} for one in done]})
    return STATUSES[verdict]


def lines_of(one: Reproduction) -> list[str]:
    """Return what is printed of one replicate."""
    stream = one.compared
    lines = [f"{one.name} (run {one.run_id}): {_said(one.verdict, one.rtol)}, {stream.n_points} numbers compared"]
    if stream.first:
        lines.append(f"  first difference: {stream.first}; largest relative difference {stream.most:.3g}")
    lines += [f"  final state: {one.state}", f"  code: {one.code}"]
    lines += [f"  not as recorded: {line}" for line in one.differences]
    return lines


def _said(verdict: str, rtol: float) -> str:
    return {
        "identical": "identical in every bit",
        "equal": f"equal within the relative tolerance {rtol:g}",
        "different": "different",
    }[verdict]
