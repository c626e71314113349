"""A storage that cannot hold a search is refused in one line, and nothing is made in it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa

from rothamsted.errors import StoreError
from rothamsted.search import check_storage, find_search, open_queue
from rothamsted.search.sql.studies import REVISION
from rothamsted.search.storage import create_study
from rothamsted.space import Range, Space

SPACE = Space({"x": Range(low=0.0, high=1.0)})


def change(url: str, *statements: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as tx:
        for statement in statements:
            tx.execute(sa.text(statement))
    engine.dispose()


def tables_of(url: str) -> list[str]:
    engine = sa.create_engine(url)
    try:
        return sa.inspect(engine).get_table_names()
    finally:
        engine.dispose()


@pytest.mark.parametrize("url", ["mysql://u@h/d", "mssql+pyodbc://u@h/d", "redis://h", "postgresql+pg8000://u@h/d"])
def test_another_database_is_refused_with_the_two_that_can(url: str) -> None:
    with pytest.raises(StoreError, match="cannot hold a search, SQLite and PostgreSQL can; write") as refused:
        check_storage(url)
    assert "\n" not in str(refused.value)
    with pytest.raises(StoreError, match="cannot hold a search"):
        create_study(url, "s", ["minimize"])


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://u@host:notaport/db",
        "sqlite:///a\0b.db",
        "sqlite:///" + "n" * 300,
        "sqlite:////dev/null/a.db",
        "postgresql://u@[host/db",
        "sqlite:///file:a?mode=memory&uri=true",
    ],
    ids=["port", "NUL", "long name", "below a device", "bracket", "in memory"],
)
def test_an_address_that_is_none_is_one_line_and_makes_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError) as refused:
        check_storage(url)
    assert str(refused.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_not_printed() -> None:
    with pytest.raises(StoreError) as refused:
        check_storage("mysql://me:secret@host/d")
    assert "secret" not in str(refused.value)


def test_a_check_of_an_empty_database_makes_nothing(storage_url: str, tmp_path: Path) -> None:
    check_storage(storage_url)
    assert find_search(storage_url, "s") is None
    if storage_url.startswith("sqlite"):
        assert list(tmp_path.iterdir()) == []
    else:
        assert tables_of(storage_url) == []


def test_optunas_own_tables_are_accepted(storage_url: str) -> None:
    optuna.create_study(storage=storage_url, study_name="other")
    check_storage(storage_url)
    assert find_search(storage_url, "s") is None


def test_tables_of_an_older_optuna_are_refused_until_optunas_own_command_has_upgraded_them(tmp_path: Path) -> None:
    # v3.0.0.d is what Optuna 3.0 and 3.1 made: the index of v3.2.0.a is all that is missing.
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    optuna.create_study(storage=url, study_name="other")
    change(
        url,
        "UPDATE alembic_version SET version_num = 'v3.0.0.d'",
        "DROP INDEX ix_trials_study_id",
    )
    for refused_by in (check_storage, lambda url: find_search(url, "s")):
        with pytest.raises(StoreError, match=r"older Optuna \(v3.0.0.d, needed: v3.2.0.a\)") as refused:
            refused_by(url)
    way_out = str(refused.value).partition("upgrade them with ")[2]
    assert way_out.startswith("optuna storage upgrade")
    command = [sys.executable, "-c", "from optuna.cli import main; main()", *shlex.split(way_out)[1:]]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    check_storage(url)


def test_tables_from_before_optuna_numbered_their_revisions_are_refused_as_older(storage_url: str) -> None:
    optuna.create_study(storage=storage_url, study_name="other")
    change(storage_url, "DROP TABLE alembic_version", "UPDATE version_info SET schema_version = 11")
    with pytest.raises(StoreError, match=r"older Optuna \(schema 11, .*optuna storage upgrade --storage"):
        check_storage(storage_url)


def test_tables_of_a_newer_optuna_are_refused(storage_url: str) -> None:
    optuna.create_study(storage=storage_url, study_name="other")
    change(storage_url, "UPDATE alembic_version SET version_num = 'v12.0.0.a'")
    with pytest.raises(StoreError, match=rf"newer Optuna \(v12.0.0.a, known: {REVISION}\); give another"):
        check_storage(storage_url)


def test_tables_without_a_column_that_is_written_are_refused(storage_url: str) -> None:
    optuna.create_study(storage=storage_url, study_name="other")
    change(storage_url, "ALTER TABLE trial_values RENAME COLUMN value_type TO kind")
    with pytest.raises(StoreError, match=r"no column trial_values.value_type"):
        check_storage(storage_url)


def test_tables_with_a_column_that_must_be_filled_and_is_unknown_are_refused(postgres_url: str) -> None:
    optuna.create_study(storage=postgres_url, study_name="other")
    change(postgres_url, "ALTER TABLE trials ADD COLUMN owner TEXT NOT NULL")
    with pytest.raises(StoreError, match=r"unknown column trials.owner"):
        check_storage(postgres_url)


def test_a_study_of_optunas_own_with_other_directions_is_refused_and_left_alone(storage_url: str) -> None:
    optuna.create_study(storage=storage_url, study_name="s", direction="maximize")
    with pytest.raises(StoreError, match="with other directions than minimize"):
        create_study(storage_url, "s", ["minimize"], attributes={"mine": 1})
    assert optuna.load_study(storage=storage_url, study_name="s").user_attrs == {}


def test_a_queue_of_a_study_that_is_not_there_is_one_line_and_makes_none(storage_url: str) -> None:
    create_study(storage_url, "other", ["minimize"])
    with pytest.raises(StoreError, match="no sweep called 's' here"):
        open_queue(storage_url, "s", space=SPACE, sampler="random", seed=0, direction="minimize")
    assert optuna.get_all_study_names(storage_url) == ["other"]
