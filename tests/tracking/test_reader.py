"""Runs and histories read back from every kind of store."""

from __future__ import annotations

import pytest

from rothamsted.records import MetricPoint
from rothamsted.tracking import find_runs, read_history
from tests.tracking.stores import (
    END_MS,
    INF,
    POINTS,
    START_MS,
    TAGS,
    Store,
    open_and_close_bare_run,
    open_bare_run,
    written_by_recorder,
)


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
