"""The page on adding a study: its files, written into an empty folder, run as it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rothamsted.cli.main import main
from rothamsted.tracking import find_runs
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "new-study.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = [
    line
    for block in re.findall(r"^```bash run\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
OWN = ["execution.executor=in_process", "execution.workers=1", "execution.report=false"]  # of a test, for its time


@pytest.fixture
def folder(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh project with nothing but the files of the page."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_mlflow(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("digits", None)  # another folder may have one, too


def run(command: str, folder: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def run_here(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """A command of ours in this process, which has its imports."""
    words = shlex.split(command)[1:]
    capsys.readouterr()
    status = main([*words, *OWN] if words[0] == "sweep" else words)
    said = capsys.readouterr()
    assert status == 0, f"{command}\n{said.out}\n{said.err}"
    return said.out + said.err


def quicker(command: str) -> str:
    """A sweep with its worker in its own process, and no report."""
    own = [word for word in OWN if "execution.workers" not in word]  # the page's own command has one worker
    return shlex.join([*shlex.split(command), *own]) if command.startswith("rothamsted sweep ") else command


def metrics(name: str) -> list[float]:
    return [found.metrics[name] for found in find_runs(None, {}) if name in found.metrics]


def is_quick(command: str) -> bool:
    """One run by hand, the sweep and the tests; the others, each seconds of imports, are the slow test's."""
    return any(part in command for part in ("--output", "rothamsted sweep", "pytest", "digits"))


def test_the_page_has_the_commands_that_it_speaks_of() -> None:
    assert len(FILES) == 9
    assert len(COMMANDS) == 10
    assert sum(map(is_quick, COMMANDS)) == 6


def test_the_first_example_has_at_most_15_lines_of_code() -> None:
    assert sum(bool(line.strip()) for line in FILES["digits.py"].splitlines()) <= 15


def test_the_study_of_the_page_runs_by_hand_and_in_a_sweep(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = [command for command in COMMANDS if is_quick(command)]
    here = [command for command in quick if command.startswith("rothamsted ") and "digits" in command]
    assert len(here) == 2
    told = "".join(run_here(command, capsys) if command in here else run(quicker(command), folder) for command in quick)
    assert "2 passed" in told
    assert (folder / "out" / "lines" / "step_000020.txt").read_text().startswith("y = ")
    # Least squares finds the line itself: the search's winner is nearer to it than the start, 2 off, was.
    assert min(metrics("distance/mean")) < 0.5
    assert "repeated:       the same bits (trained twice)" in told
    assert "models: 3 logged" in told
    # A linear classifier of scikit-learn's digits has more than nine of ten right in every textbook.
    assert max(metrics("val_accuracy/mean")) > 0.9
    assert metrics("confirmed/n") == [3, 3]


@pytest.mark.slow
def test_every_command_of_the_page_works(folder: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    for command in COMMANDS:
        run(command, folder)
    assert list((folder / "tensorboard").rglob("events.out.tfevents.*"))
    assert "4 conditions" in (folder / "reports" / "fit-momentum.html").read_text()
