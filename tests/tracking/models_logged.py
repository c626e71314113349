"""Five trained models, JAX, torch and NumPy, of numbers and of text, logged once for all tests that look at one.

Apart from the tests, because training them takes seconds, and because what they are compared with, the output
where they were trained, has to be kept beside them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rothamsted.studies import drive, load_study
from rothamsted.studies.source_code import study_code
from rothamsted.tracking import open_recorder
from rothamsted.tracking.models.model_files import StudyCode, check_model, log_model
from tests.conftest import ROOT
from tests.sweeping.conftest import Project, toy_project
from tests.sweeping.line_project import add_line_study

CONFIGS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "jax": ("batch_size", {"depth": 2, "width": 96, "steps": 5, "evals": 1}),
    "torch": ("line", {"backend": "torch", "widths": (32, 32)}),
    "numpy": ("line", {}),
    "text": ("line", {"model": "text"}),
    "shout": ("line", {"model": "shout"}),
}

# Begins a program that stands for a machine where neither the engine nor a study's training libraries are installed.
BARE = """
import sys
class Absent:
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in ("rothamsted", "jax", "optax", "optuna"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent)
"""


@dataclass(frozen=True, kw_only=True)
class Logged:
    """A model in the store, what it was trained as, and what it gave there."""

    uri: str
    run_id: str
    model: Any
    code: StudyCode
    x: Any  # many rows, not those of the input example
    output: Any


@dataclass(frozen=True, kw_only=True)
class Store:
    """The models of `CONFIGS`, in the tracking store of a project."""

    project: Project
    models: Mapping[str, Logged]

    def load_elsewhere(self, folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program that knows the tracking URI and nothing of repository, engine and training libraries."""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return subprocess.run(
            [sys.executable, "-c", BARE + program, *arguments],
            cwd=folder,
            env={**environment, "MLFLOW_TRACKING_URI": self.project.tracking_uri},
            capture_output=True,
            text=True,
            timeout=240,
        )


@contextmanager
def logged_models(folder: Path, new_mlflow: Callable[[Path], str]) -> Iterator[Store]:
    """Train and log them in a project of their own."""
    new_mlflow(folder)
    with toy_project(folder) as project:
        add_line_study(project)
        for name in ("batch_size", "files", "training"):
            shutil.copytree(
                ROOT / "projects" / name, folder / "projects" / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        with (folder / "MLproject").open("a", encoding="utf-8") as file:
            file.write('  batch_size:\n    command: "python -m projects.batch_size"\n')
        yield Store(project=project, models={name: _logged(project, *how) for name, how in CONFIGS.items()})


def _logged(project: Project, study_name: str, fields: Mapping[str, Any]) -> Logged:
    study = load_study(f"python -m projects.{study_name}", project.root)
    [ending] = drive(study, [study.config(**fields)], on_measurement=lambda member, measured: None)
    model = ending.model
    code = study_code(study_name, project.root)
    with open_recorder(project.tracking_uri) as recorder:
        run_id = recorder.open_run(experiment_id="0", name=study_name, tags={}, params={}, start_ms=1)
        recorder.flush()
        uri = log_model(
            check_model(model, code),
            code,
            run_id=run_id,
            experiment_id="0",
            uri=project.tracking_uri,
            step=ending.history[-1].step,
            params={"lr": "0.1"},
            tags={"rothamsted.study": study_name},
        )
    x = _rows(model.input_example)
    return Logged(uri=uri, run_id=run_id, model=model, code=code, x=x, output=model.predict(x))


def _rows(example: Any) -> Any:
    """Many rows of such an input, others than those of the example."""
    rng = np.random.default_rng(1)
    if isinstance(example, Mapping):
        return {name: _rows(array) for name, array in example.items()}
    if example.dtype.kind == "f":
        return rng.normal(size=(300, example.shape[1])).astype(example.dtype)
    numbers = rng.integers(0, 30, size=300)
    return numbers if example.dtype.kind == "i" else np.array([f"ein Tag, größer als {n}" for n in numbers])
