"""A stranger's project to sweep, in a folder of its own with both databases.

Apart from the tests, because several files of them need it.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from rothamsted import tags
from rothamsted.sweeping.open.from_file import load
from rothamsted.sweeping.open.start import open_sweep
from rothamsted.sweeping.opened import Opened, Place
from rothamsted.sweeping.worker.work import Worker
from rothamsted.tracking import FoundRun, find_runs
from tests.conftest import ROOT
from tests.sweeping.in_this_process import deciding
from tests.sweeping.same_result import check_readers_agree

Events = list[dict[str, Any]]
ShouldStop = Callable[[Events], bool]
PROJECTS = ROOT / "tests" / "foreign" / "projects"
SWEEP: dict[str, Any] = {
    "name": "strange",
    "project": "frugal",
    "seed_parameter": "seed",
    "space": {"lr": [0.25, 0.5]},
    "objective": {"metric": "val_loss", "direction": "minimize"},
    "replicates": {"count": 2},
    "execution": {"warm_pool": False, "workers": 1, "report": False},
}


class Home:
    """A folder with nothing but sweep files, a stranger's project below it, and the two databases."""

    def __init__(self, root: Path, tracking_uri: str) -> None:
        self.root, self.uri = root, tracking_uri
        self.storage = f"sqlite:///{root / 'optuna.db'}"

    def write(self, changes: Mapping[str, Any] | None = None) -> Path:
        document = {**SWEEP, "storage": self.storage, **(changes or {})}
        document["execution"] = {**SWEEP["execution"], **document["execution"]}
        path = self.root / "sweep.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in document.items() if v is not None}, sort_keys=False))
        return path

    def start(self, changes: Mapping[str, Any] | None = None) -> Opened:
        path = self.write(changes)
        sweep, study = load(path, {}, self.root)
        place = Place(root=self.root, tracking_uri=self.uri, source=str(path))
        return open_sweep(sweep, study, place)

    def work(
        self, context: Opened, should_stop: ShouldStop = lambda events: False, heard: Events | None = None
    ) -> Events:
        events: Events = [] if heard is None else heard
        worker = Worker(
            context=context,
            emit=lambda e: events.append(dict(e)),
            should_stop=lambda: should_stop(events),
            on_idle=deciding(context),
        )
        worker.run()
        return events

    def run(self, changes: Mapping[str, Any] | None = None) -> Events:
        return self.work(self.start(changes))

    def runs(self, role: str = "replicate") -> list[FoundRun]:
        return find_runs(None, {tags.ROLE: role}, uri=self.uri)

    def one(self, changes: Mapping[str, Any]) -> FoundRun:
        """The run of the only replicate of the only condition."""
        self.run({"space": {"lr": [0.25]}, "replicates": {"count": 1}, **changes})
        [run] = self.runs("trial")
        return run


def make_home(folder: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Home:
    shutil.copytree(PROJECTS / "frugal", folder / "frugal", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(folder)
    uri = new_mlflow(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return Home(folder, uri)


@pytest.fixture
def home(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """At its end the search and the record must say the same of each sweep that has run to its end."""
    home = make_home(tmp_path, new_mlflow, monkeypatch)
    yield home
    if (tmp_path / "optuna.db").is_file():
        check_readers_agree(home.storage, home.uri)


def runs(process: psutil.Process, word: str) -> bool:
    with contextlib.suppress(psutil.Error):  # it has ended meanwhile
        return word in process.cmdline()
    return False


def how(name: str, **parameters: Any) -> dict[str, Any]:
    return {"parameters": {"how": name, **parameters}}
