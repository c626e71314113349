"""Pruning: what some training may go on from stays, everything else goes, and nothing of a sweep that runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from rothamsted.cli.main import main
from tests.inventory.test_deleted import files
from tests.sweeping.conftest import Project, stop_in_replicate
from tests.sweeping.in_this_process import in_this_process, use
from tests.sweeping.staging import curves, interrupting, run, states

SLOW: dict[str, Any] = {
    "space": {"lr": [0.05, 1.0]},
    "parameters": {"steps": 20, "n_points": 20},
    "replicates": {"count": 3},
    "execution": {"checkpoint_every": 1e-6},
}
LONG_AGO = 1.0e9


def prune(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["prune", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def left(path: Path) -> Path:
    """A folder with a file, written to long ago."""
    path.mkdir(parents=True)
    (path / "00000001-x.safetensors").write_bytes(b"12345")
    for one in (path / "00000001-x.safetensors", path):
        os.utime(one, (LONG_AGO, LONG_AGO))
    return path


def stopped(project: Project) -> Path:
    """A sweep that was stopped in its fifth replicate, the second of trial 1; gives the folder of its checkpoints."""
    with project.start(SLOW) as opened:
        project.work(opened, should_stop=stop_in_replicate(5, 5))
        run_id = opened.sweep_run_id
    return project.root / "checkpoints" / "toys" / run_id[-12:]


def test_the_checkpoint_of_a_replicate_that_may_go_on_stays(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stopped(project)
    needed = files(folder)
    assert {path.parent.name for path in needed} == {"1-1"}
    over, gone = left(folder / "0-2"), left(project.root / "checkpoints" / "gone" / ("ab" * 6))
    before = files(project.root)
    told = prune(capsys, "--dry_run", "true")
    assert (len(told["found"]), told["bytes"], told["removed"]) == (2, 10, False)
    assert files(project.root) == before
    told = prune(capsys, "--yes")
    assert (len(told["found"]), told["removed"]) == (2, True)
    assert (over.exists(), gone.parent.exists(), files(folder)) == (False, False, needed)
    with project.start(SLOW) as opened:
        events = project.work(opened)
    assert [event["replicate"] for event in events if event["event"] == "start"] == [1, 2]
    assert prune(capsys, "--yes")["found"] == []


def test_nothing_of_a_sweep_that_runs_is_touched(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    folder = stopped(project)
    over = left(folder / "0-2")
    with project.start(SLOW):
        told = prune(capsys, "--yes")
    assert (told["found"], over.exists()) == ([], True)
    assert [line for line in told["notes"] if "works on it" in line]


def test_folders_that_nobody_knows_stay_for_a_day(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    stopped(project)
    young = left(project.root / "checkpoints" / "young" / ("cd" * 6))
    os.utime(young, None)  # of a sweep of another database, perhaps
    assert prune(capsys, "--yes")["found"] == []
    assert young.exists()


def test_what_a_finished_stage_left_stays_until_the_next_one_is_over(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, in_this_process)
    run(project, {"name": "straight"})
    use(monkeypatch, interrupting("toys.stage2", n_started=2))
    assert run(project).result.exit_status == 130
    kept = states(project, "toys")
    assert kept == ["2-0", "2-1", "3-0", "3-1"]  # the two best rates go on, see STAGED
    assert prune(capsys, "--yes")["found"] == []
    assert states(project, "toys") == kept
    use(monkeypatch, in_this_process)
    run(project)
    assert curves(project, "toys.stage2") == curves(project, "straight.stage2")
    assert prune(capsys, "--yes")["found"] == []


def test_checkpoints_among_artifacts_go_by_the_same_rule(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {**SLOW, "execution": {"checkpoint_every": 1e-6, "checkpoints": "artifacts"}}
    with project.start(changes) as opened:
        project.work(opened, should_stop=stop_in_replicate(5, 5))
        run_id = opened.sweep_run_id
    [folder] = (project.root / "mlruns").glob(f"*/{run_id}/artifacts/checkpoints")
    needed = files(folder)
    assert {path.parent.name for path in needed} == {"1-1"}
    over = left(folder / "0-2")
    assert len(prune(capsys, "--yes")["found"]) == 1
    assert (over.exists(), files(folder)) == (False, needed)


def test_files_of_a_foreign_process_that_was_killed_go(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    stopped(project)
    scratch = left(project.root / ".rothamsted" / "output" / ("ef" * 16))
    assert len(prune(capsys, "--yes")["found"]) == 1
    assert not scratch.exists()
