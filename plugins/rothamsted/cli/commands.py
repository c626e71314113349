"""The commands of the console script: each turns its arguments into values and calls the layer below.

Apart from `main` because a command knows its keys and nothing of how errors are shown.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from rothamsted.cli.arguments import pairs, take
from rothamsted.errors import UserError
from rothamsted.mlproject import find_home, find_root, study_commands
from rothamsted.spec import Sweep
from rothamsted.study import Study, load_study

DEFAULT_STORAGE = "sqlite:///optuna.db"
PARENT_CHECK_SECONDS = 2.0


def sweep(arguments: Sequence[str]) -> int:
    """Run a sweep, or go on with it."""
    from rothamsted.sweep.foreign_study import prepare_environment, warnings_of
    from rothamsted.sweep.open.from_file import load, opening_comment
    from rothamsted.sweep.staged import run_stages

    found = pairs(arguments, command="sweep")
    path = take(found, "config", "sweeps/quickstart.yaml") or ""
    root = find_home(Path.cwd())
    spec, study = load(path, found, root)
    _check_policy(spec, root)
    console = Console(width=None if sys.stdout.isatty() else 160)
    for line in warnings_of(spec, study):
        console.print(f"warning: {line}", soft_wrap=True, markup=False)
    prepare_environment(spec, study, lambda line: console.print(line, soft_wrap=True, markup=False))
    sitting = run_stages(
        spec,
        study,
        root=root,
        source=path,
        question=opening_comment(Path(path)),
        console=console,
        after=lambda ended: _publish(ended.context.sweep, console),
    )
    if sitting.exit_status == 0 and sitting.context.sweep.promote is not None:
        _promote(sitting.context.sweep, console)
    return sitting.exit_status


def _check_policy(spec: Sweep, root: Path) -> None:
    """A policy with a mistake, or one that cannot judge this sweep, is refused before anything runs."""
    if spec.promote is None:
        return
    from rothamsted.promotion.judge.applies import check_sweep
    from rothamsted.promotion.judge.policy_file import load_policy

    check_sweep(spec, load_policy(spec.promote, root), names=(spec.name,))


def _promote(spec: Sweep, console: Console) -> None:
    """Judge the winner of a sweep that is finished, by the policy that its file names."""
    from rothamsted import tags, tracking
    from rothamsted.cli.promotion_commands import promote
    from rothamsted.search import find_search

    record = find_search(spec.storage, spec.name)
    run = record and tracking.find_run(str(record.attributes[tags.RUN_ID]), uri=tracking.tracking_uri())
    if run is None or "confirmed/n" not in run.metrics:
        console.print(f"promote: sweep {spec.name} has no confirmed winner yet; give the same command again")
        return
    promote(["--sweep", run.run_id, "--policy", str(spec.promote)])


def _publish(spec: Sweep, console: Console) -> None:
    """The whole analysis and the report of a sweep that is finished; one that ran out of time gets none."""
    if not spec.execution.report:
        return
    from rothamsted import tags, tracking
    from rothamsted.publish.finished import publish_finished, settings_of
    from rothamsted.search import find_search

    record = find_search(spec.storage, spec.name)
    if record is None:
        return
    run_id = str(record.attributes[tags.RUN_ID])
    artifact = publish_finished(run_id, settings_of(spec), uri=tracking.tracking_uri())
    if artifact is not None:
        console.print(f"report: artifact {artifact} of the sweep's run; as a file: ", end="", soft_wrap=True)
        console.print(f"rothamsted report --sweep {spec.name} --folder reports", soft_wrap=True, markup=False)


def check(arguments: Sequence[str]) -> int:
    """Validate a sweep file and print its plan."""
    from rothamsted.sweep.open.check import print_plan
    from rothamsted.sweep.open.from_file import load

    if arguments and not arguments[0].startswith("--"):
        arguments = ["--config", *arguments]
    found = pairs(arguments, command="check")
    path = take(found, "config")
    if path is None:
        raise UserError("rothamsted check: no sweep file given; write rothamsted check FILE")
    is_timed = take(found, "time", "true") != "false"
    root = find_home(Path.cwd())
    spec, study = load(path, found, root)
    _check_policy(spec, root)
    print_plan(spec, study, console=Console(), is_timed=is_timed)
    return 0


def worker(arguments: Sequence[str]) -> int:
    """Work on a sweep that was started before, until nothing is left."""
    from rothamsted import tracking
    from rothamsted.study import stop_on_signals
    from rothamsted.sweep.open.from_file import find_target
    from rothamsted.sweep.opened import open_context
    from rothamsted.sweep.worker.work import Worker

    found = pairs(arguments, command="worker")
    name = take(found, "sweep")
    storage = take(found, "storage", DEFAULT_STORAGE) or DEFAULT_STORAGE
    is_piped = take(found, "events", "false") == "true"
    parent = take(found, "parent")
    until = take(found, "until")
    if name is None:
        raise UserError("rothamsted worker: which sweep? write --sweep NAME")
    if found:
        raise UserError(f"rothamsted worker: unknown keys {', '.join(found)}; known: sweep, storage")
    root = find_home(Path.cwd())
    uri = tracking.tracking_uri()
    tracking.check_reachable(uri)
    context = open_context(
        name, storage, root=root, find_target=lambda whole: find_target(whole, root), tracking_uri=uri
    )
    gc.collect()
    gc.freeze()  # what is imported stays: full collections need not walk it again
    printed = _Printed()
    emit = _piped_events() if is_piped else printed.show
    with stop_on_signals(lambda signal_name: None) as stop:
        orphaned = _watch_parent(int(parent)) if parent else threading.Event()
        Worker(
            context=context,
            emit=emit,
            should_stop=lambda: stop() or orphaned.is_set(),
            until=float(until) if until else None,
        ).run()
        was_stopped = stop()
    context.recorder.close()
    if not is_piped:
        left = "stopped" if was_stopped else "nothing is left to do"
        print(f"sweep {name}: {left}; replicates that ended here: {printed.n_ended}")
    return 0


def prepare(arguments: Sequence[str]) -> int:
    """Make the data file of one of the studies' datasets."""
    from rothamsted.study import describe_datasets, prepare_data

    if any(word in ("-h", "--help") for word in arguments):
        offered = describe_datasets(_studies(find_root(Path.cwd())))
        print(
            f"usage: rothamsted prepare_data --dataset NAME [--source FROM] [--target FILE] [--key value]\n\n{offered}"
        )
        return 0
    found = pairs(arguments, command="prepare_data")
    dataset, source, target = take(found, "dataset"), take(found, "source"), take(found, "target")
    if dataset is None:
        raise UserError("rothamsted prepare_data: which dataset? write --dataset NAME")
    studies = _studies(find_root(Path.cwd()))
    path = prepare_data(studies, dataset, source, Path(target) if target else None, found)
    print(f"{dataset} is ready: {path}")
    return 0


