"""Both recorders, over every kind of store, against the same run written by MLflow's own client."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag

from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking import open_recorder, read_history, read_text
from rothamsted.tracking.sql.engines import engine_of
from tests.tracking.stores import (
    DATA,
    END_MS,
    START_MS,
    Store,
    open_bare_run,
    written_by_mlflow,
    written_by_recorder,
)


def comparable(value: Any) -> Any:
    """NaN is not equal to itself; here it has to be."""
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def seen(store: Store, run_id: str) -> dict[str, Any]:
    """Everything that the client shows of a run, but for its id."""
    run = store.client.get_run(run_id)
    info = {key: value for key, value in dict(run.info).items() if key not in ("run_id", "run_uuid")}
    info["artifact_uri"] = info["artifact_uri"].replace(run_id, "ID")
    history = {
        key: sorted((p.timestamp, p.step, str(p.value), p.key) for p in store.client.get_metric_history(run_id, key))
        for key in run.data.metrics
    }
    metrics = {key: comparable(value) for key, value in run.data.metrics.items()}
    data = [used.dataset.to_dictionary() for used in run.inputs.dataset_inputs]
    shown = {"info": info, "tags": run.data.tags, "params": run.data.params, "data": data}
    return {**shown, "latest": metrics, "all": history}


def test_a_recorded_run_reads_like_one_written_by_mlflow(store: Store) -> None:
    # Authority: MLflow's client, called once a thing, on the same store.
    assert seen(store, written_by_recorder(store)) == seen(store, written_by_mlflow(store))


def test_searching_runs_finds_a_recorded_run_beside_one_written_by_mlflow(store: Store) -> None:
    run_ids = {written_by_recorder(store), written_by_mlflow(store)}
    text = f"tags.`mlflow.parentRunId` = '{'0' * 32}' AND params.lr = '0.1' AND metrics.loss < 0.3"
    found = store.client.search_runs([store.experiment_id], f"{text} AND status = 'FINISHED'")
    assert {run.info.run_id for run in found} == run_ids


def test_sql_rows_are_those_that_mlflow_writes(sqlite_uri: str, tmp_path: Path) -> None:
    # Authority: the five tables themselves, after MLflow's client wrote the same run.
    experiment_id = MlflowClient(sqlite_uri).create_experiment("rows", artifact_location=str(tmp_path / "a"))
    store = Store(kind="sqlite", uri=sqlite_uri, experiment_id=experiment_id, open=lambda: open_recorder(sqlite_uri))
    ours, theirs = written_by_recorder(store), written_by_mlflow(store)
    with engine_of(sqlite_uri).connect() as connection:
        for model in (SqlRun, SqlTag, SqlParam, SqlMetric, SqlLatestMetric):
            assert _rows(connection, model, ours) == _rows(connection, model, theirs)


def _rows(connection: sa.Connection, model: Any, run_id: str) -> list[tuple[str, ...]]:
    query = sa.select(model.__table__).where(model.run_uuid == run_id)
    return sorted(tuple(repr(value).replace(run_id, "ID") for value in row) for row in connection.execute(query))


def test_a_run_that_was_there_says_its_data_once(store: Store) -> None:
    with store.open() as recorder:
        run_id = open_bare_run(store, recorder)
        for _ in range(2):
            recorder.log_dataset(run_id, DATA)
    [used] = store.client.get_run(run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == (DATA.name, DATA.digest)


def test_a_run_has_its_id_before_anything_is_flushed(store: Store) -> None:
    with store.open() as recorder:
        run_id = open_bare_run(store, recorder)
        recorder.flush()
        assert store.client.get_run(run_id).info.status == "RUNNING"


def test_a_resumed_run_runs_again_and_takes_more(store: Store) -> None:
    run_id = written_by_recorder(store)
    with store.open() as recorder:
        recorder.resume_run(run_id)
        recorder.flush()
        assert store.client.get_run(run_id).info.status == "RUNNING"
        recorder.log(run_id, metrics=[MetricPoint("loss", 0.0625, END_MS, 20)])
        recorder.end_run(run_id, RunStatus.KILLED, END_MS + 1)
    run = store.client.get_run(run_id)
    assert (run.info.status, run.info.end_time, run.data.metrics["loss"]) == ("KILLED", END_MS + 1, 0.0625)


def test_a_resumed_run_has_no_end_in_a_sql_store(sqlite_uri: str, postgresql_uri: str, tmp_path: Path) -> None:
    ends = []
    for uri in (sqlite_uri, postgresql_uri):
        client = MlflowClient(uri)
        experiment_id = client.create_experiment(f"resume {tmp_path}", artifact_location=str(tmp_path / "a"))
        with open_recorder(uri) as recorder:
            run_id = recorder.open_run(experiment_id=experiment_id, name="r", tags={}, params={}, start_ms=START_MS)
            recorder.end_run(run_id, RunStatus.KILLED, END_MS)
            recorder.flush()
            recorder.resume_run(run_id)
        ends.append(client.get_run(run_id).info.end_time)
    assert ends == [None, None]


def test_a_param_that_is_there_is_left_alone(store: Store) -> None:
    run_id = written_by_mlflow(store)
    with store.open() as recorder:
        recorder.log(run_id, params={"lr": 0.2, "new": "yes"})
        recorder.flush()
        recorder.log(run_id, params={"new": "no"})
    params = store.client.get_run(run_id).data.params
    assert (params["lr"], params["new"]) == ("0.1", "yes")


def test_a_tag_is_overwritten(store: Store) -> None:
    run_id = written_by_mlflow(store)
    with store.open() as recorder:
        recorder.log(run_id, tags={"late": "3"})
    assert store.client.get_run(run_id).data.tags["late"] == "3"


def test_a_run_is_renamed_by_its_name_tag(store: Store) -> None:
    run_id = written_by_recorder(store)
    with store.open() as recorder:
        recorder.log(run_id, tags={"mlflow.runName": "another"})
    assert store.client.get_run(run_id).info.run_name == "another"


def test_an_older_point_logged_later_is_not_the_latest(store: Store) -> None:
    run_id = written_by_recorder(store)
    with store.open() as recorder:
        recorder.log(run_id, metrics=[MetricPoint("loss", 7.0, END_MS, 9)])  # step 10 is there
    assert store.client.get_run(run_id).data.metrics["loss"] == 0.25


def test_a_run_may_log_more_than_one_request_holds(store: Store) -> None:
    # Authority: MLflow's limits for a call, 1,000 metrics, 100 params, 100 tags, a million characters.
    points = [MetricPoint("m", float(step), START_MS, step) for step in range(2500)]
    params = {f"p{index}": "\u20ac" * 6000 for index in range(150)}
    tags = {f"t{index}": "v" for index in range(250)}
    with store.open() as recorder:
        run_id = open_bare_run(store, recorder)
        recorder.log(run_id, metrics=points, params=params, tags=tags)
    run = store.client.get_run(run_id)
    n_tags = sum(key.startswith("t") for key in run.data.tags)
    n_points = len(store.client.get_metric_history(run_id, "m"))
    assert (n_points, len(run.data.params), n_tags) == (2500, 150, 250)


def test_threads_share_a_recorder(store: Store) -> None:
    n_threads, n_points = 4, 25

    def work(index: int) -> None:
        for step in range(n_points):
            recorder.log(run_id, metrics=[MetricPoint(f"m{index}", 1.0, START_MS, step)])
            if step % 10 == 0:
                recorder.flush()

    with store.open() as recorder:
        run_id = open_bare_run(store, recorder)
        threads = [threading.Thread(target=work, args=(index,)) for index in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    history = read_history([run_id], uri=store.uri)[run_id]
    assert len(history) == n_threads * n_points


def test_texts_files_and_folders_become_artifacts(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "table.csv").write_text("a,b\n")
    with store.open() as recorder:
        run_id = open_bare_run(store, recorder)
        recorder.log_text(run_id, "größer", "report/text.txt")
        recorder.log_file(run_id, tmp_path / "in" / "table.csv")
        recorder.log_file(run_id, tmp_path / "in", "folder")
    out = Path(store.client.download_artifacts(run_id, "", str(_made(tmp_path / "out"))))
    texts = {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()}
    assert texts == {"report/text.txt": "größer", "table.csv": "a,b\n", "folder/table.csv": "a,b\n"}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_text_that_was_added_is_an_artifact_after_the_flush(store: Store) -> None:
    with store.open() as recorder:
        run_id = recorder.open_run(
            experiment_id=store.experiment_id, name="a run", tags={}, params={}, start_ms=START_MS
        )
        recorder.add_text(run_id, "{}\n", "config.json")
        recorder.flush()
        assert read_text(run_id, "config.json", uri=store.uri) == "{}\n"
    assert [item.path for item in store.client.list_artifacts(run_id)] == ["config.json"]
