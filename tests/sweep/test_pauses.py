"""A worker that was stopped, taken for dead, and goes on when another has done its work: nothing shows it.

It is stopped before each of its writing transactions, one place a test. Only some of a race's places are tried; every
place of every sweep, reads too, takes about half an hour: `pytest -m slow tests/sweep/test_pauses.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sweep import scenarios
from tests.sweep.conftest import Project
from tests.sweep.ending import Changes, ending, finish
from tests.sweep.pause import work_with_pause

N_ALONE, N_TOGETHER = 16, 15
_STRAIGHT: dict[str, dict[str, Any]] = {}  # of each sweep: how it ends when nobody pauses


def straight(project: Project, changes: Changes) -> dict[str, Any]:
    """How the sweep ends in one process without a pause."""
    key = repr(changes)
    if key not in _STRAIGHT:
        finish(project, {**changes, "name": "straight"})
        _STRAIGHT[key] = ending(project, "straight")
        assert max(_STRAIGHT[key]["points"].values()) == 1
        assert _STRAIGHT[key]["n_sweep_runs"] == 1
    return _STRAIGHT[key]


def check_pause(project: Project, changes: Changes, at: int | None, *, counts_reads: bool = False) -> int:
    """Check that a pause leaves what there is without one; returns how many places the paused worker came to."""
    expected = straight(project, changes)
    name = f"paused-{at}"
    paused = work_with_pause(project, {**changes, "name": name}, at, counts_reads=counts_reads)
    assert paused.exit_code == 0, f"place {at}"
    found = ending(project, name)
    for what in expected:
        assert found[what] == expected[what], f"{what}, paused at place {at}"
    return paused.n_places


@pytest.mark.parametrize("at", range(N_ALONE))
def test_a_worker_paused_until_another_has_done_all_changes_nothing(project: Project, at: int) -> None:
    check_pause(project, scenarios.PLAIN, at)


@pytest.mark.parametrize("at", range(N_TOGETHER))
def test_a_worker_paused_in_a_population_of_4_changes_nothing(project: Project, at: int) -> None:
    check_pause(project, scenarios.TOGETHER, at)


@pytest.mark.parametrize(
    ("changes", "n_places"), [(scenarios.PLAIN, N_ALONE), (scenarios.TOGETHER, N_TOGETHER)], ids=["alone", "together"]
)
def test_every_place_is_tried(project: Project, changes: Changes, n_places: int) -> None:
    assert check_pause(project, changes, None) == n_places
