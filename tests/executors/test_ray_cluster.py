"""What a Ray cluster is asked before a sweep begins, and how a crew of actors grows with it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest

from rothamsted.errors import UserError
from rothamsted.executors import Job, ask_first, ray_cluster
from rothamsted.executors.ray_crew import RayExecutor
from rothamsted.executors.ray_worker import Seen, look, make_home
from tests.conftest import ROOT
from tests.executors.cluster import LOOPBACK, cluster

SECONDS = 60.0


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    with cluster(n_nodes=1, PYTHONPATH=str(ROOT)) as found:
        yield found


def job(nodes: Any = None, most: int | None = None, **keys: Any) -> Job:
    options = {"address": nodes.address, **keys.pop("options", {})} if nodes is not None else keys.pop("options")
    return Job(entry="tests.executors.workers:wait_to_be_stopped", options=options, most=most, **keys)


def test_an_address_at_which_nobody_answers_is_one_line_within_seconds() -> None:
    pytest.importorskip("ray")
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))  # nobody listens there
        address = f"{LOOPBACK}:{taken.getsockname()[1]}"
        for one in (address, f"ray://{address}", "nowhere", f"{LOOPBACK}:notaport"):
            started = time.monotonic()
            with pytest.raises(UserError, match=r"nobody answers there .*ray start --head") as raised:
                ask_first(RayExecutor(), job(options={"address": one}), 1)
            assert "\n" not in str(raised.value)
            assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize(("n_workers", "most", "n_cores"), [(2, 144, 2), (7, None, 7), (1, None, 2)])
def test_a_cluster_that_is_started_here_has_the_cores_of_the_machine_or_those_that_were_asked_for(
    n_workers: int, most: int | None, n_cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`most` is the number of trainings of a sweep with `workers: auto`; it is no reason to start as many workers."""
    ray = pytest.importorskip("ray")
    given: dict[str, Any] = {}

    def init(**how: Any) -> None:
        given.update(how)
        raise Exception("enough")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with pytest.raises(UserError):
        ask_first(RayExecutor(), job(options={"address": "local"}, most=most), n_workers)
    assert given["num_cpus"] == n_cores


def test_a_node_that_does_not_start_in_time_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def slow(**how: Any) -> None:
        raise Exception("The current node timed out during startup.")  # as ray/_private/node.py does after 30 s

    monkeypatch.setattr(ray, "init", slow)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(UserError, match=r"local: The current node timed out .*; give the command again") as raised:
        ask_first(RayExecutor(), job(options={"address": "local"}), 1)
    assert "\n" not in str(raised.value)


def test_a_file_of_this_machine_is_refused_where_a_node_is_on_another(
    nodes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    RayExecutor().check(job(nodes, files=("/data/optuna.db",)), 1)  # all nodes are here: they share it
    host = socket.gethostname()
    monkeypatch.setattr(ray_cluster.socket, "gethostname", lambda: "laptop")
    with pytest.raises(UserError, match=rf"/data/optuna.db is a file of this machine.*{host}.*postgresql"):
        RayExecutor().check(job(nodes, files=("/data/optuna.db",)), 1)


def test_a_node_is_asked_for_the_folders_and_the_engine(nodes: Any, tmp_path: Path) -> None:
    made = tmp_path / "made"
    [line] = RayExecutor().check(job(nodes, folders=(str(made),)), 1)
    assert line == "ray: 1 node, 1 core; room for 1 worker"
    assert not made.exists(), "a look leaves nothing behind"
    seen = look({str(tmp_path): "", str(tmp_path / "absent"): "mark"})
    assert seen == Seen(host=socket.gethostname(), version=version("rothamsted"), lacks=[str(tmp_path / "absent")])


@pytest.mark.parametrize(
    ("lacks", "of_version", "way_out"),
    [
        (["/shared"], None, r"does not see /shared; give a folder that all nodes share .*ROTHAMSTED_HOME.*artifacts"),
        (["/project"], None, r"does not see /project; give execution.runtime_env: \{working_dir: .\}"),
        ([], "0.0.1", "has rothamsted 0.0.1, and this process"),
    ],
)
def test_what_a_node_lacks_is_said_with_the_way_out(lacks: list[str], of_version: str | None, way_out: str) -> None:
    seen = Seen(host="node7", version=of_version or version("rothamsted"), lacks=lacks)
    with pytest.raises(UserError, match=f"node node7 {way_out}"):
        ray_cluster._refuse_lack(seen, job(options={}, folders=("/shared",)))


def test_a_node_without_the_folder_of_home_makes_its_own(tmp_path: Path) -> None:
    make_home(str(tmp_path / "home" / "me"))
    assert (tmp_path / "home" / "me").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"ROTHAMSTED_HOME: .*file/me cannot be made on this node"):
        make_home(str(tmp_path / "file" / "me"))


def test_a_process_that_is_connected_does_not_go_to_another_cluster(nodes: Any) -> None:
    RayExecutor().check(job(nodes), 1)
    with pytest.raises(UserError, match=r"execution.address: this process is connected to Ray at .*ray.shutdown\(\)"):
        RayExecutor().check(job(options={"address": f"{LOOPBACK}:1"}), 1)
    with pytest.raises(UserError, match=r"execution.runtime_env: this process is connected to Ray"):
        RayExecutor().check(job(nodes, options={"runtime_env": {"env_vars": {"A": "1"}}}), 1)


def test_workers_that_have_no_room_wait_for_a_node_and_are_said(nodes: Any) -> None:
    lines = RayExecutor().check(job(nodes), 3)
    assert lines[1] == "ray: workers beyond 1 start when nodes with {'CPU': 1} are added"


def test_with_auto_a_crew_grows_when_a_node_is_added(nodes: Any) -> None:
    with RayExecutor().start(job(nodes, most=5), 5) as crew:
        assert crew.n_alive == 1
        added = nodes.add_node(num_cpus=1, node_ip_address=LOOPBACK)
        pids, deadline = set(), time.monotonic() + SECONDS
        while len(pids) < 2 and time.monotonic() < deadline:
            pids |= {event.said["pid"] for event in crew.events(0.5) if event.said}
        assert (len(pids), crew.n_alive) == (2, 2)
    nodes.remove_node(added)
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
