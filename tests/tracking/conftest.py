"""Real stores to write to: SQLite files, a PostgreSQL server and an MLflow server on this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from rothamsted.tracking import Recorder, migrate, open_recorder
from rothamsted.tracking.client_writer import ClientWriter
from rothamsted.tracking.sql.engines import let_go
from tests.tracking.stores import Store

SERVER_START_SECONDS = 240  # a busy machine imports MLflow for minutes


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Making MLflow's tables takes two seconds: once, then the file is copied."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    migrate(f"sqlite:///{path}")
    for_mlflow = SqlAlchemyStore._engine_map.pop(f"sqlite:///{path}", None)
    if for_mlflow is not None:
        for_mlflow.dispose()
    let_go(f"sqlite:///{path}")  # the last to close empties the log into the file
    return path


@pytest.fixture
def sqlite_uri(sqlite_template: Path, tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "mlflow.db"
    shutil.copyfile(sqlite_template, path)
    uri = f"sqlite:///{path}"
    yield uri
    engine = SqlAlchemyStore._engine_map.pop(uri, None)
    if engine is not None:
        engine.dispose()
    let_go(uri)


@pytest.fixture(scope="session")
def postgresql_uri(postgres_server: str) -> Iterator[str]:
    """One database for all: making the tables takes two seconds, and each test has its own experiment."""
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE tracking"))
    uri = sa.make_url(postgres_server).set(database="tracking").render_as_string(hide_password=False)
    migrate(uri)
    yield uri
    SqlAlchemyStore._engine_map.pop(uri).dispose()
    let_go(uri)


@pytest.fixture(scope="session")
def server_uri(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copyfile(sqlite_template, folder / "mlflow.db")
    process = start_server(folder, port := free_port())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_server(folder: Path, port: int, *options: str, **settings: str) -> subprocess.Popen[bytes]:
    """An MLflow server on a folder with a database, when it answers; `settings` are variables of its environment."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts"), *options]
    environment = {**os.environ, **settings}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    _wait_until_healthy(f"http://127.0.0.1:{port}", process, folder / "log")
    return process


@pytest.fixture(params=["sqlite", "postgresql", "client", pytest.param("server", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each kind of store with the recorder that serves it; "client" is the client's writer over SQLite."""
    kind = request.param
    uri = request.getfixturevalue({"client": "sqlite_uri"}.get(kind, f"{kind}_uri"))
    location = None if kind == "server" else str(tmp_path / "artifacts")
    experiment_id = MlflowClient(uri).create_experiment(f"of {uuid.uuid4().hex}", artifact_location=location)
    opened = (lambda: Recorder(ClientWriter(uri))) if kind == "client" else (lambda: open_recorder(uri))
    return Store(kind=kind, uri=uri, experiment_id=experiment_id, open=opened)


def _wait_until_healthy(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SERVER_START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    if process.poll() is None:
        os.killpg(process.pid, 9)
    raise RuntimeError(f"the MLflow server did not come up:\n{log.read_text()[-3000:]}")
