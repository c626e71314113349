"""Deleting a sweep: all that belongs to it goes, nothing else, and never while somebody works on it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
import pytest

from rothamsted.cli.main import main
from rothamsted.inventory.sweeps import list_sweeps
from rothamsted.tracking import find_runs
from rothamsted.tracking.registry.registered import open_registry
from tests.inventory.test_listed import TWO, finished
from tests.sweeping.conftest import Project, stop_in_replicate
from tests.sweeping.in_this_process import in_this_process, use
from tests.sweeping.test_contest import TOYS, contest

CONFIRMED: dict[str, Any] = {"confirm": {"keep": 1, "replicates": 2}}


def rows(path: Path) -> dict[str, int]:
    """How many rows each table of a database has; empty ones left out."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counts = {table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}
    return {table: n for table, n in counts.items() if n}


def files(folder: Path) -> set[Path]:
    """What is below a folder, but for what SQLite keeps beside an open database, whoever has it open."""
    found = {path for path in folder.rglob("*") if path.is_file()} if folder.exists() else set()
    return {path for path in found if not path.name.endswith(("-wal", "-shm"))}


def test_what_a_sweep_left_goes_and_what_others_left_stays(project: Project) -> None:
    finished(project, {"name": "keep", **CONFIRMED})
    before = {name: rows(project.root / name) for name in ("mlflow.db", "optuna.db")}
    kept = files(project.root / "mlruns")
    finished(project, {"name": "gone", **CONFIRMED})
    assert files(project.root / "mlruns") > kept
    assert main(["delete", "gone", "--yes"]) == 0
    for name, counts in before.items():
        assert sorted(rows(project.root / name).items()) == sorted(counts.items())
    assert files(project.root / "mlruns") == kept


def test_all_stages_go_with_any_of_them(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    stages = [{"parameters": {"steps": 2}}, {"keep": 1, "parameters": {"steps": 4}}]
    path = project.write({**TWO, "parameters": {"n_points": 2}, "stages": stages, **CONFIRMED})
    assert main(["sweep", str(path), "execution.executor=in_process"]) == 0
    capsys.readouterr()
    assert main(["delete", "toys.stage2", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "Optuna study toys.stage2, a later stage" in said
    assert "Optuna study toys.stage2.confirm, its confirmation" in said
    assert list_sweeps(uri=project.tracking_uri, storage=project.storage) == []
    assert set(rows(project.root / "optuna.db")) == {"version_info", "alembic_version"}


def test_checkpoints_go_too(project: Project) -> None:
    slow = {"execution": {"checkpoint_every": 1e-6}, "parameters": {"steps": 20, "n_points": 20}}
    with project.start({**TWO, **slow}) as opened:
        project.work(opened, should_stop=stop_in_replicate(2, 5))
    assert files(project.root / "checkpoints")
    assert main(["delete", "toys", "--yes"]) == 0
    assert not files(project.root / "checkpoints")


def test_a_sweep_that_runs_is_not_deleted(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    with project.start(TWO):
        assert main(["delete", "toys", "--yes"]) == 2
    assert "works on it; stop it first" in capsys.readouterr().err
    assert len(list_sweeps(uri=project.tracking_uri, storage=project.storage)) == 1


def test_without_a_yes_nothing_is_deleted(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(project, {})
    assert main(["delete", "toys"]) == 2  # the input of a test is no terminal
    told = capsys.readouterr()
    assert "MLflow: 9 runs".replace(" runs", "\N{NO-BREAK SPACE}runs") in told.out  # 1 sweep, 2 trials, 6 replicates
    assert "give --yes" in told.err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda: "n")
    assert main(["delete", "toys"]) == 3
    assert len(find_runs(None, {}, uri=project.tracking_uri)) == 9


def test_a_registered_version_that_needs_the_artifacts_keeps_the_sweep(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(project, {})
    [one] = list_sweeps(uri=project.tracking_uri, storage=project.storage)
    registry = open_registry(project.tracking_uri)
    registry.create_model("toy")
    replicate = find_runs(None, {"rothamsted.role": "replicate"}, uri=project.tracking_uri)[0]
    with mlflow.start_run(run_id=replicate.run_id):
        logged = mlflow.pyfunc.log_model(
            name="model", python_model=lambda model_input: model_input, pip_requirements=["numpy"]
        )
    registry.create_version("toy", model_uri=logged.model_uri, run_id=replicate.run_id, tags={})
    assert main(["delete", "toys", "--yes"]) == 2
    assert "toy version 1 in the registry needs its artifacts" in capsys.readouterr().err
    assert one.run_id in {run.run_id for run in find_runs(None, {}, uri=project.tracking_uri)}


def test_nothing_is_left_of_a_whole_sweep_with_stages_confirmation_and_contest(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, in_this_process)
    stages = [{"parameters": {"steps": 2}}, {"keep": 1, "parameters": {"steps": 4}}]
    changes = {
        **TWO,
        "parameters": {"n_points": 2},
        "stages": stages,
        **CONFIRMED,
        "execution": {"report": True, "tensorboard": True},
    }

    def sweep(name: str) -> None:
        assert main(["sweep", str(project.write({**changes, "name": name})), "execution.executor=in_process"]) == 0
        labels = {"name": f"{name}-against-toy-01234567", "contestants": TOYS[:1], "labels": ["champion"]}
        contest(project, **labels, seeds=(11, 12))

    sweep("keep")
    databases = {name: rows(project.root / name) for name in ("mlflow.db", "optuna.db")}
    before = {path for path in files(project.root) if ".db" not in path.name}
    sweep("gone")
    # What processes leave that are killed: a checkpoint, the files of a foreign process, what waits for a server.
    run = find_runs(None, {"rothamsted.sweep": "gone.stage2", "rothamsted.role": "sweep"}, uri=project.tracking_uri)[0]
    waiting = {
        "runs": {
            run.run_id: {
                "opening": None,
                "state": None,
                "tags": {},
                "params": {},
                "metrics": [],
                "replaced": [],
                "texts": {},
            }
        },
        "tokens": {},
        "new": [],
    }
    for path, text in {
        project.root / "checkpoints" / "gone.stage2" / run.run_id[-12:] / "0-0" / "1.safetensors": "x",
        project.root / ".rothamsted" / "output" / run.run_id / "output.txt": "x",
        project.root / "undelivered" / "0123456789ab-1-1.refused": json.dumps(waiting) + "\n",
    }.items():
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert main(["delete", "gone", "--yes"]) == 0
    assert {path for path in files(project.root) if ".db" not in path.name} == before | {project.root / "sweep.yaml"}
    for name, counts in databases.items():
        assert sorted(rows(project.root / name).items()) == sorted(counts.items())
    assert not (project.root / "undelivered").exists()


def test_what_a_killed_deletion_left_empty_goes_with_the_next(project: Project) -> None:
    finished(project, {"name": "gone"})
    [artifacts, *_] = (project.root / "mlruns").glob("*/*/artifacts")
    shutil.rmtree(artifacts)  # where it was killed: the folder of the run is removed next
    assert main(["delete", "gone", "--yes"]) == 0
    assert list((project.root / "mlruns").glob("*/*")) == []
