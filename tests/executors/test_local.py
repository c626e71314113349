"""Processes that misbehave: what they write, close, leave behind or do not hear hangs nobody and is told."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from rothamsted.errors import UserError
from rothamsted.executors import Crew, EarlyWorkers, Job, LocalExecutor
from rothamsted.executors.early import shared_out
from rothamsted.executors.followed import MOST_EVENT_BYTES, Followed
from tests.conftest import ROOT
from tests.executors.test_executor_contract import SECONDS, all_of, death_of, first_said, job, texts


@pytest.fixture
def local() -> LocalExecutor:
    return LocalExecutor(environment={**os.environ, "PYTHONPATH": str(ROOT)})


def is_gone(pid: int) -> bool:
    """A zombie that nobody has buried yet does nothing any more."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


# ---- what they write ----


def test_bytes_that_are_not_utf8_are_read_like_any_others(local: LocalExecutor) -> None:
    with local.start(job("write_bytes", text="between"), 1) as crew:
        events = all_of(crew)
    assert texts(events) == ["between", "after"]
    assert "\N{REPLACEMENT CHARACTER}" in death_of(events).last_lines or death_of(events).is_orderly


@pytest.mark.parametrize("n_bytes", [10, MOST_EVENT_BYTES + 1])
def test_what_is_no_event_among_the_events_is_passed_over(local: LocalExecutor, n_bytes: int) -> None:
    with local.start(job("write_to_the_events", n_bytes=n_bytes), 1) as crew:
        events = all_of(crew)
    assert texts(events) == ["after"]
    assert death_of(events).is_orderly


def test_very_long_lines_are_events_where_they_are_and_only_their_end_is_kept_otherwise(local: LocalExecutor) -> None:
    with local.start(job("print_without_end", n_bytes=3_000_000), 1) as crew:
        events = all_of(crew)
    assert [len(text) for text in texts(events)] == [3_000_000]
    death = death_of(events)
    assert death.exit_code == 4
    assert death.last_lines.endswith("the end of it")
    assert len(death.last_lines) <= 16_000


def test_a_worker_that_closes_its_streams_is_followed_to_its_end(local: LocalExecutor) -> None:
    with local.start(job("close_everything"), 1) as crew:
        events = all_of(crew)
    assert texts(events) == ["before"]
    assert death_of(events).exit_code == 3


def test_a_worker_reads_nothing_from_standard_input(local: LocalExecutor) -> None:
    with local.start(job("read_standard_input"), 1) as crew:
        assert texts(all_of(crew)) == [""]


def test_a_reader_that_fails_ends_its_worker_and_says_why(
    local: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Followed, line: bytes) -> None:
        raise MemoryError("no room for a line")

    monkeypatch.setattr(Followed, "_take_line", fail)
    with local.start(job("hear_nothing"), 1) as crew:
        death = death_of(all_of(crew))
    assert death.reason == ("its worker was ended: what it writes cannot be read: MemoryError('no room for a line')")


# ---- how they end ----


@pytest.mark.parametrize(("number", "hint"), [(signal.SIGKILL, ", perhaps out of memory"), (signal.SIGSEGV, "")])
def test_a_signal_that_kills_a_worker_is_named(local: LocalExecutor, number: signal.Signals, hint: str) -> None:
    with local.start(job("die_by", signal_number=int(number)), 1) as crew:
        death = death_of(all_of(crew))
    assert death.exit_code == -number
    assert death.reason == f"its worker process was killed by {number.name}{hint}"


def test_a_worker_that_does_not_leave_is_killed_after_the_grace_and_that_is_said(local: LocalExecutor) -> None:
    with local.start(job("hear_nothing"), 2) as crew:
        first_said(crew)
        first_said(crew)
        crew.stop(0.3)
        deaths = [event.death for event in all_of(crew) if event.death is not None]
    assert [death.exit_code for death in deaths] == [-signal.SIGKILL] * 2
    assert {death.was_ended_because for death in deaths} == {"it was asked to end and had not ended after 0.3 s"}


