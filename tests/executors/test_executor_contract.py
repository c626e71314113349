"""What every executor promises, with real workers: each test runs over each of them."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rothamsted.catalog import EXECUTORS as EXECUTOR_ROWS
from rothamsted.errors import UserError
from rothamsted.executors import Crew, Death, Event, Executor, InProcessExecutor, Job, LocalExecutor
from tests.conftest import ROOT
from tests.executors.cluster import cluster

SECONDS = 60.0  # until a test is lost
EXECUTORS: dict[str, Callable[[], Executor]] = {
    "local": lambda: LocalExecutor(environment={**os.environ, "PYTHONPATH": str(ROOT)}),
    "in_process": InProcessExecutor,
    "ray": lambda: EXECUTOR_ROWS["ray"](),
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a Ray cluster of two nodes, whose Python finds this package."""
    with cluster(PYTHONPATH=str(ROOT)) as found:
        yield found.address


@pytest.fixture(params=sorted(EXECUTORS))
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "ray":
        _options["address"] = request.getfixturevalue("address")
    return EXECUTORS[request.param]()


_options: dict[str, Any] = {}  # only Ray looks at them


def job(entry: str, environment: dict[str, str] | None = None, **arguments: Any) -> Job:
    return Job(
        entry=f"tests.executors.workers:{entry}",
        arguments=arguments,
        environment=environment or {},
        options=dict(_options),
    )


def all_of(crew: Crew) -> list[Event]:
    """Every event until nobody is left."""
    found: list[Event] = []
    deadline = time.monotonic() + SECONDS
    while crew.n_alive:
        found += crew.events(0.2)
        assert time.monotonic() < deadline, found
    return found


def first_said(crew: Crew) -> Event:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for event in crew.events(0.2):
            return event
    raise AssertionError("no worker has said anything")


def death_of(events: list[Event]) -> Death:
    [death] = [event.death for event in events if event.death is not None]
    return death


def texts(events: list[Event]) -> list[str]:
    return [event.said["text"] for event in events if event.said]


def test_events_come_in_order_and_the_last_says_how_the_worker_ended(executor: Executor) -> None:
    said = ["first", "zweites, grün", "a\nb", "\udcff"]
    with executor.start(job("say", texts=said), 1) as crew:
        events = all_of(crew)
    assert texts(events) == said
    assert len({event.worker for event in events}) == 1
    assert events[-1].death == Death(exit_code=0)
    assert events[-1].death.is_orderly


def test_a_job_is_plain_data_and_says_so_at_once(executor: Executor) -> None:
    # Authority: json itself.
    assert json.loads(job("say", texts=["a"]).as_json())["arguments"] == {"texts": ["a"]}
    with pytest.raises(TypeError):
        executor.start(job("say", texts={1, 2}), 1)


def test_a_worker_has_the_variables_of_its_job_and_this_process_has_them_not_after_it(executor: Executor) -> None:
    name = "ROTHAMSTED_TEST_OF_EXECUTORS"
    with executor.start(job("say_variables", {name: "1e-3 = x"}, names=[name]), 1) as crew:
        [said, _] = all_of(crew)
    assert said.said["found"] == {name: "1e-3 = x"}
    assert name not in os.environ


def test_an_error_in_a_worker_is_its_end_with_the_traceback(executor: Executor) -> None:
    with executor.start(job("raise_an_error"), 1) as crew:
        death = death_of(all_of(crew))
    assert (death.exit_code, death.is_orderly) == (1, False)
    assert death.reason == "its worker process ended with exit status 1"
    assert death.last_lines.strip().endswith("RuntimeError: the loss is not a number")


def test_a_mistake_of_the_user_is_exit_status_2(executor: Executor) -> None:
    with executor.start(job("refuse"), 1) as crew:
        death = death_of(all_of(crew))
    assert death.exit_code == 2
    assert "is not here" in death.last_lines


def test_an_entry_that_is_not_there_is_a_death_and_not_a_wait(executor: Executor) -> None:
    with executor.start(job("nobody"), 1) as crew:
        death = death_of(all_of(crew))
    assert death.exit_code == 1
    assert "nobody" in death.last_lines


