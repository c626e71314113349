"""Make a temporary MLflow project: a folder with an MLproject, a package `projects`, and its own two databases.

Every benchmark runs the engine as a user does, in a project, and leaves nothing in the repository's own databases.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

import rothamsted

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = tuple(REPOSITORY / "projects" / name for name in ("files", "training"))  # what studies have in common
MLPROJECT = """
name: benchmark
entry_points:
  {study}:
    command: "python -m projects.{study}"
  replicate:
    command: "python -m projects.{study}.replicate"
"""


@dataclass(frozen=True, kw_only=True)
class BenchmarkProject:
    """Holds the paths of one project folder."""

    root: Path
    study: str

    @property
    def search_path(self) -> Path:
        """Return the file of Optuna's database."""
        return self.root / "optuna.db"

    @property
    def tracking_path(self) -> Path:
        """Return the file of MLflow's database."""
        return self.root / "mlflow.db"

    def write_sweep(self, document: Mapping[str, Any]) -> Path:
        """Write a sweep file with this project's storage."""
        path = self.root / "sweep.yaml"
        storage = f"sqlite:///{self.search_path}"
        path.write_text(yaml.safe_dump({**document, "storage": storage}, sort_keys=False), encoding="utf-8")
        return path

    def environment(self, **settings: str) -> dict[str, str]:
        """Return this process's environment, pointed at the project's tracking store, with this Python first.

        The engine and these benchmarks stay importable whatever folder the child process starts in; the
        project's own package `projects` comes before the repository's, because `python -m` looks in the
        working directory first.
        """
        engine = Path(rothamsted.__file__).resolve().parents[1]
        paths = [str(engine), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.tracking_path}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "JAX_COMPILATION_CACHE_DIR": str(self.root / "jax_cache"),
            **settings,
        }

    def run(self, module: str, *arguments: str, **settings: str) -> str:
        """Run `python -m module ...` in the project's folder; returns its standard output.

        Args:
            module: its name.
            arguments: of the command line.
            settings: variables of its environment.

        Raises:
            RuntimeError: it failed; the end of its standard error is in the message.
        """
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, cwd=self.root, env=self.environment(**settings), capture_output=True, text=True)
        if done.returncode:
            raise failure(command, done.returncode, done.stderr)
        return done.stdout


@contextmanager
def benchmark_project(package: Path) -> Iterator[BenchmarkProject]:
    """Make a project whose one study is a copy of this package; remove it at the end."""
    with TemporaryDirectory(prefix="rothamsted-benchmark-", ignore_cleanup_errors=True) as temporary:
        root = Path(temporary).resolve()
        (root / "MLproject").write_text(MLPROJECT.format(study=package.name), encoding="utf-8")
        (root / "projects").mkdir()
        (root / "projects" / "__init__.py").write_text('"""The study that is measured."""\n', encoding="utf-8")
        for folder in (package, *SHARED):
            shutil.copytree(folder, root / "projects" / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
        yield BenchmarkProject(root=root, study=package.name)


def failure(command: Sequence[str], status: int, stderr: str) -> RuntimeError:
    """Return the error of a child process, with the last lines that it wrote."""
    tail = "\n".join(stderr.strip().splitlines()[-15:])
    return RuntimeError(f"{' '.join(command[:5])} ... ended with exit status {status}:\n{tail}")