def test_a_stopped_process_can_be_ended(local: LocalExecutor) -> None:
    with local.start(job("hear_nothing"), 1) as crew:
        here = first_said(crew)
        os.kill(here.said["pid"], signal.SIGSTOP)
        crew.end(here.worker, "it stands still")
        assert death_of(all_of(crew)).reason == "its worker was ended: it stands still"


def test_a_stop_before_a_worker_has_begun_is_obeyed_at_once(local: LocalExecutor) -> None:
    with local.start(job("hear_nothing"), 1) as crew:
        crew.stop(SECONDS)
        events = all_of(crew)
    assert death_of(events).is_orderly
    assert texts(events) == []


def test_a_system_that_gives_no_process_is_one_line_and_those_who_were_started_are_ended(
    local: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    popen = subprocess.Popen

    def only_one(*arguments: Any, **options: Any) -> Any:
        if started:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(popen(*arguments, **options))
        return started[0]

    monkeypatch.setattr("rothamsted.executors.local.subprocess.Popen", only_one)
    with pytest.raises(UserError, match="a worker cannot be started") as it:
        local.start(job("hear_nothing"), 2)
    assert str(it.value).startswith("executor local: a worker cannot be started (Resource temporarily unavailable); ")
    assert started[0].poll() is not None


def test_all_are_asked_and_each_is_heard(local: LocalExecutor) -> None:
    with local.start(job("wait_to_be_stopped"), 3) as crew:
        here = [first_said(crew) for _ in range(3)]
        crew.stop(SECONDS)
        rest = all_of(crew)
    assert len({event.worker for event in here}) == 3
    assert sorted(texts(rest)) == ["leaving"] * 3
    assert [event.death.is_orderly for event in rest if event.death is not None] == [True] * 3


# ---- nobody is left ----


@pytest.mark.parametrize("dies_by", [0, signal.SIGKILL])
def test_what_a_worker_started_ends_with_it_and_holds_nobody_up(local: LocalExecutor, dies_by: int) -> None:
    with local.start(job("leave_a_child", in_own_session=False, dies_by=int(dies_by)), 1) as crew:
        here = first_said(crew)
        crew.end(here.worker, "enough")
        all_of(crew)
        wait_until(lambda: is_gone(here.said["child"]))


def test_after_the_crew_what_workers_started_in_sessions_of_their_own_is_gone_too(
    local: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rothamsted.executors.below.SECONDS", 0.2)
    with local.start(job("leave_a_child", in_own_session=True, dies_by=0), 1) as crew:
        here = first_said(crew)
    assert is_gone(here.said["pid"])
    wait_until(lambda: is_gone(here.said["child"]))


def test_after_the_crew_nothing_is_left_of_a_strangers_project_though_the_consumer_failed(
    local: LocalExecutor, tmp_path: Path
) -> None:
    below: list[int] = []

    def consume(crew: Crew) -> None:
        below.extend(first_said(crew).said["below"])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), local.start(job("keep_a_stranger", folder=str(tmp_path)), 1) as crew:
        consume(crew)
    assert [is_gone(pid) for pid in below] == [True] * 3  # the keeper, its command, and what that started


COORDINATOR = """
import sys
from rothamsted.executors import Job, LocalExecutor
job = Job(entry="tests.executors.workers:" + sys.argv[1], grace_seconds=0.5)
with LocalExecutor().start(job, 1) as crew:
    for event in crew.events(60):
        print(event.said["pid"], flush=True)
"""


@pytest.mark.parametrize("entry", ["wait_to_be_stopped", "hear_nothing"])
def test_a_worker_does_not_outlive_a_killed_coordinator_even_where_it_hears_nothing(entry: str) -> None:
    coordinator = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR, entry],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert coordinator.stdout is not None
    pid = int(coordinator.stdout.readline())
    coordinator.kill()
    coordinator.wait()
    coordinator.stdout.close()
    wait_until(lambda: is_gone(pid))


@pytest.mark.parametrize("status", [0, 7])
def test_a_worker_ends_all_that_it_was_asked_to_and_takes_nothing_down(
    local: LocalExecutor, tmp_path: Path, status: int
) -> None:
    path = tmp_path / "notes"
    with local.start(job("leave_work_for_the_end", path=str(path), status=status), 1) as crew:
        death = death_of(all_of(crew))
    assert path.read_text().split("\n") == ["thread", "asked", ""]
    assert (death.exit_code, death.last_lines) == (status, "unsaid")


