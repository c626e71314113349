"""A command that knows nothing of MLflow, swept while its tracking server is away for a while.

`pytest tests/sweeping/test_foreign_away.py -m ""`
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import psutil
import pytest

from rothamsted import tags
from rothamsted.tracking import find_runs, read_history
from tests.sweeping.conftest import Project
from tests.sweeping.test_run import wait_until
from tests.sweeping.test_server_away import away, kept, spawned
from tests.tracking.conftest import server_uri, sqlite_template
from tests.tracking.faulty_proxy import FaultyProxy, faulty_proxy

__all__ = ["server_uri", "sqlite_template"]
pytestmark = pytest.mark.slow  # a server of its own

AWAY_SECONDS = 15.0
N_STEPS = 20
SCRIPT = """
import json, os, sys, time
lr, seed, n_steps = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with open(os.environ["ROTHAMSTED_REPORT"], "a") as report:
    for step in range(1, n_steps + 1):
        report.write(json.dumps({"val_loss": lr / step + seed, "step": step}) + "\\n")
        report.flush()
        time.sleep(0.3)
"""


@pytest.fixture
def proxy(server_uri: str) -> Iterator[FaultyProxy]:
    with faulty_proxy(server_uri) as proxy:
        yield proxy


def write(
    project: Project, name: str, *, n_steps: int = N_STEPS, rates: Sequence[float] = (0.5, 1.0), **execution: Any
) -> str:
    project.altered.append("its record is on a server")
    (project.root / "lines.py").write_text(SCRIPT)
    document = {
        "name": name,
        "study": None,
        "parameters": None,
        "command": f"python lines.py {{lr}} {{seed}} {n_steps}",
        "space": {"lr": list(rates)},
        "replicates": {"count": 2},
        "pruner": {"name": "threshold", "upper": 100.0},  # so that its run is read while it lasts
        "confirm": None,
        "execution": execution,
    }
    return str(project.write(document))


def reported(uri: str, name: str) -> dict[tuple[float, int], list[tuple[int, float]]]:
    """(lr, seed) -> the points of the objective's metric, of the replicates that were not interrupted."""
    runs = [
        run
        for run in find_runs(None, {tags.ROLE: "replicate", tags.SWEEP: name}, uri=uri)
        if run.tags.get(tags.OUTCOME) != "interrupted"
    ]
    points = read_history([run.run_id for run in runs], ["val_loss"], uri=uri)
    found = {
        (float(run.params.get("lr", "nan")), int(run.tags[tags.SEED])): [(p.step, p.value) for p in points[run.run_id]]
        for run in runs
    }
    assert len(found) == len(runs), "a replicate has two runs"
    return found


def expected() -> dict[tuple[float, int], list[tuple[int, float]]]:
    """By the script's own arithmetic."""
    return {
        (lr, seed): [(step, lr / step + seed) for step in range(1, N_STEPS + 1)] for lr in (0.5, 1.0) for seed in (0, 1)
    }


def is_reporting(proxy: FaultyProxy) -> bool:
    """By what has passed: asking the server for its runs again and again would slow it down."""
    return (
        sum(any(one["key"] == "val_loss" for one in asked.data.get("metrics", ())) for asked in proxy.of("log-batch"))
        > 1
    )


def scripts(pid: int) -> list[psutil.Process]:
    return [p for p in psutil.Process(pid).children(recursive=True) if "lines.py" in " ".join(p.cmdline())]


def test_what_it_reports_while_the_server_is_away_is_delivered_in_order_and_once(
    empty_project: Project, proxy: FaultyProxy, server_uri: str
) -> None:
    sweep = spawned(empty_project, proxy.uri, write(empty_project, "lines"))
    try:
        wait_until(lambda: is_reporting(proxy), seconds=300)
        proxy.fault = away
        wait_until(lambda: any(path.read_text().count("\n") > 1 for path in kept(empty_project)))
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
    assert reported(server_uri, "lines") == expected()
    runs = find_runs(None, {tags.SWEEP: "lines"}, uri=server_uri)
    assert Counter(run.status for run in runs) == {"FINISHED": 4 + 2 + 1}  # replicates, trials, the sweep
    assert kept(empty_project) == []


def test_its_time_limit_holds_while_the_server_is_away(
    empty_project: Project, proxy: FaultyProxy, server_uri: str
) -> None:
    limits = {"timeout_per_trial": "6s", "grace_seconds": 1, "retries": 0}
    config = write(empty_project, "endless", n_steps=100_000, rates=[0.5], **limits)
    sweep = spawned(empty_project, proxy.uri, config)
    try:
        wait_until(lambda: is_reporting(proxy), seconds=300)
        proxy.fault = away
        wait_until(lambda: not scripts(sweep.pid), seconds=60)
        assert sweep.poll() is None
        proxy.fault = lambda asked: None
        output, _ = sweep.communicate(timeout=400)
    finally:
        sweep.kill()
    assert "Traceback" not in output
    runs = find_runs(None, {tags.ROLE: "replicate", tags.SWEEP: "endless"}, uri=server_uri)
    assert {run.tags[tags.REASON] for run in runs} == {"timeout after 6 s"}, output
    for points in reported(server_uri, "endless").values():
        assert [step for step, _ in points] == list(range(1, len(points) + 1))


def test_a_sweep_of_it_is_stopped_at_once_while_the_server_is_away_and_whole_when_it_is_given_again(
    empty_project: Project, proxy: FaultyProxy, server_uri: str
) -> None:
    config = write(empty_project, "stopped")
    sweep = spawned(empty_project, proxy.uri, config)
    try:
        wait_until(lambda: is_reporting(proxy), seconds=300)
        proxy.fault = away
        wait_until(lambda: bool(kept(empty_project)))
        sweep.send_signal(signal.SIGINT)
        output, _ = sweep.communicate(timeout=120)
    finally:
        sweep.kill()
    assert "Traceback" not in output
    proxy.fault = lambda asked: None
    again = spawned(empty_project, proxy.uri, config)
    output, _ = again.communicate(timeout=400)
    assert again.returncode == 0, output
    assert reported(server_uri, "stopped") == expected()
    assert kept(empty_project) == []
