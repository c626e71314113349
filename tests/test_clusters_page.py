"""The files and commands of docs/clusters.md, run as they stand there; `srun` is a stand-in that starts two tasks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
[RAY] = re.findall(r"^```bash run=ray\n(.*?)\n```", PAGE, re.MULTILINE | re.DOTALL)
SRUN = '#!/bin/bash\n"$@" &\n"$@" &\nwait\n'
SECONDS = 300


def settings(folder: Path) -> dict[str, str]:
    """The shared folder, and programs in front: Slurm's, and this environment's."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "srun").write_text(SRUN)
    (programs / "srun").chmod(0o755)
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    return {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "MLFLOW_TRACKING_URI": uri,
        "ROTHAMSTED_HOME": str(folder),
    }


def run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def is_whole(name: str, environment: dict[str, str]) -> bool:
    """Whether all 16 conditions have ended, as `status` says it."""
    said = json.loads(run(["rothamsted", "status", name, "--json"], environment).stdout.splitlines()[-1])
    return (said["state"], said["n_done"]) == ("finished", 16)


@pytest.mark.slow
def test_the_file_for_slurm_is_a_whole_sweep(tmp_path: Path) -> None:
    environment = settings(tmp_path)
    (tmp_path / "sweep.sbatch").write_text(FILES["sweep.sbatch"])
    done = run(["bash", str(tmp_path / "sweep.sbatch")], environment)
    assert done.stdout.count("nothing is left to do") + done.stderr.count("nothing is left to do") == 2, done.stdout
    assert is_whole("on-slurm", environment)


@pytest.mark.slow
def test_the_command_of_the_pods_works_on_a_sweep_that_another_process_decides(tmp_path: Path) -> None:
    environment = settings(tmp_path)
    [container] = yaml.safe_load(FILES["workers.yaml"])["spec"]["template"]["spec"]["containers"]
    command = [f"sqlite:///{tmp_path / 'optuna.db'}" if "://" in word else word for word in container["command"]]
    assert {one["name"] for one in container["env"]} <= {"MLFLOW_TRACKING_URI", "ROTHAMSTED_HOME", "PGPASSWORD"}
    own = ["rothamsted", "sweep", "sweeps/quickstart.yaml", "name=on-kubernetes", "execution.workers=1"]
    with subprocess.Popen(own, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as decides:
        run([*command, "wait=2m"], environment)
        assert decides.wait(SECONDS) == 0
    assert is_whole("on-kubernetes", environment)


@pytest.mark.slow
def test_the_line_for_ray_is_a_whole_sweep(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    environment = settings(tmp_path)
    done = run(RAY.split(), environment)
    assert done.stdout.startswith("ray: 1 nodes, ") or "\nray: 1 nodes, " in done.stdout
    assert is_whole("on-ray", environment)
