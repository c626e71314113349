"""The command `doctor`: what it says, what it asks, what lies beside the databases, and a repair that is killed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from rothamsted.cli.main import main
from rothamsted.inventory.care.doctor import look_over
from rothamsted.inventory.care.repair import repair
from rothamsted.records import MetricPoint
from rothamsted.tracking import migrate, open_recorder
from rothamsted.tracking.batch import Batch, Fence
from rothamsted.tracking.kept_back import FOLDER, KeptBack
from tests.inventory.caring import doctor, kinds, swept
from tests.inventory.faults_of_rows import A_REPLICATE, CONFIRMED, DEAD, OF, gone
from tests.inventory.test_deleted_elsewhere import two_urls
from tests.sweeping.conftest import Project
from tests.sweeping.power_cut import PowerCut, power
from tests.tracking.conftest import server_uri, sqlite_template

__all__ = ["server_uri", "sqlite_template", "two_urls"]
LONG_AGO = 1.0e9


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount, statement


def damage(root: Path) -> None:
    """A lease that is left, a decider that is gone, a run that runs, a replicate that is gone, one of no trial."""
    of_no_trial = OF.format(key="trial", value="0")
    change(
        root / "optuna.db",
        "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (1, 'rothamsted:lease', '{}')",
        f"UPDATE study_user_attributes SET value_json = json_set(value_json, '$.how', 'deciding', '$.holder', '{DEAD}')"
        " WHERE key = 'rothamsted:sweep_lease'",
    )
    one = sqlite3.connect(root / "mlflow.db").execute(f"SELECT run_uuid FROM runs WHERE run_uuid IN {A_REPLICATE}")
    change(
        root / "mlflow.db",
        *gone(f"('{one.fetchone()[0]}')"),
        f"UPDATE runs SET status = 'RUNNING' WHERE run_uuid IN {OF.format(key='role', value='sweep')}",
        f"UPDATE tags SET value = '5' WHERE key = 'rothamsted.seed' AND run_uuid IN {of_no_trial}",
    )


def test_the_table_says_what_how_many_which_and_what_a_repair_does(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert swept(project) == 0
    capsys.readouterr()
    assert main(["doctor"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    damage(project.root)
    project.altered.append("damaged")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "the lease of a trial that does not run" in out
    assert "and 0 more" not in out
    assert "it ends as KILLED, and goes on in the same run" in " ".join(out.split())
    assert "rothamsted doctor --repair repairs" in out
    assert main(["doctor", "--repair", "--yes"]) == 0
    assert "not finished: toys; the command that started a sweep goes on with it" in capsys.readouterr().out


def test_without_an_answer_nothing_is_mended(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert swept(project) == 0
    damage(project.root)
    project.altered.append("damaged")
    before = doctor(capsys)[1]["findings"]
    assert main(["doctor", "--repair"]) == 2  # the input of a test is no terminal
    assert "give --yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda: "n")
    assert main(["doctor", "--repair"]) == 1
    assert doctor(capsys)[1]["findings"] == before


def test_a_repair_that_is_killed_anywhere_leaves_nothing_worse(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert swept(project, CONFIRMED) == 0
    damage(project.root)
    where = {"uri": project.tracking_uri, "storage": project.storage}
    n_before = len(look_over([], **where, home=project.root).damages)
    n_killed = 0
    for at in range(20):
        findings = look_over([], **where, home=project.root)
        assert len(findings.damages) <= n_before
        try:
            with power(at):
                repair(findings, **where)
        except PowerCut:
            n_killed += 1
            continue
        break
    assert n_killed >= 2
    assert doctor(capsys)[1]["findings"] == []
    assert swept(project, CONFIRMED) == 0  # at its end the project compares what both readers say
    assert doctor(capsys)[1]["findings"] == []


def test_folders_of_runs_that_are_gone_are_found_after_an_hour(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert swept(project) == 0
    root = project.root / "mlruns" / "0"
    old, young, other = (root / name for name in ("a" * 32, "b" * 32, "of another program"))
    for folder in (old, young, other):
        (folder / "artifacts").mkdir(parents=True)
    os.utime(old, (LONG_AGO, LONG_AGO))
    os.utime(other, (LONG_AGO, LONG_AGO))
    status, found = doctor(capsys)
    assert (status, [one["what"] for one in found["findings"]]) == (1, [str(old)])
    status, found = doctor(capsys, "--repair", "--yes")  # they may be of another store, whose runs nobody knows here
    assert (status, found["mended"]) == (1, 0)
    assert "no other tracking store" in found["findings"][0]["way_out"]
    assert (old.exists(), young.exists(), other.exists()) == (True, True, True)
    assert doctor(capsys, "--repair", "--folders", "--yes")[0] == 0
    assert (old.exists(), young.exists(), other.exists()) == (False, True, True)
    assert doctor(capsys, "toys")[0] == 0


def test_what_waits_for_another_server_is_said_and_left(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert swept(project) == 0
    kept = KeptBack(project.root / FOLDER, "http://away:5000")
    batch = Batch()
    batch.add("a" * 32, metrics=[MetricPoint("loss", 1.0, 0, 0)])
    kept.keep(batch, Fence(tokens={}, new=frozenset()))
    assert doctor(capsys)[0] == 0  # its process lives
    kept.let_go()
    status, found = doctor(capsys, "--repair", "--yes")
    assert (status, kinds(found)) == (1, ["undelivered"])
    assert "MLFLOW_TRACKING_URI" in found["findings"][0]["way_out"]
    assert len(list((project.root / FOLDER).iterdir())) == 1


@pytest.mark.parametrize(("database", "says"), [("mlflow.db", "MLflow"), ("optuna.db", "Optuna")])
def test_tables_of_another_version_are_refused_with_the_engines_own_line(
    project: Project, capsys: pytest.CaptureFixture[str], database: str, says: str
) -> None:
    assert swept(project) == 0
    change(project.root / database, "UPDATE alembic_version SET version_num = 'v9.9.9.z'")
    from rothamsted.tracking.sql import schema

    schema._good.clear()  # what this process has seen before
    project.altered.append("the tables are of no version")
    capsys.readouterr()
    assert main(["doctor"]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    change(project.root / database, "UPDATE alembic_version SET version_num = 'v3.2.0.a'")


def test_postgresql_is_looked_over_and_mended_as_sqlite_is(
    empty_project: Project,
    two_urls: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store, storage = two_urls
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    migrate(store)
    changes = {**CONFIRMED, "storage": storage}
    assert swept(empty_project, changes) == 0
    where = f"storage={storage}"
    assert doctor(capsys, where)[1]["findings"] == []
    for url, statements in (
        (
            store,
            (
                f"UPDATE runs SET status = 'RUNNING' WHERE run_uuid IN {OF.format(key='role', value='sweep')}",
                f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid IN {A_REPLICATE}",
                "UPDATE latest_metrics SET value = value + 1 WHERE key = 'train_loss' AND run_uuid IN "
                + OF.format(key="trial", value="0"),
            ),
        ),
        (
            storage,
            (
                "UPDATE trial_values SET value = value + 1 WHERE trial_id = 1",
                "UPDATE trials SET state = 'RUNNING' WHERE trial_id = 2",
            ),
        ),
    ):
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            for statement in statements:
                assert connection.execute(sa.text(statement)).rowcount, statement
    status, found = doctor(capsys, where)
    assert (status, set(kinds(found))) == (
        1,
        {"stale run", "trial without run", "latest value", "different result", "stale trial"},
    )
    assert doctor(capsys, where, "--repair", "--yes")[0] == 0
    assert swept(empty_project, changes) == 0
    assert doctor(capsys, where)[1]["findings"] == []


@pytest.mark.slow
def test_through_a_server_what_it_can_be_asked_is_compared_and_the_rest_is_said(
    empty_project: Project, server_uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server_uri)
    assert swept(empty_project, CONFIRMED) == 0
    status, found = doctor(capsys)
    assert (status, found["findings"]) == (0, [])
    assert [line for line in found["notes"] if line.startswith("of a tracking server only the runs are checked")]
    with open_recorder(server_uri) as recorder:
        [run_id] = [one["run_id"] for one in _runs(server_uri, "sweep")]
        recorder.resume_run(run_id)
    change(empty_project.root / "optuna.db", "UPDATE trial_values SET value = value + 1 WHERE trial_id = 1")
    status, found = doctor(capsys)
    assert (status, set(kinds(found))) == (1, {"stale run", "different result"})
    assert doctor(capsys, "--repair", "--yes")[0] == 0
    assert doctor(capsys)[1]["findings"] == []
    empty_project.altered.append("the runs are on the server, not where the project's end looks for them")


def _runs(uri: str, role: str) -> list[dict[str, str]]:
    from rothamsted import tags
    from rothamsted.tracking import find_runs

    return [{"run_id": one.run_id} for one in find_runs(None, {tags.ROLE: role}, uri=uri)]
