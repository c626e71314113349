"""Opening a stranger's project: folder or git, entry points, parameters, and the command that `mlflow run` makes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.projects.utils import get_entry_point_command, load_project

from rothamsted.tracking import read_history
from rothamsted.tracking.projects.command import argument_list, run_variables
from rothamsted.tracking.projects.fetch import ProjectError
from rothamsted.tracking.projects.opening import open_project

from .conftest import Run


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=trunk"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def bare(stranger: Path, tmp_path: Path) -> tuple[str, list[str]]:
    """A bare repository with the project in `deep/er`: its URI, its two commits; `v1` and `old` are the first."""
    work = tmp_path / "work"
    (work / "deep").mkdir(parents=True)
    stranger.rename(work / "deep" / "er")
    git(work, "init")
    git(work, "add", ".")
    git(work, "commit", "-m", "first")
    git(work, "tag", "-a", "v1", "-m", "tag")
    git(work, "branch", "old")
    (work / "deep" / "er" / "train.sh").write_text("echo second\n")
    git(work, "commit", "-am", "second")
    git(tmp_path, "clone", "--bare", str(work), "bare.git")
    return (tmp_path / "bare.git").as_uri(), git(work, "log", "--reverse", "--format=%H").split()


def test_a_folder_is_read_as_it_is(stranger: Path, tmp_path: Path) -> None:
    project = open_project("stranger", root=tmp_path)
    assert (project.folder, project.name, project.commit) == (stranger, "stranger", None)
    assert {name: (one.type, one.default) for name, one in project.parameters.items()} == {
        "lr": ("float", 0.1),
        "seed": ("float", 0),
        "pause": ("float", 0.0),
    }
    assert project.not_passed_on == ()
    assert open_project(str(stranger), "drops_its_seed", root=Path("/")).not_passed_on == ("seed",)
    assert open_project("stranger", "arguments.py", root=tmp_path).command == "python arguments.py"


def test_the_digest_is_of_the_source_files(stranger: Path, tmp_path: Path) -> None:
    def digest() -> str:
        return open_project("stranger", root=tmp_path).digest

    before = digest()
    (stranger / "mlruns").mkdir()
    (stranger / "mlruns" / "file").write_text("by-product")
    (stranger / "mlflow.db").write_text("by-product")
    assert digest() == before
    (stranger / "train.sh").write_text("echo other\n")
    assert digest() != before


@pytest.mark.parametrize("version", [None, "trunk", "old", "v1", "commit"])
def test_a_git_project_is_fetched_once_per_commit(
    version: str | None, bare: tuple[str, list[str]], tmp_path: Path
) -> None:
    # Authority: the repository's own log; `old` and `v1` stand at the first commit.
    uri, (first, second) = bare
    expected = second if version in (None, "trunk") else first
    wanted = first if version == "commit" else version
    project = open_project(f"{uri}#deep/er", version=wanted, root=tmp_path)
    assert project.commit == expected
    assert ("second" in (project.folder / "train.sh").read_text()) == (expected == second)
    stamp = project.folder.stat().st_ctime_ns
    again = open_project(f"{uri}#deep/er", version=wanted, root=tmp_path)
    assert (again.folder, again.folder.stat().st_ctime_ns) == (project.folder, stamp)


@pytest.mark.parametrize(
    ("uri", "entry", "version", "message"),
    [
        ("nowhere", "main", None, "is neither a folder of .* nor a git URI"),
        ("file:///nowhere.git", "main", None, "the repository cannot be read: .*does not"),
        ("stranger", "main", "v1", "the repository cannot be read: .*not appear to be a git repository"),
        ("BARE", "main", "v9", "has no branch or tag 'v9'; known: old, trunk, v1"),
        ("BARE", "main", "0" * 40, "cannot fetch 0000"),
        ("BARE#shallow", "main", None, "shallow is not a folder"),
        ("stranger", "mian", None, "has no entry point 'mian'; known: main, drops_its_seed, "),
        ("stranger", "no.py", None, "has no entry point 'no.py'"),
        ("stranger", "undeclared", None, r"its command names \{learning_rate\}, which MLproject does not declare"),
        ("stranger#lib", "main", None, "has no file MLproject and no script 'main'"),
        ("docker", "main", None, "runs in Docker, which is not supported"),
        ("broken", "main", None, "is not of MLflow's form"),
    ],
)
def test_what_cannot_be_opened_is_one_clear_line(
    uri: str, entry: str, version: str | None, message: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if uri.startswith("BARE"):
        uri = uri.replace("BARE", request.getfixturevalue("bare")[0])
    else:
        request.getfixturevalue("stranger")
    for name, text in (("docker", "docker_env: {image: an_image}"), ("broken", "entry_points: {main: [1]}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "MLproject").write_text(text)
    with pytest.raises(ProjectError, match=f"^project .*{message}") as caught:
        open_project(uri, entry, version, root=tmp_path)
    assert "\n" not in str(caught.value)


VALUES = ["0.1", "a b", "it's", "$(touch X)", "; touch X", "| cat", "`touch X`", "", "*"]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_arrives_verbatim_with_and_without_a_shell(value: str, stranger: Path, run: Run) -> None:
    project = open_project(str(stranger), "arguments", root=stranger.parent)
    parameters = {"text": value, "not declared": value}
    arguments = project.launched(parameters, stranger)
    assert arguments == ["python", "arguments.py", "--text", value, "--not declared", value]
    command = project.command_for(parameters)
    # Authority: MLflow's own command for `mlflow run`.
    assert [command] == get_entry_point_command(load_project(str(stranger)), "arguments", parameters, None)
    assert json.loads(run(arguments).tail) == json.loads(run(command).tail) == arguments[2:]
    assert not (stranger / "X").exists()


def test_a_value_that_a_shell_would_read_is_refused_inside_quotes(stranger: Path) -> None:
    project = open_project(str(stranger), "in_quotes", root=stranger.parent)
    project.check({"text": "0.1"})
    with pytest.raises(ProjectError, match="parameter 'text' is inside quotes in the command"):
        project.command_for({"text": "$(touch X)"})


def test_a_missing_parameter_is_named(stranger: Path) -> None:
    with pytest.raises(ProjectError, match="entry point 'arguments': No value given for missing parameters: 'text'"):
        open_project(str(stranger), "arguments", root=stranger.parent).check({})


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("python a.py --x 'a $b' \"c d\"", ["python", "a.py", "--x", "a $b", "c d"]),
        ("python a.py \\\n  --x 1 \\\n  --y\n", ["python", "a.py", "--x", "1", "--y"]),
        ("python a.py | cat", None),
        ("python a.py > log", None),
        ("cat a && cat b", None),
        ("python a.py $HOME", None),
        ('python a.py "$HOME"', None),
        ("python a.py *.csv", None),
        ("A=1 python a.py", None),
        ("source env.sh", None),
        ("python 'a", None),
    ],
)
def test_a_single_program_needs_no_shell(command: str, arguments: list[str] | None) -> None:
    # By hand, from the POSIX shell's grammar.
    assert argument_list(command) == arguments


def test_a_relative_store_is_the_same_one_from_the_projects_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_variables("r", "7", "sqlite:///mlflow.db") == {
        "MLFLOW_RUN_ID": "r",
        "MLFLOW_EXPERIMENT_ID": "7",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
    }
    for uri in (f"sqlite:///{tmp_path}/mlflow.db", "http://127.0.0.1:5000", "postgresql://u@h/d"):
        assert run_variables("r", "7", uri)["MLFLOW_TRACKING_URI"] == uri


def test_a_strangers_run_logs_to_the_run_that_it_is_given(
    stranger: Path, run: Run, new_mlflow: Callable[[Path], str], tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    uri = new_mlflow(tmp_path)
    run_id = MlflowClient(uri).create_run("0").info.run_id
    project = open_project(str(stranger), root=tmp_path)
    arguments = project.launched({"lr": "0.5", "seed": "3"}, tmp_path)
    ended = run(arguments, **run_variables(run_id, "0", uri))
    assert ended.code == 0, ended.tail
    points = sorted((point.step, point.value) for point in read_history([run_id], uri=uri)[run_id])
    # By hand: 0.5^step + at most 0.01 of noise.
    assert [step for step, _ in points] == list(range(20))
    assert all(0 <= value - 0.5**step <= 0.01 for step, value in points)


def test_a_local_environment_needs_no_preparation(stranger: Path) -> None:
    project = open_project(str(stranger), root=stranger.parent)
    assert project.environment_prefix("local") == ""
    for manager, message in (("mamba", "must be one of local, virtualenv, uv, conda"), ("conda", "has no conda_env")):
        with pytest.raises(ProjectError, match=message):
            project.environment_prefix(manager)


@pytest.mark.slow
@pytest.mark.parametrize("manager", ["uv", "virtualenv"])
def test_a_project_runs_in_an_environment_of_its_own(
    manager: str, stranger: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ENV_ROOT", str(tmp_path / "environments"))
    (stranger / "python_env.yaml").write_text("dependencies: [tomli-w==1.2.0]\n")
    (stranger / "script.py").write_text("import sys, tomli_w\nprint(tomli_w.__file__)\n")
    project = open_project(str(stranger), "script.py", root=tmp_path)
    try:
        prefix = project.environment_prefix(manager)
    except ProjectError as error:
        pytest.skip(f"no package index or no {manager} here: {error}")
    assert project.environment_prefix(manager) == prefix
    ended = run(f"{prefix} && {project.command_for({})}", PATH=os.environ["PATH"])
    assert ended.code == 0
    assert Path(ended.tail).is_relative_to(tmp_path / "environments")
