"""Forks with a recorder open: a program of its own, since a process that has run JAX must not fork."""

from __future__ import annotations

import multiprocessing
import sys

from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking import open_recorder
from rothamsted.tracking.sql.engines import engine_of

START_MS = 1_700_000_000_000


def write_runs(uri: str, experiment_id: str, n_runs: int) -> None:
    """What a worker does: every run in a flush of its own, so that writers meet often."""
    with open_recorder(uri) as recorder:
        for index in range(n_runs):
            run_id = recorder.open_run(
                experiment_id=experiment_id,
                name=f"run {index}",
                tags={},
                params={"i": index},
                start_ms=START_MS,
            )
            recorder.log(run_id, metrics=[MetricPoint("m", float(index), START_MS, s) for s in range(5)])
            recorder.flush()
            recorder.end_run(run_id, RunStatus.FINISHED, START_MS + 1)
            recorder.flush()


def write(uri: str, experiment_id: str) -> list[int | None]:
    """Two children write beside their parent, which has connections open; returns their exit codes."""
    write_runs(uri, experiment_id, 1)
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=write_runs, args=(uri, experiment_id, 20)) for _ in range(2)]
    for child in children:
        child.start()
    write_runs(uri, experiment_id, 20)
    for child in children:
        child.join(timeout=60)
    return [child.exitcode for child in children]


def share(uri: str, experiment_id: str) -> bool:
    """Whether a child uses its parent's pool of connections (the same id after a fork)."""
    write_runs(uri, experiment_id, 1)
    pool = engine_of(uri).pool
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=lambda: answers.put(engine_of(uri).pool is pool))
    child.start()
    is_same = answers.get(timeout=30)
    child.join(timeout=30)
    return is_same


if __name__ == "__main__":
    print({"write": write, "share": share}[sys.argv[1]](*sys.argv[2:]))
