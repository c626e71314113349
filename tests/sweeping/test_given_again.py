"""The same command on a finished sweep: it says the same and writes nothing, until something has changed."""

from __future__ import annotations

import hashlib
import io
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from rich.console import Console
from sqlalchemy import event

from rothamsted import api, tags
from rothamsted.executors import InProcessExecutor
from rothamsted.result import SessionResult
from rothamsted.sweeping.open.from_file import load
from rothamsted.tracking import find_runs
from tests.sweeping.conftest import Project

SWEEP: dict[str, Any] = {
    "space": {"lr": [0.1, 0.3]},
    "replicates": {"count": 2},
    "execution": {"report": True},
    "confirm": {"keep": 1, "replicates": 2},
}
IS_PUBLISHED = "replicates are done already, and its result is published"


def given(project: Project, changes: dict[str, Any] | None = None) -> tuple[SessionResult, str]:
    """The command, with its worker in this process: its result, and what it prints."""
    sweep, study = load(project.write({**SWEEP, **(changes or {})}), {}, project.root)
    console = Console(file=io.StringIO(), width=200)
    result = api.run(sweep, study, project.place, executor=InProcessExecutor(), console=console)
    return result, console.file.getvalue()  # type: ignore[attr-defined]


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement that this process sends to a database by SQLAlchemy."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(sa.Engine, "before_cursor_execute", note)


def files(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file below a folder: its digest, and when it was written; SQLite's logs are copied back first."""
    for database in folder.glob("*.db"):
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    of_sqlite = ("-wal", "-shm")
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    paths = [path for path in paths if not path.name.endswith(of_sqlite)]
    return {str(p): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in paths}


def test_the_command_given_again_prints_the_same_result_and_changes_no_file(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write(SWEEP)
    capsys.readouterr()
    assert project.here("sweep", "sweep.yaml") == 0
    first = capsys.readouterr().out
    before = files(project.root)
    assert project.here("sweep", "sweep.yaml") == 0
    again = capsys.readouterr().out
    assert IS_PUBLISHED in again
    assert files(project.root) == before
    result = first[first.index("Best conditions by") :]
    assert again.endswith(result)
    assert "report: artifact report/report.html" in result


def test_it_sends_no_write_and_as_many_queries_for_many_conditions_as_for_few(project: Project) -> None:
    sent: list[int] = []
    for name, n_conditions in (("few", 2), ("many", 12)):
        changes = {"name": name, "space": {"lr": [0.1 + 0.01 * k for k in range(n_conditions)]}}
        first, _ = given(project, changes)
        with statements() as seen:
            again, printed = given(project, changes)
        assert IS_PUBLISHED in printed
        assert again.analysis.ranking == first.analysis.ranking
        writing = ("INSERT", "UPDATE", "DELETE", "BEGIN IMMEDIATE", "CREATE", "DROP", "ALTER", "REPLACE")
        assert [one for one in seen if one.lstrip().upper().startswith(writing)] == []
        sent.append(len(seen))
    assert sent[0] == sent[1]


def test_without_a_report_it_says_the_same_too(project: Project) -> None:
    changes = {"execution": {"report": False}}
    given(project, changes)
    _, printed = given(project, changes)
    assert IS_PUBLISHED in printed
    assert "report:" not in printed


def sweep_folder(project: Project) -> Path:
    [run] = find_runs(None, {tags.ROLE: "sweep"}, uri=project.tracking_uri)
    return Path(str(MlflowClient(project.tracking_uri).get_run(run.run_id).info.artifact_uri).removeprefix("file://"))


def delete_report(project: Project) -> None:
    shutil.rmtree(sweep_folder(project) / "report")


def rewrite_table(project: Project) -> None:
    table = sweep_folder(project) / "statistics" / "conditions.csv"
    table.write_text(table.read_text().replace("0.95", "0.9"))


def delete_replicate(project: Project) -> None:
    [run, *_] = find_runs(None, {tags.ROLE: "replicate", tags.PHASE: "search"}, uri=project.tracking_uri)
    MlflowClient(project.tracking_uri).delete_run(run.run_id)


@pytest.mark.parametrize("happens", [delete_report, rewrite_table, delete_replicate])
def test_it_publishes_anew_once_what_lies_there_is_not_what_was_published(
    project: Project, happens: Callable[[Project], None]
) -> None:
    project.altered.append("a file, or a run")
    given(project)
    happens(project)
    _, printed = given(project)
    assert IS_PUBLISHED not in printed
    assert (sweep_folder(project) / "report" / "report.html").is_file()
    _, printed = given(project)
    assert IS_PUBLISHED in printed


@pytest.mark.parametrize(
    "changes",
    [
        {"execution": {"report": True, "retries": 2}},
        {"execution": {"report": False}},
        {"confirm": {"keep": 2, "replicates": 2}},
    ],
    ids=["retries", "no report", "one more winner"],
)
def test_it_publishes_anew_what_another_file_asks_for(project: Project, changes: dict[str, Any]) -> None:
    given(project)
    _, printed = given(project, changes)
    assert IS_PUBLISHED not in printed
    _, printed = given(project, changes)
    assert IS_PUBLISHED in printed


def test_it_publishes_anew_what_another_version_has_published(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(project)
    monkeypatch.setattr("rothamsted.sweeping.open.over.__version__", "0.0.1")
    assert IS_PUBLISHED not in given(project)[1]
    assert IS_PUBLISHED in given(project)[1]


FAILING: dict[str, Any] = {"confirm": None, "parameters": {"steps": 20, "n_points": 5, "fail_at_seed": 1}}


def test_a_replicate_that_failed_for_good_is_not_tried_again_and_with_more_retries_it_is(project: Project) -> None:
    result, _ = given(project, FAILING)
    assert {one.outcome for one in result.analysis.dataset.replicates} == {"finished", "failed"}
    assert IS_PUBLISHED in given(project, FAILING)[1]
    _, printed = given(project, {**FAILING, "execution": {"report": True, "retries": 1}})
    assert IS_PUBLISHED not in printed
    assert "replicate 1 failed" in printed


def test_a_replicate_that_was_lost_to_crashes_alone_is_tried_again(project: Project) -> None:
    project.altered.append("how often a replicate failed")
    given(project, FAILING)
    engine = sa.create_engine(project.storage)
    with engine.begin() as tx:
        changed = tx.execute(
            sa.text("UPDATE trial_user_attributes SET value_json = '{}' WHERE key = :key"), {"key": tags.ATTEMPTS}
        )
    engine.dispose()
    assert changed.rowcount == 2
    _, printed = given(project, FAILING)
    assert IS_PUBLISHED not in printed
    assert "replicate 1 failed" in printed