def test_who_is_asked_to_leave_leaves_and_is_heard_until_then(executor: Executor) -> None:
    with executor.start(job("wait_to_be_stopped"), 1) as crew:
        here = first_said(crew)
        crew.stop(SECONDS)
        rest = all_of(crew)
    assert here.said["text"] == "here"
    assert texts(rest) == ["leaving"]
    assert death_of(rest).is_orderly


def test_after_a_stop_nobody_is_replaced(executor: Executor) -> None:
    with executor.start(job("wait_to_be_stopped"), 1) as crew:
        first_said(crew)
        crew.stop(SECONDS)
        all_of(crew)
        crew.refill()
        assert crew.n_alive == 0
        assert list(crew.events(SECONDS)) == []  # and nothing is waited for


def test_who_is_ended_dies_for_the_reason_that_was_given(executor: Executor) -> None:
    with executor.start(job("wait_to_be_stopped"), 1) as crew:
        worker = first_said(crew).worker
        crew.end(worker, "a replicate was 30 s over its time")
        crew.end(worker, "a second reason")
        death = death_of(all_of(crew))
    assert death.was_ended_because == "a replicate was 30 s over its time"
    assert death.reason == "its worker was ended: a replicate was 30 s over its time"
    assert not death.is_orderly


def test_ending_a_worker_that_is_not_there_changes_nothing(executor: Executor) -> None:
    with executor.start(job("say", texts=["a"]), 1) as crew:
        crew.end("nobody", "no reason")
        events = all_of(crew)
        crew.end(events[-1].worker, "too late")
    assert death_of(events).is_orderly


def test_the_dead_are_replaced_by_workers_of_another_name(executor: Executor) -> None:
    with executor.start(job("say", texts=["a"]), 1) as crew:
        crew.refill()  # nobody is missing
        first = all_of(crew)
        crew.refill()
        assert crew.n_alive == 1
        second = all_of(crew)
    assert texts(first) == texts(second) == ["a"]
    assert first[0].worker != second[0].worker


def test_a_worker_counts_until_its_end_was_read(executor: Executor) -> None:
    with executor.start(job("say", texts=[]), 1) as crew:
        time.sleep(1.0)  # long enough for a thread; a process ends while events are read
        assert crew.n_alive == 1
        assert [event.death is not None for event in all_of(crew)] == [True]
        assert crew.n_alive == 0


def test_nothing_is_waited_for_where_no_time_is_given(executor: Executor) -> None:
    with executor.start(job("wait_to_be_stopped"), 1) as crew:
        first_said(crew)
        started = time.monotonic()
        assert list(crew.events(0.0)) == []
        assert time.monotonic() - started < SECONDS / 10


def test_nobody_lives_after_an_error_of_who_reads_the_events(executor: Executor, tmp_path: Path) -> None:
    def consume(crew: Crew) -> None:
        for event in crew.events(SECONDS):
            pids.append(event.said["pid"])
            raise RuntimeError("the consumer has failed")

    pids: list[int] = []
    before = set(threading.enumerate())
    with (
        pytest.raises(RuntimeError, match="the consumer has failed"),
        executor.start(job("wait_to_be_stopped"), 1) as crew,
    ):
        consume(crew)
    assert crew.n_alive == 0
    assert set(threading.enumerate()) <= before
    [pid] = pids
    assert pid == os.getpid() or not Path(f"/proc/{pid}").exists()


def test_leaving_without_reading_an_event_hangs_nobody(executor: Executor) -> None:
    with executor.start(job("wait_to_be_stopped"), 1) as crew:
        pass
    assert crew.n_alive == 0


def test_an_executor_that_has_one_worker_says_so_in_one_line() -> None:
    with pytest.raises(UserError) as refused:
        InProcessExecutor().start(job("say", texts=[]), 2)
    assert str(refused.value) == "executor in_process: has one worker, not 2; give execution.workers: 1"
