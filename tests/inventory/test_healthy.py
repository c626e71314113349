"""A sweep that nobody damaged has no finding, of whatever kind it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.inventory.caring import doctor, swept
from tests.sweeping.conftest import Project

KINDS: dict[str, dict[str, Any]] = {
    "a grid": {},
    "TPE": {
        "space": {"lr": {"low": 0.01, "high": 1.0, "log": True}},
        "sampler": {"name": "tpe"},
        "trials": 4,
        "replicates": {"count": 2},
    },
    "one replicate": {"replicates": {"count": 1}},
    "racing": {"replicates": {"racing": {"min": 2, "max": 4}}},
    "a confirmation": {"confirm": {"keep": 1, "replicates": 2}},
    "a population": {"execution": {"population": 3}},
    "pruning": {"pruner": {"name": "median", "startup_trials": 1}, "space": {"lr": [1.0, 0.05, 0.01]}},
    "failures": {"parameters": {"steps": 4, "n_points": 2, "fail_at_seed": 1}, "execution": {"retries": 1}},
    "divergence": {"space": {"lr": [0.5, 3.0]}, "parameters": {"steps": 40, "n_points": 4, "diverge_above": 10.0}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_undamaged_sweep_has_no_finding(kind: str, project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert swept(project, KINDS[kind]) == 0
    status, found = doctor(capsys)
    assert (status, found["findings"], found["looked_over"]) == (0, [], ["toys"])
