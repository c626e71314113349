"""A project of its own with its databases, in which whole commands run as a user gives them, and can be broken.

Nothing here imports the engine: a command is a process, and a process of a world is known by a variable in its
environment, which children inherit, however they leave their parents. That makes it Linux only.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.faults.stores import Server

ROOT = Path(__file__).resolve().parent.parent.parent
MARK = "FAULTS_WORLD"
_ON_HOST = ("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"')  # a host name for one process
MLPROJECT = """
name: toy-project
entry_points:
  toy:
    command: "python -m projects.toy"
"""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the toy sweeps of a world train: the audit computes all of it again.

    Attributes:
        sleep_seconds: a step takes so long, so that a fault meets the training.
    """

    lr: tuple[float, ...] = (0.5, 0.1)
    x: tuple[float, ...] = (0.0, 0.5)
    n_seeds: int = 3
    n_confirm: int = 3
    steps: int = 20
    n_points: int = 10
    sleep_seconds: float = 0.03

    def document(self, name: str) -> dict[str, Any]:
        """The sweep file; what is not here has the engine's defaults."""
        return {
            "name": name,
            "study": "toy",
            "parameters": {"steps": self.steps, "n_points": self.n_points, "sleep_seconds": self.sleep_seconds},
            "space": {"lr": list(self.lr), "x": list(self.x)},
            "objective": {"metric": "val_loss", "direction": "minimize", "reduce": "last"},
            "sampler": {"name": "grid"},
            "replicates": {"count": self.n_seeds},
            "confirm": {"replicates": self.n_confirm},
        }


@dataclass(kw_only=True)
class World:
    """A toy project in a folder, its two databases, and the processes that were started in it.

    Attributes:
        storage: URL of the search.
        record: URL of MLflow's tables.
        server: the PostgreSQL server of both databases, which can be stopped and started; None: SQLite.
        tracking: where commands send what is for MLflow; empty: to its tables.
        artifacts: the folder where a tracking server keeps artifacts.
        said: files with what each command has printed.
    """

    root: Path
    storage: str
    record: str
    shape: Shape = field(default_factory=Shape)
    execution: Mapping[str, Any] = field(default_factory=dict)
    server: Server | None = None
    tracking: str = ""
    artifacts: Path = Path()
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    said: list[Path] = field(default_factory=list)

    def write(self, name: str, document: Mapping[str, Any] | None = None, **execution: Any) -> Path:
        """Write the sweep file of a name; `execution` wins over the world's own."""
        document = {**(document or self.shape.document(name)), "storage": self.storage}
        if settings := {**document.get("execution", {}), **self.execution, **execution}:
            document["execution"] = settings
        path = self.root / f"{name}.yaml"
        path.write_text("# Question: does it survive?\n" + yaml.safe_dump(document, sort_keys=False))
        return path

    def start(self, *arguments: str, host: str = "", **settings: str) -> subprocess.Popen[bytes]:
        """Start `rothamsted …` in a session of its own; what it prints goes to a file.

        With `host` it takes itself for a process of the host of that name.
        """
        path = self.root / "said" / f"{len(self.said)}.txt"
        path.parent.mkdir(exist_ok=True)
        self.said.append(path)
        with path.open("wb") as out:
            return subprocess.Popen(
                [*((*_ON_HOST, host) if host else ()), sys.executable, "-m", "rothamsted", *arguments],
                cwd=self.root,
                env=self.environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def environment(self, **settings: str) -> dict[str, str]:
        """Of each command: this shell's without its MLflow settings."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
        own = {
            "PYTHONPATH": str(ROOT),
            "MLFLOW_TRACKING_URI": self.tracking or self.record,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        return {**kept, **own, MARK: self.mark, **settings}

    def processes(self) -> list[psutil.Process]:
        """Every process that descends from a command of this world and still runs."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def kill_all(self) -> None:
        """End what is left, so that one world does not disturb the next."""
        for _ in range(20):
            left = self.processes()
            for process in left:
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL)
            if not left:
                return
            psutil.wait_procs(left, timeout=1)


def make_world(folder: Path, storage: str | None = None, record: str | None = None, **options: Any) -> World:
    """The toy project in a folder; both databases are SQLite files there, unless URLs are given."""
    package = folder / "projects" / "toy"
    package.mkdir(parents=True)
    (folder / "MLproject").write_text(MLPROJECT)
    (folder / "projects" / "__init__.py").write_text('"""Studies."""\n')
    shutil.copy(ROOT / "tests" / "toy" / "__init__.py", package / "__init__.py")
    main = (ROOT / "tests" / "toy" / "__main__.py").read_text().replace("tests.toy", "projects.toy")
    (package / "__main__.py").write_text(main)
    return World(
        root=folder,
        storage=storage or f"sqlite:///{folder / 'optuna.db'}",
        record=record or f"sqlite:///{folder / 'mlflow.db'}",
        **options,
    )


@contextmanager
def world_in(folder: Path, storage: str | None = None, record: str | None = None, **options: Any) -> Iterator[World]:
    """A world whose processes do not outlive this."""
    world = make_world(folder, storage, record, **options)
    try:
        yield world
    finally:
        world.kill_all()
