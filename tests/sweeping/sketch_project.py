"""Puts the study of sketches (`tests.sketch`) into a test's project, as its entry point `sketch`.

Apart from the fixtures, because tests of artifacts, of values that are lists and of the TensorBoard mirror need it.
"""

from __future__ import annotations

import shutil
from typing import Any

from tests.conftest import ROOT
from tests.sweeping.conftest import Project

ENTRY_POINT = '  sketch:\n    command: "python -m projects.sketch"\n'
SWEEP: dict[str, Any] = {
    "name": "sketches",
    "study": "sketch",
    "parameters": {"steps": 2},
    "space": {"lr": [0.25, 0.5]},
    "objective": {"metric": "validation/loss", "direction": "minimize"},
    "replicates": {"count": 2},
}


def add_sketch_study(project: Project) -> None:
    """Copy the study into `projects/sketch`."""
    folder = project.root / "projects" / "sketch"
    folder.mkdir()
    shutil.copy(ROOT / "tests" / "sketch" / "__init__.py", folder / "__init__.py")
    main = (ROOT / "tests" / "sketch" / "__main__.py").read_text(encoding="utf-8")
    (folder / "__main__.py").write_text(main.replace("tests.sketch", "projects.sketch"), encoding="utf-8")
    with (project.root / "MLproject").open("a", encoding="utf-8") as file:
        file.write(ENTRY_POINT)
