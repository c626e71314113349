"""The how-to pages and README: their files and commands, run as they stand, in a folder with the tutorial's study."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rothamsted.cli.main import main
from tests.conftest import ROOT
from tests.projects.pages import copied_project, files_of

DOCS = ROOT / "docs"
FIRST = (DOCS / "first-ten-minutes.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {name: (DOCS / name).read_text(encoding="utf-8") for name in ("read-report.md", "paper.md", "coming-from.md")}
GROW = (DOCS / "grow.md").read_text(encoding="utf-8")
OWN = ["execution.executor=in_process", "execution.workers=1", "execution.report=false"]  # of a test, for its time
SWEEP = next(line for line in FIRST.splitlines() if line.startswith("rothamsted sweep digits.py"))
FEW = SWEEP.replace("replicates=5 confirm=5", "replicates=2 confirm=2")  # `reproduce` starts a process for each


def commands(page: str, mark: str) -> list[str]:
    """The lines of a page's marked blocks."""
    blocks = re.findall(rf"^```bash run={mark}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


class Shell:
    """Gives the commands of a page: ours in this process, which has its imports; any other in a shell."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], *, is_project: bool = False) -> None:
        """Of a project each is a process: its package `projects` would else take the place of ours in this one."""
        self.folder, self._capsys, self._is_project = folder, capsys, is_project

    def __call__(self, command: str) -> str:
        """All that a command prints; it has to succeed."""
        if command.startswith("rothamsted sweep "):
            command = shlex.join([*shlex.split(command), *OWN])
        if command.startswith("rothamsted ") and "||" not in command and not self._is_project:
            self._capsys.readouterr()
            status = main(shlex.split(command)[1:])
            said = self._capsys.readouterr()
        else:
            done = subprocess.run(command, shell=True, cwd=self.folder, capture_output=True, text=True, timeout=300)
            status, said = done.returncode, (done.stdout, done.stderr)
        assert status == 0, f"{command}\n{said[0][-3000:]}\n{said[1][-3000:]}"
        return said[0] + said[1]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    """In an empty folder with the tutorial's study; MLflow is as a new user has it."""
    for page in (FIRST, *PAGES.values()):
        for name, text in files_of(page).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_UI_URL", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    yield Shell(tmp_path, capsys)
    sys.modules.pop("digits", None)  # another folder may have one, too


def test_a_sweep_grows_as_the_page_says(shell: Shell) -> None:
    told = [shell(command) for command in commands(GROW, "howto")]
    assert len(told) == 4
    rows = [re.findall(r"^│ +\d │ +([\d.]+) │.*│ (\d) │", text, re.MULTILINE) for text in told]
    counts = [sorted((alpha, int(n)) for alpha, n in one if n != "5") for one in rows]
    assert counts[0] == [("0.0001", 3), ("0.001", 3)]  # three seeds, then four, then a third value
    assert counts[1] == [("0.0001", 4), ("0.001", 4)]
    assert counts[3] == [("0.0001", 4), ("0.001", 4), ("0.1", 4)]


def metrics_of_the_reference(page: str) -> set[str]:
    """The metrics of the page's table, `/sd` behind `confirmed/mean` written out as confirmed/sd."""
    found: set[str] = set()
    for line in page.splitlines():
        names = re.findall(r"`([^`]+)`", line.split("|")[2]) if line.startswith("|") else []
        found |= {names[0].partition("/")[0] + name if name.startswith("/") else name for name in names}
    return found


def unknown_in_the_reference(folder: Path) -> set[str]:
    """Tags and metrics in MLflow's database that docs/metrics-and-tags.md does not have."""
    page = (DOCS / "metrics-and-tags.md").read_text(encoding="utf-8")
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        tags = {row[0] for row in connection.execute("SELECT DISTINCT key FROM tags WHERE key LIKE 'rothamsted.%'")}
        metrics = {row[0] for row in connection.execute("SELECT DISTINCT key FROM latest_metrics")}
    assert len(tags) > 10
    assert len(metrics) > 20
    named = {re.sub("^val_accuracy", "METRIC", key) for key in metrics}
    return (named - metrics_of_the_reference(page)) | {key for key in tags if f"`{key}`" not in page}


def test_a_sweep_is_read_and_written_up_as_the_pages_say(shell: Shell) -> None:
    folder = shell.folder
    assert FEW != SWEEP
    shell(FEW)
    told = {command: shell(command) for page in PAGES.values() for command in commands(page, "howto")}
    assert len(told) == 8
    assert (folder / "reports" / "by-command.html").is_file()
    assert {path.suffix for path in (folder / "figures").glob("by-command-forest.*")} == {".svg", ".pdf"}
    assert r"\begin{tabular}" in next(text for command, text in told.items() if "table.py" in command)
    assert "identical" in next(text for command, text in told.items() if "reproduce" in command)
    assert (folder / "exported" / "aggregated_results.json").is_file()
    assert unknown_in_the_reference(folder) == set()
    assert "method: random" not in (folder / "from-wandb.yaml").read_text()
    assert "sampler" in (folder / "from-wandb.yaml").read_text()


@pytest.fixture
def no_study_is_imported() -> Iterator[None]:
    """Studies of another copy of the project are not taken for those of this one; later tests find theirs again."""
    theirs = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "projects"}
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "projects"]:
        del sys.modules[name]
    sys.modules.update(theirs)


@pytest.mark.usefixtures("no_study_is_imported")
def test_the_sweep_of_the_readme_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    new_mlflow: Callable[[Path], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = copied_project(tmp_path, monkeypatch, new_mlflow, page=README)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    shell = Shell(copy, capsys, is_project=True)
    lines = commands(README, "readme")
    assert [line.split()[1] for line in lines] == ["check", "sweep", "report"]
    told = [shell(line) for line in lines]
    # By hand: 3 rates x 3 gammas x 2 batch sizes x 3 seeds, and 10 fresh seeds for the best.
    text = (copy / "my-first.yaml").read_text()
    assert "54 trainings and 10 to confirm" in text
    assert "54" in told[0]
    assert "10" in told[0]
    assert "Confirmed val_loss" in told[1]
    assert (copy / "reports" / "my-first.html").is_file()


def test_the_ten_lines_of_the_readme_run(shell: Shell) -> None:
    text = files_of(README)["readme.py"]
    assert sum(bool(line.strip()) for line in text.splitlines()) <= 10
    (shell.folder / "readme.py").write_text(text, encoding="utf-8")
    told = shell(f"{sys.executable} readme.py")
    # The parabola has its minimum at lr = 0.01, and noise of 0.1.
    assert "lr=0.01" in told.splitlines()[-1]
    assert "n = 10" in told.splitlines()[-1]
