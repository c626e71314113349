"""A sweep whose tracking server is away for a while: training goes on, and the record is whole in the end.

`pytest tests/sweeping/test_server_away.py -m ""`
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rothamsted import tags
from rothamsted.tracking import FoundRun, find_runs, read_history
from tests.sweeping.conftest import Project
from tests.sweeping.same_result import check_readers_agree
from tests.sweeping.test_run import spawn, wait_until
from tests.tracking.conftest import server_uri, sqlite_template
from tests.tracking.faulty_proxy import Asked, Fault, FaultyProxy, faulty_proxy

__all__ = ["server_uri", "sqlite_template"]
pytestmark = pytest.mark.slow  # a server of its own

AWAY_SECONDS = 65.0  # longer than what a database may be away
LONG = {"steps": 200, "n_points": 100, "sleep_seconds": 0.08}  # 16 s a replicate


@pytest.fixture
def proxy(server_uri: str) -> Iterator[FaultyProxy]:
    with faulty_proxy(server_uri) as proxy:
        yield proxy


def away(asked: Asked) -> Fault:
    return Fault(status=503)


def write(project: Project, name: str) -> str:
    project.altered.append("its record is on a server")  # where `check_whole` looks
    return str(
        project.write(
            {
                "name": name,
                "parameters": LONG,
                "space": {"lr": [0.1, 0.2]},
                "replicates": {"count": 1},
                "execution": {"workers": 2, "checkpoint_every": 1, "lease_seconds": 8},
            }
        )
    )


def kept(project: Project) -> list[Path]:
    return sorted((project.root / "undelivered").glob("*"))


def spawned(project: Project, uri: str, config: str) -> subprocess.Popen[str]:
    home = str(project.root)
    return spawn(project, "sweep", "--config", config, MLFLOW_TRACKING_URI=uri, ROTHAMSTED_HOME=home)


def is_measuring(uri: str, name: str) -> bool:
    found = histories(uri, name)
    return len(found) == 2 and all(len(points) > 2 for points in found.values())


def trials(uri: str, name: str) -> list[FoundRun]:
    return find_runs(None, {tags.ROLE: "trial", tags.SWEEP: name}, uri=uri)


def histories(uri: str, name: str) -> dict[str, list[tuple[str, int]]]:
    ids = [run.run_id for run in trials(uri, name)]
    return {run_id: [(p.key, p.step) for p in points] for run_id, points in read_history(ids, uri=uri).items()}


def check_whole(project: Project, uri: str, name: str) -> None:
    """Two runs of two conditions, finished, with every point of their curves once; nothing is kept any more."""
    assert Counter((run.params["lr"], run.status, run.tags[tags.OUTCOME]) for run in trials(uri, name)) == {
        ("0.1", "FINISHED", "finished"): 1,
        ("0.2", "FINISHED", "finished"): 1,
    }
    for points in histories(uri, name).values():
        assert set(Counter(points).values()) == {1}
        assert {step for key, step in points if key == "val_loss"} >= set(range(2, 201, 2))
    assert kept(project) == []
    check_readers_agree(project.storage, uri)


def test_training_goes_on_while_the_server_is_away_and_a_killed_worker_loses_nothing(
    empty_project: Project, proxy: FaultyProxy, server_uri: str
) -> None:
    sweep = spawned(empty_project, proxy.uri, write(empty_project, "killed"))
    try:
        wait_until(lambda: is_measuring(server_uri, "killed"))
        proxy.fault = away
        wait_until(lambda: len(kept(empty_project)) == 2)
        workers = [p for p in psutil.Process(sweep.pid).children(recursive=True) if "worker" in " ".join(p.cmdline())]
        wait_until(lambda: all(path.read_text().count("\n") > 1 for path in kept(empty_project)))
        pid = int(kept(empty_project)[0].stem.rpartition("-")[2])
        assert pid in {p.pid for p in psutil.Process(sweep.pid).children(recursive=True)}, workers
        os.kill(pid, signal.SIGKILL)
        time.sleep(AWAY_SECONDS)
        assert sweep.poll() is None
        proxy.fault = lambda asked: None
        output, _ = sweep.communicate(timeout=400)
    finally:
        sweep.kill()
    assert sweep.returncode == 0, output
    assert "Traceback" not in output
    assert "away since" in output
    assert "is back; what waited in" in output
    check_whole(empty_project, server_uri, "killed")


def test_a_sweep_that_is_stopped_while_the_server_is_away_is_whole_when_it_is_given_again(
    empty_project: Project, proxy: FaultyProxy, server_uri: str
) -> None:
    config = write(empty_project, "stopped")
    sweep = spawned(empty_project, proxy.uri, config)
    try:
        wait_until(lambda: is_measuring(server_uri, "stopped"))
        proxy.fault = away
        wait_until(lambda: len(kept(empty_project)) == 2)
        sweep.send_signal(signal.SIGINT)
        output, _ = sweep.communicate(timeout=120)
    finally:
        sweep.kill()
    assert "Traceback" not in output, output
    assert kept(empty_project), output
    proxy.fault = lambda asked: None
    again = spawned(empty_project, proxy.uri, config)
    output, _ = again.communicate(timeout=200)
    assert again.returncode == 0, output
    assert "is back; what waited in" in output
    check_whole(empty_project, server_uri, "stopped")
