"""Puts the study with real models (`tests.torch_toy`) into a test's project, as its entry point `line`.

Apart from the fixtures, because the tests of models, of duels and of serving all need it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.sweeping.conftest import Project

ENTRY_POINT = '  line:\n    command: "python -m projects.line"\n'
SWEEP: dict[str, Any] = {
    "name": "lines",
    "study": "line",
    "parameters": {"steps": 3},
    "space": {"lr": [0.05, 0.2]},
    "objective": {"metric": "loss", "direction": "minimize"},
    "replicates": {"count": 2},
}


def add_line_study(project: Project) -> Path:
    """Copy the study into `projects/line`; returns its folder."""
    folder = project.root / "projects" / "line"
    folder.mkdir()
    for source in sorted((ROOT / "tests" / "torch_toy").glob("*.py")):
        text = source.read_text(encoding="utf-8").replace("tests.torch_toy", "projects.line")
        (folder / source.name).write_text(text, encoding="utf-8")
    with (project.root / "MLproject").open("a", encoding="utf-8") as file:
        file.write(ENTRY_POINT)
    return folder
