"""The page of the batch-size study: its commands, run as it says but on small grids, and its Python."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rothamsted.cli.main import main
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "studies" / "batch_size.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(bash|python) run\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [shlex.split(line, comments=True) for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
[PYTHON] = [text for kind, text in BLOCKS if kind == "python"]
TABLED = [shlex.split(one) for one in re.findall(r"\| `(rothamsted [^`]+)` \|$", PAGE, re.MULTILINE)]

HERE = ["execution.executor=in_process", "execution.workers=1", "execution.report=false", "replicates=2"]
FEW = ["sampler=random", "trials=2", "stages=null", "confirm=null"]  # of any space, also of several files
# What makes a sweep of the page small: its words without these stand in the page.
SMALL = {
    "fixed-batch-64": [*HERE, "steps=6", "evals=3", "space.gamma.points=3", "space.optimizer.lr.points=4"],
    "--no-save": [*HERE, "steps=6"],
    "--all": [*HERE, *FEW],
    "fixed_batch": [*HERE, *FEW],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_mlflow: Callable[[Path], str]) -> Path:
    """The project's root as the working directory, and databases of its own."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_mlflow(tmp_path))
    return tmp_path


def words_of(command: list[str], home: Path) -> list[str]:
    """A command of the page as the test gives it: small, and its folder at home."""
    small = next((words for key, words in SMALL.items() if any(key in word for word in command)), [])
    if command[:2] == ["rothamsted", "report"] and not any(word.startswith("plots=") for word in command):
        command = [*command, "plots=curves"]  # the others take seconds for each sweep
    moved = [
        f"folder={home / word.removeprefix('folder=')}" if word.startswith("folder=") else word for word in command
    ]
    return [*moved, *small] if command[:2] == ["rothamsted", "sweep"] else moved


def run(command: list[str], home: Path) -> None:
    """A command of ours in this process, which has imported JAX; any other as a process."""
    words = words_of(command, home)
    if words[0] == "rothamsted" and words[1] != "train":
        assert main(words[1:]) == 0, shlex.join(words)
        return
    words = [sys.executable, "-m", *words] if words[0] == "rothamsted" else words
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"


def test_the_commands_of_the_tables_are_those_that_run() -> None:
    beside = [["rothamsted", "prepare_data", "mnist1m", "source=FOLDER"], ["rothamsted", "sweep", "small_mup"]]
    assert [one for one in TABLED if one not in [*COMMANDS, *beside]] == []
    assert len(TABLED) >= 6


def test_every_sweep_of_the_study_stands_in_the_page() -> None:
    for path in (ROOT / "sweeps" / "batch_size").glob("*.yaml"):
        assert f"| `{path.stem}` |" in PAGE


@pytest.mark.slow
def test_the_page_runs_as_it_stands(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        run(command, home)
    reports = {path.name for path in (home / "reports").iterdir()}
    assert {"index.html", "fixed-batch.html", "small-mup.html", "gamma-eta.html"} <= reports
    assert (home / "figures" / "fixed-batch-64-curves.png").is_file()
    capfd.readouterr()

    found: dict[str, object] = {}
    exec(compile(PYTHON, "batch_size.md", "exec"), found)
    one = found["one"]
    # By hand: two seeds, measured at steps 0, 2, 4 and 6, of 64 rows each.
    assert one[["step", "samples"]].drop_duplicates().values.tolist() == [[0, 0], [2, 128], [4, 256], [6, 384]]  # pyright: ignore[reportIndexIssue]
    assert "temperature" in capfd.readouterr().out
