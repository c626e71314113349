"""MLflow's project backend `rothamsted`: what a call fills in, what it refuses, and one real `mlflow run`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient
from mlflow.exceptions import ExecutionException
from mlflow.projects.backend.loader import load_backend

from rothamsted import tags
from rothamsted.backend import SweepBackend, SweepProcess
from rothamsted.search import find_search
from rothamsted.tracking import find_run, find_runs
from tests.conftest import ROOT

OF_MLFLOW = {"ENV_MANAGER": None, "SYNCHRONOUS": True, "DOCKER_ARGS": None, "STORAGE_DIR": None}
SWEEP: dict[str, Any] = {
    "name": "theirs",
    "space": {"lr": [0.25, 0.5]},
    "seed_parameter": "seed",
    "objective": {"metric": "val_loss", "direction": "minimize"},
    "replicates": 1,
    "execution": {"workers": 1, "warm_pool": False, "report": False},
}


class Strangers:
    """A stranger's project folder with a sweep file in it, called from the folder above."""

    def __init__(self, folder: Path, tracking_uri: str) -> None:
        self.folder, self.uri = folder, tracking_uri
        self.storage = f"sqlite:///{folder.parent / 'optuna.db'}"  # beside the tracking store
        self.started: list[SweepProcess] = []

    def write(self, **changes: Any) -> None:
        document = {key: value for key, value in (SWEEP | changes).items() if value is not None}
        (self.folder / "sweep.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    def call(
        self,
        config: Mapping[str, Any] | str | None = None,
        params: Mapping[str, str] | None = None,
        *,
        uri: str = "frugal",
        entry_point: str = "main",
        experiment_id: str = "0",
        flags: Mapping[str, Any] | None = None,
    ) -> SweepProcess:
        config = {"sweep": "sweep.yaml"} if config is None else config
        whole = config if isinstance(config, str) else {**config, **OF_MLFLOW, **(flags or {})}
        submitted = SweepBackend().run(uri, entry_point, params, None, whole, self.uri, experiment_id)
        self.started.append(submitted)
        return submitted

    def refused(self, *arguments: Any, **named: Any) -> str:
        with pytest.raises(ExecutionException) as error:
            self.call(*arguments, **named)
        assert not any((folder / "optuna.db").exists() for folder in (self.folder, self.folder.parent))
        assert find_runs(None, {}, uri=self.uri) == []
        assert "\n" not in str(error.value)
        return str(error.value)

    def spec(self, name: str = "theirs") -> Mapping[str, Any]:
        record = find_search(self.storage, name)
        assert record is not None
        return record.spec


class Idle:
    """Stands in for the sweep's process where only what it is started with is looked at."""

    def __init__(self, seen: list[str], unseen: list[str], **settings: Any) -> None:
        self.seen, self.command, self.settings = seen, [*seen, *unseen], settings


