"""The page of the first ten minutes: its files, written into an empty folder, and its commands, run as it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "first-ten-minutes.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
BLOCKS = re.findall(r"^```bash (run|open)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for mark, block in BLOCKS if mark == "run" for line in block.splitlines()]
[OPEN] = [block.strip() for mark, block in BLOCKS if mark == "open"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the files of the page; MLflow is as a new user has it."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_UI_URL", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def run(command: str, folder: Path) -> str:
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_study_of_the_page_is_at_most_fifteen_lines_of_code() -> None:
    assert sum(bool(line.strip()) for line in FILES["digits.py"].splitlines()) <= 15


def test_the_page_runs_as_it_stands(folder: Path) -> None:
    told = {command: run(command, folder) for command in COMMANDS}
    by_command, by_call = (next(text for key, text in told.items() if word in key) for word in ("sweep", "by_call"))
    winner = re.compile(r"│ +0 │|│ +1 │|│ +2 │")
    rows = [[line for line in text.splitlines() if winner.match(line)] for text in (by_command, by_call)]
    assert rows[0] == rows[1]  # the same seeds and conditions: the same bits, by command and by call
    assert len(rows[0]) == 4  # three conditions, one confirmed
    assert "n = 5, best" in by_call.splitlines()[-1]
    assert (folder / "reports" / "by-command.html").is_file()
    assert {"by-command", "by-call"} <= {
        line.split()[0] for line in told["rothamsted list"].splitlines() if line.strip()
    }
    assert "champion of digits: version 1" in next(text for key, text in told.items() if "promote" in key)
    sites = opened(folder)
    assert set(sites) == {"MLflow", "optuna-dashboard"}


def opened(folder: Path) -> dict[str, str]:
    """The pages that `rothamsted open` names, each of which answers."""
    server = subprocess.Popen(
        [*OPEN.split(), "--no-browser"], cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert server.stdout is not None
    try:
        pages = {}
        for line in server.stdout:
            if found := re.match(r"(MLflow|optuna-dashboard): (http://127\.0\.0\.1:\d+/)", line):
                pages[found[1]] = found[2]
            if line.startswith("Ctrl-C"):
                break
        for page in pages.values():
            with urllib.request.urlopen(page, timeout=60) as answer:
                assert answer.status == 200
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0
    return pages
