"""Run the commands of the console script: each turns its arguments into values and calls the layer below."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rothamsted import places, tags
from rothamsted.cli.after_dashes import COMMAND
from rothamsted.cli.arguments import pairs, take, take_truth
from rothamsted.cli.screen import screen_of
from rothamsted.cli.sweep_target import take_file
from rothamsted.errors import UserError
from rothamsted.mlproject import find_home
from rothamsted.spec import plan
from rothamsted.spec.field_values import seconds

if TYPE_CHECKING:
    from rich.console import Console

    from rothamsted.cli.screen import Screen
    from rothamsted.executors import EarlyWorkers
    from rothamsted.spec import Sweep
    from rothamsted.studies import Study
    from rothamsted.sweeping.foreign_study import ForeignStudy

LOOK_SECONDS = 0.5  # between two looks at a sweep that has not been started


def sweep(arguments: Sequence[str]) -> int:
    """Run a sweep, or go on with it."""
    from rothamsted.promotion.judge.applies import policy_of
    from rothamsted.search.sql.named import is_over
    from rothamsted.sweeping.coordinator.job import early_workers
    from rothamsted.sweeping.open.addresses import ask_addresses
    from rothamsted.sweeping.open.from_file import load
    from rothamsted.tracking import tracking_uri

    found, screen = pairs(arguments, command="sweep"), screen_of(arguments, command="sweep")
    is_saved, if_exists = take_truth(found, "save", "sweep"), take(found, "if_exists", "resume")
    root = find_home(Path.cwd())
    given = take_file(found, root, default="sweeps/quickstart.yaml")
    path = None if given is None else places.input_file(given)
    spec, study = load(path, found, root)
    policy_of(spec, root)
    if is_saved:
        ask_addresses(spec, tracking_uri())

    starts_early = is_saved and not is_over(spec.storage, spec.name)
    with (early_workers(spec) if starts_early else None) or nullcontext() as early:
        return _run(spec, study, root, str(path or ""), screen, str(if_exists) if is_saved else None, early)


def _run(
    spec: Sweep,
    study: Study | ForeignStudy,
    root: Path,
    path: str,
    screen: Screen,
    if_exists: str | None,
    early: EarlyWorkers | None,
) -> int:
    """Run a sweep that has no mistake; without `if_exists` nothing is kept."""
    from rothamsted import api, tracking  # once the file has no mistake: what runs it takes long to import
    from rothamsted.cli.sweep_ending import ended, executor_of
    from rothamsted.sweeping.foreign_study import prepare_environment, warnings_of
    from rothamsted.sweeping.open.from_file import opening_comment
    from rothamsted.sweeping.open.if_exists import named
    from rothamsted.sweeping.opened import Place
    from rothamsted.unsaved import unsaved

    gc.freeze()  # what is imported stays for good: Python need not look through it again for every 10,000 replicates
    if if_exists is not None:
        spec = named(spec, study, root, if_exists, place="rothamsted sweep")
    console = screen.console
    for line in warnings_of(spec, study):
        console.print(f"warning: {line}", soft_wrap=True, markup=False)
    prepare_environment(spec, study, lambda line: console.print(line, soft_wrap=True, markup=False))
    with nullcontext() if if_exists is not None else unsaved() as databases:
        spec = spec if databases is None else databases.takes(spec)
        uri = tracking.tracking_uri() if databases is None else databases.tracking_uri
        place = Place(
            root=root,
            tracking_uri=uri,
            outer_run_id=tracking.current_run_id(),
            source=path,
            question=opening_comment(Path(path)) if path else "",
            started=tracking.project_address(tracking.current_run_id(), uri=uri),
        )
        result = api.run(spec, study, place, executor=executor_of(spec, screen, early), console=console)
        return ended(result, place, screen, is_saved=if_exists is not None)


def check(arguments: Sequence[str]) -> int:
    """Validate a sweep file and print its plan."""
    from rothamsted.promotion.judge.applies import policy_of
    from rothamsted.sweeping.open.from_file import load

    found, screen = pairs(arguments, command="check"), screen_of(arguments, command="check")
    root = find_home(Path.cwd())
    path = take_file(found, root)
    if path is None and COMMAND not in found and "study" not in found:
        raise UserError("rothamsted check: no sweep file given; write rothamsted check FILE")
    path = None if path is None else places.input_file(path)
    is_timed = take_truth(found, "time", "check")
    spec, study = load(path, found, root)
    policy_of(spec, root)

    from rothamsted.sweeping.open.check import print_plan

    print_plan(spec, study, console=screen.console, is_timed=is_timed)
    size = plan(spec)
    screen.give({"sweep": spec.name, "n_conditions": size.n_conditions, "n_replicates": size.n_replicates})
    return 0


def worker(arguments: Sequence[str]) -> int:
    """Work on a sweep that was started before, until nothing is left."""
    found, screen = pairs(arguments, command="worker"), screen_of(arguments, command="worker")
    name = take(found, "sweep")
    storage = take(found, "storage") or places.STORAGE
    if name is None:
        raise UserError("rothamsted worker: which sweep? write rothamsted worker NAME")

    from rothamsted.sweeping.open.whose_search import refuse_unstarted, search_of
    from rothamsted.tracking import tracking_uri

    storage = search_of(storage, name, root=find_home(Path.cwd()), tracking_uri=tracking_uri())
    wait = take(found, "wait")
    if wait is None:
        refuse_unstarted(storage, name)
    _wait_for(name, storage, wait)

    from rothamsted.studies import stop_on_signals
    from rothamsted.sweeping.worker.entry import work

    printed = _Printed(screen.console)
    with stop_on_signals(lambda signal_name: None) as stop:
        why = work(sweep=name, storage=storage, emit=printed.show, should_stop=stop)
    screen.say(f"sweep {name}: {why.value}; replicates that ended here: {printed.n_ended}")
    screen.give({"sweep": name, "why": why.value, "n_ended": printed.n_ended})
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
    if wait is None:
        return

    from rothamsted.search import find_search

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

    def __init__(self, console: Console) -> None:
        self.n_ended = 0
        self._console = console

    def show(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "end":
            self.n_ended += 1
            where = f"trial {event['trial']} replicate {event['replicate']}"
            reason = f": {event['reason']}" if event["reason"] else ""
            self._console.print(f"{where} {event['outcome']} after {event['seconds']:.1f} s{reason}", markup=False)