@pytest.fixture
def theirs(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Strangers:
    source = ROOT / "tests" / "foreign" / "projects" / "frugal"
    folder = Path(shutil.copytree(source, tmp_path / "frugal", ignore=shutil.ignore_patterns("__pycache__")))
    monkeypatch.chdir(tmp_path)
    uri = new_mlflow(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    strangers = Strangers(folder, uri)
    strangers.write()
    return strangers


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Idle]:
    """The processes that would have been started."""
    made: list[Idle] = []

    def start(command: list[str], unseen: list[str], **settings: Any) -> Idle:
        made.append(Idle(command, unseen, **settings))
        return made[-1]

    monkeypatch.setattr("rothamsted.backend._start_process", start)
    return made


def test_mlflow_finds_the_backend_by_its_name() -> None:
    assert isinstance(load_backend("rothamsted"), SweepBackend)


def test_project_and_entry_point_are_those_of_the_call(theirs: Strangers, started: list[Idle]) -> None:
    submitted = theirs.call()
    spec = theirs.spec()  # its database is in the project's folder
    assert (spec["project"], spec["entry_point"]) == (".", "main")
    run = find_run(submitted.run_id, uri=theirs.uri)
    assert run is not None
    assert (run.tags[tags.ROLE], run.tags[tags.SWEEP], run.name) == ("sweep", "theirs", "theirs")
    [process] = started
    assert process.settings["cwd"] == theirs.folder
    assert process.settings["env"]["MLFLOW_TRACKING_URI"] == theirs.uri


def test_a_file_that_says_the_same_as_the_call_is_taken(theirs: Strangers, started: list[Idle]) -> None:
    theirs.write(project=str(theirs.folder), entry_point="main")
    theirs.call()
    theirs.write(project=".", entry_point="main")
    theirs.call()  # goes on with the same sweep
    assert len(find_runs(None, {tags.ROLE: "sweep"}, uri=theirs.uri)) == 1


def test_files_that_trainings_write_and_the_sweep_file_are_no_code(theirs: Strangers, started: list[Idle]) -> None:
    theirs.call()
    (theirs.folder / "results.csv").write_text("written by a training\n")
    theirs.write(replicates=2)  # the sweep grows
    theirs.call()
    assert theirs.spec()["replicates"]["count"] == 2


def test_changed_code_is_refused_as_rothamsted_sweep_refuses_it(theirs: Strangers, started: list[Idle]) -> None:
    theirs.call()
    program = next(theirs.folder.glob("*.py"))
    program.write_text(program.read_text() + "\nCHANGED = True\n")
    with pytest.raises(ExecutionException, match=rf"started with other code of .* \(changed: {program.name}; digest"):
        theirs.call()
    theirs.call(params={"if_exists": "resume_with_changed_code"})
    theirs.call()  # the code of the last session counts
    assert len(find_runs(None, {tags.ROLE: "sweep"}, uri=theirs.uri)) == 1
    theirs.call(params={"if_exists": "new"})
    assert "--name=theirs-2" in started[-1].command
    assert len(find_runs(None, {tags.ROLE: "sweep"}, uri=theirs.uri)) == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"project": "elsewhere"}, "sweep.yaml:1: project: is 'elsewhere', and mlflow run names 'frugal'"),
        ({"entry_point": "shell"}, "entry_point: is 'shell', and mlflow run names 'main'"),
        ({"version": "v1"}, "version: is 'v1', and mlflow run names None"),
        ({"study": "batch_size"}, "study: a backend sweeps the project that mlflow run names"),
    ],
)
def test_a_file_that_contradicts_the_call_is_refused(theirs: Strangers, changes: dict[str, str], says: str) -> None:
    document = {**changes, **SWEEP}
    (theirs.folder / "sweep.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    assert says in theirs.refused()


def test_parameters_of_the_call_are_fixed_and_keys_of_the_file_overridden(
    theirs: Strangers, started: list[Idle]
) -> None:
    theirs.write(space={"lr": {"low": 0.1, "high": 1.0}, "steps": [2, 3]}, sampler="random", trials=3)
    config = {
        "sweep": "sweep.yaml",
        "trials": 4,
        "sampler.seed": 7,
        "objective": {**SWEEP["objective"], "reduce": "best"},
    }
    theirs.call(config, {"steps": "4", "name": "other"})
    spec = theirs.spec("other")
    assert (spec["parameters"], list(spec["space"]), spec["trials"]) == ({"steps": 4}, ["lr"], 4)
    assert (spec["sampler"]["seed"], spec["objective"]["reduce"]) == (7, "best")


def test_no_secret_stands_in_the_arguments_of_the_process(theirs: Strangers, started: list[Idle]) -> None:
    theirs.call({"sweep": "sweep.yaml", "execution.environment": {"TOKEN": "5ecret"}, "timeout": "1h"})
    [process] = started
    assert "--timeout=1h" in process.seen
    assert "5ecret" not in " ".join(process.seen)
    assert '--execution.environment={"TOKEN": "5ecret"}' in process.command
    assert theirs.spec()["execution"]["environment"] == {"TOKEN": "***"}


def test_the_flag_of_mlflow_chooses_the_environment(theirs: Strangers, started: list[Idle]) -> None:
    theirs.write(execution={**SWEEP["execution"], "env_manager": "uv"})
    theirs.call(flags={"ENV_MANAGER": "local"})
    assert theirs.spec()["execution"].get("env_manager", "local") == "local"  # the default is left out of the record


def test_runs_go_into_the_experiment_of_the_call(theirs: Strangers, started: list[Idle]) -> None:
    experiment_id = MlflowClient(theirs.uri).create_experiment("digits")
    submitted = theirs.call(experiment_id=experiment_id)
    run = find_run(submitted.run_id, uri=theirs.uri)
    assert run is not None
    assert run.experiment_id == experiment_id
    assert started[0].settings["env"]["MLFLOW_EXPERIMENT_ID"] == experiment_id
    assert "MLFLOW_EXPERIMENT_ID" not in os.environ


@pytest.mark.parametrize(
    ("config", "params", "says"),
    [
        ({}, {}, 'backend rothamsted: sweep: is missing; write -c \'{"sweep": "sweep.yaml"}\''),
        ({"sweep": 3}, {}, "sweep: must be the path of a sweep file, not 3"),
        ({"sweep": "nowhere.yaml"}, {}, "sweep: there is no file 'nowhere.yaml' in "),
        (
            {"sweep": "sweep.yaml", "trails": 3},
            {},
            "trails: is neither a key of a sweep file nor a parameter of project",
        ),
        ({"sweep": "sweep.yaml"}, {"lrr": "1"}, "lrr: is neither a key of a sweep file nor a parameter of project"),
        ({"sweep": "sweep.yaml", "trials": 3}, {"trials": "3"}, "trials: is given by -P and by -c; give it once"),
        ({"sweep": "sweep.yaml", "project": "."}, {}, "project: comes from mlflow run itself; remove it"),
        ("sweep.yaml", {}, "-c must be a JSON object or a file NAME.json, not 'sweep.yaml'"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    theirs: Strangers, config: Any, params: dict[str, str], says: str
) -> None:
    assert says in theirs.refused(config, params)


def test_a_project_or_an_entry_point_that_does_not_exist_is_refused(theirs: Strangers) -> None:
    assert "has no entry point 'train'; known: main, shell, drops_its_seed" in theirs.refused(entry_point="train")
    assert "nowhere" in theirs.refused(uri="nowhere")


def test_a_repository_keeps_the_search_where_mlflow_run_was_called(theirs: Strangers, started: list[Idle]) -> None:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=trunk"]
    clone = ["clone", "--bare", ".", "../theirs.git"]
    for arguments in (["init"], ["add", "."], ["commit", "-m", "first"], clone):
        subprocess.run(["git", *identity, *arguments], cwd=theirs.folder, check=True, capture_output=True)
    here = theirs.folder.parent
    uri = (here / "theirs.git").as_uri()
    theirs.call(uri=uri)
    record = find_search(f"sqlite:///{here / 'optuna.db'}", "theirs")
    assert record is not None
    assert (record.spec["project"], started[0].settings["cwd"]) == (uri, here)


def test_cancelling_stops_the_sweep_as_ctrl_c_does(tmp_path: Path) -> None:
    program = (
        "import signal, sys, time\nsignal.signal(signal.SIGINT, lambda *_: sys.exit(130))\nprint('on', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", f"{program}time.sleep(60)"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    submitted = SweepProcess(process=process, sweep_run_id="0")
    assert submitted.get_status() == "RUNNING"
    submitted.cancel()
    assert (process.returncode, submitted.get_status(), submitted.wait()) == (130, "FAILED", False)


def test_mlflow_run_sweeps_a_project_from_its_own_folder(theirs: Strangers) -> None:
    """As a user would; the folder has modules with the names of Python's and ours, which nobody but it imports."""
    for name in ("queue.py", "statistics.py", "rothamsted.py", "json.py"):
        (theirs.folder / name).write_text("raise SystemExit('a file of the project was imported')\n")
    path = theirs.folder / "MLproject"
    path.write_text(path.read_text().replace("python train.py", "python -P train.py"))
    config = json.dumps({"sweep": "sweep.yaml", "name": "by-hand"})
    command = [
        str(Path(sys.executable).with_name("mlflow")),
        "run",
        ".",
        "-e",
        "main",
        "-b",
        "rothamsted",
        "-c",
        config,
    ]
    done = subprocess.run(
        [*command, "-P", "steps=2"],
        cwd=theirs.folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [sweep], trials = (find_runs(None, {tags.ROLE: role}, uri=theirs.uri) for role in ("sweep", "trial"))
    assert (sweep.status, sweep.name, sweep.tags["mlflow.project.backend"]) == ("FINISHED", "by-hand", "rothamsted")
    # train.py: 1 - lr + 1 / 2 at its last step, 2, with seed 0.
    assert sorted(run.metrics["objective"] for run in trials) == [pytest.approx(1.0), pytest.approx(1.25)]
    assert {run.tags["mlflow.parentRunId"] for run in trials} == {sweep.run_id}
