"""SIGTERM to `mlflow run` ends the sweep that it started, as Ctrl-C does: checkpoints, KILLED runs, nobody left."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from rothamsted import tags
from rothamsted.tracking import find_runs
from tests.sweeping.conftest import Project
from tests.sweeping.test_run import wait_until

MLPROJECT = """
name: toy-project
entry_points:
  toy:
    command: "python -m projects.toy"
  sweep:
    command: "python -m rothamsted sweep --config sweep.yaml"
"""
WATCHED = """
import sys, time
from rothamsted.outer_command import end_with_mlflow
end_with_mlflow(look_seconds=0.1)
print("on", flush=True)
time.sleep(60)
"""


def test_a_process_of_mlflow_run_is_asked_to_stop_when_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "watched.py").write_text(WATCHED)
    outer = tmp_path / "mlflow.py"  # stands for `mlflow run`: it has not this run in its own environment
    outer.write_text(
        "import os, subprocess, sys\n"
        "inner = subprocess.Popen([sys.executable, 'watched.py'], env={**os.environ, 'MLFLOW_RUN_ID': 'abc'})\n"
        "print(inner.pid, flush=True)\ninner.wait()\n"
    )
    process = subprocess.Popen([sys.executable, str(outer)], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first, second = process.stdout.readline(), process.stdout.readline()
    inner = psutil.Process(int(first if first.strip().isdigit() else second))
    process.terminate()
    process.wait(timeout=30)
    wait_until(lambda: not inner.is_running() or inner.status() == psutil.STATUS_ZOMBIE, seconds=30)


@pytest.mark.slow  # whole processes, and MLflow is imported three times
def test_a_sweep_ends_with_the_mlflow_run_that_is_told_to_end(project: Project) -> None:
    project.altered.append("stopped")
    (project.root / "MLproject").write_text(MLPROJECT)
    project.write({"parameters": {"steps": 200, "n_points": 100, "sleep_seconds": 0.2}, "execution": {"workers": 2}})
    command = ["mlflow", "run", ".", "-e", "sweep", "--env-manager", "local"]
    mlflow = subprocess.Popen(command, cwd=project.root, env=project.environment(), start_new_session=True)
    below: list[psutil.Process] = []
    try:
        wait_until(lambda: len(find_runs(None, {tags.ROLE: "replicate"}, uri=project.tracking_uri)) >= 2)
        below = psutil.Process(mlflow.pid).children(recursive=True)
        assert len(below) >= 3  # the command and two workers
        mlflow.send_signal(signal.SIGTERM)
        assert mlflow.wait(timeout=60) != 0
        psutil.wait_procs(below, timeout=60)
        assert [p for p in below if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    finally:
        for process in below:
            if process.is_running():
                process.kill()
    found = find_runs(None, {}, uri=project.tracking_uri)
    assert {run.status for run in found} == {"KILLED"}, [(run.name, run.status) for run in found]
