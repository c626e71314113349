"""`mlflow run` of a project that lies elsewhere, or behind an address: everything stays with the user."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from sqlalchemy import make_url

from rothamsted import places
from rothamsted.errors import StoreError
from rothamsted.sweeping.open.whose_search import search_of
from tests.conftest import ROOT
from tests.places.git_over_http import commit, served

MLPROJECT = """\
name: toys
entry_points:
  toy: {command: "python -m projects.toy"}
  sweep:
    parameters: {config: {type: string, default: sweep.yaml}}
    command: "python -m rothamsted sweep --config {config}"
  worker:
    parameters: {sweep: {type: string}}
    command: "python -m rothamsted worker --sweep {sweep}"
  report: {command: "python -m rothamsted report"}
"""
SWEEP = """\
# Question: does the toy learn?
name: toys
study: toy
parameters: {steps: 20, n_points: 5}
space: {lr: [0.01, 0.1]}
objective: {metric: val_loss, direction: minimize, reduce: last}
replicates: {count: 2}
experiment: of-toys
execution: {workers: 1, report: false, tensorboard: true}
"""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder."""
    folder = tmp_path_factory.mktemp("there") / "project"
    (folder / "projects" / "toy").mkdir(parents=True)
    (folder / "projects" / "__init__.py").write_text('"""Studies."""\n')
    shutil.copy(ROOT / "tests" / "toy" / "__init__.py", folder / "projects" / "toy")
    main = (ROOT / "tests" / "toy" / "__main__.py").read_text().replace("tests.toy", "projects.toy")
    (folder / "projects" / "toy" / "__main__.py").write_text(main)
    (folder / "MLproject").write_text(MLPROJECT)
    (folder / "sweep.yaml").write_text(SWEEP)
    return folder


@pytest.fixture(scope="module")
def address(there: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same project as a bare git repository over HTTP."""
    copy, bare = tmp_path_factory.mktemp("copy") / "project", tmp_path_factory.mktemp("bare")
    shutil.copytree(there, copy)
    commit(copy, bare / "toys.git")
    with served(bare) as host:
        yield f"{host}/toys.git"


HERE = ("-P", "execution.executor=in_process")  # no worker of its own, which imports for seconds


def run(where: Path, project: str, entry: str, *parameters: str, **settings: str) -> str:
    """Give the command in a folder; what it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PWD", "OLDPWD")}
    done = subprocess.run(
        ["mlflow", "run", project, "-e", entry, "--env-manager", "local", *parameters],
        cwd=where,
        env={**environment, **settings},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def made_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != "__pycache__"}


def artifact_places(store: Path) -> set[str]:
    with closing(sqlite3.connect(store)) as connection:
        return {place for (place,) in connection.execute("SELECT artifact_uri FROM runs")}


def test_a_git_address_leaves_everything_with_the_user(address: str, tmp_path: Path) -> None:
    user = tmp_path / "of me & you"
    user.mkdir()
    said = run(user, address, "sweep")
    assert made_in(user) >= {"mlflow.db", "optuna.db", "mlruns", "tensorboard"}
    assert all(place.startswith(str(user)) for place in artifact_places(user / "mlflow.db"))
    [line] = re.findall(r"^ *(optuna-dashboard .*?) +# study", said, re.MULTILINE)
    program, storage = shlex.split(line)
    assert (program, make_url(storage).database) == ("optuna-dashboard", f"{user}/optuna.db")
    assert len(optuna.load_study(study_name="toys", storage=storage).trials) == 2
    # The sweep is found again from a fresh copy of the project, by a worker and by whoever reads it.
    assert "nothing is left to do" in run(user, address, "worker", "-P", "sweep=toys")
    run(user, address, "report", "-P", "sweep=toys", "-P", "folder=pages")
    run(user, address, "report", "-P", "sweep=toys", "-P", "format=svg", "-P", "plots=forest")
    page = (user / "pages" / "toys.html").read_text()  # what it proposes is run from the same address
    assert f"mlflow run {address}" in page
    assert "mlflow run . " not in page
    assert [path.suffix for path in (user / places.FIGURES).iterdir()] == [".svg"]


def test_a_folder_elsewhere_is_left_as_it_was(there: Path, tmp_path: Path) -> None:
    before = made_in(there)
    run(tmp_path, str(there), "sweep", *HERE)
    assert made_in(there) == before
    assert made_in(tmp_path) >= {"mlflow.db", "optuna.db", "mlruns", "tensorboard"}


def test_rothamsted_home_takes_what_is_not_mlflows_of_a_sweep_file_of_the_user(there: Path, tmp_path: Path) -> None:
    user, own = tmp_path / "user", tmp_path / "own"
    user.mkdir()
    own.mkdir()
    (user / "mine.yaml").write_text(SWEEP)
    run(user, str(there), "sweep", *HERE, "-P", "config=mine.yaml", ROTHAMSTED_HOME=str(own))
    assert made_in(own) >= {"optuna.db", "tensorboard"}
    assert "optuna.db" not in made_in(user)


def test_a_sweep_that_was_begun_in_the_projects_folder_goes_on_there(there: Path, tmp_path: Path) -> None:
    project, user = tmp_path / "project", tmp_path / "user"
    shutil.copytree(there, project)
    user.mkdir()
    own = f"sqlite:///{user / 'mlflow.db'}"
    storage = ("-P", f"storage=sqlite:///{project}/optuna.db")
    run(user, str(project), "sweep", *HERE, *storage, MLFLOW_TRACKING_URI=own)
    assert search_of(places.STORAGE, "toys", root=project, tracking_uri=own) == f"sqlite:///{project}/optuna.db"
    assert search_of(places.STORAGE, "others", root=project, tracking_uri=own) == f"sqlite:///{user}/optuna.db"
    said = run(user, str(project), "sweep", *HERE, MLFLOW_TRACKING_URI=own)
    assert f"optuna-dashboard sqlite:///{project}/optuna.db" in said
    assert not (user / "optuna.db").exists()


@pytest.mark.parametrize(
    "words", [["report", "--sweep", "toys"], ["compare", "--runs", "a,b"], ["promote", "--sweep", "a"]]
)
def test_where_no_tracking_store_is_none_is_made_and_the_way_out_is_said(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "MLproject").write_text(MLPROJECT)
    done = subprocess.run(
        [sys.executable, "-m", "rothamsted", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"{tmp_path}/mlflow.db: there is no such file; give the command in the folder where" in done.stderr
    assert made_in(tmp_path) == {"MLproject"}


def test_an_old_file_that_cannot_be_read_is_said_and_a_strangers_study_is_left_alone(
    tmp_path: Path,
) -> None:
    project, user = tmp_path / "project", tmp_path / "user"
    project.mkdir()
    user.mkdir()
    own = f"sqlite:///{user / 'mlflow.db'}"
    at_home = f"sqlite:///{user}/optuna.db"
    old = project / "optuna.db"
    optuna.create_study(storage=f"sqlite:///{old}", study_name="toys")
    assert search_of(places.STORAGE, "toys", root=project, tracking_uri=own) == at_home
    old.write_bytes(b"SQLite format 3\0, and nothing of it")
    with pytest.raises(StoreError, match="not a database"):
        search_of(places.STORAGE, "toys", root=project, tracking_uri=own)
