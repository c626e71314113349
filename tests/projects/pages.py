"""What the tests of the studies' pages share: the commands and files of a page, a copy of the project, a shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT

NOT_COPIED = shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local")


def page_of(study: str) -> str:
    """The text of a study's page."""
    return (ROOT / "docs" / "studies" / f"{study}.md").read_text(encoding="utf-8")


def files_of(page: str) -> dict[str, str]:
    """The files that a page shows, by name."""
    return dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))


def commands_of(page: str) -> dict[str, list[str]]:
    """The commands of each marked block of a page, without their comments."""
    blocks = re.findall(r"^```bash (\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return {mark: [re.split(r"\s#", line)[0].rstrip() for line in text.splitlines()] for mark, text in blocks}


def copied_project(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    new_mlflow: Callable[[Path], str],
    *,
    page: str,
    more_files: Sequence[str] = (),
    more_folders: Sequence[str] = (),
) -> Path:
    """Copy the project and the files of a page into a folder, which becomes the working directory."""
    for name in ("MLproject", "conda.yaml", *more_files):
        shutil.copy(ROOT / name, folder)
    for name in ("projects", "sweeps", *more_folders):
        shutil.copytree(ROOT / name, folder / name, ignore=NOT_COPIED)
    for name, text in files_of(page).items():
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_mlflow(folder))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return folder


def done(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command of the page, given in a shell."""
    return subprocess.run(command, shell=True, cwd=folder, env=os.environ, capture_output=True, text=True, timeout=900)


def run(command: str, folder: Path) -> str:
    """Give a command that has to succeed; returns all that it prints."""
    return printed(done(command, folder), command)


def printed(ended: subprocess.CompletedProcess[str], command: str) -> str:
    """What a command has printed, which has succeeded."""
    assert ended.returncode == 0, f"{command}\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
    return ended.stdout + ended.stderr
