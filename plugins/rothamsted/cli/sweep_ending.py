"""End the command `sweep`: show its result to people and programs, and choose its exit status."""

from __future__ import annotations

import math
import sys

from rothamsted.analysis.values import Analysis
from rothamsted.catalog import EXECUTORS
from rothamsted.cli.results import plain_analysis
from rothamsted.cli.screen import Screen
from rothamsted.cli.told_events import EventExecutor
from rothamsted.errors import UserError
from rothamsted.executors import EarlyWorkers, Executor, LocalExecutor
from rothamsted.printable import error_line
from rothamsted.result import SessionResult
from rothamsted.spec import Sweep
from rothamsted.sweeping.opened import Place
from rothamsted.wording import with_basis

NOT_YET = 3  # exit status: the time is over, or the sweep is not finished


def executor_of(sweep: Sweep, screen: Screen, early: EarlyWorkers | None = None) -> Executor:
    """Return the executor that the file names, with the started workers. With --json each event is a line, too."""
    executor = EXECUTORS[sweep.execution.executor]()
    executor = LocalExecutor(early=early) if early is not None else executor
    return EventExecutor(executor=executor, tell=screen.give) if screen.is_json else executor


def ended(result: SessionResult, place: Place, screen: Screen, *, is_saved: bool) -> int:
    """Say what came of a session, and return the exit status."""
    if result.decision is not None:
        from rothamsted.cli.promotion_commands import show_decision

        show_decision(result.decision, place.tracking_uri, screen.console)
    if not is_saved:
        screen.say("nothing is kept (--no-save): the databases that are named above are gone")
    status = result.exit_status
    if screen.is_quiet:
        if status:
            why = result.why or f"stopped with exit status {status}; rothamsted status {result.sweep.name} says more"
            print(error_line(UserError(f"sweep {result.sweep.name}: {why}")), file=sys.stderr)
        if found := best_line(result.analysis):
            screen.show(*found)
    if not status and not result.is_complete and place.outer_run_id is None:
        status = NOT_YET  # to `mlflow run`, which knows success and failure alone, it is no failure
    screen.give({"event": "result", **plain_analysis(result.analysis), "exit_status": status})
    return status


def best_line(analysis: Analysis) -> list[str]:
    """Write the best condition in a line: as fresh seeds confirmed it, else the search's own estimate; empty: none."""
    if not analysis.ranking:
        return []
    number = analysis.ranking[0]
    confirmed = {one.condition: one.summary for one in analysis.confirmed if one.summary is not None}
    summary = confirmed.get(number) or next(one for one in analysis.objective if one.condition == number)
    low, high = (summary.interval.low, summary.interval.high) if summary.interval else (math.nan, math.nan)
    method = summary.interval.method if summary.interval else "t"
    written = with_basis(summary.value, low, high, level=analysis.level, method=method, n=summary.n)
    label = next(one.label for one in analysis.dataset.conditions if one.number == number)
    return [f"{analysis.dataset.name}: {analysis.dataset.objective.metric} {written} at {label}"]
