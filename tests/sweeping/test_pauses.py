"""A worker that was stopped, taken for dead, and goes on when another has done its work: nothing shows it.

It is stopped before each of its writing transactions, one place a test; of a race and of a population a few are tried.
Every place of every sweep takes ten to thirty minutes: `pytest -m slow tests/sweeping/test_pauses.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sweeping import scenarios
from tests.sweeping.conftest import Project
from tests.sweeping.ending import Changes, ending, finish
from tests.sweeping.pause import work_with_pause

N_ALONE = 18
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


def test_every_place_is_tried(project: Project) -> None:
    assert check_pause(project, scenarios.PLAIN, None) == N_ALONE


@pytest.mark.parametrize("at", [0, 1, 2, 5, 9, 10, 14])
def test_a_worker_paused_in_a_population_of_4_changes_nothing(project: Project, at: int) -> None:
    check_pause(project, scenarios.TOGETHER, at)


@pytest.mark.parametrize("at", [17, 18, 19, 22])
def test_a_worker_paused_in_a_confirmation_changes_nothing(project: Project, at: int) -> None:
    check_pause(project, scenarios.CONFIRMED, at)


@pytest.mark.parametrize("at", [2, 9, 13])
def test_a_worker_paused_in_a_race_changes_nothing(project: Project, at: int) -> None:
    check_pause(project, scenarios.RACE, at)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "counts_reads"),
    [
        pytest.param(scenarios.PLAIN, True, id="alone, reads too"),
        pytest.param(scenarios.TOGETHER, False, id="together"),
        pytest.param(scenarios.CONFIRMED, False, id="confirmation"),
        pytest.param(scenarios.RACE, False, id="race"),
        pytest.param(scenarios.SIXTEEN, False, id="sixteen"),
    ],
)
def test_a_pause_at_any_place_changes_nothing(project: Project, changes: Changes, counts_reads: bool) -> None:
    n_places = check_pause(project, changes, None, counts_reads=counts_reads)
    wrong: dict[int, str] = {}
    for at in range(n_places):
        try:
            check_pause(project, changes, at, counts_reads=counts_reads)
        except AssertionError as error:
            wrong[at] = str(error).splitlines()[0]
    assert wrong == {}, f"{len(wrong)} of {n_places} places"
