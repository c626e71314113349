"""Whole sweeps with planted secrets: these are found in no database, file, output or list of processes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
import yaml

from rothamsted.cli.main import main
from rothamsted.errors import StoreError, UserError
from rothamsted.printable import printable, traceback_of
from rothamsted.search import check_storage, find_search
from rothamsted.sweeping.worker.entry import work
from rothamsted.tracking import check_reachable
from rothamsted.tracking.projects.fetch import ProjectError, fetch
from tests.conftest import ROOT
from tests.places.git_over_http import commit, served

TOKEN, PASSWORD, VARIABLE, OF_MLFLOW = "git-5ecret-token", "pg-5ecret@pass", "env-5ecret-value", "mlflow-5ecret-pass"
SECRET = re.compile(rb"5ecret")  # of each of them


@dataclass(frozen=True, kw_only=True)
class Swept:
    """A sweep that has ended: where, with what, and what was seen while it ran."""

    home: Path
    storage: str
    environment: dict[str, str]
    said: str
    seen: list[str]  # command lines of its processes, and of those that git started


@pytest.fixture(scope="module")
def swept(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, new_mlflow: Callable[[Path], str]
) -> Iterator[Swept]:
    home, bare = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("bare")
    project = Path(
        shutil.copytree(ROOT / "tests" / "foreign" / "projects" / "frugal", tmp_path_factory.mktemp("p") / "f")
    )
    with (project / "train.py").open("a") as file:
        file.write(f"    assert len(os.environ['API_TOKEN']) == {len(VARIABLE)}\n")
    commit(project, bare / "frugal.git")
    server = sa.make_url(postgres_server)
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE planted"))
    engine.dispose()
    storage = server.set(password=PASSWORD, database="planted").render_as_string(hide_password=False)
    with served(bare, token=TOKEN) as host:
        document = {
            "name": "planted",
            "project": f"{host.replace('://', f'://{TOKEN}@')}/frugal.git",
            "storage": storage,
            "parameters": {"steps": 2},
            "space": {"lr": [0.1, 0.2]},
            "seed_parameter": "seed",
            "objective": {"metric": "val_loss", "direction": "minimize", "reduce": "last"},
            "replicates": {"count": 2},
            "execution": {"workers": 1, "environment": {"API_TOKEN": VARIABLE}},
        }
        text = f"# Question: who sees {VARIABLE}?\n{yaml.safe_dump(document, sort_keys=False)}"
        (home / "sweep.yaml").write_text(text)
        own = {"MLFLOW_TRACKING_URI": new_mlflow(home), "MLFLOW_TRACKING_PASSWORD": OF_MLFLOW}
        trace = tmp_path_factory.mktemp("trace") / "git.txt"  # git writes each command that it runs
        environment = {**os.environ, **own, "MLFLOW_TRACKING_USERNAME": "me", "GIT_TRACE": str(trace)}
        command = [sys.executable, "-m", "rothamsted", "sweep", "config=sweep.yaml", "-v"]
        said, seen = watched(command, home, environment)
        seen += trace.read_text().splitlines()
        yield Swept(home=home, storage=storage, environment=environment, said=said, seen=seen)


def watched(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[str, list[str]]:
    """What a command says, and the command lines of all processes below it while it runs."""
    out = folder.parent / f"{folder.name}.out"
    seen: set[str] = set()
    with out.open("wb") as file:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
        while process.poll() is None:
            for one in psutil.Process(process.pid).children(recursive=True):
                try:
                    seen.add(" ".join(one.cmdline()))
                except psutil.Error:
                    continue
            time.sleep(0.05)
    assert process.returncode == 0, out.read_text()
    return out.read_text(), sorted(seen)


def dump(storage: str) -> str:
    """Every row of every table."""
    engine = sa.create_engine(storage)
    with engine.connect() as connection:
        names = sa.inspect(engine).get_table_names()
        text = "\n".join(str(row) for name in names for row in connection.execute(sa.text(f'SELECT * FROM "{name}"')))
    engine.dispose()
    return text


def test_no_secret_is_said_or_seen_in_a_list_of_processes(swept: Swept) -> None:
    assert "5ecret" not in swept.said
    assert [line for line in swept.seen if "rothamsted.executors.process worker" in line]
    assert [line for line in swept.seen if "git-remote-http" in line]
    assert not [line for line in swept.seen if "5ecret" in line]


def test_no_secret_is_in_either_database_or_in_any_file(swept: Swept) -> None:
    rows = dump(swept.storage)
    assert "planted" in rows
    assert "5ecret" not in rows
    files = [path for path in swept.home.rglob("*") if path.is_file() and path != swept.home / "sweep.yaml"]
    names = {path.name for path in files}
    assert {"mlflow.db", "resolved.json", "sweep.yaml", "report.html", "config", "output.txt"} <= names
    assert [path for path in files if SECRET.search(path.read_bytes())] == []
    copied = next(path for path in files if path.name == "sweep.yaml").read_text()
    assert "API_TOKEN" in copied


def test_what_is_recorded_names_the_variables_and_the_places(swept: Swept) -> None:
    record = find_search(swept.storage, "planted")
    assert record is not None
    assert record.spec["execution"]["environment"] == {"API_TOKEN": "***"}
    assert "@" not in record.spec["project"]
    assert sa.make_url(record.spec["storage"]).password is None


def test_the_same_command_goes_on_and_no_other_command_says_a_secret(
    swept: Swept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(swept.home)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, swept.environment[name])
    said = ""
    for words in (
        ["sweep", "config=sweep.yaml"],
        ["sweep", "config=sweep.yaml", 'execution.environment={API_TOKEN: "other-5ecret-val"}'],
        ["report", "sweep=planted", f"folder={tmp_path}", "-v"],
        ["status", "sweep=planted", f"storage={swept.storage}", "--json"],
        ["list", f"storage={swept.storage}"],
    ):
        assert main(words) == 0, words
        out = "".join(capfd.readouterr())
        assert "planted" in out
        assert words[0] != "sweep" or "is finished" in out
        said += out
    assert "5ecret" not in said
    assert not SECRET.search((tmp_path / "planted.html").read_bytes())


def test_a_worker_by_hand_needs_the_credentials_of_its_own(swept: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(swept.home)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", swept.environment["MLFLOW_TRACKING_URI"])
    at_work = {"sweep": "planted", "storage": swept.storage, "emit": print, "should_stop": lambda: True}
    with pytest.raises(ProjectError, match="the repository cannot be read: could not read Username"):
        work(**at_work)
    project = yaml.safe_load((swept.home / "sweep.yaml").read_text())["project"]
    with pytest.raises(
        UserError, match=r"execution\.environment: the value of API_TOKEN is not recorded; set API_TOKEN"
    ):
        work(**at_work, secrets={"project": project})
    monkeypatch.setenv("API_TOKEN", VARIABLE)
    work(**at_work, secrets={"project": project})


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg://me:5ecret@127.0.0.1:1/none?password=5ecret",
        "POSTGRESQL+psycopg://me:5ecret@pass@127.0.0.1:1/none",
        "mysql://me:5ecret@127.0.0.1/none",
        "nothing of ours://me:5ecret@host:notaport/db",
        "postgresql+psycopg://me:my 5ecret@127.0.0.1:1/none",
        "postgresql+psycopg://127.0.0.1:1/none?user=me&sslpassword=5ecret",
        "postgresql+psycopg:me:5ecret@127.0.0.1/none",
        "postgresql+psycopg:////me:5ecret@127.0.0.1/none",
    ],
)
def test_an_error_and_its_traceback_say_no_secret(address: str) -> None:
    with pytest.raises(UserError) as caught:
        check_storage(address)
    assert "storage" in str(caught.value)
    assert "5ecret" not in str(caught.value)
    assert "5ecret" not in printable(traceback_of(caught.value))


@pytest.mark.parametrize(
    "address",
    [
        "http://me:a/5ecret@127.0.0.1:1",
        "http://me:my 5ecret@127.0.0.1:1",
        "http:/me:5ecret@127.0.0.1",
        "postgresql://me:my 5ecret@127.0.0.1:1/none",
        "me:5ecret@127.0.0.1",
        "mysql+nodriver://me:5ecret@127.0.0.1/none",
    ],
)
def test_a_wrong_tracking_uri_is_one_line_without_its_secret(address: str) -> None:
    with pytest.raises(StoreError) as caught:
        check_reachable(address)
    assert "127.0.0.1" in str(caught.value)
    assert "5ecret" not in str(caught.value)


def test_a_storage_whose_driver_is_missing_is_one_line_to_who_reads_it() -> None:
    with pytest.raises(StoreError, match="its driver is not installed") as caught:
        find_search("postgresql+psycopg2://me:5ecret@127.0.0.1:1/none", "none")
    assert "5ecret" not in str(caught.value)


def test_a_password_with_an_at_sign_is_refused_with_the_way_to_write_it() -> None:
    with pytest.raises(UserError, match=r"postgresql://me:\*\*\*@host/db: has an @ in its password; write %40 for it"):
        check_storage("postgresql://me:p@ss@host/db")


@pytest.mark.parametrize("key", ["project", "version"])
def test_what_git_would_take_for_an_option_is_refused_and_runs_nothing(key: str, tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "MLproject").write_text("name: x\nentry_points: {main: {command: 'true'}}\n")
    commit(tmp_path / "repo", tmp_path / "bare.git")
    option = f"--upload-pack=touch {tmp_path}/ran;://x"
    given = {"uri": str(tmp_path / "bare.git"), "version": "main"} | {"uri" if key == "project" else key: option}
    with pytest.raises(ProjectError, match=f"^{key} '--upload-pack=touch .*': begins with a dash") as caught:
        fetch(**given, cache=tmp_path / "cache", root=tmp_path / "repo")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "address",
    [
        "https://me:5ecret@[::1/x.git",
        "https:/me:5ecret@127.0.0.1/x.git",
        "https://me:my 5ecret@127.0.0.1:1/x.git",
        "me:5ecret@127.0.0.1:x.git",
    ],
)
def test_what_is_no_address_of_a_project_is_one_line_without_its_secret(address: str, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"^project '.*\*\*\*@.*correct|write %20") as caught:
        fetch(address, None, tmp_path, tmp_path)
    assert "5ecret" not in str(caught.value)


@pytest.mark.parametrize("address", ["ssh://git:5ecret@host/x", "https://host/x?token=5ecret", "http://a:b/5ecret@c"])
def test_a_secret_that_git_would_show_to_everybody_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="git takes no password or token in such an address") as caught:
        fetch(address, None, tmp_path, tmp_path)
    assert "5ecret" not in str(caught.value)
