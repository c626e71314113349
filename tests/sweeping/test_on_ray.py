"""Sweeps whose workers are on a Ray cluster of two nodes: each replicate once, with the bits of a local sweep.

The cluster is real, with both nodes on this machine; nodes, actors and the head are ended while a sweep runs.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psutil
import pytest

from tests.conftest import ROOT
from tests.executors.cluster import cluster
from tests.sweeping.conftest import Project
from tests.sweeping.ending import ending, finish

SECONDS = 120.0
TOYS: dict[str, Any] = {
    "name": "toys",
    "parameters": {"steps": 40, "n_points": 20},
    "space": {"lr": [0.5, 0.1]},
    "replicates": {"count": 4},
}
COMMAND: dict[str, Any] = {  # somebody's program in place of a study
    "name": "theirs",
    "study": None,
    "parameters": None,
    "command": f"{sys.executable} theirs.py --lr {{lr}} --seed {{seed}}",
    "space": {"lr": [1, 2]},
    "objective": {"metric": "score", "direction": "maximize"},
    "replicates": {"count": 2},
}
THEIRS = """import argparse, json

parser = argparse.ArgumentParser()
parser.add_argument("--lr")
parser.add_argument("--seed", type=int)
given = parser.parse_args()
print(json.dumps({"step": 1, "score": 10 * float(given.lr) + given.seed}))
"""
SLOWER = {**TOYS, "parameters": {**TOYS["parameters"], "sleep_seconds": 0.05}}  # so that a fault meets the training


@pytest.fixture
def nodes() -> Iterator[Any]:
    with cluster(PYTHONPATH=str(ROOT)) as found:
        yield found


def undisturbed(project: Project) -> dict[str, Any]:
    finish(project, {**TOYS, "name": "straight"})
    return ending(project, "straight")


def on_ray(project: Project, address: str, **execution: Any) -> list[str]:
    more = {"executor": "ray", "address": address, "workers": 2, "checkpoint_every": 0.2, "lease_seconds": 5.0}
    path = project.write({**SLOWER, "execution": {**more, **execution}})
    return [sys.executable, "-m", "rothamsted", "sweep", str(path)]


@contextmanager
def running(project: Project, command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=SECONDS)[0]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def has_checkpoint(project: Project) -> bool:
    return any(path.is_file() for path in (project.root / "checkpoints").rglob("*"))


def workers() -> list[psutil.Process]:
    """The processes of workers that actors keep."""
    found = []
    for process in psutil.process_iter(["cmdline", "ppid"]):
        words = process.info["cmdline"] or []
        if "rothamsted.executors.process" in words and _is_of_ray(process):
            found.append(process)
    return found


def _is_of_ray(process: psutil.Process) -> bool:
    try:
        return any("ray::" in " ".join(one.cmdline()) for one in process.parents())
    except psutil.Error:
        return False


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for what, value in expected.items():
        assert found[what] == value, what


@pytest.mark.slow
def test_a_sweep_on_two_nodes_has_the_bits_of_a_local_one(project: Project, nodes: Any) -> None:
    expected = undisturbed(project)
    with running(project, on_ray(project, nodes.address)) as process:
        text = said(process)
    assert process.returncode == 0, text
    assert "ray: 2 nodes, 2 cores; room for 2 workers" in text
    same(ending(project, "toys"), expected)
    assert workers() == []


def test_a_node_that_is_lost_and_one_that_is_added_change_nothing(project: Project, nodes: Any) -> None:
    expected = undisturbed(project)
    with running(project, on_ray(project, nodes.address)) as process:
        wait_until(lambda: has_checkpoint(project) and len(workers()) == 2)
        nodes.remove_node(next(iter(nodes.worker_nodes)), allow_graceful=False)
        wait_until(lambda: len(workers()) == 1)
        nodes.add_node(num_cpus=1, node_ip_address="127.0.0.1")
        wait_until(lambda: len(workers()) == 2 or process.poll() is not None)
        text = said(process)
    assert process.returncode == 0, text
    assert "its node, or the actor there, is gone" in text
    same(ending(project, "toys"), expected)


@pytest.mark.slow
def test_an_actor_and_a_worker_that_are_killed_are_replaced(project: Project, nodes: Any) -> None:
    expected = undisturbed(project)
    with running(project, on_ray(project, nodes.address)) as process:
        wait_until(lambda: has_checkpoint(project) and len(workers()) == 2)
        one, other = workers()
        one.kill()
        other.parent().kill()  # its actor
        text = said(process)
    assert process.returncode == 0, text
    same(ending(project, "toys"), expected)
    assert workers() == []


@pytest.mark.slow
def test_a_sweep_whose_head_is_gone_ends_and_goes_on_elsewhere(project: Project, nodes: Any) -> None:
    expected = undisturbed(project)
    with running(project, on_ray(project, nodes.address)) as process:
        wait_until(lambda: has_checkpoint(project) and len(workers()) == 2)
        nodes.shutdown()
        text = said(process)
    assert process.returncode == 2, text
    assert text.splitlines()[-1].startswith("error: execution.executor: ray: the head of the cluster at")
    assert "Traceback" not in text
    wait_until(lambda: workers() == [])
    done = project.cli("sweep", str(project.write(SLOWER)))
    assert done.returncode == 0, done.stderr
    same(ending(project, "toys"), expected)


@pytest.mark.slow
def test_ctrl_c_leaves_nobody_behind_and_the_command_goes_on(project: Project, nodes: Any) -> None:
    expected = undisturbed(project)
    command = on_ray(project, nodes.address)
    with running(project, command) as process:
        wait_until(lambda: has_checkpoint(project) and len(workers()) == 2)
        process.send_signal(signal.SIGTERM)
        text = said(process)
    assert process.returncode == 143, text
    assert workers() == []
    with running(project, command) as process:
        text = said(process)
    assert process.returncode == 0, text
    same(ending(project, "toys"), expected)


@pytest.mark.slow
def test_a_command_that_is_swept_is_found_on_the_nodes(project: Project, nodes: Any) -> None:
    (project.root / "theirs.py").write_text(THEIRS, encoding="utf-8")
    path = project.write({**COMMAND, "execution": {"executor": "ray", "address": nodes.address, "workers": 2}})
    with running(project, [sys.executable, "-m", "rothamsted", "sweep", str(path)]) as process:
        text = said(process)
    assert process.returncode == 0, text
    with closing(sqlite3.connect(project.root / "mlflow.db")) as connection:
        scores = connection.execute("SELECT DISTINCT value FROM metrics WHERE key = 'score' ORDER BY value").fetchall()
    assert [score for (score,) in scores] == [10.0, 11.0, 20.0, 21.0]  # 10 lr + seed
    assert workers() == []


@pytest.mark.slow
def test_a_sweep_whose_time_is_up_ends_with_what_it_has_and_goes_on(project: Project, nodes: Any) -> None:
    expected = undisturbed(project)
    command = on_ray(project, nodes.address, workers=1)  # two would have claimed all there is when the time is up
    begun = time.monotonic()
    with running(project, [*command, "timeout=4"]) as process:
        text = said(process)
    assert process.returncode == 3, text  # not yet
    assert "conditions are left: give the same command again to go on" in text
    assert time.monotonic() - begun < SECONDS
    assert workers() == []
    with running(project, command) as process:
        text = said(process)
    assert process.returncode == 0, text
    same(ending(project, "toys"), expected)


@pytest.mark.slow
def test_what_a_dying_worker_wrote_on_its_node_is_shown(project: Project, nodes: Any) -> None:
    (project.root / "theirs.py").write_text(THEIRS, encoding="utf-8")
    execution = {"executor": "ray", "address": nodes.address, "workers": 1}
    path = project.write({**COMMAND, "space": {"lr": ["broken"]}, "execution": execution})
    with running(project, [sys.executable, "-m", "rothamsted", "sweep", str(path)]) as process:
        text = said(process)
    assert process.returncode != 0, text
    assert "ValueError: could not convert string to float: 'broken'" in text
