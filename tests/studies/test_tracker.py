"""A tracker for a loop of one's own: files and a run in MLflow, whatever becomes of the loop."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rothamsted as rt
from rothamsted.reported import FILE_VARIABLE
from rothamsted.tracking import find_runs, list_files, read_history, tracking_uri
from tests.studies.conftest import toy_environment

FILES = {"metrics.csv", "metrics.json", "summary.json", "config.json"}
FIGURES = {f"{figure}.{kind}" for figure in ("loss", "lr_schedule") for kind in ("svg", "png")}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))


def test_what_is_logged_is_in_files_and_in_mlflow(home: Path) -> None:
    with rt.Tracker("mine", {"lr": np.float32(0.5), "net": {"width": 8}, "data": Path("a.csv")}) as tracker:
        for step in (10, 20, 30):
            tracker.log({"val/loss": 1 / step}, lr=0.5, step=step, epoch=step / 10)
    folder = home / "runs" / "mine"
    assert names(folder) == FILES | FIGURES
    assert [(row["step"], row["epoch"], float(row["val/loss"])) for row in rows(folder)] == [
        ("10", "1.0", 1 / 10), ("20", "2.0", 1 / 20), ("30", "3.0", 1 / 30)
    ]  # fmt: skip
    assert json.loads((folder / "config.json").read_text()) == {"lr": 0.5, "net": {"width": 8}, "data": "a.csv"}
    [run] = find_runs(None, {})
    assert (run.name, run.status) == ("mine", "FINISHED")
    assert run.params == {"lr": "0.5", "net.width": "8", "data": "a.csv"}
    points = [(p.step, p.value) for p in read_history([run.run_id], ["val/loss"])[run.run_id]]
    assert points == [(10, 1 / 10), (20, 1 / 20), (30, 1 / 30)]
    assert set(list_files(run.run_id, "", uri=tracking_uri())) >= FILES | FIGURES


def test_reports_inside_the_block_are_kept_too_and_count_on(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with rt.Tracker("mine", output=home / "out") as tracker:
        rt.report(loss=1.0, artifacts={"notes/first.txt": "one"})
        tracker.log(loss=0.5)
    assert [(row["step"], row["loss"]) for row in rows(home / "out")] == [("1", "1.0"), ("2", "0.5")]
    assert (home / "out" / "notes" / "first.txt").read_text() == "one"
    assert capsys.readouterr().out == ""
    rt.report(loss=0.2)
    assert capsys.readouterr().out == "loss 0.2\n"


def test_a_loop_that_raises_has_failed_with_its_traceback(home: Path) -> None:
    def loop() -> None:
        with rt.Tracker("mine") as tracker:
            tracker.log(loss=1.0)
            raise RuntimeError("no more memory")

    with pytest.raises(RuntimeError, match="no more memory"):
        loop()
    found = json.loads((home / "runs" / "mine" / "summary.json").read_text())
    assert (found["outcome"], found["reason"]) == ("failed", "RuntimeError: no more memory")
    [run] = find_runs(None, {})
    assert run.status == "FAILED"
    assert "traceback.txt" in list_files(run.run_id, "", uri=tracking_uri())


def test_a_loop_that_is_interrupted_says_so(home: Path) -> None:
    def loop() -> None:
        with rt.Tracker("mine") as tracker:
            tracker.log(loss=1.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert json.loads((home / "runs" / "mine" / "summary.json").read_text())["outcome"] == "interrupted"
    assert find_runs(None, {})[0].status == "KILLED"


SCRIPT = """import os, signal
import rothamsted as rt

with rt.Tracker("killed", {"lr": 0.1}) as tracker:
    for step in range(1, 8):
        tracker.log(train_loss=1 / step, lr=0.1)
        if step == 7 and not os.environ.get("SPARED"):
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_loop_that_is_killed_has_left_its_files(home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=home, env=toy_environment(), timeout=120)
    assert done.returncode == -signal.SIGKILL
    folder = home / "runs" / "killed"
    assert [row["step"] for row in rows(folder)] == ["1", "2", "3", "4", "5", "6", "7"]
    assert names(folder) == FILES | FIGURES
    assert json.loads((folder / "summary.json").read_text())["outcome"] == "running"


def test_a_script_with_a_tracker_is_swept_as_it_is(home: Path) -> None:
    reported = home / "reported.jsonl"
    environment = {**toy_environment(), FILE_VARIABLE: str(reported), "SPARED": "yes"}  # as a sweep starts a command
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=home, env=environment, timeout=120, check=True)
    assert [json.loads(line)["train_loss"] for line in reported.read_text().splitlines()] == [
        1 / step for step in range(1, 8)
    ]
    assert not (home / "runs").exists()
    assert find_runs(None, {}) == []


# ---- refused ----


def test_a_name_that_has_files_is_refused_before_anything_is_made(home: Path) -> None:
    with rt.Tracker("mine") as tracker:
        tracker.log(loss=1.0)
    with pytest.raises(rt.UserError, match=r"^Tracker: runs/mine has the files of another run"), rt.Tracker("mine"):
        pass
    assert len(find_runs(None, {})) == 1


def test_a_name_that_is_no_folders_is_refused() -> None:
    with pytest.raises(rt.UserError, match=r"^Tracker: the name must be letters, digits"):
        rt.Tracker("../mine")


def test_logging_outside_of_the_block_is_refused(home: Path) -> None:
    with pytest.raises(rt.UserError, match=r"^Tracker 'mine': log is called inside of its block"):
        rt.Tracker("mine").log(loss=1.0)


@pytest.mark.parametrize(
    ("told", "kind", "says"),
    [
        ({"loss": "low"}, TypeError, "report: loss must be one number, not str 'low'"),
        ({"seconds": 1.0}, rt.UserError, "metric 'seconds' is measured by the engine"),
        ({"loss": 1.0, "step": 1}, rt.UserError, "steps must grow from one measurement to the next; the last was 1"),
        ({"artifacts": {"config.json": "x"}}, rt.UserError, "'config.json' is written by the engine"),
    ],
    ids=str,
)
def test_what_cannot_be_kept_is_named(home: Path, told: dict, kind: type[Exception], says: str) -> None:
    def loop() -> None:
        with rt.Tracker("mine") as tracker:
            tracker.log(loss=1.0)
            tracker.log(**told)

    with pytest.raises(kind, match=says):
        loop()
    assert find_runs(None, {})[0].status == "FAILED"
