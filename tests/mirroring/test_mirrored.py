"""A sweep in Weights & Biases: written by its real package, read back from the files that it leaves."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rothamsted import tags
from rothamsted.errors import UserError
from rothamsted.importing.values import ImportedRun
from rothamsted.importing.wandb import offline
from rothamsted.mirroring.beside import catch_up, mirrored
from rothamsted.records import RunStatus
from rothamsted.sweeping.opened import Opened
from rothamsted.tracking import FoundRun, find_runs, open_recorder, read_history
from tests.sketch import picture
from tests.sweeping.conftest import Project
from tests.sweeping.sketch_project import SWEEP
from tests.wandb_server import KEY, WandbServer, serve

WANDB = {"mode": "offline", "project": "demo", "group": "november"}
CHANGES: dict[str, Any] = {
    **SWEEP,
    "space": {"lr": [0.25, 0.5], "fail_at": [-1, 2]},  # half of the conditions fail at their second step
    "execution": {"population": 2, "wandb": WANDB},
}


def runs_of(project: Project) -> dict[str, FoundRun]:
    found = find_runs(None, {tags.SWEEP: "sketches"}, uri=project.tracking_uri)
    return {run.run_id: run for run in found if tags.REPLICATE in run.tags}


def written(project: Project) -> dict[str, ImportedRun]:
    """What W&B has, by run id: of each file one run."""
    found = list(offline.read(str(project.root), {}))
    return {run.tags["wandb.id"]: run for run in found}


def folders(project: Project) -> list[Path]:
    return sorted((project.root / "wandb").glob("offline-run-*"))


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def opened(sketches: Project, said: list[str]) -> Opened:
    """A sweep that has ended, and is mirrored."""
    opened = sketches.start(CHANGES)
    sketches.work(opened)
    catch_up(opened, said.append)
    return opened


def test_each_replicate_is_one_run_under_the_id_that_it_has_in_mlflow(sketches: Project, opened: Opened) -> None:
    assert set(written(sketches)) == set(runs_of(sketches))
    assert len(folders(sketches)) == 8  # 4 conditions, 2 seeds


def test_names_groups_and_types_are_those_of_the_sweep(sketches: Project, opened: Opened) -> None:
    ours = runs_of(sketches)
    above = {run.run_id: run for run in find_runs(None, {}, uri=sketches.tracking_uri)}
    for run_id, run in written(sketches).items():
        one = ours[run_id]
        assert run.name == f"{above[one.tags['mlflow.parentRunId']].name}, {one.name}"
        assert (run.tags["wandb.group"], run.tags["wandb.job_type"]) == ("november", "search")
        assert run.tags["wandb.project"] == "demo"


def test_the_config_is_the_whole_config_of_the_replicate(sketches: Project, opened: Opened) -> None:
    for run_id, run in written(sketches).items():
        one = runs_of(sketches)[run_id]
        assert run.params["model.hidden"] == "[4]"  # a default of the study's own namespace
        assert {key: run.params[key] for key in ("lr", "fail_at", "seed")} == {
            key: one.params[key] for key in ("lr", "fail_at", "seed")
        }
        assert run.tags["wandb.mirror_of.mlflow_run_id"] == run_id


def test_every_point_of_the_record_is_there_at_its_step_and_time(sketches: Project, opened: Opened) -> None:
    ours = read_history(list(runs_of(sketches)), uri=sketches.tracking_uri)
    for run_id, run in written(sketches).items():
        times = {
            step: min(p.timestamp_ms for p in ours[run_id] if p.step == step) for step in {p.step for p in ours[run_id]}
        }
        found = list(run.points)
        assert {(p.key, p.value, p.step) for p in found} == {(p.key, p.value, p.step) for p in ours[run_id]}
        assert all(abs(p.timestamp_ms - times[p.step]) <= 1 for p in found)  # seconds as a float


def test_the_end_is_an_exit_code_and_the_summary_has_the_objective(sketches: Project, opened: Opened) -> None:
    ours = runs_of(sketches)
    for run_id, run in written(sketches).items():
        has_failed = ours[run_id].tags[tags.OUTCOME] == "failed"
        assert run.state == (RunStatus.FAILED if has_failed else RunStatus.FINISHED)
        assert run.tags["wandb.summary.outcome"] == ours[run_id].tags[tags.OUTCOME]
        assert run.summary.get("objective") == ours[run_id].metrics.get("objective")
        assert ("told to fail" in run.description) == has_failed


def test_pictures_are_there_bit_for_bit(sketches: Project, opened: Opened) -> None:
    for run_id, run in written(sketches).items():
        seed = int(runs_of(sketches)[run_id].tags[tags.SEED])
        last = 1 if run.state == RunStatus.FAILED else 2
        [folder] = [one for one in folders(sketches) if one.name.endswith(run_id)]
        [file] = (folder / "files" / "media" / "images").rglob("*.png")
        assert file.read_bytes() == picture(seed, last)


def test_nothing_of_this_machine_or_its_code_goes_along(sketches: Project, opened: Opened) -> None:
    files = {str(path.relative_to(one)) for one in folders(sketches) for path in one.rglob("*") if path.is_file()}
    kinds = {name.partition("/")[0] for name in files if not name.endswith(".wandb")}
    assert kinds == {"files", "logs"}
    assert not [name for name in files if "requirements" in name or "metadata" in name or "code" in name]


def test_it_says_where_they_are_and_how_to_send_them(sketches: Project, opened: Opened, said: list[str]) -> None:
    line = said[-1]
    root = sketches.root
    assert line == f"Weights & Biases: 8 replicates mirrored, in {root}/wandb; to send them: cd {root} && wandb sync"


def test_given_again_it_writes_nothing(sketches: Project, opened: Opened) -> None:
    before, said = folders(sketches), []
    catch_up(opened, said.append)
    assert (folders(sketches), said) == (before, [])


def test_what_was_cut_off_is_written_anew_and_not_twice(sketches: Project, opened: Opened) -> None:
    run_id = min(runs_of(sketches))
    [folder] = [one for one in folders(sketches) if one.name.endswith(run_id)]
    [file] = folder.glob("*.wandb")
    file.write_bytes(file.read_bytes()[:200])  # killed while it wrote, before the record had its mark
    with open_recorder(sketches.tracking_uri) as recorder:
        recorder.log(run_id, tags={tags.MIRRORED: ""})
    said: list[str] = []
    catch_up(opened, said.append)
    assert said[0].startswith("Weights & Biases: 1 replicate mirrored")
    assert len([one for one in folders(sketches) if one.name.endswith(run_id)]) == 1
    assert written(sketches)[run_id].state in (RunStatus.FINISHED, RunStatus.FAILED)


def test_no_process_of_the_package_stays(sketches: Project, opened: Opened) -> None:
    import psutil

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        left = [one for one in psutil.process_iter(["cmdline", "cwd"]) if _is_of(one.info, sketches.root)]
        if not left:
            return
        time.sleep(0.2)
    pytest.fail(f"left: {left}")


def _is_of(info: Mapping[str, Any], root: Path) -> bool:
    words = " ".join(info["cmdline"] or [])
    return ("wandb-core" in words or "rothamsted.mirroring" in words) and str(info["cwd"]) == str(root)


def test_a_server_that_is_away_is_one_warning(
    sketches: Project, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "2")
    wanted = opened.sweep.execution.wandb
    assert wanted is not None
    online = wanted.model_copy(update={"mode": "online", "project": "other"})
    execution = opened.sweep.execution.model_copy(update={"wandb": online})
    said: list[str] = []
    catch_up(replace(opened, sweep=opened.sweep.model_copy(update={"execution": execution})), said.append)
    [line] = said
    assert line.startswith("warning: Weights & Biases: ")
    assert line.endswith("the sweep goes on; the same command again mirrors what is missing")
    assert "f" * 40 not in line


def test_the_variable_disabled_wins(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with mirrored(opened, print) as mirror:
        assert mirror is None


def test_an_unknown_mode_in_the_environment_is_one_line(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "ofline")
    with pytest.raises(UserError, match=r"WANDB_MODE: must be one of online, .*, not 'ofline'"):
        catch_up(opened, print)


def test_without_the_key_nothing_of_it_is_imported(sketches: Project) -> None:
    code = "import sys, rothamsted.api; print([name for name in sys.modules if name.split('.')[0] == 'wandb'])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_mirror_waits_for_that_of_a_session_that_has_just_ended(sketches: Project, opened: Opened) -> None:
    run_id = min(runs_of(sketches))
    with open_recorder(sketches.tracking_uri) as recorder:
        recorder.log(run_id, tags={tags.MIRRORED: ""})
    said: list[str] = []
    with (sketches.root / "wandb" / ".sketches.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        threading.Timer(3.0, lambda: fcntl.flock(file, fcntl.LOCK_UN)).start()
        catch_up(opened, said.append)
    assert said[-1].startswith("Weights & Biases: 1 replicate mirrored")
    assert len([one for one in folders(sketches) if one.name.endswith(run_id)]) == 1


def test_the_line_that_it_says_sends_them_with_the_own_program_of_wandb(sketches: Project, opened: Opened) -> None:
    with serve(WandbServer()) as server:
        settings = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}
        done = subprocess.run(
            [sys.executable, "-m", "wandb", "sync", "--yes"],
            cwd=sketches.root,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    ours = runs_of(sketches)
    assert set(server.runs) == set(ours)
    points = read_history(list(ours), uri=sketches.tracking_uri)
    for run_id, run in server.runs.items():
        found = {(row["_step"], row["validation/loss"]) for row in run.rows if "validation/loss" in row}
        assert found == {(point.step, point.value) for point in points[run_id] if point.key == "validation/loss"}
        assert (run.group, run.exit_code) == ("november", 1 if ours[run_id].status == "FAILED" else 0)
