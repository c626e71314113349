"""The study's page: its commands, run as it says in a copy of the project, and the files that it names."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from projects.emnist_mlp.__main__ import STUDY
from projects.emnist_mlp.config import Config
from rothamsted.tracking import find_runs
from tests.conftest import ROOT
from tests.projects.emnist_mlp.files import idx_files, write

PAGE = (ROOT / "docs" / "studies" / "emnist_mlp.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```bash (\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = {mark: [line.partition("  #")[0].rstrip() for line in text.splitlines()] for mark, text in BLOCKS.items()}


@pytest.fixture
def folder(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with a small EMNIST beside it."""
    for name in ("MLproject", "conda.yaml", "dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("projects", "sweeps", ".dvc"):
        ignored = shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    write(tmp_path / "emnist-files", idx_files())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_mlflow(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


def run(command: str, folder: Path) -> str:
    done = subprocess.run(command, shell=True, cwd=folder, env=os.environ, capture_output=True, text=True, timeout=550)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def test_the_page_has_its_commands() -> None:
    assert {mark: len(lines) for mark, lines in COMMANDS.items()} == {"run": 3, "slow": 11, "download": 1}


def test_the_commands_of_the_page_run(folder: Path) -> None:
    told = [run(command, folder) for command in COMMANDS["run"]]
    assert "finished; 3 measurements" in told[0]
    assert "name: emnist" in told[2]
    assert "schedule: cosine" in told[2]
    assert sorted(found.params["model.dropout"] for found in find_runs(None, {})) == ["0.0", "0.2", "0.4"]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("dvc") is None, reason="dvc is not installed (pip install -e '.[dvc]')")
def test_the_commands_of_the_page_that_take_longer_run(folder: Path) -> None:
    for command in COMMANDS["slow"]:
        run(command, folder)
        if "synthetic_emnist" in command:
            assert (folder / "data/synthetic_emnist/images.pt").is_file()
            shutil.rmtree(folder / "data/synthetic_emnist")  # DVC takes no folder over that it did not make
    assert (folder / "data/synthetic_emnist/images.npz").is_file()
    written = {path.name for path in (folder / "reports").iterdir()}
    assert {"emnist-quick.html", "emnist-quick-samples_epoch0.png", "emnist-quick-curves.png"} <= written


def test_what_needs_the_network_names_a_data_set_of_the_study() -> None:
    words = shlex.split(COMMANDS["download"][0])
    assert next(word for word in words if word.startswith("dataset=")).partition("=")[2] in STUDY.datasets


@pytest.mark.parametrize("sweep", sorted((ROOT / "sweeps" / "emnist_mlp").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_page_names_every_sweep(sweep: Path) -> None:
    assert f"`{sweep.stem}`" in PAGE


def test_the_other_names_on_the_page_are_names_of_the_study() -> None:
    for name in ("training.optimizer.params.lr", "training.epochs", "training.batch_size"):
        assert f"`{name}`" in PAGE
        assert name in Config.ALIASES
