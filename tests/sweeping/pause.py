"""A worker that is stopped just before one of its writing transactions, and let go when another has done all.

It is a process of its own and stops itself by SIGSTOP, so that no thread of it, and least of all the one that renews
its leases, runs on. It stops before its transaction has written anything: it holds no lock that others wait for.
What it has read by then, it believes when it goes on.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from tests.forked import FORKED
from tests.sweeping.conftest import Project
from tests.sweeping.ending import Changes, begin, end_all_leases, finish, open_worker, write_at_every_measurement

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE")
SECONDS = 240.0  # no worker of these tests takes a tenth of it


@dataclass(kw_only=True)
class Places:
    """Counts the transactions that write, in all databases; stops this process before the one numbered `at`.

    With `counts_reads` those that read are places, too, and so is the first write of one that has read before.
    """

    at: int | None
    counts_reads: bool
    n: int = 0
    _reading: set[sa.Connection] = field(default_factory=set)
    _writing: set[sa.Connection] = field(default_factory=set)

    def before_statement(self, connection: sa.Connection, _cursor: Any, statement: str, *_others: Any) -> None:
        text = statement.lstrip().upper()
        if text.startswith("PRAGMA"):
            return
        if not text.startswith(WRITES):
            if self.counts_reads and not {connection} & (self._reading | self._writing):
                self._reading.add(connection)
                self._pass()
        elif connection not in self._writing:
            self._writing.add(connection)
            self._pass()

    def after_transaction(self, connection: sa.Connection) -> None:
        self._reading.discard(connection)
        self._writing.discard(connection)

    def _pass(self) -> None:
        self.n += 1
        if self.n - 1 == self.at:
            os.kill(os.getpid(), signal.SIGSTOP)


@contextmanager
def places(at: int | None, *, counts_reads: bool = False) -> Iterator[Places]:
    """Stop this process before its transaction number `at`, 0, 1, ...; None: count them only."""
    counted = Places(at=at, counts_reads=counts_reads)
    listeners: dict[str, Any] = {
        "before_cursor_execute": counted.before_statement,
        "commit": counted.after_transaction,
        "rollback": counted.after_transaction,
    }
    for name, listener in listeners.items():
        event.listen(sa.Engine, name, listener)
    try:
        yield counted
    finally:
        for name, listener in listeners.items():
            event.remove(sa.Engine, name, listener)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a worker ended: its exit status, how many places it came to, whether it was stopped at one of them."""

    exit_code: int | None
    n_places: int
    was_paused: bool


def work_with_pause(project: Project, changes: Changes, at: int | None, *, counts_reads: bool = False) -> Ended:
    """A worker does the sweep; at the place `at` it is stopped, loses its leases, and goes on after another is done."""
    begin(project, changes)
    answers, answer = FORKED.Pipe(duplex=False)
    with worker_process(project, changes["name"], at, counts_reads, answer) as process:
        answer.close()
        was_paused = wait_for_stop(process)
        if was_paused:
            end_all_leases(project)
            finish(project, changes)
            os.kill(process.pid, signal.SIGCONT)
        process.join(SECONDS)
        return Ended(exit_code=process.exitcode, n_places=_received(answers), was_paused=was_paused)


@contextmanager
def worker_process(project: Project, name: str, *others: Any) -> Iterator[Any]:
    """A worker of a sweep that has begun, in a process of its own, which does not outlive this."""
    process = FORKED.Process(target=_work, args=(project, name, *others))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def stop(process: Any, project: Project) -> None:
    """Stop a process by SIGSTOP at a moment when it holds no lock of a database, which others would wait for."""
    while True:
        os.kill(process.pid, signal.SIGSTOP)
        assert wait_for_stop(process), "the worker ended before it could be stopped"
        if not any(_is_locked(project.root / name) for name in ("mlflow.db", "optuna.db")):
            return
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.001)


def wait_for_stop(process: Any) -> bool:
    """Wait until a process is stopped by SIGSTOP; False: it ended before."""
    deadline = time.monotonic() + SECONDS
    while process.is_alive():
        assert time.monotonic() < deadline, "the worker neither stopped nor ended"
        try:
            if psutil.Process(process.pid).status() == psutil.STATUS_STOPPED:
                return True
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.002)
    return False


def _is_locked(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
    return False


def _received(answers: Connection) -> int:
    """How many places the worker says there were; -1: it died before it could say so."""
    try:
        return answers.recv() if answers.poll() else -1
    except EOFError:
        return -1


def _work(
    project: Project, name: str, at: int | None = None, counts_reads: bool = False, answer: Connection | None = None
) -> None:
    os.environ["MLFLOW_TRACKING_URI"] = project.tracking_uri  # the process that it is forked from has another test's
    with pytest.MonkeyPatch.context() as monkeypatch:
        write_at_every_measurement(monkeypatch)
        worker = open_worker(project, name)
        with places(at, counts_reads=counts_reads) as counted:
            worker.run()
    if answer is not None:
        answer.send(counted.n)
