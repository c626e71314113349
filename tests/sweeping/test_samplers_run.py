"""Every sampler in a small whole sweep: two workers side by side, stopped on the way and gone on with."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from rothamsted import catalog
from rothamsted.sweeping.open.from_file import find_target
from rothamsted.sweeping.opened import Opened, open_started
from rothamsted.sweeping.worker.work import Worker
from tests.sweeping.conftest import Project
from tests.sweeping.search_run import write_down

N_TRIALS = 6
RANGES = {"lr": {"low": 0.1, "high": 1.0, "points": 3}, "x": {"low": -0.5, "high": 0.5, "points": 2}}  # 6 cells


def two_workers(project: Project, context: Opened, n_replicates: int | None = None) -> None:
    """Two workers, each with a queue of its own as a process has, until nothing is left or so many have started."""
    context.lease.leave("left")  # nobody decides: what is left to claim is done
    started: list[Any] = []
    failed: list[BaseException] = []

    def open_own() -> Opened:
        return open_started(
            context.sweep.name,
            project.storage,
            root=project.root,
            find_target=lambda sweep: find_target(sweep, project.root),
            tracking_uri=project.tracking_uri,
        )

    def work(number: int, own: Opened) -> None:
        worker = Worker(
            context=own,
            emit=lambda event: started.append(event) if event["event"] == "start" else None,
            should_stop=lambda: n_replicates is not None and len(started) >= n_replicates,
            worker_id=f"host:1:{number}",
        )
        try:
            worker.run()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number, open_own())) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


@pytest.mark.parametrize("name", ["exhaustive", "gp", "cmaes", "nsgaii", "nsgaiii"])
def test_two_workers_and_a_stop_give_each_trial_once_inside_the_space(project: Project, name: str) -> None:
    changes = {
        "space": RANGES,
        "parameters": {"steps": 3, "n_points": 3},
        "sampler": {"name": name, "seed": 2},
        "trials": None if catalog.SAMPLERS[name].needs_finite_space else N_TRIALS,
        "replicates": {"count": 1},
        "execution": {"workers": 2},
    }
    two_workers(project, project.start(changes), n_replicates=3)
    assert project.start(changes).queue.counts().finished < N_TRIALS
    again = project.start(changes)
    two_workers(project, again)
    ran = write_down(project, again, [])
    counts = again.queue.counts()
    assert (counts.complete, counts.total) == (N_TRIALS, N_TRIALS)
    assert len(ran.runs("trial")) == N_TRIALS  # a stopped one went on in its own run
    assert {run.status for run in ran.runs("trial")} == {"FINISHED"}
    conditions = [tuple(condition.values.values()) for condition in ran.conditions]
    assert len(set(conditions)) == N_TRIALS
    assert all(0.1 <= lr <= 1.0 and -0.5 <= x <= 0.5 for lr, x in conditions)
