"""The commands of the console script: each turns its arguments into values and calls the layer below.

Apart from `main` because a command knows its keys and nothing of how errors are shown.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from rothamsted import tags
from rothamsted.catalog import EXECUTORS
from rothamsted.cli.arguments import pairs, take, take_truth
from rothamsted.errors import UserError
from rothamsted.mlproject import find_home
from rothamsted.spec.field_values import seconds

DEFAULT_STORAGE = "sqlite:///optuna.db"
LOOK_SECONDS = 0.5  # between two looks at a sweep that has not been started


def sweep(arguments: Sequence[str]) -> int:
    """Run a sweep, or go on with it."""
    from rothamsted import api, tracking
    from rothamsted.sweeping.foreign_study import prepare_environment, warnings_of
    from rothamsted.sweeping.open.from_file import load, opening_comment
    from rothamsted.sweeping.opened import Place

    found = pairs(arguments, command="sweep")
    path = take(found, "config", "sweeps/quickstart.yaml") or ""
    root = find_home(Path.cwd())
    spec, study = load(path, found, root)
    console = Console(width=None if sys.stdout.isatty() else 160)
    for line in warnings_of(spec, study):
        console.print(f"warning: {line}", soft_wrap=True, markup=False)
    prepare_environment(spec, study, lambda line: console.print(line, soft_wrap=True, markup=False))
    place = Place(
        root=root,
        tracking_uri=tracking.tracking_uri(),
        outer_run_id=tracking.current_run_id(),
        source=path,
        question=opening_comment(Path(path)),
    )
    result = api.run(spec, study, place, executor=EXECUTORS[spec.execution.executor](), console=console)
    if result.decision is not None:
        from rothamsted.cli.promotion_commands import show_decision

        show_decision(result.decision, place.tracking_uri, console)
    return result.exit_status


def check(arguments: Sequence[str]) -> int:
    """Validate a sweep file and print its plan."""
    from rothamsted.promoting import policy_of
    from rothamsted.sweeping.open.check import print_plan
    from rothamsted.sweeping.open.from_file import load

    found = pairs(arguments, command="check")
    path = take(found, "config")
    if path is None:
        raise UserError("rothamsted check: no sweep file given; write rothamsted check FILE")
    is_timed = take_truth(found, "time", "check")
    root = find_home(Path.cwd())
    spec, study = load(path, found, root)
    policy_of(spec, root)
    print_plan(spec, study, console=Console(), is_timed=is_timed)
    return 0


def worker(arguments: Sequence[str]) -> int:
    """Work on a sweep that was started before, until nothing is left."""
    from rothamsted.studies import stop_on_signals
    from rothamsted.sweeping.worker.entry import work

    found = pairs(arguments, command="worker")
    name = take(found, "sweep")
    storage = take(found, "storage", DEFAULT_STORAGE) or DEFAULT_STORAGE
    if name is None:
        raise UserError("rothamsted worker: which sweep? write rothamsted worker NAME")
    _wait_for(name, storage, take(found, "wait"))
    printed = _Printed()
    with stop_on_signals(lambda signal_name: None) as stop:
        why = work(sweep=name, storage=storage, emit=printed.show, should_stop=stop)
    print(f"sweep {name}: {why.value}; replicates that ended here: {printed.n_ended}")
    return 0


def _wait_for(
    name: str,
    storage: str,
    wait: str | None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until a sweep has been started; afterwards whoever opens it says that it is not there."""
    from rothamsted.search import find_search

    if wait is None:
        return
    try:
        until = clock() + float(seconds(wait if not wait.isdigit() else float(wait)))
    except ValueError as error:
        reason = str(error).replace("Input should", "must")
        raise UserError(f"rothamsted worker: wait={wait}: {reason}") from None
    while clock() < until:
        record = find_search(storage, name)
        if record is not None and tags.RUN_ID in record.attributes:
            return
        sleep(LOOK_SECONDS)


class _Printed:
    """Events of a worker by hand, a line for each replicate that ended."""

    def __init__(self) -> None:
        self.n_ended = 0
        self._console = Console()

    def show(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "end":
            self.n_ended += 1
            where = f"trial {event['trial']} replicate {event['replicate']}"
            reason = f": {event['reason']}" if event["reason"] else ""
            self._console.print(f"{where} {event['outcome']} after {event['seconds']:.1f} s{reason}", markup=False)
