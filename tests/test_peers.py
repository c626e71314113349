"""The benchmark of peers counts what is lost and doubled, kills whole trees, and says why a peer cannot run."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmarks import peers
from benchmarks.peer_audit import Audit, audit
from benchmarks.peer_cases import Case, PeerError, kill_tree, killed, timed
from benchmarks.peer_loops import asked

CELLS = {(0.25, 0.5), (0.75, 0.5)}
# Notes the beginning of three trainings; the first two times that it is run it never gets beyond the first.
SEARCH = """
import sys, time
for _ in range(3):
    with open(sys.argv[1], "a") as notes:
        notes.write(f"{time.time()}\\n")
    with open(sys.argv[1]) as notes:
        if len(notes.readlines()) < 3:
            time.sleep(600)
"""


def log(path: Path, run_id: str, a: float, *, status: str = "FINISHED", steps: range = range(1, 11)) -> None:
    """A training's run as the fluent API leaves it: two curves of ten points."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO runs (run_uuid, name, status, lifecycle_stage, experiment_id) VALUES (?, ?, ?, 'active', 0)",
            (run_id, run_id, status),
        )
        params = [(key, str(value), run_id) for key, value in (("a", a), ("b", 0.5))]
        connection.executemany("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", params)
        points = [(key, 1.0, k, run_id, step) for key in ("train_loss", "val_loss") for k, step in enumerate(steps)]
        query = "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)"
        connection.executemany(query, points)
    connection.close()


def case_of(folder: Path, program: str) -> Case:
    command = [sys.executable, "-c", program, str(folder / "notes")]
    return Case(folder=folder, command=command, environment={}, a=[0.25, 0.75], b=[0.5], limit_seconds=60.0)


@pytest.fixture
def database(tmp_path: Path, new_mlflow: Callable[[Path], str]) -> Path:
    new_mlflow(tmp_path)
    return tmp_path / "mlflow.db"


def test_a_grid_with_each_cell_once_is_exact(database: Path) -> None:
    log(database, "r1", 0.25)
    log(database, "r2", 0.75)
    assert audit(database, CELLS).is_exact


def test_a_cell_that_ran_twice_is_doubled_and_one_that_never_ended_is_lost(database: Path) -> None:
    log(database, "r1", 0.25)
    log(database, "r2", 0.25)
    log(database, "r3", 0.75, status="RUNNING", steps=range(1, 4))
    assert audit(database, CELLS) == Audit(lost=1, doubled=1, broken=0, left_running=1)


@pytest.mark.parametrize("steps", [range(1, 10), range(1, 12)])
def test_a_finished_run_whose_curves_are_not_ten_points_is_broken(database: Path, steps: range) -> None:
    log(database, "r1", 0.25)
    log(database, "r2", 0.75, steps=steps)
    assert audit(database, CELLS) == Audit(lost=1, doubled=0, broken=1, left_running=0)


def test_a_peer_is_timed_several_times_and_the_median_of_each_figure_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = iter([9.0, 2.0, 1.0])
    monkeypatch.setitem(peers.CASES, "timed", lambda case: {"startup_seconds": next(starts), "whole_seconds": 4.0})
    row = peers.measure(peers.PEERS[0], tmp_path, n_cells=4, limit_seconds=60.0, cases=["timed"])
    assert (row.startup_seconds, row.whole_seconds, row.why) == (2.0, 4.0, "")  # of 9, 2 and 1 the median is 2
    assert list(starts) == []


def test_a_search_is_killed_twice_and_then_runs_to_its_end(database: Path) -> None:
    case = case_of(database.parent, SEARCH)
    killed(case)
    # 2 cells // 3 is 0, so the kill comes as soon as a training has begun, each time; then three more begin.
    assert len(case.noted()) == 1 + 1 + 3


def test_a_kill_reaches_the_children_too(tmp_path: Path) -> None:
    child = f"import time; open({str(tmp_path / 'up')!r}, 'w').close(); time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = psutil.Popen([sys.executable, "-c", parent])
    while not (tmp_path / "up").exists():
        assert process.poll() is None
    (member,) = process.children()
    kill_tree(process)
    assert not member.is_running()
    assert process.wait() == -9


def test_a_command_that_fails_is_one_line(database: Path) -> None:
    with pytest.raises(PeerError, match=r"^exit status 1: ValueError: no such thing$"):
        timed(case_of(database.parent, "raise ValueError('no such thing')"))


def test_every_environment_of_a_peer_has_its_requirements() -> None:
    text = peers.REQUIREMENTS.read_text(encoding="utf-8")
    names = {peer.environment for peer in peers.PEERS} - {None}
    assert {name: "mlflow==" in peers.requirements_of(str(name), text) for name in names} == dict.fromkeys(names, True)


def test_the_table_has_a_dash_where_there_is_no_figure_and_counts_in_ours() -> None:
    ours = peers.Row(peer="rothamsted", cells=8, ms_a_replicate=10.0, killed=audit_of(0), grid=audit_of(0))
    other = peers.Row(peer="other", cells=8, ms_a_replicate=250.0, grid=audit_of(2))
    broken = peers.Row(peer="broken", cells=8, why="it is not there")
    table = peers.markdown([ours, other, broken]).splitlines()
    assert table[3] == "| other | 250 | 25 | - | - | - | 2 doubled | 8 replicates |"
    assert table[4] == "| broken | - | - | - | - | - | - | 8 replicates; it is not there |"


def audit_of(n_doubled: int) -> Audit:
    return Audit(lost=0, doubled=n_doubled, broken=0, left_running=0)


def test_a_loop_reads_the_grid_it_is_asked_for() -> None:
    assert asked(["--a", "0.1,0.2", "--b", "0.3"]).cells == [(0.1, 0.3), (0.2, 0.3)]


@pytest.mark.slow
def test_the_engine_is_exact_killed_or_not_in_a_whole_row(tmp_path: Path) -> None:
    row = peers.measure(peers.PEERS[0], tmp_path, 8, 300.0)
    assert (str(row.killed), str(row.grid), row.why) == ("exact", "exact", "")
    assert row.ms_a_replicate is not None


def test_a_peer_that_pip_cannot_install_is_a_row_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = tmp_path / "requirements.txt"
    wanted.write_text("# environment: hydra\n/no/such/package-1.0-py3-none-any.whl\n", encoding="utf-8")
    monkeypatch.setattr(peers, "REQUIREMENTS", wanted)
    arguments = ["--cache", str(tmp_path / "cache"), "--only", "hydra", "--json", str(tmp_path / "peers.json")]
    assert peers.main(arguments) == 0
    (row,) = json.loads((tmp_path / "peers.json").read_text())["rows"]
    assert "pip cannot install it" in row["why"]
    assert "| Hydra, Optuna sweeper, joblib | - |" in capsys.readouterr().out
