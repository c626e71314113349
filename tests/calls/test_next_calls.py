"""The calls that a sweep of a call proposes, made as they are printed."""

from __future__ import annotations

from typing import Any

import pytest

import rothamsted as rt
from rothamsted.analysis.commands import call_line
from tests.calls.conftest import TOY
from tests.sweeping.conftest import Project

FUNCTION = """
def shift(seed: int, lr: float = 0.1):
    return lr + seed / 1000
"""


def called(line: str) -> Any:
    return eval(line, {"rt": rt})


def test_the_call_that_is_proposed_confirms_and_grows_the_same_sweep(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.root / "shift.py").write_text(FUNCTION)
    keys = {**TOY, "metric": "value", "parameters": None, "keys": {"execution.report": True}}
    first = rt.sweep("shift.py:shift", {"lr": [0.5, 0.7]}, **keys)
    [line] = [one.strip() for one in capsys.readouterr().out.splitlines() if one.strip().startswith("rt.sweep(")]
    confirmed = called(line)
    assert (confirmed.run_id, confirmed.confirmed.n) == (first.run_id, 10)
    # The confirmation has used the seeds 3 to 12, so more seeds begin after it.
    seeds = {"replicates.count": 5, "replicates.seeds": [0, 1, 2, 13, 14], "confirm.seeds": list(range(3, 13))}
    grown = called(call_line(first.name, "shift.py:shift", seeds))
    assert (grown.run_id, list(grown.conditions["n"]), grown.confirmed.n) == (first.run_id, [5, 5], 10)
