"""Workers in processes of their own that are stopped for longer than their lease, or killed: nothing is lost by it."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from tests.sweeping.conftest import Project
from tests.sweeping.ending import begin, end_all_leases, ending, finish
from tests.sweeping.pause import SECONDS, stop, worker_process

TOYS: dict[str, Any] = {
    "name": "toys",
    "parameters": {"steps": 20, "n_points": 10},
    "space": {"lr": [0.5]},
    "replicates": {"count": 3},
}


def undisturbed(project: Project) -> dict[str, Any]:
    """How the sweep ends where nobody stops or dies."""
    finish(project, {**TOYS, "name": "straight"})
    return ending(project, "straight")


def with_parameters(**others: Any) -> dict[str, Any]:
    return {**TOYS, "parameters": {**TOYS["parameters"], **others}}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def has_point(project: Project) -> bool:
    """Whether a replicate of the sweep is being trained."""
    of_replicates = (
        "SELECT 1 FROM metrics m JOIN tags s ON s.run_uuid = m.run_uuid AND s.key = 'rothamsted.sweep' "
        "WHERE s.value = 'toys' LIMIT 1"
    )
    with closing(sqlite3.connect(project.root / "mlflow.db", timeout=60)) as connection:
        return connection.execute(of_replicates).fetchone() is not None


def test_a_worker_stopped_for_longer_than_its_lease_takes_nothing_back(project: Project) -> None:
    expected = undisturbed(project)
    changes = {**with_parameters(sleep_seconds=0.05), "execution": {"lease_seconds": 2.0}}
    begin(project, changes)
    with worker_process(project, "toys") as process:
        wait_until(lambda: has_point(project))
        stop(process, project)
        finish(project, changes)  # waits until the lease has run out
        there = ending(project, "toys")
        os.kill(process.pid, signal.SIGCONT)
        process.join(SECONDS)
        assert process.exitcode == 0
    assert there == expected
    assert ending(project, "toys") == expected


def test_what_a_killed_worker_has_left_is_trained_by_another_that_was_started_by_hand(project: Project) -> None:
    expected = undisturbed(project)
    marker = project.root / "killed"
    changes = with_parameters(kill_at_step=7, kill_marker=str(marker))
    begin(project, changes)
    with worker_process(project, "toys") as process:
        process.join(SECONDS)
        assert process.exitcode == -signal.SIGKILL
    end_all_leases(project)
    finish(project, changes)
    assert ending(project, "toys") == expected


def test_a_replicate_whose_worker_is_killed_is_trained_again_without_any_retries(project: Project) -> None:
    expected = undisturbed(project)
    marker = project.root / "killed"
    config = project.write(with_parameters(kill_at_step=7, kill_marker=str(marker)))
    done = project.cli("sweep", "--config", str(config))  # execution.retries is 0 by default
    assert marker.exists()
    assert done.returncode == 0, done.stderr
    assert ending(project, "toys") == expected
