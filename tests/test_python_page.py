"""The page on sweeps from Python: its blocks, in their order, run as one script."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python run( torch)?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CAPABILITIES = [
    *("A grid with a summary", "The best condition by a metric", "The results of one run", "The top five"),
    *("A score of one's own", "A plot of one's own over aggregated results", "A tracker for a loop of one's own"),
]

# A worker imports for seconds, for each of the five sweeps: here each sweep has one, in the script's own process.
IN_PROCESS = """\
import os

from rothamsted.catalog import EXECUTORS
from rothamsted.executors import InProcessExecutor

os.cpu_count = lambda: 1
EXECUTORS._own["local"] = InProcessExecutor
"""


@pytest.fixture
def folder(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a tracking store of its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_mlflow(tmp_path))
    return tmp_path


def run(script: str, folder: Path) -> str:
    (folder / "page.py").write_text(script, encoding="utf-8")
    done = subprocess.run([sys.executable, "page.py"], cwd=folder, capture_output=True, text=True, timeout=550)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def test_the_page_has_an_example_of_each_capability() -> None:
    titles = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    assert set(CAPABILITIES) <= set(titles)
    assert len(BLOCKS) == 16


def test_every_block_of_the_page_runs(folder: Path) -> None:
    told = run("\n".join([IN_PROCESS, *(block for mark, block in BLOCKS if not mark)]), folder)
    assert "\nTrue True\n" in told  # the loaded result is that of the call, and so is its sweep
    assert "\\begin{tabular}" in told
    assert told.rstrip().endswith("True")  # the sweep of the file is the described one
    assert (folder / "acc.png").stat().st_size > 10_000
    assert "\n100,2.0," in told  # the last line of the tracker's metrics.csv: step, epoch
    assert (folder / "reports" / "svm.html").is_file()
    assert (folder / "exported" / "aggregated_results.json").is_file()


@pytest.mark.slow
def test_the_block_with_torch_runs(folder: Path) -> None:
    pytest.importorskip("torch")
    [block] = [block for mark, block in BLOCKS if mark]
    assert "n = 3" in run(f"import rothamsted as rt\n{block}", folder)
