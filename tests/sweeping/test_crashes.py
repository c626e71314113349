"""A worker that dies between any two of its transactions: whoever goes on ends the same way.

Every place of every sweep takes some minutes: `pytest -m slow tests/sweeping/test_crashes.py`.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from tests.sweeping.conftest import Project
from tests.sweeping.ending import Changes, end_all_leases, ending, finish, write_at_every_measurement
from tests.sweeping.power_cut import PowerCut, power
from tests.sweeping.scenarios import CONFIRMED, PLAIN, RACE, SIXTEEN


def sweep_with_cut(project: Project, changes: Changes, at: int | None) -> tuple[dict[str, Any], int]:
    """Run until the power fails, then start again; returns what there is in the end, and the commits before."""
    changes = {**changes, "name": f"cut-{at}"}
    begun = project.start(changes)
    with power(at) as supply, contextlib.suppress(PowerCut):
        project.work(begun)
        assert at is None, "the cut came after the end"
    end_all_leases(project)
    finish(project, changes)
    return ending(project, changes["name"]), supply.n_commits


def check_cuts(project: Project, changes: Changes, *, first: int, every: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        write_at_every_measurement(monkeypatch)
        straight, n_commits = sweep_with_cut(project, changes, None)
        assert max(straight["points"].values()) == 1
        for at in range(first, n_commits, every):
            ended, _ = sweep_with_cut(project, changes, at)
            for what, expected in straight.items():
                assert ended[what] == expected, f"{what}, cut before commit {at} of {n_commits}"


def test_a_sweep_ends_alike_wherever_a_worker_dies(project: Project) -> None:
    check_cuts(project, PLAIN, first=0, every=1)


def test_a_race_and_its_confirmation_end_alike_wherever_a_worker_dies(project: Project) -> None:
    check_cuts(project, RACE, first=9, every=24)


def test_a_confirmation_ends_alike_wherever_a_worker_dies(project: Project) -> None:
    check_cuts(project, CONFIRMED, first=17, every=10)


def test_a_population_of_16_with_a_diverging_member_ends_alike_wherever_its_worker_dies(project: Project) -> None:
    check_cuts(project, SIXTEEN, first=3, every=20)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [RACE, CONFIRMED, SIXTEEN], ids=["race", "confirmation", "sixteen"])
def test_a_sweep_ends_alike_for_every_place_where_a_worker_can_die(project: Project, changes: Changes) -> None:
    check_cuts(project, changes, first=0, every=1)
