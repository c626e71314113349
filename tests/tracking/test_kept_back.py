"""A server that is away: what it should be given is kept on disk, and delivered once, in order, when it is back.

All of this file: `pytest tests/tracking/test_kept_back.py -m ""`.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from rothamsted import places
from rothamsted.errors import StoreError
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking import Recorder, deliver_left, find_run, open_recorder, read_history, read_text
from rothamsted.tracking.before_mlflow import settle
from tests.tracking.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from tests.tracking.stores import END_MS, START_MS

pytestmark = pytest.mark.slow  # a server of its own

AWAY = Fault(status=503)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(places.HOME, str(tmp_path))
    return tmp_path


@pytest.fixture
def proxy(server_uri: str, home: Path) -> Iterator[FaultyProxy]:
    settle()  # a test sees no MLFLOW_ variables, those neither that the engine sets
    with faulty_proxy(server_uri) as proxy:
        yield proxy


@pytest.fixture
def experiment_id(server_uri: str, request: pytest.FixtureRequest) -> str:
    return MlflowClient(server_uri).create_experiment(request.node.name)


def files(home: Path, ending: str = ".jsonl") -> list[Path]:
    return sorted((home / "undelivered").glob(f"*{ending}"))


def opened(recorder: Recorder, experiment_id: str, holder: int = 1) -> str:
    run_id = recorder.open_run(
        experiment_id=experiment_id, name="r", tags={}, params={"lr": 1}, start_ms=START_MS, holder=holder
    )
    recorder.flush()
    return run_id


def measure(recorder: Recorder, run_id: str, steps: range) -> None:
    for step in steps:
        recorder.log(run_id, metrics=[MetricPoint("loss", float(step), START_MS + step, step)], tags={"at": step})
        recorder.pass_on()


def check_whole(run_id: str, server_uri: str, n_points: int, status: str) -> None:
    run = find_run(run_id, uri=server_uri)
    assert run is not None
    there = Counter((p.key, p.step) for p in read_history([run_id], uri=server_uri)[run_id])
    assert there == Counter(("loss", step) for step in range(n_points))
    assert (run.status, run.tags["at"]) == (status, str(n_points - 1))


def test_training_goes_on_and_all_is_delivered_when_the_server_is_back(
    proxy: FaultyProxy, server_uri: str, experiment_id: str, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_recorder(proxy.uri) as recorder:
        run_id = opened(recorder, experiment_id)
        measure(recorder, run_id, range(3))
        proxy.fault = lambda asked: AWAY
        with caplog.at_level(logging.WARNING, logger="rothamsted"):
            measure(recorder, run_id, range(3, 50))
        recorder.add_text(run_id, "said", "output.txt")
        recorder.end_run(run_id, RunStatus.FINISHED, END_MS)
        recorder.pass_on()
        (kept,) = files(home)
        proxy.fault = lambda asked: None
        with caplog.at_level(logging.WARNING, logger="rothamsted"):
            recorder.flush()
    said = [record.getMessage() for record in caplog.records if record.name == "rothamsted.tracking.kept_back"]
    assert said[0].startswith(f"{proxy.uri}: away since ")
    assert said[0].endswith(f"new records wait in {kept}")
    assert said[1:] == [f"{proxy.uri}: is back; what waited in {kept} is delivered"]
    assert files(home) == []
    check_whole(run_id, server_uri, 50, "FINISHED")
    assert read_text(run_id, "output.txt", uri=server_uri) == "said"


KILLED = """
import os, signal, sys
from rothamsted.tracking import open_recorder
from tests.tracking.test_kept_back import measure, opened
recorder = open_recorder(sys.argv[1])
run_id = opened(recorder, sys.argv[2])
print(run_id, flush=True)
input()
measure(recorder, run_id, range(20))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(proxy: FaultyProxy, experiment_id: str) -> str:
    """The run of a process that was killed while the server was away, which still is."""
    command = [sys.executable, "-c", KILLED, proxy.uri, experiment_id]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    proxy.fault = lambda asked: AWAY
    process.communicate("\n", timeout=60)
    assert process.returncode == -signal.SIGKILL
    return run_id


def test_what_a_killed_process_kept_is_delivered_by_the_next_command_once(
    proxy: FaultyProxy, server_uri: str, killed: str, home: Path
) -> None:
    (kept,) = files(home)
    copy = shutil.copyfile(kept, home / "copy")
    with kept.open("a") as file:
        file.write('{"runs": {"cut off in the mid')
    proxy.fault = lambda asked: None
    deliver_left(proxy.uri)
    check_whole(killed, server_uri, 20, "RUNNING")
    assert files(home) == []
    shutil.copyfile(copy, kept)  # as if it had died after sending and before removing the file
    deliver_left(proxy.uri)
    check_whole(killed, server_uri, 20, "RUNNING")
    assert files(home) == []


def test_what_an_older_holder_kept_is_dropped_where_another_has_gone_on(
    proxy: FaultyProxy, server_uri: str, killed: str, home: Path
) -> None:
    client = MlflowClient(server_uri)
    client.set_tag(killed, "rothamsted.holder", "2")
    proxy.fault = lambda asked: None
    deliver_left(proxy.uri)
    assert read_history([killed], uri=server_uri)[killed] == []
    assert files(home) == []


def test_what_the_server_refuses_is_left_in_a_file_that_is_named(
    proxy: FaultyProxy, server_uri: str, killed: str, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    MlflowClient(server_uri).delete_run(killed)
    proxy.fault = lambda asked: None
    with caplog.at_level(logging.WARNING, logger="rothamsted"):
        deliver_left(proxy.uri)
    assert files(home) == []
    (refused,) = files(home, ".refused")
    assert any(str(refused) in record.getMessage() for record in caplog.records)


def test_who_has_to_wait_gives_up_after_its_time_and_nothing_is_lost(
    proxy: FaultyProxy, server_uri: str, experiment_id: str, home: Path
) -> None:
    recorder = open_recorder(proxy.uri, wait_seconds=0.5)
    run_id = opened(recorder, experiment_id)
    proxy.fault = lambda asked: AWAY
    recorder.log(run_id, metrics=[MetricPoint("loss", 0.0, START_MS, 0)], tags={"at": 0})
    with pytest.raises(StoreError, match="undelivered is delivered later"):
        recorder.flush()
    recorder.close()
    assert len(files(home)) == 1
    proxy.fault = lambda asked: None
    with open_recorder(proxy.uri) as other:  # in this process the lock of the first is gone with it
        other.flush()
    check_whole(run_id, server_uri, 1, "RUNNING")
