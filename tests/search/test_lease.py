"""The lease of a trial: its token, its holder, its end by the database's clock; what a lost holder cannot write."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from rothamsted.search import Lease, LostError, Queue, Renewer, Told, open_queue
from rothamsted.search.lease import renew
from rothamsted.search.sql.leases import LEASE, RUNS
from rothamsted.search.sql.tables import ATTRIBUTES
from rothamsted.space import Range, Space
from tests.search.ended_trials import finished_trials
from tests.search.putting_back import put_back

SPACE = Space({"x": Range(low=0.0, high=1.0, points=80)})
ASKED = Space({"x": Range(low=0.0, high=1.0), "y": Range(low=0.0, high=1.0)})


def queue_of(url: str, n: int) -> Queue:
    queue = open_queue(url, "s", space=SPACE, sampler="grid", seed=0, direction="minimize", create=True)
    queue.enqueue(n)
    return queue


def lost_to(queue: Queue, other: str) -> tuple[Lease, Lease]:
    """A trial whose first holder was declared dead and goes on, and the one who has it now."""
    [old] = queue.claim("slow", n_trials=1)
    queue.leases.end(["slow"])
    [new] = queue.claim(other, n_trials=1)
    return old, new


def stored_lease(queue: Queue, trial_id: int) -> dict[str, Any]:
    query = sa.select(ATTRIBUTES.c.value_json).where(ATTRIBUTES.c.trial_id == trial_id, ATTRIBUTES.c.key == LEASE)
    with queue._database.engine.connect() as connection:
        return json.loads(connection.execute(query).scalar_one())


def test_the_tokens_of_a_trial_rise_over_take_overs_results_and_rounds(storage_url: str) -> None:
    queue = queue_of(storage_url, 1)
    old, new = lost_to(queue, "b")
    assert new.tell(Told(value=1.0))
    put_back(queue, 0)
    [again] = queue.claim("a", n_trials=1)
    assert (old.token, new.token, again.token) == (1, 2, 3)


def test_a_holder_that_lost_its_trial_writes_nothing_of_it(storage_url: str) -> None:
    queue = queue_of(storage_url, 1)
    old, new = lost_to(queue, "b")
    assert not old.tell(Told(value=-1.0))
    for write in (lambda: old.report(1, 0.5), lambda: old.set_attributes({"k": 1})):
        with pytest.raises(LostError, match="claim 1 of worker slow is over"):
            write()
    old.release()
    assert new.tell(Told(value=1.0))
    [trial] = finished_trials(queue)
    assert (trial.value, trial.user_attrs, trial.intermediate_values) == (1.0, {}, {})


def test_a_trial_that_its_old_holder_ends_after_it_was_put_back_stays_with_the_new_one(storage_url: str) -> None:
    queue = queue_of(storage_url, 1)
    old, new = lost_to(queue, "b")
    new.tell(Told(value=1.0))
    put_back(queue, 0)
    assert not old.tell(Told(value=-1.0))
    [again] = queue.claim("slow", n_trials=1)  # by the same worker: its older claim is still lost
    assert (old.is_lost, again.confirm()) == (True, True)
    assert not old.tell(Told(value=-1.0))
    assert queue.counts().running == 1


def test_a_worker_whose_clock_is_ahead_steals_nothing(storage_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = queue_of(storage_url, 1)
    queue.claim("a", n_trials=1, lease_seconds=60)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 90)
    assert queue.claim("ahead", n_trials=1) == []


def test_a_worker_whose_clock_is_behind_takes_over_what_is_over(
    storage_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = queue_of(storage_url, 1)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 90)
    queue.claim("dead", n_trials=1, lease_seconds=-1)
    assert [lease.number for lease in queue.claim("b", n_trials=1)] == [0]


def test_the_ids_of_a_trials_runs_stand_in_the_search_with_its_lease_and_go_with_it(storage_url: str) -> None:
    queue = queue_of(storage_url, 1)
    [old] = queue.claim("dead", n_trials=1, names=lambda lease: {"trial": f"run of {lease.number}"})
    queue.leases.end(["dead"])
    [new] = queue.claim("b", n_trials=1, names=lambda lease: {} if "trial" in lease.runs else {"trial": "another"})
    assert (old.runs, new.runs) == ({"trial": "run of 0"}, {"trial": "run of 0"})
    new.tell(Told(value=1.0))
    assert RUNS not in finished_trials(queue)[0].user_attrs


def test_one_statement_renews_all_that_a_worker_holds(storage_url: str) -> None:
    queue = queue_of(storage_url, 80)
    held = queue.claim("a", n_trials=80, limit=80, lease_seconds=5)
    with statements(queue) as seen:
        renew(held)
    assert len(seen) == 1
    assert not any(lease.is_lost for lease in held)


def test_a_renewal_marks_what_was_taken_over_and_nothing_else(storage_url: str) -> None:
    queue = queue_of(storage_url, 3)
    held = queue.claim("slow", n_trials=3, limit=3, lease_seconds=0.05)
    time.sleep(0.1)
    [_] = queue.claim("b", n_trials=3, limit=1)
    renew(held)
    assert [lease.is_lost for lease in held] == [True, False, False]


def test_a_trial_that_is_told_while_leases_are_renewed_is_not_lost(storage_url: str) -> None:
    queue = queue_of(storage_url, 2)
    held = queue.claim("a", n_trials=2, limit=2)
    assert held[0].tell(Told(value=1.0))
    renew(held)  # its lease is gone, and the renewal had begun before
    assert not held[0].is_lost
    put_back(queue, 0)
    [again] = queue.claim("a", n_trials=2)
    renew([again, held[1]])
    assert again.tell(Told(value=2.0))
    assert held[1].tell(Told(value=2.0))


def test_a_lease_is_asked_for_when_its_last_renewal_is_half_a_lease_old(storage_url: str) -> None:
    queue = queue_of(storage_url, 1)
    [mine] = queue.claim("a", n_trials=1, lease_seconds=600)
    with statements(queue) as seen:
        assert mine.confirm()
        assert seen == []
        mine._renewed_at -= 301
        assert mine.confirm()
    assert len(seen) == 1


def test_the_thread_that_renews_survives_a_database_that_is_away(
    storage_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = queue_of(storage_url, 1)
    [mine] = queue.claim("a", n_trials=1)
    from rothamsted.search.sql import leases as sql

    real, tried = sql.renew, []

    def away(*arguments: Any) -> Any:
        tried.append(time.monotonic())
        if len(tried) <= 3:
            raise sa.exc.OperationalError("UPDATE", {}, Exception("server closed the connection unexpectedly"))
        return real(*arguments)

    monkeypatch.setattr(sql, "renew", away)
    with Renewer(1.0) as renewer:
        renewer.hold([mine])
        while len(tried) < 5:
            time.sleep(0.05)
        assert queue.claim("b", n_trials=1) == []
    assert not mine.is_lost


def test_a_worker_that_was_declared_dead_does_not_get_its_lease_back(storage_url: str) -> None:
    queue = queue_of(storage_url, 1)
    [mine] = queue.claim("a", n_trials=1)
    queue.leases.end(["a"], why="timeout after 1 s")
    renew([mine])
    assert mine.is_lost


def test_a_lease_of_before_there_were_tokens_is_taken_over_with_token_1(storage_url: str) -> None:
    queue = queue_of(storage_url, 1)
    [mine] = queue.claim("old", n_trials=1)
    with queue._database.engine.begin() as tx:
        tx.execute(
            sa.text("UPDATE trial_user_attributes SET value_json = :text"),
            {"text": json.dumps({"worker": "old", "expires": time.time() - 1})},
        )
        tx.execute(sa.text("DELETE FROM trial_system_attributes"))
    assert queue.leases.holders() == {}
    [new] = queue.claim("b", n_trials=1)
    assert (new.token, new.is_taken_over, new.runs, new.deaths) == (1, True, {}, [])
    assert stored_lease(queue, mine.trial_id)["token"] == 1


def test_a_living_lease_of_before_there_were_tokens_is_left_alone(storage_url: str) -> None:
    queue = queue_of(storage_url, 1)
    queue.claim("old", n_trials=1)
    with queue._database.engine.begin() as tx:
        text = json.dumps({"worker": "old", "expires": time.time() + 60})
        tx.execute(sa.text("UPDATE trial_user_attributes SET value_json = :text"), {"text": text})
    assert queue.claim("b", n_trials=1) == []
    assert queue.leases.holders() == {"old": [0]}


def test_attributes_that_are_no_json_to_the_database_do_not_hinder_leases(storage_url: str) -> None:
    queue = queue_of(storage_url, 1)
    [mine] = queue.claim("a", n_trials=1)
    mine.set_attributes({"worst": float("inf")})
    renew([mine])
    queue.leases.end(["a"])
    [new] = queue.claim("b", n_trials=1)
    assert new.tell(Told(value=None))
    assert finished_trials(queue)[0].state == TrialState.FAIL


@contextmanager
def statements(queue: Queue) -> Iterator[list[str]]:
    """The statements that an engine sends, those that begin and end a transaction left aside."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("BEGIN", "SELECT pg_current_xact_id")):
            seen.append(statement)

    sa.event.listen(queue._database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(queue._database.engine, "before_cursor_execute", note)


def test_a_worker_that_lost_its_trial_while_it_asked_changes_nothing_of_its_condition(
    storage_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = open_queue(storage_url, "s", space=ASKED, sampler="tpe", seed=0, direction="minimize", create=True)
    taker = open_queue(storage_url, "s", space=ASKED, sampler="tpe", seed=0, direction="minimize")
    taken: list[dict[str, Any]] = []
    write = Lease.write

    def stop_before_the_second_parameter(lease: Lease, change: Any) -> None:
        if lease.worker == "slow" and not taken and "x" in slow.trials([])[0].condition:
            slow.leases.end(["slow"])
            [claimed] = taker.claim("taker", n_trials=1)
            taken.append(dict(claimed.condition))
        write(lease, change)

    monkeypatch.setattr(Lease, "write", stop_before_the_second_parameter)
    assert slow.claim("slow", n_trials=1) == []
    assert [dict(trial.condition) for trial in taker.trials([])] == taken
    assert set(taken[0]) == {"x", "y"}
