"""Recorded runs of a project in git, trained again by the console script's own door."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rothamsted.cli.main import main
from rothamsted.studies import CONFIG_FILE
from rothamsted.tags import CHANGES_FILE, ENVIRONMENT_FILE, ORIGIN_FILE
from rothamsted.tracking import FoundRun, find_runs, read_text
from tests.sweeping.conftest import Project, toy_project

BOTH = {"lr": {"low": 0.1, "high": 0.2, "points": 2}}
COMMAND = """
import random, sys
rate, seed = map(float, sys.argv[1:3])
noise = random.Random(seed if len(sys.argv) == 3 else None).random()
print({"score": rate + noise}.__repr__().replace("'", '"'))
"""


def git(folder: Path, *arguments: str) -> str:
    own = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    done = subprocess.run(["git", "-C", str(folder), *own, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit_all(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "--allow-empty", "-m", "m")


@pytest.fixture(scope="module")
def recorded(
    tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]
) -> Iterator[tuple[Project, list[FoundRun]]]:
    """A finished sweep of two conditions of two seeds, each run from a clean commit."""
    with toy_project(tmp_path_factory.mktemp("recorded")) as project:
        new_mlflow(project.root)
        (project.root / ".gitignore").write_text("*.db*\nmlruns/\n__pycache__/\ncheckpoints/\nmlartifacts/\n")
        project.write({"space": BOTH, "replicates": {"count": 2}})
        git(project.root, "init", "-q")
        commit_all(project.root)
        assert main(["sweep", "sweep.yaml", "execution.workers=1", "-q"]) == 0
        yield project, find_runs(None, {"rothamsted.role": "replicate"}, uri=project.tracking_uri)


@pytest.fixture(autouse=True)
def _tree_is_put_back(request: pytest.FixtureRequest) -> Iterator[None]:
    """The project's files are those of its first commit again after each test."""
    yield
    if "recorded" in request.fixturenames:
        root = request.getfixturevalue("recorded")[0].root
        git(root, "reset", "-q", "--hard", git(root, "rev-list", "--max-parents=0", "HEAD"))


