"""A run that is held: whose writes count, over every kind of store and both ways of writing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rothamsted.errors import StoreError
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tags import HOLDER
from rothamsted.tracking import Recorder, read_history
from tests.tracking.stores import END_MS, START_MS, Store


def opened(store: Store, recorder: Recorder, **more: Any) -> str:
    arguments = {"tags": {"first": "1"}, "params": {"lr": 0.1}} | more
    return recorder.open_run(experiment_id=store.experiment_id, name="held", start_ms=START_MS, **arguments)


def point(value: float, step: int) -> MetricPoint:
    return MetricPoint("loss", value, START_MS, step)


def values(store: Store, run_id: str) -> list[float]:
    return [found.value for found in read_history([run_id], uri=store.uri)[run_id]]


def status_and_tags(store: Store, run_id: str) -> tuple[str, dict[str, str]]:
    run = store.client.get_run(run_id)
    return run.info.status, run.data.tags


def test_what_an_old_holder_has_buffered_is_dropped_when_a_new_one_has_taken_over(store: Store) -> None:
    with store.open() as old, store.open() as new:
        run_id = opened(store, old, holder=1)
        old.log(run_id, metrics=[point(1.0, 1)])
        old.flush()
        old.log(run_id, metrics=[point(7.0, 2)], tags={"who": "old", "late": "x"}, params={"late": 1})
        old.end_run(run_id, RunStatus.KILLED, END_MS)
        new.hold(run_id, 2)
        new.log(run_id, metrics=[point(2.0, 2)], tags={"who": "new"})
        new.end_run(run_id, RunStatus.FINISHED, END_MS + 1)
        new.flush()
        old.flush()
        assert (old.lost, new.lost) == ({run_id}, frozenset())
    assert values(store, run_id) == [1.0, 2.0]
    run = store.client.get_run(run_id)
    assert (run.info.status, run.info.end_time, run.data.params) == ("FINISHED", END_MS + 1, {"lr": "0.1"})
    assert (run.data.tags["who"], run.data.tags[HOLDER], "late" in run.data.tags) == ("new", "2", False)


def test_other_runs_of_a_flush_are_written_when_one_of_them_is_lost(store: Store) -> None:
    with store.open() as old, store.open() as new:
        lost, kept, never_held = opened(store, old, holder=1), opened(store, old, holder=1), opened(store, old)
        old.flush()
        new.hold(lost, 2)
        new.flush()
        for run_id in (lost, kept, never_held):
            old.log(run_id, metrics=[point(1.0, 1)])
        fresh = opened(store, old, holder=1)
        old.flush()
        assert old.lost == {lost}
    assert [values(store, run_id) for run_id in (lost, kept, never_held, fresh)] == [[], [1.0], [1.0], []]
    assert status_and_tags(store, fresh)[1][HOLDER] == "1"


def test_a_lower_number_does_not_take_a_run_from_a_higher_one(store: Store) -> None:
    with store.open() as first, store.open() as late:
        run_id = opened(store, first, holder=10)
        first.flush()
        late.hold(run_id, 9)  # as a number: as text "9" is greater
        late.log(run_id, metrics=[point(9.0, 1)])
        late.flush()
        first.log(run_id, metrics=[point(1.0, 1)])
        first.flush()
        assert (late.lost, first.lost) == ({run_id}, frozenset())
    assert values(store, run_id) == [1.0]
    assert status_and_tags(store, run_id)[1][HOLDER] == "10"


def test_a_lost_run_stays_lost_until_it_is_held_by_a_higher_number(store: Store) -> None:
    with store.open() as one, store.open() as two:
        run_id = opened(store, one, holder=1)
        one.flush()
        two.hold(run_id, 2)
        two.flush()
        one.log(run_id, metrics=[point(1.0, 1)])
        one.flush()
        one.hold(run_id, 1)
        one.log(run_id, metrics=[point(1.5, 1)])
        one.flush()
        assert one.lost == {run_id}
        one.hold(run_id, 3)
        one.log(run_id, metrics=[point(3.0, 1)])
        one.flush()
        assert one.lost == frozenset()
    assert values(store, run_id) == [3.0]


def test_what_waits_under_an_older_number_is_not_written_under_a_newer_one(store: Store) -> None:
    with store.open() as one, store.open() as two:
        run_id = opened(store, one, holder=1)
        one.flush()
        one.log(run_id, metrics=[point(1.0, 1)])
        two.hold(run_id, 2)
        two.log(run_id, metrics=[point(2.0, 1)])
        two.flush()
        one.hold(run_id, 3)
        one.log(run_id, metrics=[point(3.0, 2)])
    assert values(store, run_id) == [2.0, 3.0]


def test_a_run_that_was_never_held_is_written_by_anybody(store: Store) -> None:
    with store.open() as one, store.open() as two:
        run_id = opened(store, one)
        one.flush()
        two.log(run_id, metrics=[point(2.0, 1)])
        two.flush()
        one.log(run_id, metrics=[point(1.0, 2)])
        assert (one.confirm(run_id), HOLDER in status_and_tags(store, run_id)[1]) == (True, False)
    assert values(store, run_id) == [2.0, 1.0]


def test_a_run_that_is_let_go_is_written_without_a_look(store: Store) -> None:
    with store.open() as one, store.open() as two:
        run_id = opened(store, one, holder=1)
        one.flush()
        one.release(run_id)
        two.hold(run_id, 2)
        two.flush()
        one.log(run_id, metrics=[point(1.0, 1)])
        one.flush()
        assert one.lost == frozenset()
    assert values(store, run_id) == [1.0]


def test_what_waits_when_a_run_is_let_go_is_its_holders(store: Store) -> None:
    with store.open() as one, store.open() as two:
        run_id = opened(store, one, holder=1)
        one.flush()
        one.log(run_id, metrics=[point(1.0, 1)])
        one.release(run_id)
        two.hold(run_id, 2)
        two.flush()
    assert values(store, run_id) == []


def test_artifacts_of_a_lost_run_are_not_stored(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("old")
    with store.open() as old, store.open() as new:
        run_id = opened(store, old, holder=1)
        old.log_text(run_id, "mine", "before.txt")
        new.hold(run_id, 2)
        assert (new.confirm(run_id), old.confirm(run_id)) == (True, False)
        old.log_text(run_id, "old", "text.txt")
        old.log_file(run_id, tmp_path / "file.txt")
        old.log_table(run_id, ["a"], [[1]], "table.json")
        assert old.lost == {run_id}
    assert [item.path for item in store.client.list_artifacts(run_id)] == ["before.txt"]


def test_an_old_holder_replaces_no_metrics_and_sets_no_description(store: Store) -> None:
    with store.open() as old, store.open() as new:
        run_id = opened(store, old, holder=1)
        old.log(run_id, metrics=[point(1.0, 1)])
        old.flush()
        new.hold(run_id, 2)
        new.flush()
        old.replace_metrics(run_id, [point(7.0, 1)])
        old.set_description(run_id, "old")
        old.resume_run(run_id)
    assert values(store, run_id) == [1.0]
    assert "mlflow.note.content" not in status_and_tags(store, run_id)[1]


def test_opening_a_run_of_an_id_again_keeps_it_and_goes_on(store: Store) -> None:
    with store.open() as one:
        run_id = opened(store, one, run_id=one.new_run_id(), holder=1)
        one.log(run_id, metrics=[point(1.0, 1)], tags={"first": "changed"})
        one.end_run(run_id, RunStatus.KILLED, END_MS)
    with store.open() as two:
        again = {"tags": {"first": "again", "more": "1"}, "params": {"lr": 0.2, "new": 1}}
        assert opened(store, two, run_id=run_id, holder=2, **again) == run_id
        two.flush()
        assert two.lost == frozenset()
    run = store.client.get_run(run_id)
    assert (run.info.status, values(store, run_id)) == ("RUNNING", [1.0])
    assert run.data.params == {"lr": "0.1", "new": "1"}
    assert [run.data.tags[key] for key in ("first", "more", HOLDER)] == ["changed", "1", "2"]
    assert len(store.client.search_runs([store.experiment_id])) == 1


def test_an_id_is_there_before_the_run(store: Store) -> None:
    with store.open() as recorder:
        run_id = recorder.new_run_id()
        assert store.client.search_runs([store.experiment_id]) == []
        assert bool(run_id) == (store.kind in ("sqlite", "postgresql"))  # a server gives ids itself
        made_id = opened(store, recorder, run_id=run_id, holder=0)
        assert made_id == run_id or not run_id
    assert status_and_tags(store, made_id)[1][HOLDER] == "0"


def test_opening_a_run_that_a_higher_number_holds_changes_nothing(store: Store) -> None:
    with store.open() as new:
        run_id = opened(store, new, run_id=new.new_run_id(), holder=5)
        new.end_run(run_id, RunStatus.FINISHED, END_MS)
    with store.open() as late:
        opened(store, late, run_id=run_id, holder=4, tags={"late": "1"}, params={"late": 1})
        late.log(run_id, metrics=[point(4.0, 1)])
        late.flush()
        assert late.lost == {run_id}
    status, tags = status_and_tags(store, run_id)
    assert (status, "late" in tags, values(store, run_id)) == ("FINISHED", False, [])


@pytest.mark.parametrize("token", [-1, True, 1.0, "1"])
def test_a_number_of_a_claim_that_is_none_is_refused(store: Store, token: Any) -> None:
    with store.open() as recorder, pytest.raises(StoreError, match=f"holder {token!r}"):
        opened(store, recorder, holder=token)
