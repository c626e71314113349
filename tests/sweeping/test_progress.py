"""The line that is shown while a sweep runs: each replicate is counted once, and time left is never negative."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from rothamsted.analysis.read_search import dataset_of
from rothamsted.analysis.values import Dataset
from rothamsted.search import ToldTrial
from rothamsted.spec import Sweep, from_resolved
from rothamsted.sweeping.coordinator.notebook_line import notebook_line
from rothamsted.sweeping.coordinator.progress import Progress
from tests.sweeping.conftest import SWEEP


@dataclass(kw_only=True)
class Shown:
    """A progress of 6 conditions with 3 replicates, and the last line that it printed."""

    now: list[float] = field(default_factory=lambda: [0.0])
    screen: io.StringIO = field(default_factory=io.StringIO)

    def start(self, found: Dataset | None = None, n_confirm: int = 0) -> Progress:
        progress = Progress(
            sweep=sweep(),
            n_search=18,
            n_confirm=n_confirm,
            n_replicates=3,
            console=Console(file=self.screen, width=300),
            clock=lambda: self.now[0],
        )
        progress.open(dataset_of(sweep(), []) if found is None else found)
        return progress

    def line(self, progress: Progress) -> str:
        progress.close()
        return [line for line in self.screen.getvalue().splitlines() if " done | " in line][-1]


def sweep() -> Sweep:
    return from_resolved(SWEEP)


def event(kind: str, trial: int, replicate: int, phase: str = "search", **more: Any) -> dict[str, Any]:
    place = {
        "phase": phase,
        "is_fresh": phase == "confirm",
        "trial": trial,
        "number": trial,
        "replicate": replicate,
        "name": f"trial {trial}",
    }
    return {"event": kind, **place, **more}


def ended(trial: int, replicate: int, outcome: str = "finished", phase: str = "search") -> dict[str, Any]:
    return event("end", trial, replicate, phase, outcome=outcome, is_final=True, reason="out of memory")


def told(trial: int, *outcomes: str) -> ToldTrial:
    replicates = [
        {"replicate": k, "seed": k, "run_id": f"{trial}-{k}", "outcome": outcome, "objective": None}
        for k, outcome in enumerate(outcomes)
    ]
    return ToldTrial(
        number=trial, condition={"lr": 0.1, "x": 0.0}, attributes={"rothamsted:result": {"replicates": replicates}}
    )


def test_a_replicate_that_is_given_up_again_by_whoever_takes_its_trial_over_is_counted_once() -> None:
    shown = Shown()
    progress = shown.start()
    for _ in range(5):
        progress.on_end(ended(0, 0, "failed"))
    assert "0 done | 0 running | 1 failed | 17 remaining" in shown.line(progress)


def test_a_failed_replicate_of_an_earlier_session_that_is_tried_again_is_counted_once() -> None:
    shown = Shown()
    progress = shown.start(dataset_of(sweep(), [told(0, "failed", "failed", "failed")]))
    for replicate in range(3):
        progress.on_start(1, event("start", 0, replicate))
        progress.on_end(ended(0, replicate))
    assert "3 done | 0 running | 0 failed | 15 remaining" in shown.line(progress)


@pytest.mark.parametrize("n_again", [0, 1, 7])
def test_the_expected_time_is_never_negative_and_done_never_passes_the_plan(n_again: int) -> None:
    # By hand: 18 of the search and 4 on fresh seeds, each however often it is told.
    shown = Shown()
    progress = shown.start(n_confirm=4)
    shown.now[0] = 60.0
    for _ in range(1 + n_again):
        for trial in range(6):
            for replicate in range(3):
                progress.on_end(ended(trial, replicate))
        for replicate in range(4):
            progress.on_end(ended(0, replicate, phase="confirm"))
    line = shown.line(progress)
    assert "22 done" in line
    assert " 0 remaining" in line
    assert "expected 0:00 more" in line


def test_a_replicate_on_fresh_seeds_is_not_the_one_of_the_search_with_its_number() -> None:
    shown = Shown()
    progress = shown.start(n_confirm=4)
    progress.on_end(ended(0, 0))
    progress.on_end(ended(0, 0, phase="confirm"))
    assert "2 done | 0 running | 0 failed | 20 remaining" in shown.line(progress)


def test_in_a_notebook_one_line_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    class Handle:
        def update(self, shown: dict[str, str], *, raw: bool) -> None:
            written.append(f"over: {shown['text/plain']}")

    def display(shown: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        written.append(shown["text/plain"])
        return Handle()

    assert notebook_line(lambda: 0.0, is_jupyter=False) is None
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    times = iter([0.0, 0.0, 0.1, 1.0, 1.0, 1.1])
    line = notebook_line(lambda: next(times), is_jupyter=True)
    assert line is not None
    for text, is_last in (("a", False), ("b", False), ("c", False), ("d", True)):
        line.write(text, is_last=is_last)
    assert written == ["a", "over: c", "over: d"]
