"""A sweep as a call: started, gone on with, refused, stopped, not saved."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import rothamsted as rt
from rothamsted.tracking import find_runs
from tests.calls.conftest import TOY
from tests.sweeping.conftest import Project


def test_a_sweep_file_runs_as_it_does_from_the_command(project: Project) -> None:
    path = project.write({"replicates": {"count": 2}, "confirm": {"keep": 1, "replicates": 2}})
    result = rt.sweep(str(path), workers="in_process")
    assert (result.name, result.is_complete) == ("toys", True)
    assert len(result.conditions) == 6
    # The toy's loss is 0.5 (x - 1)^2 (1 - lr)^(2 steps): a step size of 1 ends at once in the minimum.
    assert result.best.values["lr"] == 1.0
    assert result.confirmed.condition == result.best.condition
    assert find_runs(None, {"rothamsted.role": "sweep"})[0].run_id == result.run_id


def test_arguments_beside_a_file_override_it(project: Project) -> None:
    path = project.write({"replicates": {"count": 2}})
    result = rt.sweep(path, {"x": [0.0]}, replicates=3, name="other", workers="in_process")
    assert result.name == "other"
    assert sorted(result.conditions["lr"]) == [0.01, 0.1, 1.0]  # the file's own, of which nothing was said
    assert set(result.conditions["n"]) == {3}


def test_a_study_of_the_project_is_swept_by_its_name(project: Project) -> None:
    result = rt.sweep("toy", {"lr": [0.1, 1.0]}, **TOY)
    assert result.name == "toy"
    assert result.best.values == {"lr": 1.0}
    assert (result.best.n, result.best.verdict) == (3, "best")
    assert result.best.ci_low < result.best.mean < result.best.ci_high


def test_the_same_call_goes_on_and_trains_nothing_again(project: Project) -> None:
    first = rt.sweep("toy", {"lr": [0.1, 1.0]}, **TOY)
    again = rt.sweep("toy", {"lr": [0.1, 1.0]}, **TOY)
    assert again.run_id == first.run_id
    assert list(again.replicates["run_id"]) == list(first.replicates["run_id"])


def test_changed_keys_are_refused_and_named(project: Project) -> None:
    rt.sweep("toy", {"lr": [0.1, 1.0]}, **TOY)
    with pytest.raises(rt.UserError, match=r"parameters\.steps: 20 -> 30"):
        rt.sweep("toy", {"lr": [0.1, 1.0]}, **{**TOY, "parameters": {"steps": 30, "n_points": 5}})


def test_changed_code_is_refused_unless_it_is_asked_for(project: Project) -> None:
    rt.sweep("toy", {"lr": [0.1, 1.0]}, **TOY)
    module = project.root / "projects" / "toy" / "__init__.py"
    at_first = module.read_text()
    module.write_text(at_first + "\nCHANGED = True\n")
    with pytest.raises(rt.UserError, match=r"was started with other code of toy.*resume_with_changed_code"):
        rt.sweep("toy", {"lr": [0.1, 1.0]}, **TOY)
    again = rt.sweep("toy", {"lr": [0.1, 1.0]}, if_exists="resume_with_changed_code", **TOY)
    assert again.is_complete
    assert rt.sweep("toy", {"lr": [0.1, 1.0]}, **TOY).run_id == again.run_id  # the code of the last session counts
    changed = module.read_text()
    module.write_text(at_first)
    rt.sweep("toy", {"lr": [0.1, 1.0]}, if_exists="resume_with_changed_code", **TOY)  # back to the first code
    assert rt.sweep("toy", {"lr": [0.1, 1.0]}, **TOY).run_id == again.run_id
    module.write_text(changed)
    with pytest.raises(rt.UserError, match="was started with other code"):
        rt.sweep("toy", {"lr": [0.1, 1.0]}, **TOY)


def test_a_new_sweep_takes_the_next_free_name(project: Project) -> None:
    names = [rt.sweep("toy", {"lr": [1.0]}, if_exists="new", **TOY).name for _ in range(3)]
    assert names == ["toy", "toy-2", "toy-3"]


def test_an_unknown_way_to_go_on_is_refused(project: Project) -> None:
    with pytest.raises(rt.UserError, match="if_exists='again'"):
        rt.sweep("toy", {"lr": [1.0]}, if_exists="again", **TOY)  # type: ignore[arg-type]


def test_where_nothing_finished_the_end_of_the_traceback_is_the_error(project: Project) -> None:
    with pytest.raises(rt.UserError, match=r"(?s)no replicate finished.*RuntimeError: the toy was told to fail"):
        rt.sweep("toy", {"lr": [0.1]}, **{**TOY, "parameters": {"fail": True}})


def test_out_of_time_is_not_complete_and_the_same_call_goes_on(project: Project) -> None:
    slow = {**TOY, "parameters": {"steps": 10, "sleep_seconds": 0.05}, "replicates": 2}
    early = rt.sweep("toy", {"lr": [0.1, 1.0]}, timeout=1, **slow)
    assert not early.is_complete
    assert not rt.load("toy").is_complete
    assert list(rt.sweeps()["state"]) == ["unfinished"]
    assert rt.sweep("toy", {"lr": [0.1, 1.0]}, timeout=600, **slow).is_complete


def test_a_sweep_that_is_not_saved_gives_its_frames_and_leaves_nothing(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(one.name for one in project.root.iterdir())
    result = rt.sweep("toy", {"lr": [0.1, 1.0]}, save=False, **TOY)
    assert list(result.curves("train_loss")["step"].unique()) == [4, 8, 12, 16, 20]
    assert len(result.replicates) == 6
    assert "optuna-dashboard" not in capsys.readouterr().out  # nobody is sent to what is gone soon
    assert sorted(one.name for one in project.root.iterdir()) == before
    folder = Path(result.sweep.spec.storage.removeprefix("sqlite:///")).parent
    assert folder.exists()
    assert "Result('toy'" in repr(result)
    with pytest.raises(rt.UserError, match="save=True"):
        result.promote("registry/toy.yaml")
    frame = result.conditions
    del result
    assert len(frame) == 2


SCRIPT = """
import rothamsted as rt
rt.sweep("toy", {"lr": [0.1, 1.0]}, metric="val_loss", direction="minimize", replicates=4, workers="in_process",
         parameters={"steps": 40, "sleep_seconds": 0.05}, keys={"execution.report": False})