# ---- what they are given ----


def test_the_cores_are_shared_out_where_nobody_has_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    given = shared_out(3, {"MKL_NUM_THREADS": "5", "A": "own"})
    # By hand: 8 cores for 3 workers are 2 each.
    assert given == {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "5", "A": "own"}


# ---- those that are started before their job is known ----


def early_of(local: LocalExecutor, n_workers: int = 2, **others: Any) -> EarlyWorkers:
    others = {"n_cores": 8, **others}
    return EarlyWorkers(n_workers=n_workers, imports=["tests.executors.workers"], own=local.environment, **others)


def test_a_job_is_done_by_the_processes_that_have_been_started_with_its_own_variables(local: LocalExecutor) -> None:
    asked = Job(
        entry="tests.executors.workers:say_variables",
        arguments={"names": ["A", "OMP_NUM_THREADS"]},
        environment={"A": "job"},
    )
    with early_of(local) as early:
        pids = {process.pid for process in early._waiting}
        with LocalExecutor(environment=local.environment, early=early).start(asked, 2) as crew:
            assert {followed.pid for followed in crew._living.values()} == pids
            found = [event.said["found"] for event in all_of(crew) if event.death is None]
    assert found == [{"A": "job", "OMP_NUM_THREADS": shared_out(2, {})["OMP_NUM_THREADS"]}] * 2


@pytest.mark.parametrize(("n_cores", "n_early"), [(1, 1), (2, 1), (3, 2), (4, 3), (8, 3)])
def test_one_core_is_left_to_the_process_that_opens_the_sweep(local: LocalExecutor, n_cores: int, n_early: int) -> None:
    with early_of(local, n_workers=3, n_cores=n_cores) as early:
        pids = {process.pid for process in early._waiting}
        with LocalExecutor(environment=local.environment, early=early).start(job("say", texts=["here"]), 3) as crew:
            taken = {followed.pid for followed in crew._living.values()}
            assert texts(all_of(crew)) == ["here"] * 3
    assert (len(pids), len(taken)) == (n_early, 3)
    assert pids < taken or pids == taken


def test_processes_that_nobody_takes_are_gone_afterwards(local: LocalExecutor) -> None:
    with early_of(local) as early:
        pids = [process.pid for process in early._waiting]
    assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)


@pytest.mark.parametrize("change", [{"n_workers": 3}, {"flags": ("-P",)}])
def test_processes_that_were_started_otherwise_are_not_taken(local: LocalExecutor, change: dict[str, Any]) -> None:
    with early_of(local, **{"n_workers": 1, **change}) as early:
        pids = {process.pid for process in early._waiting}
        environment = {**(local.environment or {}), "OMP_NUM_THREADS": "1", "A": "set since"}
        with LocalExecutor(environment=environment, early=early).start(job("say", texts=["here"]), 1) as crew:
            events = all_of(crew)
    assert texts(events) == ["here"]
    assert {event.said["pid"] for event in events if event.death is None}.isdisjoint(pids)


def test_a_module_that_cannot_be_imported_early_is_the_jobs_to_miss(local: LocalExecutor) -> None:
    early = EarlyWorkers(n_workers=1, imports=["no_such_module_here"], own=local.environment)
    with early, LocalExecutor(environment=local.environment, early=early).start(job("say", texts=["on"]), 1) as crew:
        assert texts(all_of(crew)) == ["on"]


def test_python_flags_of_a_job_are_those_of_its_workers(local: LocalExecutor, tmp_path: Path) -> None:
    with local.start(Job(entry="tests.executors.workers:say_flags", python_flags=("-P",)), 1) as crew:
        assert texts(all_of(crew)) == ["True"]


def test_executors_import_neither_mlflow_nor_what_is_slow() -> None:
    program = "import sys, rothamsted.executors.process; print(sorted({m.partition('.')[0] for m in sys.modules}))"
    done: Any = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"mlflow", "optuna", "numpy", "sqlalchemy", "pydantic"} & set(eval(done.stdout))
