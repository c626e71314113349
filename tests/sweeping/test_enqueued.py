"""Conditions that the file names are tried first, each once; then those that the sampler proposes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sweeping.conftest import Project, stop_in_replicate
from tests.sweeping.search_run import run, write_down

FIRST = [{"lr": 0.25, "x": 0.5}, {"lr": 0.1, "x": 0.0}]
SWEEP: dict[str, Any] = {
    "space": {"lr": {"low": 0.01, "high": 1.0, "log": True, "points": 3}, "x": [0.0, 0.5]},
    "parameters": {"steps": 4, "n_points": 2},
    "replicates": {"count": 1},
    "execution": {"workers": 1},
}


def conditions(ran: Any) -> list[dict[str, Any]]:
    return [dict(condition.values) for condition in ran.conditions]


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_what_is_enqueued_is_tried_first_and_once_also_when_the_sweep_goes_on(project: Project, name: str) -> None:
    changes = {**SWEEP, "sampler": {"name": name, "seed": 3}, "trials": 6, "enqueue": FIRST}
    context = project.start(changes)
    project.work(context, stop_in_replicate(2, 1))
    again = project.start({**changes, "trials": 7})
    ran = write_down(project, again, project.work(again))
    found = conditions(ran)
    assert len(found) == 7
    assert found[:2] == FIRST
    assert all(condition not in FIRST for condition in found[2:])
    assert len(ran.runs("trial")) == 7


def test_a_grid_has_what_is_enqueued_beside_its_cells_and_no_cell_twice(project: Project) -> None:
    # By hand: the grid's step sizes are 0.01, 0.1 and 1; of the two that are enqueued one is a cell: 6 + 1.
    ran = run(project, {**SWEEP, "sampler": {"name": "grid"}, "enqueue": FIRST})
    found = [(round(c["lr"], 9), c["x"]) for c in conditions(ran)]
    assert found[:2] == [(0.25, 0.5), (0.1, 0.0)]
    assert sorted(found) == sorted([(0.25, 0.5), *((lr, x) for lr in (0.01, 0.1, 1.0) for x in (0.0, 0.5))])
