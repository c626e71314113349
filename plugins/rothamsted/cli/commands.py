"""The commands of the console script: each turns its arguments into values and calls the layer below.

Apart from `main` because a command knows its keys and nothing of how errors are shown.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rothamsted.catalog import EXECUTORS
from rothamsted.cli.after_dashes import COMMAND
from rothamsted.cli.arguments import pairs, take, take_truth
from rothamsted.errors import UserError
from rothamsted.mlproject import find_home

if TYPE_CHECKING:
    pass

DEFAULT_STORAGE = "sqlite:///optuna.db"


def sweep(arguments: Sequence[str]) -> int:
    """Run a sweep, or go on with it."""
    from rothamsted.promotion.judge.applies import policy_of
    from rothamsted.sweeping.open.from_file import load, opening_comment

    found = pairs(arguments, command="sweep")
    path = take(found, "config", None if COMMAND in found else "sweeps/quickstart.yaml")
    root = find_home(Path.cwd())
    spec, study = load(path, found, root)
    policy_of(spec, root)

    from rich.console import Console

    from rothamsted import api, tracking  # once the file has no mistake: what runs it takes long to import
    from rothamsted.sweeping.foreign_study import prepare_environment, warnings_of
    from rothamsted.sweeping.opened import Place

    console = Console(width=None if sys.stdout.isatty() else 160)
    for line in warnings_of(spec, study):
        console.print(f"warning: {line}", soft_wrap=True, markup=False)
    prepare_environment(spec, study, lambda line: console.print(line, soft_wrap=True, markup=False))
    place = Place(
        root=root,
        tracking_uri=tracking.tracking_uri(),
        outer_run_id=tracking.current_run_id(),
        source=path or "",
        question=opening_comment(Path(path)) if path else "",
    )
    result = api.run(spec, study, place, executor=EXECUTORS[spec.execution.executor](), console=console)
    if result.decision is not None:
        from rothamsted.cli.promotion_commands import show_decision

        show_decision(result.decision, place.tracking_uri, console)
    return result.exit_status


def check(arguments: Sequence[str]) -> int:
    """Validate a sweep file and print its plan."""
    from rothamsted.promotion.judge.applies import policy_of
    from rothamsted.sweeping.open.from_file import load

    found = pairs(arguments, command="check")
    path = take(found, "config")
    if path is None and COMMAND not in found:
        raise UserError("rothamsted check: no sweep file given; write rothamsted check FILE")
    is_timed = take_truth(found, "time", "check")
    root = find_home(Path.cwd())
    spec, study = load(path, found, root)
    policy_of(spec, root)

    from rich.console import Console

    from rothamsted.sweeping.open.check import print_plan

    print_plan(spec, study, console=Console(), is_timed=is_timed)
    return 0


def worker(arguments: Sequence[str]) -> int:
    """Work on a sweep that was started before, until nothing is left."""
    found = pairs(arguments, command="worker")
    name = take(found, "sweep")
    storage = take(found, "storage", DEFAULT_STORAGE) or DEFAULT_STORAGE
    if name is None:
        raise UserError("rothamsted worker: which sweep? write rothamsted worker NAME")

    from rothamsted.studies import stop_on_signals
    from rothamsted.sweeping.worker.entry import work

    printed = _Printed()
    with stop_on_signals(lambda signal_name: None) as stop:
        why = work(sweep=name, storage=storage, emit=printed.show, should_stop=stop)
    print(f"sweep {name}: {why.value}; replicates that ended here: {printed.n_ended}")
    return 0


class _Printed:
    """Events of a worker by hand, a line for each replicate that ended."""

    def __init__(self) -> None:
        from rich.console import Console

        self.n_ended = 0
        self._console = Console()

    def show(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "end":
            self.n_ended += 1
            where = f"trial {event['trial']} replicate {event['replicate']}"
            reason = f": {event['reason']}" if event["reason"] else ""
            self._console.print(f"{where} {event['outcome']} after {event['seconds']:.1f} s{reason}", markup=False)
