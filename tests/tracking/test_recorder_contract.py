"""Both recorders, over every kind of store, against the same run written by MLflow's own client."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking.context.default_context import DefaultRunContext
from rothamsted.errors import StoreError
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking import Recorder, find_runs, open_recorder, read_history

from tests.tracking.stores import Store

START_MS, END_MS = 1_700_000_000_000, 1_700_000_009_000
TAGS = {"rothamsted.role": "replicate", "note": "größer als ''\"`%", "empty": ""}
PARAMS = {"lr": 0.1, "text": "x" * 6000, "nothing": None}
NAN, INF = float("nan"), float("inf")
POINTS = [
    MetricPoint("loss", 0.5, START_MS + 1, 0),
    MetricPoint("loss", 0.25, START_MS + 2, 10),
    MetricPoint("loss", 0.125, START_MS + 3, 5),  # logged last, but not the latest step
    MetricPoint("loss", 0.5, START_MS + 1, 0),  # the first one again
    MetricPoint("a/b c", NAN, START_MS, 1),
    MetricPoint("a/b c", NAN, START_MS, 1),
    MetricPoint("up", INF, START_MS, 1),
    MetricPoint("down", -INF, START_MS, 1),
    MetricPoint("tie", 2.0, START_MS, 3),
    MetricPoint("tie", 3.0, START_MS, 3),  # same step and time: the greater value is the latest
    MetricPoint("tie", 1.0, START_MS, 3),
    MetricPoint("later", 9.0, START_MS, 3),
    MetricPoint("later", 8.0, START_MS + 1, 3),
    MetricPoint("negative step", 1.0, START_MS, -1),
    MetricPoint("whole", 3, START_MS, 0),
]


def written_by_recorder(store: Store) -> str:
    with store.open() as recorder:
        run_id = recorder.open_run(
            experiment_id=store.experiment_id,
            name="a run",
            parent_id="0" * 32,
            tags=TAGS,
            params=PARAMS,
            start_ms=START_MS,
        )
        recorder.log(run_id, metrics=POINTS[:4], tags={"late": "1"})
        recorder.flush()
        recorder.log(run_id, metrics=POINTS[4:], tags={"late": "2"}, params={"added": 1})
        recorder.set_description(run_id, "**bold**")
        recorder.end_run(run_id, RunStatus.FINISHED, END_MS)
    return run_id


def written_by_mlflow(store: Store) -> str:
    client = store.client
    tags = {**DefaultRunContext().tags(), **TAGS, "mlflow.parentRunId": "0" * 32}
    run = client.create_run(store.experiment_id, start_time=START_MS, tags=tags, run_name="a run")
    run_id = run.info.run_id
    params = [Param(key, str(value)) for key, value in {**PARAMS, "added": 1}.items()]
    client.log_batch(run_id, params=params)
    for points in (POINTS[:4], POINTS[4:]):
        client.log_batch(run_id, metrics=[Metric(p.key, p.value, p.timestamp_ms, p.step) for p in points])
    client.log_batch(run_id, tags=[RunTag("late", "2"), RunTag("mlflow.note.content", "**bold**")])
    client.set_terminated(run_id, status="FINISHED", end_time=END_MS)
    return run_id


def comparable(value: Any) -> Any:
    """NaN is not equal to itself; here it has to be."""
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def seen(store: Store, run_id: str) -> dict[str, Any]:
    """Everything that the client shows of a run, but for its id."""
    run = store.client.get_run(run_id)
    info = {key: value for key, value in dict(run.info).items() if key not in ("run_id", "run_uuid")}
    info["artifact_uri"] = info["artifact_uri"].replace(run_id, "ID")
    history = {
        key: sorted(
            (p.timestamp, p.step, str(p.value), p.key) for p in store.client.get_metric_history(run_id, key)
        )
        for key in run.data.metrics
    }
    metrics = {key: comparable(value) for key, value in run.data.metrics.items()}
    return {"info": info, "tags": run.data.tags, "params": run.data.params, "latest": metrics, "all": history}


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
    store = Store(
        kind="sqlite", uri=sqlite_uri, experiment_id=experiment_id, open=lambda: open_recorder(sqlite_uri)
    )
    ours, theirs = written_by_recorder(store), written_by_mlflow(store)
    with SqlAlchemyStore._engine_map[sqlite_uri].connect() as connection:
        for model in (SqlRun, SqlTag, SqlParam, SqlMetric, SqlLatestMetric):
            assert _rows(connection, model, ours) == _rows(connection, model, theirs)


def _rows(connection: sa.Connection, model: Any, run_id: str) -> list[tuple[str, ...]]:
    query = sa.select(model.__table__).where(model.run_uuid == run_id)
    return sorted(
        tuple(repr(value).replace(run_id, "ID") for value in row) for row in connection.execute(query)
    )


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


def test_a_resumed_run_has_no_end_in_a_sql_store(
    sqlite_uri: str, postgresql_uri: str, tmp_path: Path
) -> None:
    ends = []
    for uri in (sqlite_uri, postgresql_uri):
        client = MlflowClient(uri)
        experiment_id = client.create_experiment(f"resume {tmp_path}", artifact_location=str(tmp_path / "a"))
        with open_recorder(uri) as recorder:
            run_id = recorder.open_run(
                experiment_id=experiment_id, name="r", tags={}, params={}, start_ms=START_MS
            )
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


@pytest.mark.parametrize(
    ("what", "word"),
    [
        ({"params": {"p": "x" * 6001}}, "6000"),
        ({"tags": {"t": "x" * 8001}}, "8000"),
        ({"tags": {"t": "a\x00b"}}, "NUL"),
        ({"params": {"p": "\ud800"}}, "broken"),
        ({"params": {"a//b": 1}}, "a//b"),
        ({"metrics": [MetricPoint("loss?", 1.0, 0, 0)]}, "loss?"),
        ({"metrics": [MetricPoint("m" * 251, 1.0, 0, 0)]}, "250"),
        ({"metrics": [MetricPoint("m", "0.5", 0, 0)]}, "'0.5'"),  # type: ignore[arg-type]
        ({"metrics": [MetricPoint("m", True, 0, 0)]}, "True"),
        ({"metrics": [MetricPoint("m", 1.0, 0, 2**63)]}, "64-bit"),
        ({"metrics": [MetricPoint("m", 1.0, -1, 0)]}, "1970"),
        ({"metrics": [MetricPoint("m", 1.0, 0, 0.5)]}, "whole"),  # type: ignore[arg-type]
    ],
)
def test_what_a_store_cannot_hold_is_refused_when_it_is_logged(
    store: Store, what: dict[str, Any], word: str
) -> None:
    with store.open() as recorder:
        run_id = open_bare_run(store, recorder)
        with pytest.raises(StoreError, match=word.replace("?", r"\?")):
            recorder.log(run_id, **what)


def test_a_refused_value_does_not_hold_up_the_others(store: Store) -> None:
    with store.open() as recorder:
        run_id = open_bare_run(store, recorder)
        with pytest.raises(StoreError):
            recorder.log(run_id, metrics=[MetricPoint("good", 1.0, START_MS, 0)], tags={"t": "x" * 9000})
        recorder.log(run_id, metrics=[MetricPoint("other", 1.0, START_MS, 0)])
    assert set(store.client.get_run(run_id).data.metrics) == {"other"}


@pytest.mark.parametrize("call", ["log", "resume_run", "end_run"])
def test_a_run_that_is_not_there_is_refused(store: Store, call: str) -> None:
    arguments = (RunStatus.FINISHED, END_MS) if call == "end_run" else ()
    with store.open() as recorder, pytest.raises(StoreError, match="f" * 32):
        getattr(recorder, call)("f" * 32, *arguments)


def test_a_deleted_run_is_refused(store: Store) -> None:
    run_id = written_by_recorder(store)
    store.client.delete_run(run_id)
    with store.open() as recorder, pytest.raises(StoreError, match="deleted"):
        recorder.resume_run(run_id)


def test_an_experiment_that_is_not_there_is_refused(store: Store) -> None:
    with store.open() as recorder, pytest.raises(StoreError, match="987654"):
        recorder.open_run(experiment_id="987654", name="r", tags={}, params={}, start_ms=START_MS)


def test_two_names_for_one_run_are_refused(store: Store) -> None:
    with store.open() as recorder, pytest.raises(StoreError, match="one name"):
        recorder.open_run(
            experiment_id=store.experiment_id,
            name="a",
            tags={"mlflow.runName": "b"},
            params={},
            start_ms=START_MS,
        )


def test_a_closed_recorder_takes_nothing_more(store: Store) -> None:
    recorder = store.open()
    run_id = open_bare_run(store, recorder)
    recorder.close()
    with pytest.raises(StoreError, match="closed"):
        recorder.log(run_id, tags={"t": "v"})


def test_runs_are_found_by_tags_that_need_quoting(store: Store) -> None:
    run_id = written_by_recorder(store)
    open_and_close_bare_run(store)
    found = find_runs([store.experiment_id], TAGS, uri=store.uri)
    assert [run.run_id for run in found] == [run_id]


def test_a_found_run_shows_what_was_recorded(store: Store) -> None:
    run_id = written_by_recorder(store)
    (found,) = find_runs([store.experiment_id], {}, uri=store.uri)
    assert (found.run_id, found.status, found.start_ms, found.end_ms) == (
        run_id,
        "FINISHED",
        START_MS,
        END_MS,
    )
    assert found.metrics["up"] == INF
    assert found.params["lr"] == "0.1"


def test_runs_are_found_past_the_first_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rothamsted.tracking.reader._PAGE", 3)  # 1,000 runs would take a minute on a server
    with store.open() as recorder:
        run_ids = [open_bare_run(store, recorder, start_ms=START_MS + index) for index in range(8)]
    assert [run.run_id for run in find_runs([store.experiment_id], {}, uri=store.uri)] == run_ids


def test_the_whole_history_comes_back(store: Store) -> None:
    run_id, other_id = written_by_recorder(store), written_by_recorder(store)
    history = read_history([run_id, other_id], uri=store.uri)[run_id]
    expected = sorted({repr(MetricPoint(p.key, float(p.value), p.timestamp_ms, p.step)) for p in POINTS})
    assert sorted(map(repr, history)) == expected


def test_the_history_of_some_metrics_comes_back_by_step(store: Store) -> None:
    run_id = written_by_recorder(store)
    history = read_history([run_id], ["loss", "absent"], uri=store.uri)
    assert [point.step for point in history[run_id]] == [0, 5, 10]


def open_bare_run(store: Store, recorder: Recorder, start_ms: int = START_MS) -> str:
    return recorder.open_run(
        experiment_id=store.experiment_id, name="bare", tags={}, params={}, start_ms=start_ms
    )


def open_and_close_bare_run(store: Store) -> None:
    with store.open() as recorder:
        recorder.end_run(open_bare_run(store, recorder), RunStatus.FINISHED, END_MS)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
