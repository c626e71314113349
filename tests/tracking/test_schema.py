"""Databases of another MLflow: refused in one line by everything that writes or reads, and left as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db import utils as mlflow_db
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase

from rothamsted import tracking
from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.tracking.outer_run import check_experiment
from rothamsted.tracking.registry.model_lock import is_sql
from rothamsted.tracking.registry.registered import open_registry
from rothamsted.tracking.sql import schema
from rothamsted.tracking.sql.schema import misfit

RUN_ID = "0" * 32
CALLS: dict[str, Callable[[str], Any]] = {
    "check_reachable": tracking.check_reachable,
    "migrate": tracking.migrate,
    "open_recorder": tracking.open_recorder,
    "read_history": lambda uri: tracking.read_history([RUN_ID], uri=uri),
    "read_curves": lambda uri: tracking.read_curves([RUN_ID], uri=uri),
    "find_runs": lambda uri: tracking.find_runs(None, {}, uri=uri),
    "find_run": lambda uri: tracking.find_run(RUN_ID, uri=uri),
    "find_experiment": lambda uri: tracking.find_experiment("Default", uri=uri),
    "experiment_id": tracking.experiment_id,
    "list_files": lambda uri: tracking.list_files(RUN_ID, "", uri=uri),
    "is_sql": lambda uri: is_sql(open_registry(tracking_uri=uri)),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'mlflow.db'}"
    return request.getfixturevalue("postgres_url")


def make_one_revision_old(uri: str) -> str:
    """Make MLflow's tables by its own migrations, but for the last one; returns the revision."""
    config = _get_alembic_config(uri)
    scripts = ScriptDirectory.from_config(config)
    (head,) = scripts.get_heads()
    revision = scripts.get_revision(head).down_revision
    engine = sa.create_engine(uri, poolclass=sa.NullPool)
    InitialBase.metadata.create_all(engine)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return revision


def tables_of(uri: str) -> tuple[str | None, list[str]]:
    with sa.create_engine(uri, poolclass=sa.NullPool).connect() as connection:
        revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return revision, sorted(sa.inspect(connection).get_table_names())


def test_a_database_one_revision_old_is_refused_with_the_command_and_not_upgraded(database: str) -> None:
    revision = make_one_revision_old(database)
    before = tables_of(database)
    for name, call in CALLS.items():
        with pytest.raises(StoreError) as caught:
            call(database)
        assert f"mlflow db upgrade {masked(database)}" in str(caught.value).replace("'", ""), name
        assert "\n" not in str(caught.value)
    assert tables_of(database) == before
    assert before[0] == revision


def test_a_database_of_a_newer_mlflow_is_refused_and_left_alone(database: str) -> None:
    tracking.migrate(database)
    with sa.create_engine(database, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'ffffffffffff'"))
    before = tables_of(database)
    schema._good.clear()  # as another process, which has not seen it before
    for name, call in CALLS.items():
        with pytest.raises(StoreError) as caught:
            call(database)
        assert "(revision ffffffffffff) are of a newer MLflow" in str(caught.value), name
    assert tables_of(database) == before


def test_an_empty_database_gets_the_tables_of_the_installed_mlflow(database: str) -> None:
    with tracking.open_recorder(database) as recorder:
        run_id = recorder.open_run(experiment_id="0", name="first", tags={}, params={}, start_ms=1)
    assert [run.run_id for run in tracking.find_runs(None, {}, uri=database)] == [run_id]
    assert misfit(sa.create_engine(database, poolclass=sa.NullPool)) is None


def test_tables_whose_making_was_cut_off_are_made_to_the_end(database: str) -> None:
    # MLflow makes its first tables in one transaction and migrates them in the next: a process may die in between.
    InitialBase.metadata.create_all(sa.create_engine(database, poolclass=sa.NullPool))
    tracking.check_reachable(database)
    assert tracking.find_runs(None, {}, uri=database) == []
    tracking.migrate(database)
    assert misfit(sa.create_engine(database, poolclass=sa.NullPool)) is None


def test_a_store_whose_making_was_cut_off_before_its_first_experiment_is_made_to_the_end(database: str) -> None:
    # A sweep on PostgreSQL was killed there, and no later command got past "No Experiment with id=0 exists".
    mlflow_db._initialize_tables(sa.create_engine(database, poolclass=sa.NullPool))
    tracking.check_reachable(database)
    check_experiment(database)
    assert tracking.find_runs(None, {}, uri=database) == []
    with tracking.open_recorder(database) as recorder:
        run_id = recorder.open_run(experiment_id="0", name="first", tags={}, params={}, start_ms=1)
    schema._good.clear()  # as another process
    check_experiment(database)
    assert [run.run_id for run in tracking.find_runs(None, {}, uri=database)] == [run_id]


def test_tables_without_a_revision_in_which_something_stands_are_of_an_older_mlflow(database: str) -> None:
    engine = sa.create_engine(database, poolclass=sa.NullPool)
    InitialBase.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO experiments (experiment_id, name) VALUES (0, 'Default')"))
    with pytest.raises(StoreError, match=r"revision none\) are of an older MLflow"):
        tracking.migrate(database)


def test_a_column_that_must_be_given_and_is_unknown_is_a_misfit(postgres_url: str) -> None:
    tracking.migrate(postgres_url)
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE params ADD COLUMN unit TEXT NOT NULL"))
    assert misfit(engine) == "params.unit must be given"


def test_a_column_of_another_type_is_a_misfit(postgres_url: str) -> None:
    tracking.migrate(postgres_url)
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE metrics ALTER COLUMN step TYPE TEXT"))
    assert misfit(engine) == "metrics.step is TEXT"
