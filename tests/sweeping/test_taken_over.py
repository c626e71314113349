"""A trial that changes hands: who is blamed for a death, what is not done twice, what its old holder leaves alone."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient

from rothamsted import tags
from rothamsted.search import Lease
from rothamsted.search.lease import RUNS, renew
from rothamsted.studies import CONFIG_FILE
from rothamsted.sweeping.worker.work import Worker
from rothamsted.tracking import FoundRun, find_runs, read_history, recorder
from tests.sweeping.conftest import Events, Project, ShouldStop, stop_in_replicate
from tests.sweeping.in_this_process import deciding
from tests.sweeping.search_run import counts_of

ONE: dict[str, Any] = {"space": {"lr": [0.1]}, "replicates": {"count": 1}}


class Died(BaseException):
    """Stands in for the death of a worker: its leases are not given back."""


def die_in_replicate(n_started: int, n_asked: int) -> ShouldStop:
    """As `stop_in_replicate`, but nothing is given back."""
    is_time = stop_in_replicate(n_started, n_asked)

    def die(events: Events) -> bool:
        if is_time(events):
            raise Died
        return False

    return die


def runs(project: Project, role: str = "replicate") -> list[FoundRun]:
    return find_runs(None, {tags.ROLE: role, tags.SWEEP: "toys"}, uri=project.tracking_uri)


def n_doubled(project: Project, found: list[FoundRun]) -> int:
    """Points that stand in one run more than once."""
    histories = read_history([run.run_id for run in found], uri=project.tracking_uri)
    points = Counter((run_id, p.key, p.step) for run_id, history in histories.items() for p in history)
    return sum(n > 1 for n in points.values())


def test_a_replicate_with_three_dead_workers_is_given_up_once_and_by_whoever_takes_over(project: Project) -> None:
    changes = {**ONE, "replicates": {"count": 2}}
    context = project.start(changes)
    for n in range(3):
        with pytest.raises(Died):
            project.work(project.start(changes), die_in_replicate(1, 3))
        assert [run.status for run in runs(project)] == ["RUNNING"], f"death {n}"
        context.queue.leases.end()
    with pytest.raises(Died):  # the one that gives it up dies, too, with the next replicate
        project.work(project.start(changes), die_in_replicate(1, 3))
    context.queue.leases.end()
    project.work(project.start(changes))
    ended = {run.tags[tags.REPLICATE]: run for run in runs(project)}
    assert {replicate: run.status for replicate, run in ended.items()} == {"0": "FAILED", "1": "FINISHED"}
    assert len(runs(project)) == 2
    assert ended["0"].tags[tags.REASON].startswith("its worker died in all 3 attempts")
    assert counts_of(context.data()) == [{"failed": 1, "finished": 1}]


@pytest.mark.parametrize("n_before", range(2))
def test_a_worker_that_dies_between_a_run_and_its_files_leaves_no_replicate_without_its_config(
    n_before: int, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {**ONE, "replicates": {"count": 3}, "parameters": {"steps": 20, "n_points": 5}}
    put, n_put = recorder.put_texts, 0

    def die(writer: Any, batch: Any) -> None:
        nonlocal n_put
        n_put += bool(batch)
        if n_put > n_before:  # it writes nothing any more
            raise Died
        put(writer, batch)

    context = project.start(changes)
    monkeypatch.setattr(recorder, "put_texts", die)
    with pytest.raises(Died):
        project.work(context)
    monkeypatch.setattr(recorder, "put_texts", put)
    context.queue.leases.end()
    project.work(project.start(changes))
    found = runs(project)
    assert [run.status for run in found] == ["FINISHED"] * 3
    client = MlflowClient(project.tracking_uri)
    assert [CONFIG_FILE in {one.path for one in client.list_artifacts(run.run_id)} for run in found] == [True] * 3


def test_a_worker_that_leaves_when_asked_has_not_crashed(project: Project) -> None:
    context = project.start(ONE)
    for _ in range(5):
        project.work(project.start(ONE), stop_in_replicate(1, 2))
    project.work(project.start(ONE))
    assert counts_of(context.data()) == [{"finished": 1}]
    assert [run.status for run in runs(project, "trial")] == ["FINISHED"]


def test_a_failure_is_not_recorded_again_by_whoever_takes_over(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"space": {"fail": [True]}, "replicates": {"count": 3}}
    tell, n_told = Lease.tell, 0

    def die_first(self: Lease, told: Any) -> bool:
        nonlocal n_told
        n_told += 1
        if n_told == 1:
            raise Died
        return tell(self, told)

    monkeypatch.setattr(Lease, "tell", die_first)
    context = project.start(changes)
    with pytest.raises(Died):
        project.work(context)
    context.queue.leases.end()
    project.work(project.start(changes))
    assert [run.status for run in runs(project)] == ["FAILED"] * 3
    found = context.data()
    assert counts_of(found) == [{"failed": 3}]
    assert {one.reason for one in found.replicates} == {"RuntimeError: the toy was told to fail"}


def test_a_replicate_whose_worker_was_ended_for_its_time_has_failed_of_that(project: Project) -> None:
    changes = {**ONE, "replicates": {"count": 2}}
    context = project.start(changes)
    with pytest.raises(Died):
        project.work(context, die_in_replicate(2, 3))
    context.queue.leases.end(why="timeout after 5 s")
    project.work(project.start(changes))
    ended = sorted((run.tags[tags.REPLICATE], run.status, run.tags.get(tags.REASON)) for run in runs(project))
    assert ended == [("0", "FINISHED", None), ("1", "FAILED", "timeout after 5 s")]


def test_no_trial_is_lost_to_a_renewal_that_comes_while_trials_are_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before, 29 of 40 stayed RUNNING: with a lease of 2 s a renewal fell between their ends.
    changes = {
        "space": {"lr": [i / 20 for i in range(1, 11)]},
        "parameters": {"steps": 4, "n_points": 2, "own_noise": 0.01},
        "replicates": {"racing": {"min": 2, "max": 4}},
        "execution": {"population": 20},
    }
    context = project.start(changes)
    worker = Worker(context=context, emit=lambda event: None, should_stop=lambda: False, on_idle=deciding(context))
    tell = Lease.tell

    def tell_and_renew(self: Lease, told: Any) -> bool:
        held = worker._renewer._held
        is_told = tell(self, told)
        renew(held)
        return is_told

    monkeypatch.setattr(Lease, "tell", tell_and_renew)
    worker.run()
    counts = context.queue.counts()
    assert (counts.running, counts.waiting, counts.complete) == (0, 0, 10)


def test_a_lost_member_of_a_population_drops_out_and_the_others_go_on(project: Project) -> None:
    changes = {
        "space": {"lr": [0.1, 0.2]},
        "replicates": {"count": 1},
        "execution": {"population": 2, "lease_seconds": 3},
    }
    context = project.start(changes)
    events: Events = []
    n_asked = 0

    def lose_the_first() -> bool:
        nonlocal n_asked
        n_asked += 1
        if n_asked == 6:  # in the middle of the training
            worker._renewer._held[0].lose()
        return False

    worker = Worker(
        context=context,
        emit=lambda event: events.append(dict(event)),
        should_stop=lose_the_first,
        on_idle=deciding(context),
    )
    worker.run()  # takes it over itself, when its lease has run out
    ended = [(event["trial"], event["outcome"]) for event in events if event["event"] == "end"]
    assert ended == [(0, "interrupted"), (1, "finished"), (0, "finished")]
    found = runs(project, "trial")
    assert ([run.status for run in found], n_doubled(project, found)) == (["FINISHED"] * 2, 0)


def test_a_sweep_of_before_there_were_tokens_goes_on_in_its_runs(project: Project) -> None:
    changes = {**ONE, "replicates": {"count": 3}}
    context = project.start(changes)
    with pytest.raises(Died):
        project.work(context, die_in_replicate(2, 4))
    with context.queue._database.engine.begin() as tx:
        tx.execute(sa.text("DELETE FROM trial_system_attributes"))
        tx.execute(sa.text("DELETE FROM trial_user_attributes WHERE key = :key"), {"key": RUNS})
        old = json.dumps({"worker": "host:1:1", "expires": time.time() - 1})
        tx.execute(
            sa.text("UPDATE trial_user_attributes SET value_json = :old WHERE key = 'rothamsted:lease'"), {"old": old}
        )
    client = MlflowClient(project.tracking_uri)
    for run in (*runs(project), *runs(project, "trial")):
        client.delete_tag(run.run_id, tags.HOLDER)
    events = project.work(project.start(changes))
    assert [event["replicate"] for event in events if event["event"] == "start"] == [1, 2]
    assert [run.status for run in (*runs(project), *runs(project, "trial"))] == ["FINISHED"] * 4
    assert n_doubled(project, runs(project)) == 0
