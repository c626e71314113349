"""Connections to PostgreSQL: few a process, and nobody who is paused or waits holds up the others for ever."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from rothamsted.errors import StoreError
from rothamsted.search import Queue, open_queue
from rothamsted.search.patience import why_away
from rothamsted.search.sql.tables import lock_study
from rothamsted.search.storage_url import engine_of, parsed_url
from rothamsted.space import Range, Space
from rothamsted.tracking.sql import connections
from rothamsted.tracking.sql.engines import engine_of as tracking_engine_of
from rothamsted.tracking.sql.engines import let_go

N_WORKERS = 64  # of one sweep, a process each
N_THREADS = 8


def queue_at(url: str) -> Queue:
    space = Space({"x": Range(low=0.0, high=1.0)})
    return open_queue(url, "s", space=space, sampler="random", seed=0, direction="minimize", create=True)


@contextmanager
def search_engine(url: sa.URL) -> Iterator[sa.Engine]:
    engine = engine_of(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def tracking_engine(url: str) -> Iterator[sa.Engine]:
    try:
        yield tracking_engine_of(url)
    finally:
        let_go(url)


def n_connections(admin: sa.Engine, database: str) -> int:
    query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :database")
    with admin.connect() as connection:
        return connection.execute(query, {"database": database}).scalar_one()


def test_threads_of_a_process_share_four_connections_and_one_is_kept(postgres_server: str, postgres_url: str) -> None:
    queue, database = queue_at(postgres_url), str(parsed_url(postgres_url).database)
    admin = sa.create_engine(postgres_server)
    all_in = threading.Barrier(connections.MOST + 1)
    seen = threading.Event()

    def hold(tx: sa.Connection) -> None:
        tx.execute(sa.text("SELECT 1"))
        all_in.wait(60)
        seen.wait(60)

    def use() -> None:
        queue._database.run(lambda tx: tx.execute(sa.text("SELECT 1")))

    holding = [threading.Thread(target=queue._database.run, args=(hold,)) for _ in range(connections.MOST)]
    others = [threading.Thread(target=use) for _ in range(N_THREADS)]
    for thread in holding:
        thread.start()
    all_in.wait(60)
    for thread in others:
        thread.start()
    at_most = n_connections(admin, database)
    seen.set()
    for thread in (*holding, *others):
        thread.join(60)
    kept = n_connections(admin, database)
    queue._database.engine.dispose()
    admin.dispose()
    assert (at_most, kept) == (connections.MOST, connections.KEPT)


def test_64_workers_keep_two_connections_each_with_both_databases_on_one_server(postgres_url: str) -> None:
    engines = [queue_at(postgres_url)._database.engine, engine_of(parsed_url(postgres_url))]
    with tracking_engine(postgres_url) as engine:
        for one in (*engines, engine):
            assert one.pool.size() == connections.KEPT  # type: ignore[attr-defined]
        assert N_WORKERS * 2 * connections.KEPT == 128  # what docs/clusters.md says


@pytest.mark.parametrize("which", ["search", "record"])
def test_statements_and_idle_transactions_end_by_themselves(postgres_url: str, which: str) -> None:
    expected = {"statement_timeout": "30s", "idle_in_transaction_session_timeout": "1min"}
    with tracking_engine(postgres_url) as of_record, search_engine(parsed_url(postgres_url)) as of_search:
        engine = of_record if which == "record" else of_search
        with engine.connect() as connection:
            assert {name: connection.execute(sa.text(f"SHOW {name}")).scalar() for name in expected} == expected


def test_what_the_address_says_of_a_limit_holds(postgres_url: str) -> None:
    url = parsed_url(postgres_url).update_query_dict({"options": "-c statement_timeout=7s"})
    with search_engine(url) as engine, engine.connect() as connection:
        assert connection.execute(sa.text("SHOW statement_timeout")).scalar() == "7s"
        assert connection.execute(sa.text("SHOW idle_in_transaction_session_timeout")).scalar() == "1min"


def test_a_worker_that_is_paused_in_a_transaction_is_cut_off_and_the_others_go_on(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 1)
    paused, queue = queue_at(postgres_url), queue_at(postgres_url)
    queue.enqueue(1)
    with paused._database.engine.connect() as connection:
        lock_study(connection, paused.study_id)  # every proposal, and who decides, waits for it
        assert queue.enqueue(2) == 1
        with pytest.raises(exc.DBAPIError) as said:
            connection.execute(sa.text("SELECT 1"))
    assert why_away(said.value)  # the paused one tries again when it wakes up


def test_a_statement_that_waits_too_long_for_a_lock_ends_and_is_tried_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STATEMENT_SECONDS", 1)
    holding, queue = queue_at(postgres_url), queue_at(postgres_url)
    with holding._database.engine.connect() as connection:
        lock_study(connection, holding.study_id)
        with (
            pytest.raises(exc.OperationalError, match="statement timeout") as said,
            queue._database.engine.begin() as tx,
        ):
            lock_study(tx, queue.study_id)
    assert why_away(said.value)


def test_too_many_workers_for_a_server_are_refused_in_one_line_with_the_number_that_it_takes(
    postgres_server: str, postgres_url: str
) -> None:
    both = [postgres_url, postgres_server]  # search and record on one server
    with pytest.raises(StoreError, match="64 workers and the coordinator keep 130 connections") as caught:
        connections.check_room(N_WORKERS, both)  # PostgreSQL's own default: 100, 3 of them reserved
    said = str(caught.value)
    assert "\n" not in said
    assert re.search(r"has \d+ left \(max_connections = 100, 3 reserved, \d+ in use\)", said), said
    n_fewer = int(re.findall(r"give execution.workers: (\d+), or set max_connections to \d+ or more", said)[0])
    connections.check_room(n_fewer - 2, both)  # other tests of this process may come and go by a connection or two
    with pytest.raises(StoreError):
        connections.check_room(n_fewer + 3, both)


def test_other_stores_have_no_such_limit() -> None:
    connections.check_room(10_000, ["sqlite:///optuna.db", "http://127.0.0.1:9", "databricks", "./mlruns"])
