"""One fault at a time, put in by SQL: it is found, named and mended, and the analysis is what it was."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rothamsted.analysis.analyze import QUICK, Settings, analyze
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.cli.main import main
from rothamsted.tracking.sql.engines import let_go
from tests.inventory.caring import doctor, kinds, swept
from tests.inventory.faults_of_rows import (
    A_REPLICATE,
    CONFIRMED,
    LEFT,
    MENDED_AT_ONCE,
    MENDED_BY_THE_COMMAND,
    THE_RUN,
    TRIAL,
    gone,
)
from tests.sweeping.conftest import Project, toy_project


@dataclass(kw_only=True)
class Damaged:
    """A finished sweep whose databases are put back before each test."""

    project: Project
    kept: Path
    numbers: dict[str, Any] = field(default_factory=dict)

    def put_back(self) -> None:
        let_go(self.project.tracking_uri)
        for name in ("mlflow.db", "optuna.db"):
            for old in self.project.root.glob(f"{name}*"):
                old.unlink()
            shutil.copy(self.kept / name, self.project.root / name)
        shutil.rmtree(self.project.root / "mlruns")
        shutil.copytree(self.kept / "mlruns", self.project.root / "mlruns")

    def keep(self) -> None:
        let_go(self.project.tracking_uri)
        for name in ("mlflow.db", "optuna.db"):
            with closing(sqlite3.connect(self.project.root / name)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy(self.project.root / name, self.kept / name)
        shutil.copytree(self.project.root / "mlruns", self.kept / "mlruns")
        self.numbers = analysis(self.project)

    def change(self, database: str, *statements: str, **values: Any) -> None:
        with closing(sqlite3.connect(self.project.root / f"{database}.db")) as connection, connection:
            for statement in statements:
                changed = connection.execute(statement, values)
                assert changed.rowcount, statement  # a fault that changes nothing tests nothing

    def ask(self, database: str, query: str) -> Any:
        with closing(sqlite3.connect(self.project.root / f"{database}.db")) as connection:
            return connection.execute(query).fetchone()[0]


def analysis(project: Project) -> dict[str, Any]:
    """What an analysis of the record says of the sweep."""
    found = analyze(read_sweep("toys", uri=project.tracking_uri), Settings(), parts=QUICK)
    return {
        "ranking": list(found.ranking),
        "means": [one.statistics["mean"] for one in found.objective],
        "n": [one.n for one in found.objective],
        "confirmed": [one.mean for one in found.confirmed],
        "is_complete": found.dataset.is_complete,
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]) -> Iterator[Damaged]:
    folder = tmp_path_factory.mktemp("damaged")
    with toy_project(folder) as project:
        project.altered.append("each test damages it")
        new_mlflow(folder)
        assert swept(project, CONFIRMED) == 0
        made = Damaged(project=project, kept=tmp_path_factory.mktemp("kept"))
        made.keep()
        yield made


@pytest.fixture
def sweep(finished: Damaged) -> Damaged:
    finished.put_back()
    return finished


@pytest.mark.parametrize("what", MENDED_AT_ONCE)
def test_a_fault_is_found_and_named_and_mended(what: str, sweep: Damaged, capsys: pytest.CaptureFixture[str]) -> None:
    database, statements, expected = MENDED_AT_ONCE[what]
    if what == "a run of no trial":
        sweep.change("mlflow", *MENDED_AT_ONCE["a replicate twice"][1])
    sweep.change(database, *statements)
    status, found = doctor(capsys)
    assert (status, set(kinds(found))) == (1, expected)
    assert all(one["repair"] for one in found["findings"])
    status, found = doctor(capsys, "--repair", "--yes")
    assert (status, found["mended"], found["left"]) == (0, len(found["findings"]), [])
    assert doctor(capsys)[1]["findings"] == []  # mended once, there is nothing to do
    assert swept(sweep.project, CONFIRMED) == 0  # what was given back is done again
    assert analysis(sweep.project) == sweep.numbers
    assert doctor(capsys)[0] == 0


@pytest.mark.parametrize("what", LEFT)
def test_what_nobody_can_know_is_said_and_left(what: str, sweep: Damaged, capsys: pytest.CaptureFixture[str]) -> None:
    database, statements, expected = LEFT[what]
    sweep.change(database, *statements)
    status, found = doctor(capsys)
    assert (status, set(kinds(found))) == (1, expected)
    left = [one for one in found["findings"] if not one["repair"]]
    assert left
    assert all(one["way_out"] for one in left)
    doctor(capsys, "--repair", "--yes")
    status, found = doctor(capsys)
    assert (status, found["findings"]) == (1, left)


def test_an_attribute_that_is_no_json_is_one_line(sweep: Damaged, capsys: pytest.CaptureFixture[str]) -> None:
    sweep.change(
        "optuna",
        f"UPDATE trial_user_attributes SET value_json = '{{' WHERE key = 'rothamsted:result' AND trial_id = {TRIAL}",
    )
    assert main(["doctor"]) == 2
    err = capsys.readouterr().err
    assert (err.count("\n"), "is not JSON" in err) == (1, True)


def test_tags_and_leases_that_somebody_made_up_break_nothing(
    sweep: Damaged, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep.change(
        "mlflow",
        f"UPDATE tags SET value = '\x1b[31m' WHERE key IN ('rothamsted.trial', 'rothamsted.replicate') "
        f"AND run_uuid IN {A_REPLICATE}",
    )
    sweep.change(
        "optuna",
        "INSERT INTO trial_user_attributes (trial_id, key, value_json) "
        f'VALUES ({TRIAL}, \'rothamsted:lease\', \'{{"worker": "me", "expires": 1e12}}\')',
    )
    status, found = doctor(capsys)
    assert (status, set(kinds(found))) == (1, {"different result", "lease left"})
    assert main(["doctor"]) == 1
    assert "\x1b" not in capsys.readouterr().out


def test_a_sweep_whose_run_is_gone_is_named(sweep: Damaged, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = sweep.ask("mlflow", f"SELECT run_uuid FROM runs WHERE run_uuid IN {THE_RUN}")
    sweep.change("mlflow", *gone(f"('{run_id}')"))
    status, found = doctor(capsys, "toys")
    assert (status, kinds(found)) == (1, ["search without run"])
    assert found["findings"][0]["way_out"] == "rothamsted delete toys removes what is left of it"
    assert main(["delete", "toys", "--yes"]) == 0
    assert sweep.ask("mlflow", "SELECT count(*) FROM runs") == 0
    assert doctor(capsys)[1]["looked_over"] == []


def test_a_published_table_that_is_gone_is_published_again(sweep: Damaged, capsys: pytest.CaptureFixture[str]) -> None:
    [table] = (sweep.project.root / "mlruns").rglob("conditions.csv")
    whole = table.read_bytes()
    table.unlink()
    status, found = doctor(capsys)
    assert (status, kinds(found)) == (1, ["missing file"])
    assert doctor(capsys, "--repair", "--yes")[0] == 0
    assert swept(sweep.project, CONFIRMED) == 0
    assert table.read_bytes() == whole
    assert doctor(capsys)[0] == 0


def test_artifacts_of_a_replicate_that_are_gone_are_named(sweep: Damaged, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = sweep.ask("mlflow", f"SELECT run_uuid FROM runs WHERE run_uuid IN {A_REPLICATE}")
    [folder] = (sweep.project.root / "mlruns").rglob(run_id)
    shutil.rmtree(folder)
    status, found = doctor(capsys)
    assert (status, kinds(found)) == (1, ["missing file"])
    assert found["findings"][0]["what"] == f"run {run_id}, config.json"


@pytest.mark.parametrize("what", MENDED_BY_THE_COMMAND)
def test_runs_that_are_gone_are_made_again_by_the_sweeps_command(
    what: str, sweep: Damaged, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = sweep.ask("mlflow", f"SELECT run_uuid FROM runs WHERE run_uuid IN {MENDED_BY_THE_COMMAND[what]}")
    sweep.change("mlflow", *gone(f"('{run_id}')"))
    status, found = doctor(capsys)
    assert (status, set(kinds(found))) == (1, {"trial without run"})
    assert doctor(capsys, "--repair", "--yes")[0] == 0
    assert doctor(capsys)[1]["findings"] == []
    assert swept(sweep.project, CONFIRMED) == 0
    assert analysis(sweep.project) == sweep.numbers
    assert doctor(capsys)[0] == 0
    assert sweep.ask("mlflow", f"SELECT status FROM runs WHERE run_uuid = '{run_id}'") == "FINISHED"  # under its id
