"""The SQL recorder under several writers, locks, failures and forks."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.store.tracking.dbmodels.models import SqlRun

from rothamsted.errors import StoreError
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking import Recorder, find_runs, open_recorder, read_history
from rothamsted.tracking.client_writer import ClientWriter
from rothamsted.tracking.sql import store as sql_store
from rothamsted.tracking.sql.engines import engine_of
from rothamsted.tracking.sql.sql_writer import SqlWriter, new_run_id
from tests.conftest import ROOT
from tests.forked import FORKED
from tests.tracking.forking import write_runs

START_MS = 1_700_000_000_000


@pytest.fixture
def experiment_id(sqlite_uri: str, tmp_path: Path) -> str:
    return MlflowClient(sqlite_uri).create_experiment("tested", artifact_location=str(tmp_path / "artifacts"))


def test_run_ids_are_uuids_of_version_7_that_sort_by_the_time_they_were_made() -> None:
    # RFC 9562, section 5.7: 48 bits of milliseconds, version 7, variant 10, the rest random
    made = []
    for _ in range(20):
        before = time.time_ns() // 1_000_000
        made.append((before, uuid.UUID(new_run_id()), time.time_ns() // 1_000_000))
        time.sleep(0.0015)
    ids = [run_id for _, run_id, _ in made]
    assert ids == sorted(ids)
    assert {run_id.version for run_id in ids} == {7}
    assert {run_id.variant for run_id in ids} == {uuid.RFC_4122}
    assert all(before <= run_id.int >> 80 <= after for before, run_id, after in made)
    assert len({new_run_id() for _ in range(1000)}) == 1000


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_several_processes_write_without_losing_anything(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    uri = request.getfixturevalue(f"{kind}_uri")
    client = MlflowClient(uri)
    experiment_id = client.create_experiment(f"many {tmp_path}", artifact_location=str(tmp_path / "a"))
    n_writers, n_runs = 3, 30
    writers = [FORKED.Process(target=write_runs, args=(uri, experiment_id, n_runs)) for _ in range(n_writers)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=120)
    assert [writer.exitcode for writer in writers] == [0] * n_writers
    found = find_runs([experiment_id], {}, uri=uri)
    history = read_history([run.run_id for run in found], uri=uri)
    assert (len(found), sum(map(len, history.values()))) == (n_writers * n_runs, n_writers * n_runs * 5)


def forking(what: str, uri: str, experiment_id: str) -> subprocess.CompletedProcess[str]:
    """Fork in a process of its own: this one may have run JAX, after which a fork hangs."""
    command = [sys.executable, "-m", "tests.tracking.forking", what, uri, experiment_id]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_a_forked_process_writes_beside_its_parent(sqlite_uri: str, experiment_id: str) -> None:
    done = forking("write", sqlite_uri, experiment_id)
    assert done.stdout.strip() == "[0, 0]", done.stderr
    assert len(find_runs([experiment_id], {}, uri=sqlite_uri)) == 61


def test_a_fork_does_not_use_the_connections_of_its_parent(sqlite_uri: str, experiment_id: str) -> None:
    done = forking("share", sqlite_uri, experiment_id)
    assert done.stdout.strip() == "False", done.stderr


def test_a_lock_held_for_a_while_is_waited_for(sqlite_uri: str, experiment_id: str) -> None:
    with open_recorder(sqlite_uri) as recorder:
        recorder.open_run(experiment_id=experiment_id, name="r", tags={}, params={}, start_ms=START_MS)
        holder = sqlite3.connect(sqlite_uri.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.5, lambda: holder.execute("ROLLBACK"))
        release.start()
        recorder.flush()
        release.join()
        holder.close()
    assert len(find_runs([experiment_id], {}, uri=sqlite_uri)) == 1


def test_what_could_not_be_written_is_written_by_the_next_flush(
    sqlite_uri: str, experiment_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_store, "BUSY_TIMEOUT_MS", 10)
    holder = sqlite3.connect(sqlite_uri.removeprefix("sqlite:///"), isolation_level=None)
    with open_recorder(sqlite_uri) as recorder:
        run_id = recorder.open_run(experiment_id=experiment_id, name="r", tags={}, params={}, start_ms=START_MS)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked"):
            recorder.flush(wait_seconds=0.2)
        holder.execute("ROLLBACK")
        holder.close()
        recorder.flush()
        assert [run.run_id for run in find_runs([experiment_id], {}, uri=sqlite_uri)] == [run_id]


def test_a_flush_is_one_transaction(sqlite_uri: str, experiment_id: str) -> None:
    """A statement that fails late takes everything before it with it."""
    with sqlite3.connect(sqlite_uri.removeprefix("sqlite:///")) as connection:
        connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON latest_metrics BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    recorder = open_recorder(sqlite_uri)
    run_id = recorder.open_run(experiment_id=experiment_id, name="r", tags={}, params={}, start_ms=START_MS)
    recorder.log(run_id, metrics=[MetricPoint("m", 1.0, START_MS, 0)])
    with pytest.raises(StoreError, match="refused"):
        recorder.flush()
    query = sa.select(sa.func.count()).select_from(SqlRun)
    with engine_of(sqlite_uri).connect() as connection:
        assert connection.execute(query).scalar() == 0


def test_the_store_is_in_write_ahead_mode_after_opening(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    open_recorder(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("ALTER TABLE tags RENAME COLUMN value TO text", "tags has no column value"),
        ("ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT 'nobody'", None),  # has its default
        ("CREATE TABLE more (id INTEGER PRIMARY KEY)", None),
    ],
)
def test_tables_that_do_not_fit_our_sql_are_left_to_mlflows_client(
    sqlite_uri: str, change: str, reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with sqlite3.connect(sqlite_uri.removeprefix("sqlite:///")) as connection:
        connection.execute(change)
    with open_recorder(sqlite_uri) as recorder:
        assert isinstance(recorder._writer, SqlWriter if reason is None else ClientWriter)
    assert (reason or "") in caplog.text
    assert len(caplog.records) == (1 if reason else 0)


def test_this_mlflow_is_written_to_by_sql(sqlite_uri: str) -> None:
    with open_recorder(sqlite_uri) as recorder:
        assert isinstance(recorder._writer, SqlWriter)


def test_recording_costs_a_fifth_of_the_time_of_the_client(sqlite_uri: str, experiment_id: str) -> None:
    # Authority: a ratio of processor time within one run, whatever the machine. Measured: 8 to 15.
    with open_recorder(sqlite_uri) as ours, Recorder(ClientWriter(sqlite_uri)) as theirs:
        seconds = []
        for recorder in (ours, theirs):
            record_runs(recorder, experiment_id, 3)  # the first ones compile statements
            start = time.process_time()
            record_runs(recorder, experiment_id, 20)
            seconds.append(time.process_time() - start)
    assert seconds[1] > 5 * seconds[0]


def record_runs(recorder: Recorder, experiment_id: str, n_runs: int) -> None:
    points = [MetricPoint(f"m{index % 3}", 1.0 * index, START_MS, index // 3) for index in range(21)]
    for _ in range(n_runs):
        run_id = recorder.open_run(
            experiment_id=experiment_id, name="r", tags={}, params={"lr": 0.1}, start_ms=START_MS
        )
        recorder.log(run_id, metrics=points)
        recorder.end_run(run_id, RunStatus.FINISHED, START_MS + 1)
        recorder.flush()


def test_a_store_of_many_runs_is_sorted_by_a_metric_without_comparing_all_with_all(
    sqlite_uri: str, experiment_id: str
) -> None:
    # Authority: SQLite's own plan of MLflow's query. Without counts it scans all values once for each run.
    with open_recorder(sqlite_uri) as recorder:
        for number in range(500):
            run_id = recorder.open_run(
                experiment_id=experiment_id, name=f"{number}", tags={}, params={}, start_ms=START_MS
            )
            recorder.log(run_id, metrics=[MetricPoint("loss", float(number), START_MS, 1)])
            if number == 0:
                recorder.flush()
    query = (
        "EXPLAIN QUERY PLAN SELECT DISTINCT runs.run_uuid, m.value FROM runs LEFT OUTER JOIN "
        "(SELECT value, run_uuid FROM latest_metrics WHERE key = 'loss') AS m ON runs.run_uuid = m.run_uuid "
        "ORDER BY m.value LIMIT 100"
    )
    with sqlite3.connect(sqlite_uri.removeprefix("sqlite:///")) as connection:
        plan = [row[3] for row in connection.execute(query)]
    connection.close()
    assert not [step for step in plan if step.startswith("SCAN m")], plan
