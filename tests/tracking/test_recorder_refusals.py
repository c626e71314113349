"""What both recorders refuse, over every kind of store: at once, so that a flush cannot fail for it."""

from __future__ import annotations

from typing import Any

import pytest

from rothamsted.errors import StoreError
from rothamsted.records import MetricPoint, RunStatus
from tests.tracking.stores import (
    END_MS,
    START_MS,
    Store,
    open_bare_run,
    written_by_recorder,
)


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
def test_what_a_store_cannot_hold_is_refused_when_it_is_logged(store: Store, what: dict[str, Any], word: str) -> None:
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
