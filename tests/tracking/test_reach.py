"""Whether a store can be reached: each trouble is one line, at once, and leaves nothing behind."""

from __future__ import annotations

import socket
import sqlite3
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from rothamsted.errors import StoreError
from rothamsted.tracking import check_reachable, migrate
from rothamsted.tracking.address import check_address


def test_a_new_file_in_a_writable_folder_is_reachable_and_not_created(tmp_path: Path) -> None:
    check_reachable(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_store_made_by_mlflow_is_reachable(sqlite_uri: str) -> None:
    check_reachable(sqlite_uri)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"mkdir -p {tmp_path / 'absent'}"):
        check_reachable(f"sqlite:///{tmp_path / 'absent' / 'mlflow.db'}")
    assert not (tmp_path / "absent").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root cannot write in")
def test_a_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(StoreError, match="cannot write in /proc "):
        check_reachable("sqlite:////proc/mlflow.db")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are notes, not a database" * 10)
    with pytest.raises(StoreError, match=r"notes\.txt: file is not a database"):
        check_reachable(f"sqlite:///{tmp_path / 'notes.txt'}")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_tables_of_another_program_are_refused(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    # Optuna keeps the version of its tables in a table of the same name as MLflow.
    path = tmp_path / "other.db"
    uri = f"sqlite:///{path}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    engine = sa.create_engine(uri, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('v3.2.0.a')"))
    with pytest.raises(StoreError, match=r"v3\.2\.0\.a.*database of their own"):
        check_reachable(uri)


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(StoreError, match="in memory"):
        check_reachable("sqlite://")


@pytest.mark.parametrize("uri", ["ftp://host/x", "sqlit:///mlflow.db", "postgresq://localhost/x"])
def test_a_misspelt_scheme_is_answered_with_those_that_exist(uri: str) -> None:
    with pytest.raises(StoreError, match="sqlite:///PATH"):
        check_reachable(uri)


def test_a_plain_folder_is_answered_with_what_to_use(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="sqlite:///PATH"):
        check_reachable(str(tmp_path))


def test_a_port_where_nobody_listens_is_noticed_at_once() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(StoreError, match=f"127.0.0.1:{port}: no answer"):
        check_reachable(f"http://127.0.0.1:{port}")
    assert time.monotonic() - start < 3  # MLflow itself goes on for minutes


def test_a_server_that_takes_the_call_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rothamsted.tracking.reach._SLOW_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        with pytest.raises(StoreError, match="no answer"):
            check_reachable(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert time.monotonic() - start < 5


@pytest.mark.slow
def test_a_running_server_is_reachable(server_uri: str) -> None:
    check_reachable(server_uri)


def test_a_postgresql_server_is_reachable(postgres_url: str) -> None:
    check_reachable(postgres_url)
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == []


def test_an_unknown_postgresql_database_is_one_line_without_the_password(postgres_url: str) -> None:
    url = sa.make_url(postgres_url).set(database="absent", password="secret")
    with pytest.raises(StoreError, match="absent") as caught:
        check_reachable(url.render_as_string(hide_password=False))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_migrating_makes_the_tables_and_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    migrate(f"sqlite:///{path}")
    before = _schema(path)
    migrate(f"sqlite:///{path}")
    assert "runs" in before
    assert _schema(path) == before


def test_migrating_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.execute("INSERT INTO alembic_version VALUES ('v3.2.0.a')")
    with pytest.raises(StoreError, match="another tracking URI"):
        migrate(f"sqlite:///{path}")


def test_migrating_a_server_is_left_to_it() -> None:
    migrate("http://127.0.0.1:1")  # nobody listens there: a request would raise


def _schema(path: Path) -> dict[str, str]:
    with sqlite3.connect(path) as connection:
        return dict(connection.execute("SELECT name, sql FROM sqlite_master").fetchall())


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql+psycopg://u@host:notaport/db",
        "http://host:notaport",
        "http://[::1",
        "sqlite:///" + "n" * 300 + ".db",
    ],
    ids=["port of a database", "port of a server", "IPv6", "long name"],
)
def test_an_address_that_is_none_is_one_line(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError) as caught:
        check_reachable(uri)
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


ADDRESSES = {
    "postgresql+psycopg://u@host:notaport/db": "is not an address",
    "http://host:notaport": "is not an address",
    "http://[::1": "is not an address",
    "http://": "names no host",
    "http://a b": "names no host",
    "http://host\x07": "names no host",
    "sqlite:": "is not an address",
    "sqlite://": "in memory is lost",
    "sqlite:///:memory:": "in memory is lost",
    "ftp://host/x": "'ftp' is not a kind of store",
}


@pytest.mark.parametrize("uri", ADDRESSES)
def test_an_address_is_looked_at_without_asking_what_it_leads_to(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=ADDRESSES[uri]) as caught:
        check_address(uri)
    assert str(caught.value).isprintable()
    kinds = {"http://127.0.0.1:1": "http", "postgresql://u:p@nowhere:5432/db": "postgresql", "sqlite:///a": "sqlite"}
    kinds |= {"mlruns": "", "file:mlruns": "file", "databricks": "databricks", "databricks://mine:prefix": "databricks"}
    assert {uri: check_address(uri) for uri in kinds} == kinds
    assert list(tmp_path.iterdir()) == []
