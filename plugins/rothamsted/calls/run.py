"""Run a described sweep in this process, show its progress as the command does, and return the result."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import Any, Unpack

from rothamsted import api, tags, tracking
from rothamsted.calls.described import PLACE, DescribedSweep
from rothamsted.calls.keys import SweepKeys, takes_keys
from rothamsted.calls.loaded import result_of
from rothamsted.calls.result import Result
from rothamsted.catalog import EXECUTORS
from rothamsted.errors import UserError
from rothamsted.printable import console as new_console
from rothamsted.records import Outcome
from rothamsted.result import SessionResult
from rothamsted.sweeping.coordinator.coordinator import STOPPED
from rothamsted.sweeping.foreign_study import prepare_environment, warnings_of
from rothamsted.sweeping.open.if_exists import IfExists, named
from rothamsted.sweeping.opened import Place
from rothamsted.unsaved import UnsavedDatabases, only_here, open_unsaved

WIDTH = 160  # characters of a table, where no terminal says how wide it is
N_LINES = 6  # of a traceback


@takes_keys
def sweep(
    target: Any = None,
    /,
    space: Any = None,
    *,
    if_exists: IfExists = "resume",
    save: bool = True,
    **keys: Unpack[SweepKeys],
) -> Result:
    """Search a space of parameters with replicates of each condition, and compare the best with the others.

    After Ctrl-C, a timeout or a crash the same call goes on.

    Args:
        target: a function, "train.py:train", a sweep file ("sweep.yaml"), the name of an entry point, or a sweep that
            is described already, such as `rt.load("digits").sweep`. None: `keys` has a `command` or a `project`.
        space: parameter -> domain: `uniform`, `loguniform`, `integers`, `choice`, a list, a range, an array.
        if_exists: what to do if a sweep of this name exists: "resume" goes on, and refuses changed keys or code; "new"
            takes the next free name; "resume_with_changed_code" goes on with the code as it is now.
        save: False: keep nothing but the result.
        keys: the keys of a sweep file; see `SweepKeys`. If the target is a file, they override its values.

    Raises:
        UserError: names a mistake with its place, the value and the way out; or says that no replicate finished.
        KeyboardInterrupt: Ctrl-C stopped it. What was running has been written.

    Example:
        >>> def parabola(seed: int, x: float = 0.0):
        ...     return (x - 1) ** 2 + seed / 100
        >>> result = sweep(parabola, {"x": [0.0, 1.0]}, direction="minimize", replicates=2)  # doctest: +SKIP
        >>> result.best  # doctest: +SKIP
        x=1: 0.005 [−0.059, 0.069], n = 2, best
    """
    return run(DescribedSweep(target, space, **keys), if_exists=if_exists, save=save)


def run(described: DescribedSweep, *, if_exists: IfExists = "resume", save: bool = True) -> Result:
    """Run a described sweep, or go on with it; see `sweep`."""
    databases = None if save else open_unsaved()
    if databases is not None:
        described = described.with_spec(databases.takes(described.spec))
    else:
        spec = named(described.spec, described.study, described.root, str(if_exists), place=PLACE)
        described = described if spec is described.spec else described.renamed(spec.name)
    with nullcontext() if databases is None else only_here(databases):
        ended, uri = _session(described, databases)
        _check_ended(ended, uri)
        later = described if ended.sweep.name == described.name else None  # of the last stage: as it is on record
        more = {"described": later, "databases": databases}
        return result_of(ended.run_id, uri=uri, is_complete=ended.is_complete, **more)


def _session(described: DescribedSweep, databases: UnsavedDatabases | None) -> tuple[SessionResult, str]:
    """Run it until it ends or is stopped; returns what came of it, and the tracking URI."""
    spec, study = described.spec, described.study
    console = new_console(width=None if sys.stdout.isatty() else WIDTH)
    for line in warnings_of(spec, study):
        console.print(f"warning: {line}", soft_wrap=True, markup=False)
    prepare_environment(spec, study, lambda line: console.print(line, soft_wrap=True, markup=False))
    uri = tracking.tracking_uri() if databases is None else databases.tracking_uri
    place = Place(
        root=described.root,
        tracking_uri=uri,
        outer_run_id=tracking.current_run_id(),
        source=described.source,
        question=described.question,
        started=tags.BY_CALL,
    )
    return api.run(spec, study, place, executor=EXECUTORS[spec.execution.executor](), console=console), uri


def _check_ended(ended: SessionResult, uri: str) -> None:
    """Go on only where there is a result to give.

    Raises:
        KeyboardInterrupt: it was stopped by a signal.
        UserError: no replicate came to a result, or workers cannot run.
    """
    if ended.exit_status in STOPPED:
        raise KeyboardInterrupt(f"sweep {ended.sweep.name} is stopped; make the same call again to go on")
    replicates = ended.analysis.dataset.replicates
    has_result = any(one.outcome in (Outcome.FINISHED, Outcome.DIVERGED, Outcome.PRUNED) for one in replicates)
    failed = [one for one in replicates if one.outcome == Outcome.FAILED]
    if not has_result and failed:
        last = failed[-1]
        text = tracking.read_text(last.run_id, "traceback.txt", uri=uri) or last.reason
        end = "\n  ".join(text.strip().splitlines()[-N_LINES:])
        raise UserError(f"{PLACE}: {ended.sweep.name}: no replicate finished; the last one ended with\n  {end}")
    if ended.exit_status:
        raise UserError(f"{PLACE}: {ended.sweep.name}: stopped before its end; see the lines above for why")
