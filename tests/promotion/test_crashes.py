"""A promotion that is killed (SIGKILL) anywhere leaves the old champion in place, and a second one completes it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.promotion.running import run_trials

Found = Mapping[str, Mapping[str, Any]]
DONE = {"champion": "2", "previous_champion": "1"}


@pytest.fixture
def found(tried: Mapping[str, Any]) -> Found:
    """What was there after each kill, and after the same command again."""
    return tried["killed"]


def check_killed(found: Found) -> None:
    assert {one["exit_code"] for one in found.values()} == {-signal.SIGKILL}


def check_champion(found: Found, is_late: Callable[[str], bool]) -> None:
    """Version 1 stands, unless the change had been made; nobody else ever does."""
    for point, one in found.items():
        champion = one["seen"]["aliases"]["champion"]
        assert champion == "1" or (is_late(point) and champion == "2"), point


def check_completed(found: Found) -> None:
    for point, one in found.items():
        assert one["again"] == 0, point
        assert one["after"]["aliases"] == DONE, point
        assert one["after"]["versions"] == ["first", "second"], point
        assert one["after"]["verdicts"]["second"] == [["promoted", "1"]], point
        assert not one["after"]["is_locked"] or one["seen"]["aliases"] == DONE, point


def test_each_of_them_was_killed(found: Found) -> None:
    check_killed(found)
    assert len(found) == 6  # five that stand for all, and after the last


def test_the_old_champion_stands_unless_the_change_was_made(found: Found) -> None:
    check_champion(found, lambda point: "release" in point)


def test_the_same_command_completes_it_with_one_version_and_one_verdict(found: Found) -> None:
    check_completed(found)


def test_aliases_and_book_change_together_or_not_at_all(found: Found) -> None:
    for point, one in found.items():
        is_done = one["seen"]["aliases"] == DONE
        assert one["seen"]["changes"] == [[None, "1"], ["1", "2"]][: 2 if is_done else 1], point
        assert is_done or one["seen"]["aliases"] == {"champion": "1"}, point


def test_a_contest_that_was_held_is_not_held_again(tried: Mapping[str, Any]) -> None:
    found = tried["contest"]
    assert (found["exit_code"], found["seen"]["aliases"]) == (-signal.SIGKILL, {"champion": "1"})
    assert (found["after"]["aliases"], found["n_duels"]) == (DONE, 10)  # 2 contestants x 5 seeds, trained once


@pytest.mark.slow
@pytest.mark.parametrize("way", ["sql", "client"])
def test_killed_at_every_single_write_it_is_completed_by_either_way_of_writing(
    way: str, tmp_path: Path, new_mlflow: Callable[[Path], str]
) -> None:
    trial = f"killed_everywhere_{way}"
    found = run_trials({trial: new_mlflow(tmp_path)}, tmp_path)[trial]
    check_killed(found)
    check_champion(found, lambda point: "release" in point or "alias" in point)
    check_completed(found)
