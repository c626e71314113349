"""Staged sweeps of the toy, run to their end in the test's own process.

Apart, because the tests of what stages are and of how they survive need the same.
"""

from __future__ import annotations

import io
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rothamsted import api, tags
from rothamsted.catalog import EXECUTORS
from rothamsted.executors import Event, Job
from rothamsted.result import SessionResult
from rothamsted.sweeping.open.from_file import load
from rothamsted.tracking import FoundRun, find_runs, read_history
from tests.sweeping.conftest import Project
from tests.sweeping.in_this_process import WatchedExecutor

# Loss after t steps: 0.5 (1 - lr)^(2t) without momentum, and the noise of a seed is common to all conditions. So the
# rates nearer to 1 are better after 8 steps and after 20: 0.8, 0.4, 0.1, 0.05 are trials 3, 2, 1, 0.
STAGED: dict[str, Any] = {
    "parameters": {"optimizer.momentum": 0.0},
    "space": {"lr": [0.05, 0.1, 0.4, 0.8]},
    "replicates": {"count": 2},
    "execution": {"workers": 1, "report": False},
    "stages": [
        {"parameters": {"steps": 8, "n_points": 4}},  # measured at 2, 4, 6, 8
        {"keep": 2, "parameters": {"steps": 20, "n_points": 10}},  # measured at 2, 4, ..., 20
    ],
}
NOT_COMPARED = ("seconds", "samples_per_second", "epoch")  # times, and the toy's epochs, which are shares of its steps


@dataclass(frozen=True, kw_only=True)
class Told:
    """One session: how it ended, what was printed, and which sweeps ended well in it."""

    result: SessionResult
    text: str
    after: list[str]


def run(
    project: Project, changes: Mapping[str, Any] | None = None, on_after: Callable[[], None] = lambda: None
) -> Told:
    """Run the staged sweep, with top-level keys replaced, until it ends; `on_after` each stage that ended well."""
    sweep, study = load(project.write({**STAGED, **(changes or {})}), {}, project.root)
    console, after = Console(file=io.StringIO(), width=160), []
    place = replace(project.place, question="which rate?")
    work = api.work

    def noted(*given: Any, **how: Any) -> SessionResult:
        result = work(*given, **how)
        if not result.exit_status:
            after.append(result.sweep.name)
            on_after()
        return result

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(api, "work", noted)
        result = api.run(sweep, study, place, executor=EXECUTORS["local"](), console=console)
    return Told(result=result, text=console.file.getvalue(), after=after)  # type: ignore[attr-defined]


def interrupting(sweep: str, n_started: int, at_start: bool = True) -> Callable[[], WatchedExecutor]:
    """An executor in which Ctrl-C is pressed at the start (or the end) of a replicate of a sweep."""
    kind = "start" if at_start else "end"

    def make() -> WatchedExecutor:
        seen = 0

        def watch(job: Job, event: Event) -> None:
            nonlocal seen
            is_seen = event.said.get("event") == kind and job.arguments["sweep"] == sweep
            seen += is_seen
            if is_seen and seen == n_started:
                signal.raise_signal(signal.SIGINT)

        return WatchedExecutor(on_event=watch)

    return make


def sweep_run(project: Project, name: str) -> FoundRun:
    [found] = find_runs(None, {tags.ROLE: "sweep", tags.SWEEP: name}, uri=project.tracking_uri)
    return found


def replicates(project: Project, name: str) -> dict[tuple[str, str], FoundRun]:
    """(trial, seed) -> the one run of it."""
    found = find_runs(None, {tags.ROLE: "replicate", tags.SWEEP: name}, uri=project.tracking_uri)
    by_place = {(run.tags[tags.TRIAL], run.tags[tags.SEED]): run for run in found}
    assert len(by_place) == len(found)
    return by_place


def curves(project: Project, name: str) -> dict[tuple[str, str], list[tuple[str, int, float]]]:
    """(trial, seed) -> all that can be compared of what was logged, in order."""
    runs = replicates(project, name)
    histories = read_history([run.run_id for run in runs.values()], uri=project.tracking_uri)
    return {
        place: sorted((p.key, p.step, p.value) for p in histories[run.run_id] if p.key not in NOT_COMPARED)
        for place, run in runs.items()
    }


def states(project: Project, name: str) -> list[str]:
    """Replicates, as trial-replicate, of which a state lies on disk."""
    return sorted(path.parent.name for path in Path(project.root).glob(f"checkpoints/{name}/*/*/*.safetensors"))