def _studies(root: Path) -> list[Study]:
    return [load_study(command, root) for command in study_commands(root).values()]


def entry_point(name: str, arguments: Sequence[str]) -> int:
    """Run a study by hand: `rothamsted batch_size --optimizer.lr 0.1`."""
    from rothamsted.study import main

    root = find_root(Path.cwd())
    known = study_commands(root)
    if name not in known:
        raise UserError(
            f"rothamsted {name}: no such command, and no study of {root / 'MLproject'}; commands: sweep, check, "
            "worker, analyze, report, compare, power, promote, rollback, registry, prepare_data; "
            f"studies: {', '.join(sorted(known)) or 'none'}"
        )
    return main(load_study(known[name], root), list(arguments)) or 0


def _piped_events() -> Callable[[Mapping[str, Any]], None]:
    """Events as JSON lines on the real standard output; whatever the study prints goes to standard error."""
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def emit(event: Mapping[str, Any]) -> None:
        try:
            stream.write(json.dumps(event) + "\n")
        except BrokenPipeError:
            return  # the coordinator is gone; `_watch_parent` stops this worker

    return emit


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


def _watch_parent(pid: int) -> threading.Event:
    """Set once the coordinator is gone, so that its workers do not outlive it."""
    orphaned = threading.Event()

    def watch() -> None:
        while os.getppid() == pid:
            time.sleep(PARENT_CHECK_SECONDS)
        orphaned.set()

    threading.Thread(target=watch, daemon=True).start()
    return orphaned