print("the script went on")
"""


def test_after_ctrl_c_a_script_ends_and_the_same_script_goes_on(project: Project) -> None:
    path = project.root / "script.py"
    path.write_text(SCRIPT)
    environment = project.environment()
    started = subprocess.Popen(
        [sys.executable, str(path)], cwd=project.root, env=environment, stdout=subprocess.PIPE, text=True
    )
    threading.Thread(target=_interrupt_when_it_trains, args=(started,), daemon=True).start()
    out, _ = started.communicate(timeout=240)
    assert "SIGINT" in out
    assert "the script went on" not in out
    assert started.returncode != 0
    done = [run for run in find_runs(None, {}) if run.tags.get("rothamsted.outcome") == "finished"]
    assert len(done) < 8
    again = subprocess.run(
        [sys.executable, str(path)], cwd=project.root, env=environment, capture_output=True, text=True, timeout=240
    )
    assert "resuming sweep toy" in again.stdout
    assert "the script went on" in again.stdout


def _interrupt_when_it_trains(process: subprocess.Popen[str]) -> None:
    """Send Ctrl-C once a replicate runs."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if [run for run in find_runs(None, {"rothamsted.role": "replicate"}) if run.status == "RUNNING"]:
            os.kill(process.pid, signal.SIGINT)
            return
        time.sleep(0.2)
