"""The engine without the packages that only the studies of this repository use."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from tests.conftest import ROOT
from tests.sweeping.conftest import Project

OTHERS_TOO = {"threadpoolctl", "scikit-learn"}  # MLflow brings them, so they are there with the engine, too
# Python imports a module of this name in every process before anything else.
SITECUSTOMIZE = """
import sys

class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"{{name}} is not installed here", name=name)

sys.meta_path.insert(0, Refuses())
"""


def of_studies() -> set[str]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {Requirement(text).name for text in document["project"]["optional-dependencies"]["studies"]}
    return names - OTHERS_TOO | {"jaxlib"}


def test_a_sweep_and_its_report_need_no_package_of_the_studies(project: Project, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text(SITECUSTOMIZE.format(names=sorted(of_studies())))
    path = os.pathsep.join([str(blocked), str(ROOT)])
    file = project.write({"execution": {"report": True}, "confirm": {"keep": 1, "replicates": 2}})
    refused = subprocess.run(
        [sys.executable, "-c", "import torch"], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert "torch is not installed here" in refused.stderr
    done = project.cli("sweep", "--config", str(file), PYTHONPATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    told = project.cli("report", "--sweep", "toys", "--folder", "pages", PYTHONPATH=path)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "toys" in (project.root / "pages" / "toys.html").read_text()


def test_the_packages_that_are_refused_are_those_of_the_extra() -> None:
    assert of_studies() == {"torch", "jax", "jaxlib", "optax", "tokenizers"}
