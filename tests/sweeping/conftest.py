"""A toy project in a folder of its own, with databases that are migrated already (copies of one template)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from rothamsted.cli.main import main
from rothamsted.sweeping.open.from_file import load
from rothamsted.sweeping.open.start import open_sweep
from rothamsted.sweeping.opened import Opened, Place
from rothamsted.sweeping.worker.work import Worker
from tests.conftest import ROOT
from tests.sweeping.in_this_process import deciding
from tests.sweeping.same_result import check_readers_agree
from tests.sweeping.strangers import home

__all__ = ["home"]
MLPROJECT = """
name: toy-project
entry_points:
  toy:
    command: "python -m projects.toy"
"""
SWEEP: dict[str, Any] = {
    "name": "toys",
    "study": "toy",
    "parameters": {"steps": 20, "n_points": 5},
    "space": {"lr": {"low": 0.01, "high": 1.0, "log": True, "points": 3}, "x": [0.0, 0.5]},
    "objective": {"metric": "val_loss", "direction": "minimize", "reduce": "last"},
    "sampler": {"name": "grid"},
    "replicates": {"count": 3},
}


Events = list[dict[str, Any]]
ShouldStop = Callable[[Events], bool]


def stop_in_replicate(n_started: int, n_asked: int) -> ShouldStop:
    """Stop in the `n_started`-th replicate that is started, when it has been asked `n_asked` times."""
    asked = 0

    def should_stop(events: Events) -> bool:
        nonlocal asked
        asked += sum(event["event"] == "start" for event in events) == n_started
        return asked >= n_asked

    return should_stop


@dataclass(frozen=True, kw_only=True)
class Project:
    """The toy project: write a sweep file, then run it in this process or as a user would."""

    root: Path
    altered: list[str] = field(default_factory=list)  # what a test did to the stores behind the engine's back

    @property
    def is_altered(self) -> bool:
        return bool(self.altered)

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def storage(self) -> str:
        return f"sqlite:///{self.root / 'optuna.db'}"

    def write(self, changes: Mapping[str, Any] | None = None, name: str = "sweep.yaml") -> Path:
        """Write the standard sweep with top-level keys replaced; None removes one.

        Unless asked for no report, and one worker: each that starts imports for seconds.
        """
        document = {**SWEEP, "storage": self.storage, **(changes or {})}
        document["execution"] = {"report": False, "workers": 1, **(document.get("execution") or {})}
        document = {key: value for key, value in document.items() if value is not None}
        path = self.root / name
        path.write_text("# Question: does the toy learn?\n" + yaml.safe_dump(document, sort_keys=False))
        return path

    @property
    def place(self) -> Place:
        """Where its sweeps are started from."""
        outer = os.environ.get("MLFLOW_RUN_ID")
        return Place(
            root=self.root,
            tracking_uri=self.tracking_uri,
            outer_run_id=outer,
            source=str(self.root / "sweep.yaml"),
        )

    def start(self, changes: Mapping[str, Any] | None = None, say: Callable[[str], None] = lambda line: None) -> Opened:
        """Start, or resume, a sweep in this process."""
        sweep, study = load(self.write(changes), {}, self.root)
        return open_sweep(sweep, study, self.place, say=say)

    def work(self, opened: Opened, should_stop: ShouldStop = lambda events: False) -> Events:
        """One worker in this process, which decides, too; returns its events."""
        events: Events = []
        worker = Worker(
            context=opened,
            emit=lambda e: events.append(dict(e)),
            should_stop=lambda: should_stop(events),
            on_idle=deciding(opened),
        )
        worker.run()
        return events

    def cli(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the console script as a user would, in the project's folder."""
        return subprocess.run(
            [sys.executable, "-m", "rothamsted", *arguments],
            cwd=self.root,
            env=self.environment(**settings),
            capture_output=True,
            text=True,
            timeout=240,
        )

    def here(self, *arguments: str) -> int:
        """Run a command in this process, which has its imports, and so the worker of a sweep; its exit status."""
        own = ["execution.executor=in_process", "execution.workers=1"] if arguments[0] == "sweep" else []
        return main([*arguments, *own])

    def environment(self, **settings: str) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": self.tracking_uri, **settings}


@contextmanager
def toy_project(folder: Path) -> Iterator[Project]:
    """The toy project in a folder, importable and the working directory for as long as this lasts.

    At its end the search and the record must say the same of each sweep that has run to its end.
    """
    package = folder / "projects" / "toy"
    package.mkdir(parents=True)
    (folder / "MLproject").write_text(MLPROJECT)
    (folder / "projects" / "__init__.py").write_text('"""Studies."""\n')
    shutil.copy(ROOT / "tests" / "toy" / "__init__.py", package / "__init__.py")
    main = (ROOT / "tests" / "toy" / "__main__.py").read_text().replace("tests.toy", "projects.toy")
    (package / "__main__.py").write_text(main)
    project = Project(root=folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", project.tracking_uri)
        for name in [n for n in sys.modules if n == "projects" or n.startswith("projects.")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(str(folder))
        yield project
        if (folder / "optuna.db").is_file() and not project.is_altered:
            check_readers_agree(project.storage, project.tracking_uri)
        for name in [n for n in sys.modules if n == "projects" or n.startswith("projects.")]:
            del sys.modules[name]


@pytest.fixture
def empty_project(tmp_path: Path) -> Iterator[Project]:
    """The toy project without any database."""
    with toy_project(tmp_path) as project:
        yield project


@pytest.fixture
def project(empty_project: Project, new_mlflow: Callable[[Path], str]) -> Project:
    """The toy project with an empty tracking store."""
    new_mlflow(empty_project.root)
    return empty_project
