"""Curves as arrays, tables, and metrics that are replaced: over every kind of store."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from rothamsted.errors import StoreError
from rothamsted.records import MetricPoint
from rothamsted.tracking import find_experiment, find_run, read_curves, read_text
from tests.tracking.stores import START_MS, Store


def points(key: str, values: dict[int, float], at_ms: int = START_MS) -> list[MetricPoint]:
    return [MetricPoint(key, value, at_ms + step, step) for step, value in values.items()]


def open_run(store: Store, name: str = "a run") -> str:
    with store.open() as recorder:
        return recorder.open_run(experiment_id=store.experiment_id, name=name, tags={}, params={}, start_ms=START_MS)


def test_curves_come_back_as_arrays_in_the_order_of_steps(store: Store) -> None:
    run_id, empty = open_run(store), open_run(store)
    with store.open() as recorder:
        recorder.log(run_id, metrics=points("loss", {20: 0.5, 3: math.inf, 100: math.nan}) + points("acc", {1: 0.25}))
    curves = read_curves([run_id, empty], uri=store.uri)
    assert list(curves) == [run_id, empty]
    assert curves[empty] == {}
    assert sorted(curves[run_id]) == ["acc", "loss"]
    loss = curves[run_id]["loss"]
    assert loss.steps.tolist() == [3, 20, 100]
    np.testing.assert_array_equal(loss.values, [math.inf, 0.5, math.nan])
    assert loss.times_ms.tolist() == [START_MS + 3, START_MS + 20, START_MS + 100]


def test_only_the_curves_asked_for_are_read(store: Store) -> None:
    run_id = open_run(store)
    with store.open() as recorder:
        recorder.log(run_id, metrics=points("loss", {1: 0.5}) + points("acc", {1: 0.25}))
    assert list(read_curves([run_id], ["acc"], uri=store.uri)[run_id]) == ["acc"]


def test_of_two_points_at_one_step_the_later_is_on_the_curve(store: Store) -> None:
    run_id = open_run(store)
    with store.open() as recorder:
        recorder.log(run_id, metrics=[*points("loss", {1: 0.9}, START_MS + 50), *points("loss", {1: 2.0})])
    assert read_curves([run_id], uri=store.uri)[run_id]["loss"].values.tolist() == [0.9]


def test_replaced_metrics_are_the_new_points_and_others_stay(store: Store) -> None:
    run_id = open_run(store)
    with store.open() as recorder:
        recorder.log(run_id, metrics=points("low", {1: 0.5, 2: 0.6}) + points("other", {1: 7.0}))
        recorder.replace_metrics(run_id, points("low", {1: 0.1, 2: 0.2}))
    curves = read_curves([run_id], uri=store.uri)[run_id]
    assert curves["low"].values.tolist() == [0.1, 0.2]
    assert curves["other"].values.tolist() == [7.0]
    run = find_run(run_id, uri=store.uri)
    assert run is not None
    assert run.metrics == {"low": 0.2, "other": 7.0}


def test_replacing_by_the_same_points_changes_nothing(store: Store) -> None:
    run_id = open_run(store)
    new = points("low", {1: 0.1, 2: 0.2})
    with store.open() as recorder:
        recorder.replace_metrics(run_id, new)
        before = [(p.key, p.value, p.timestamp, p.step) for p in store.client.get_metric_history(run_id, "low")]
        recorder.replace_metrics(run_id, new)
    after = [(p.key, p.value, p.timestamp, p.step) for p in store.client.get_metric_history(run_id, "low")]
    assert sorted(after) == sorted(before) == sorted((p.key, p.value, p.timestamp_ms, p.step) for p in new)


def test_a_table_reads_like_one_logged_by_mlflow_and_is_replaced(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # Authority: MLflow's own load_table, which reads what log_table writes; it looks for runs at this address.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    run_id = open_run(store)
    with store.open() as recorder:
        recorder.log_table(run_id, ["lr", "mean"], [[0.1, 1.5]], "statistics/conditions.json")
        recorder.log_table(run_id, ["lr", "mean"], [[0.1, 1.5], [0.2, None]], "statistics/conditions.json")
    table = store.client.load_table(store.experiment_id, "statistics/conditions.json", [run_id])
    assert table["lr"].tolist() == [0.1, 0.2]
    tag = store.client.get_run(run_id).data.tags["mlflow.loggedArtifacts"]
    assert json.loads(tag) == [{"path": "statistics/conditions.json", "type": "table"}]


def test_a_text_artifact_is_read_back_and_one_that_is_not_there_is_none(store: Store) -> None:
    run_id = open_run(store)
    with store.open() as recorder:
        recorder.log_text(run_id, "äöü\n", "sweep/resolved.json")
        recorder.log_text(run_id, "top", "top.txt")
    assert read_text(run_id, "sweep/resolved.json", uri=store.uri) == "äöü\n"
    assert read_text(run_id, "top.txt", uri=store.uri) == "top"
    assert read_text(run_id, "sweep/absent.json", uri=store.uri) is None


def test_a_run_is_found_by_its_id_and_an_unknown_one_is_none(store: Store) -> None:
    run_id = open_run(store, "named")
    found = find_run(run_id, uri=store.uri)
    assert found is not None
    assert (found.run_id, found.name) == (run_id, "named")
    assert find_run("0" * 32, uri=store.uri) is None


def test_an_unknown_experiment_is_refused_with_those_that_exist(store: Store) -> None:
    name = store.client.get_experiment(store.experiment_id).name
    assert find_experiment(name, uri=store.uri) == store.experiment_id
    with pytest.raises(StoreError, match=f"no experiment called 'nowhere'; known: .*{name}"):
        find_experiment("nowhere", uri=store.uri)
