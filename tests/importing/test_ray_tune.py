"""Results of Ray Tune, as Ray has written them, become runs. No pickle is read."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.importing import ray_writer
from tests.importing.conftest import Place

[KEPT] = (Path(__file__).parent / "files").glob("ray-*")


def check(place: Place, experiment: Path) -> str:
    """Six trials with params, results, errors and states."""
    out = place.bring(str(experiment), "experiment=before")
    runs = place.runs("before")
    assert len(runs) == 6
    by_config = {(run.params["lr"], run.params["seed"]): run for run in runs.values()}
    run = by_config["0.1", "1"]
    assert (run.status, run.params) == ("FINISHED", {"lr": "0.1", "seed": "1", "net.width": "8"})
    losses = [(step, pytest.approx(0.1 + 0.01 + 1 / step)) for step in (1, 2, 3)]
    assert place.history(run)["loss"] == losses
    assert place.history(run)["info/n"] == [(1, 0.0), (2, 1.0), (3, 2.0)]
    assert not any(name.startswith("config") or name == "timestamp" for name in run.metrics)
    failed = by_config["2.0", "0"]
    assert (failed.status, failed.tags["ray.error"]) == ("FAILED", "ValueError: too large a rate")
    assert place.history(failed)["loss"] == [(1, pytest.approx(3.0))]
    assert run.end_ms is not None
    assert run.end_ms - run.start_ms >= 0
    assert "--group_by lr --replicate_by seed --metric loss" in out
    return out


def test_what_ray_wrote_arrives_with_params_results_errors_and_states(place: Place) -> None:
    check(place, KEPT)
    assert "6 there already" in place.bring(str(KEPT), "experiment=before")


def test_a_moved_experiment_is_the_same_runs(place: Place) -> None:
    place.bring(str(KEPT), "experiment=before")
    shutil.copytree(KEPT / ray_writer.NAME, place.folder / ray_writer.NAME)
    assert "6 there already" in place.bring(ray_writer.NAME, "experiment=before")


def test_without_its_state_file_the_folders_say_what_there_is_and_progress_stands_for_results(place: Place) -> None:
    shutil.copytree(KEPT, place.folder / "moved")
    for path in (place.folder / "moved").rglob("experiment_state*"):
        path.unlink()
    for path in (place.folder / "moved").rglob("result.json"):
        path.unlink()
    out = check(place, place.folder / "moved")
    assert "no experiment_state of Ray's says how it ended: taken as FINISHED" in out


def test_a_trial_that_goes_on_by_its_state_is_running_and_said(place: Place) -> None:
    shutil.copytree(KEPT, place.folder / "moved")
    [path] = (place.folder / "moved").rglob("experiment_state*")
    path.write_text(path.read_text().replace("TERMINATED", "RUNNING"))
    out = place.bring("moved", "experiment=before")
    assert sorted({run.status for run in place.runs("before").values()}) == ["FAILED", "RUNNING"]
    assert "it goes on, or Ray was killed" in out


def test_a_result_that_was_cut_off_and_a_state_that_is_none_are_no_end_of_the_import(place: Place) -> None:
    shutil.copytree(KEPT, place.folder / "moved")
    [state] = (place.folder / "moved").rglob("experiment_state*")
    state.write_text(json.dumps({"trial_data": [["{", "x"], 3, [None]]}))
    some = next(path for path in sorted((place.folder / "moved").rglob("result.json")) if "lr=0.1" in str(path))
    some.write_text(some.read_text()[:-30])
    out = place.bring("moved", "experiment=before")
    assert "result.json: its last line is cut off" in out
    assert len(place.runs("before")) == 6


def test_a_folder_with_the_same_names_that_ray_did_not_make_is_a_plain_one(place: Place) -> None:
    made = place.folder / "runs" / "a"
    made.mkdir(parents=True)
    (made / "params.json").write_text('{"lr": 0.1}')
    (made / "result.json").write_text('{\n  "loss": 0.5\n}\n')
    place.bring("runs", "experiment=before")
    run = place.runs("before")["a"]
    assert (run.params, run.metrics) == ({"lr": "0.1"}, {"loss": 0.5})


@pytest.mark.slow
def test_what_ray_writes_today_arrives_too(place: Place) -> None:
    """`pytest -m slow tests/importing/test_ray_tune.py`: a minute on a quiet machine."""
    command = [sys.executable, "-m", "tests.importing.ray_writer", str(place.folder / "today")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=1_200)
    check(place, place.folder / "today")
