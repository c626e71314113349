"""Deleting a sweep from PostgreSQL, and from a tracking server, which deletes its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient

from rothamsted import tags
from rothamsted.cli.main import main
from rothamsted.inventory.sweeps import list_sweeps
from rothamsted.tracking import find_runs, migrate
from tests.inventory.test_deleted import CONFIRMED, files
from tests.inventory.test_listed import TWO
from tests.sweeping.conftest import Project
from tests.sweeping.same_result import check_readers_agree
from tests.tracking.conftest import server_uri, sqlite_template

__all__ = ["server_uri", "sqlite_template"]


@pytest.fixture
def two_urls(postgres_server: str) -> Iterator[tuple[str, str]]:
    """Two new PostgreSQL databases: MLflow and Optuna have a table of one name each."""
    names = [f"gone_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for name in names:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
    first, second = (sa.make_url(postgres_server).set(database=name) for name in names)
    yield first.render_as_string(hide_password=False), second.render_as_string(hide_password=False)
    with admin.connect() as connection:
        for name in names:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def swept(project: Project, name: str, storage: str) -> None:
    keys: dict[str, Any] = {**TWO, **CONFIRMED, "name": name, "storage": storage}
    assert main(["sweep", str(project.write(keys)), "execution.executor=in_process"]) == 0


def rows(url: str) -> dict[str, int]:
    """How many rows each table has; empty ones left out."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
        counts = {name: connection.execute(sa.text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in tables}
    return {name: n for name, n in counts.items() if n}


def test_a_sweep_in_postgresql_goes_whole_and_the_other_stays(
    empty_project: Project, two_urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, storage = two_urls
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    migrate(store)
    swept(empty_project, "keep", storage)
    before, kept = [rows(url) for url in two_urls], files(empty_project.root / "mlruns")
    swept(empty_project, "gone", storage)
    assert rows(store) != before[0]
    assert main(["delete", "gone", f"storage={storage}", "--yes"]) == 0
    assert [rows(url) for url in two_urls] == before
    assert files(empty_project.root / "mlruns") == kept


@pytest.mark.slow
def test_a_server_is_told_which_runs_are_deleted(
    empty_project: Project, server_uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server_uri)
    for name in ("keep", "gone"):
        swept(empty_project, name, empty_project.storage)
    capsys.readouterr()
    assert main(["delete", "gone", "--yes"]) == 0
    assert "mlflow gc" in capsys.readouterr().out  # their artifacts are the server's to remove
    assert [one.name for one in list_sweeps(uri=server_uri, storage=empty_project.storage)] == ["keep"]
    assert find_runs(None, {tags.SWEEP: "gone"}, uri=server_uri) == []
    deleted = MlflowClient(server_uri).search_runs(["0"], f"tags.`{tags.SWEEP}` = 'gone'", run_view_type=2)
    # The sweep, two conditions of three seeds, and the confirmation of two.
    assert len(deleted) == 1 + 2 + 6 + 1 + 2
    assert {run.info.lifecycle_stage for run in deleted} == {"deleted"}
    check_readers_agree(empty_project.storage, server_uri)
    empty_project.altered.append("the runs are on the server, not where the project's end looks for them")