def reproduced(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict]:
    """Exit status, and the result as JSON."""
    capsys.readouterr()
    status = main(["reproduce", *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of an error."""
    capsys.readouterr()
    assert main(["reproduce", *words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def trained(*words: str) -> int:
    """Exit status of a training by hand."""
    with pytest.raises(SystemExit) as ended:
        main(["train", "toy", *words])
    return int(ended.value.code or 0)


def change_training(project: Project) -> None:
    """Another step size, by a millionth: the numbers move and the code still runs."""
    path = project.root / "projects" / "toy" / "__init__.py"
    text = path.read_text()
    assert "lr * (w - 1)" in text
    path.write_text(text.replace("lr * (w - 1)", "1.000001 * lr * (w - 1)"))


def test_the_record_of_a_sweep_says_where_each_number_comes_from(recorded: tuple[Project, list[FoundRun]]) -> None:
    project, runs = recorded
    [sweep] = find_runs(None, {"rothamsted.role": "sweep"}, uri=project.tracking_uri)
    origin = json.loads(read_text(sweep.run_id, f"sweep/{ORIGIN_FILE}", uri=project.tracking_uri) or "")
    assert {"rothamsted.machine", "rothamsted.threads", "rothamsted.python", "rothamsted.started_by"} <= origin.keys()
    assert sweep.tags["mlflow.source.git.commit"] == git(project.root, "rev-list", "--max-parents=0", "HEAD")
    assert read_text(sweep.run_id, f"sweep/{CHANGES_FILE}", uri=project.tracking_uri) is None
    assert "# python" in (read_text(sweep.run_id, f"sweep/{ENVIRONMENT_FILE}", uri=project.tracking_uri) or "")
    own = json.loads(read_text(runs[0].run_id, ORIGIN_FILE, uri=project.tracking_uri) or "")
    assert own["rothamsted.host"] == origin["rothamsted.host"]
    assert read_text(runs[0].run_id, CONFIG_FILE, uri=project.tracking_uri) is not None


def test_a_replicate_is_identical_in_every_bit_and_nothing_is_recorded(
    recorded: tuple[Project, list[FoundRun]], capsys: pytest.CaptureFixture[str]
) -> None:
    project, runs = recorded
    before = find_runs(None, {}, uri=project.tracking_uri)
    status, found = reproduced(capsys, runs[0].run_id)
    assert (status, found["verdict"]) == (0, "identical")
    assert found["runs"][0]["compared"]["n_points"] >= 10  # two metrics at five steps
    assert not [line for line in found["runs"][0]["differences"] if not line.startswith("threads")]
    assert find_runs(None, {}, uri=project.tracking_uri) == before


def test_the_winner_of_a_sweep_is_trained_again_with_all_its_seeds(
    recorded: tuple[Project, list[FoundRun]], capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = reproduced(capsys, "sweep=toys")
    assert (status, [one["seed"] for one in found["runs"]]) == (0, ["0", "1"])


def test_code_that_has_changed_since_is_taken_from_its_commit(
    recorded: tuple[Project, list[FoundRun]], capsys: pytest.CaptureFixture[str]
) -> None:
    project, runs = recorded
    change_training(project)
    commit_all(project.root)
    status, found = reproduced(capsys, runs[0].run_id)
    assert (status, found["verdict"]) == (0, "identical")
    assert "in a worktree of git" in found["runs"][0]["code"]
    assert git(project.root, "worktree", "list", "--porcelain").count("worktree ") == 1  # the project's own


def test_with_the_present_code_the_first_difference_and_the_reason_are_named(
    recorded: tuple[Project, list[FoundRun]], capsys: pytest.CaptureFixture[str]
) -> None:
    project, runs = recorded
    change_training(project)
    status, found = reproduced(capsys, runs[0].run_id, "code=present", "rtol=0")
    one = found["runs"][0]
    assert (status, found["verdict"]) == (1, "different")
    assert " at step 4 was " in one["compared"]["first"]  # the first of five measurements in twenty steps
    assert [line for line in one["differences"] if "uncommitted changes" in line]
    assert [line for line in one["differences"] if "the study's files have the digest" in line]
    status, found = reproduced(capsys, runs[0].run_id, "code=present", "rtol=0.01")
    assert (status, found["verdict"]) == (4, "equal")


def test_uncommitted_changes_are_kept_and_applied_again(
    recorded: tuple[Project, list[FoundRun]], capsys: pytest.CaptureFixture[str]
) -> None:
    project, _ = recorded
    change_training(project)
    (project.root / "new.py").write_text("x = 1\n")
    index = (project.root / ".git" / "index").read_bytes()
    assert main(["sweep", "sweep.yaml", "name=dirty", "execution.workers=1", "-q"]) == 0
    assert (project.root / ".git" / "index").read_bytes() == index
    [sweep] = find_runs(None, {"rothamsted.role": "sweep", "rothamsted.sweep": "dirty"}, uri=project.tracking_uri)
    changes = read_text(sweep.run_id, f"sweep/{CHANGES_FILE}", uri=project.tracking_uri) or ""
    assert "1.000001" in changes
    assert "new.py" in changes
    git(project.root, "checkout", "-q", "--", ".")
    (project.root / "new.py").unlink()
    tags = {"rothamsted.role": "replicate", "rothamsted.sweep": "dirty"}
    run = find_runs(None, tags, uri=project.tracking_uri)[0]
    status, found = reproduced(capsys, run.run_id)
    assert (status, found["verdict"]) == (0, "identical")
    assert "with its uncommitted changes, in a worktree" in found["runs"][0]["code"]
    artifact = next(project.root.glob(f"**/{sweep.run_id}/artifacts/sweep/{CHANGES_FILE}"))
    artifact.unlink()
    assert "were not kept; code=present" in refused(capsys, run.run_id)


def test_a_run_by_hand_is_trained_again(
    recorded: tuple[Project, list[FoundRun]], capsys: pytest.CaptureFixture[str]
) -> None:
    project, _ = recorded
    assert trained("steps=10", "--name=by_hand") == 0
    run = find_runs(None, {"mlflow.runName": "by_hand"}, uri=project.tracking_uri)[0]
    assert reproduced(capsys, run.run_id)[0] == 0


def test_what_cannot_be_trained_again_is_one_line(
    recorded: tuple[Project, list[FoundRun]], capsys: pytest.CaptureFixture[str]
) -> None:
    project, runs = recorded
    assert "there is no run 0123" in refused(capsys, "0123")
    assert "give the ids of runs, or sweep=NAME" in refused(capsys)
    assert "code=old is not known" in refused(capsys, runs[0].run_id, "code=old")
    assert "rtol=2 must be" in refused(capsys, runs[0].run_id, "rtol=2")
    assert trained("fail=true", "--name=failing") == 1
    failed = find_runs(None, {"mlflow.runName": "failing"}, uri=project.tracking_uri)[0]
    assert "it failed, so there is no result" in refused(capsys, failed.run_id)
    change_training(project)
    commit_all(project.root)
    gone = git(project.root, "rev-parse", "HEAD")
    assert trained("--name=of_a_lost_commit") == 0
    git(project.root, "reset", "-q", "--hard", "HEAD~1")
    git(project.root, "reflog", "expire", "--expire=now", "--all")
    git(project.root, "gc", "-q", "--prune=now")
    lost = find_runs(None, {"mlflow.runName": "of_a_lost_commit"}, uri=project.tracking_uri)[0]
    assert f"its commit {gone} is not in" in refused(capsys, lost.run_id)


def test_a_command_is_started_again_with_its_parameters(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    (project.root / "train.py").write_text(COMMAND)
    common = ["metric=score", "direction=maximize", "space=rate=0.1,0.2", "replicates=2", "-q"]
    common += ["execution.executor=in_process", "execution.workers=1"]
    assert main(["sweep", "name=fixed", *common, "--", "python", "train.py", "{rate}", "{seed}"]) == 0
    assert main(["sweep", "name=loose", *common, "--", "python", "train.py", "{rate}", "{seed}", "x"]) == 0
    status, found = reproduced(capsys, "sweep=fixed")
    assert (status, found["verdict"]) == (0, "identical")
    status, found = reproduced(capsys, "sweep=loose")
    assert (status, found["verdict"]) == (1, "different")
    assert found["runs"][0]["compared"]["first"].startswith("score at step 1 was ")  # the last line is one report


def test_a_variable_whose_value_is_not_recorded_is_asked_for(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "train.py").write_text(f"import os\nos.environ['API_TOKEN']\n{COMMAND}")
    common = ["metric=score", "direction=maximize", "space=rate=0.1,0.2", "replicates=2", "-q"]
    given = ["name=fixed", "execution.environment={API_TOKEN: hush}"]
    assert main(["sweep", *given, *common, "--", "python", "train.py", "{rate}", "{seed}"]) == 0
    capsys.readouterr()
    assert main(["reproduce", "sweep=fixed"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: sweep fixed: execution.environment: the value of API_TOKEN is not recorded; "
        "set API_TOKEN in the environment of this command"
    ]
    monkeypatch.setenv("API_TOKEN", "hush")
    status, found = reproduced(capsys, "sweep=fixed")
    assert (status, found["verdict"]) == (0, "identical")


def test_a_command_gets_the_threads_of_its_record(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "import os, sys\nprint('{\"score\":', int(os.environ.get('OMP_NUM_THREADS', 0)) + float(sys.argv[2]), '}')\n"
    (project.root / "train.py").write_text(told)
    common = ["name=threads", "metric=score", "direction=maximize", "space=rate=0.1,0.2", "replicates=2", "-q"]
    assert main(["sweep", *common, "execution.workers=1", "--", "python", "train.py", "{rate}", "{seed}"]) == 0
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    status, found = reproduced(capsys, "sweep=threads")
    assert (status, found["verdict"]) == (0, "identical")
    assert not [line for one in found["runs"] for line in one["differences"] if line.startswith("threads")]


def test_data_that_git_ignores_is_there_for_the_code_of_another_commit(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.root / ".gitignore").write_text("data/\n*.db*\nmlruns/\n")
    (project.root / "data").mkdir()
    (project.root / "data" / "shift.txt").write_text("0.5")
    told = "import sys\nprint('{\"score\":', float(open('data/shift.txt').read()) + float(sys.argv[2]), '}')\n"
    (project.root / "train.py").write_text(told)
    git(project.root, "init", "-q")
    commit_all(project.root)
    common = ["name=ignored", "metric=score", "direction=maximize", "space=rate=0.1,0.2", "replicates=2", "-q"]
    common += ["execution.executor=in_process", "execution.workers=1"]
    assert main(["sweep", *common, "--", "python", "train.py", "{rate}", "{seed}"]) == 0
    (project.root / "train.py").write_text("print('{\"score\": 1}')\n")
    status, found = reproduced(capsys, "sweep=ignored")
    assert (status, found["verdict"]) == (0, "identical")
    assert (project.root / "data" / "shift.txt").read_text() == "0.5"
