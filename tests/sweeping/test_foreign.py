"""A stranger's project swept without a change to it: what is recorded, how its processes are started."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from rothamsted import tags
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.errors import UserError
from rothamsted.sweeping.coordinator.coordinator import Coordinator
from rothamsted.sweeping.foreign_study import warnings_of
from rothamsted.system import PORTABLE, this_system
from rothamsted.tracking import FoundRun, read_history, read_text
from tests.sweeping.in_this_process import in_this_process
from tests.sweeping.strangers import PROJECTS, Events, Home, how, make_home, runs

# ---- what is recorded ----


NOTE = "a 'b'; $(touch HACKED) \"`c`\" * ü"
MANY: dict[str, Any] = {
    "name": "many",
    "parameters": {"lr": 0.25, "note": NOTE},
    "space": {"how": ["well", "own_params", "fails", "diverges", "forgets"]},
    "objective": {
        "metric": "score",
        "direction": "maximize",
        "expression": "val_acc - max(0, train_acc - val_acc - 3) + 0 * val_loss",
    },
    "replicates": {"count": 1},
    "execution": {"environment": {"FRUGAL": "is set"}},
}


@dataclass(frozen=True, kw_only=True)
class Ways:
    """One sweep over all the ways that the frugal project can go."""

    home: Home
    runs: Mapping[str, FoundRun]  # by `how`

    def text(self, way: str, path: str) -> str:
        return read_text(self.runs[way].run_id, path, uri=self.home.uri) or ""


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]) -> Iterator[Ways]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        home = make_home(tmp_path_factory.mktemp("ways"), new_mlflow, monkeypatch)
        home.run(MANY)
        runs = {json.loads(run.tags[tags.CONDITION])["how"]: run for run in home.runs("trial")}
        yield Ways(home=home, runs=runs)


def test_the_stranger_keeps_its_own_spelling_of_a_parameter_and_the_rest_is_added(ways: Ways) -> None:
    run = ways.runs["own_params"]
    assert (run.params["lr"], run.params["seed"], run.status) == ("0.2500", "0", "FINISHED")
    assert ways.runs["well"].params["lr"] == "0.25"  # one that logs none
    conditions = read_sweep("many", uri=ways.home.uri).conditions
    assert [c.values for c in conditions] == [{"how": name} for name in MANY["space"]["how"]]


def test_values_and_variables_reach_the_program_as_they_are_written(ways: Ways) -> None:
    assert ways.text("well", "output.txt") == f"frugal: {NOTE} is set\n"
    assert not list(ways.home.root.rglob("HACKED"))


def test_a_composite_score_is_logged_beside_the_strangers_metrics(ways: Ways) -> None:
    run = ways.runs["well"]
    # val_loss 0.95, so val_acc 5; train_acc - val_acc is 5 by train.py: 5 - max(0, 5 - 3) = 3.
    assert (run.metrics["score"], run.metrics["objective"]) == (pytest.approx(3.0), pytest.approx(3.0))
    first = read_history([run.run_id], ["score"], uri=ways.home.uri)[run.run_id][0]
    assert first.value == pytest.approx(-77)  # at step 1: val_loss 1.75, val_acc -75, score -75 - 2


def test_a_process_that_fails_leaves_no_score_but_its_last_words(ways: Ways) -> None:
    run = ways.runs["fails"]
    assert (run.status, run.tags[tags.OUTCOME], "objective" in run.metrics) == ("FAILED", "failed", False)
    assert run.tags[tags.REASON] == "its process ended with exit status 1: RuntimeError: no such data"
    assert "Traceback (most recent call last)" in ways.text("fails", "traceback.txt")


def test_a_score_that_is_not_finite_is_divergence(ways: Ways) -> None:
    run = ways.runs["diverges"]
    assert (run.status, run.tags[tags.OUTCOME]) == ("FINISHED", "diverged")
    assert run.tags[tags.REASON] == "its objective is not finite: score is nan"


def test_a_metric_that_is_never_logged_is_named_with_those_that_were(ways: Ways) -> None:
    run = ways.runs["forgets"]
    assert (run.status, run.tags[tags.OUTCOME]) == ("FAILED", "failed")
    says = "metric 'val_loss' was never logged; logged: train_acc, val_acc"
    assert run.tags[tags.REASON] == f"objective: {MANY['objective']['expression']!r}: {says}"


# ---- how it is swept ----


def test_the_runs_of_a_stranger_are_nested_tagged_and_scored(home: Home) -> None:
    home.run(how("well", note="hello"))
    [sweep_run], trials, replicates = home.runs("sweep"), home.runs("trial"), home.runs()
    assert {run.tags["mlflow.parentRunId"] for run in trials} == {sweep_run.run_id}
    assert {run.tags["mlflow.parentRunId"] for run in replicates} == {run.run_id for run in trials}
    assert sweep_run.tags["rothamsted.study"] == "frugal:main"
    found = {(float(r.params["lr"]), r.tags[tags.SEED]): r for r in replicates}
    # train.py's own formula, at its last step, 5: 1 - lr + seed / 1000 + 1 / 5.
    assert {key: run.metrics["objective"] for key, run in found.items()} == {
        (0.25, "0"): pytest.approx(0.95),
        (0.25, "1"): pytest.approx(0.951),
        (0.5, "0"): pytest.approx(0.7),
        (0.5, "1"): pytest.approx(0.701),
    }
    one = found[0.25, "1"]
    assert (one.params["seed"], one.params["note"], one.tags[tags.OUTCOME]) == ("1", "hello", "finished")
    assert read_text(one.run_id, "output.txt", uri=home.uri) == "frugal: hello \n"
    [half] = [run for run in trials if run.params["lr"] == "0.5"]
    assert half.metrics["val_loss/mean"] == pytest.approx(0.7005)  # of 0.7 and 0.701


def test_the_objective_can_be_a_number_in_an_artifact(home: Home) -> None:
    objective = {"metric": "test.loss", "direction": "minimize", "artifact": "scores.json"}
    run = home.one({**how("writes_a_file"), "objective": objective})
    assert run.metrics["objective"] == 0.25  # train.py writes lr + seed


def test_an_artifact_that_is_not_there_is_named(home: Home) -> None:
    objective = {"metric": "test.loss", "direction": "minimize", "artifact": "scores.json"}
    run = home.one({"objective": objective})
    assert (run.status, "artifact 'scores.json': is not there" in run.tags[tags.REASON]) == ("FAILED", True)


def test_replicates_that_are_copies_stop_the_sweep_after_the_second(home: Home) -> None:
    context = home.start({"seed_parameter": None, "replicates": {"count": 3}})
    assert [w for w in warnings_of(context.sweep, context.study) if "run the same command" in w]
    events: Events = []
    with pytest.raises(UserError) as refused:
        home.work(context, heard=events)
    said = str(refused.value)
    assert "condition 0: seeds 0 and 1 gave the same bits in all metrics" in said
    assert "name the parameter of its entry point that takes it, as in seed_parameter: seed" in said
    assert "or give replicates: {count: 1} if its result does not depend on a seed" in said
    assert [event["text"] for event in events if event["event"] == "stop"] == [said]
    ended = home.runs()
    assert [run.metrics["objective"] for run in ended] == [pytest.approx(0.95), pytest.approx(0.95)]
    assert all("seed" not in run.params for run in ended)
    with pytest.raises(UserError, match="seeds 0 and 2 gave the same bits"):  # the same command again
        home.run({"seed_parameter": None, "replicates": {"count": 3}})


def test_a_session_with_copies_ends_with_a_failure_and_says_why_once(home: Home) -> None:
    context, console = home.start({"seed_parameter": None}), Console(file=StringIO(), width=1000)
    session = Coordinator(opened=context, executor=in_this_process(), console=console).run()
    context.recorder.close()
    assert (session.exit_status, session.status, session.is_complete, session.left) == (2, "FAILED", False, "")
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue().count("seeds 0 and 1 gave the same bits") == 1
    assert len(home.runs()) == 2


def test_one_replicate_is_the_way_out_where_no_seed_matters(home: Home) -> None:
    home.run({"seed_parameter": None, "replicates": {"count": 1}})
    assert [run.metrics["objective"] for run in home.runs("trial")] == [pytest.approx(0.95), pytest.approx(0.7)]


def test_equal_last_values_of_unequal_curves_are_no_copies(home: Home) -> None:
    home.run(how("meets"))  # val_loss is 0 at the last step for all seeds, and was not before
    assert [run.metrics["objective"] for run in home.runs()] == [0.0] * 4


def test_a_condition_of_copies_is_let_be_where_the_seed_matters_in_another(home: Home) -> None:
    home.run({"space": {"how": ["well", "stalls"]}, "parameters": {"lr": 0.5}})
    assert len(home.runs()) == 4


# ---- how processes are started ----


def test_imports_ahead_start_a_python_script_that_logs_through_mlflow(home: Home) -> None:
    shutil.copytree(PROJECTS / "stranger", home.root / "stranger", ignore=shutil.ignore_patterns("__pycache__"))
    forked: set[int] = set()

    def look(events: Events) -> bool:
        zygotes = [p for p in psutil.Process().children() if runs(p, "rothamsted.foreign.zygote")]
        forked.update(p.pid for zygote in zygotes for p in zygote.children(recursive=True))
        return False

    warm = {"project": "stranger", "space": {"lr": [0.5]}, "execution": {"warm_pool": True}}
    events = home.work(home.start(warm), look)
    assert not [event for event in events if event["event"] == "note"]
    assert len(forked) >= 2  # neither replicate was a plain process
    first, second = home.runs()
    # train.py of the stranger: (1 - lr) ** 19 at its last step, and noise between 0 and 0.01 that the seed decides.
    assert all(0.5**19 <= run.metrics["objective"] <= 0.5**19 + 0.01 for run in (first, second))
    assert first.metrics["objective"] != second.metrics["objective"]


def test_without_linux_processes_start_cold_and_the_sweep_says_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PORTABLE, "1")
    this_system.cache_clear()
    events = home.run({**how("well"), "replicates": {"count": 1}, "execution": {"warm_pool": True}})
    this_system.cache_clear()
    [note] = [event["text"] for event in events if event["event"] == "note"]
    assert note.startswith("processes start cold: a warm start is for Linux only, and this is ")
    assert {run.status for run in home.runs("trial")} == {"FINISHED"}


def test_why_processes_start_cold_is_said_once(home: Home) -> None:
    one = {"replicates": {"count": 1}}  # its loss does not depend on a seed
    events = home.run({"entry_point": "shell", "seed_parameter": None, "execution": {"warm_pool": True}, **one})
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert notes == ["processes start cold: the command needs a shell"]
    assert [run.status for run in home.runs("trial")] == ["FINISHED"] * 2
    assert (read_text(home.runs("trial")[0].run_id, "output.txt", uri=home.uri) or "").startswith("started\n")


def test_a_repository_is_swept_at_the_version_that_is_asked_for(home: Home) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=trunk"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=home.root / "frugal", check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    git("tag", "v1")
    commit = git("rev-parse", "HEAD")
    (home.root / "frugal" / "train.py").write_text("raise SystemExit('a later version')\n")
    git("commit", "-am", "second")
    run = home.one({"project": (home.root / "frugal").as_uri(), "version": "v1"})
    origin = json.loads(read_text(home.runs("sweep")[0].run_id, "sweep/origin.json", uri=home.uri) or "")
    assert (run.status, origin["rothamsted.project_commit"]) == ("FINISHED", commit)


@pytest.mark.slow
@pytest.mark.parametrize("manager", ["uv", "virtualenv"])
def test_an_environment_of_its_own_is_made_for_the_project(home: Home, manager: str) -> None:
    needed = {"uv": "uv", "virtualenv": "pyenv"}[manager]  # what MLflow calls to find the Python
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    (home.root / "frugal" / "python_env.yaml").write_text(f"python: {sys.version.split()[0]!r}\ndependencies: []\n")
    with (home.root / "frugal" / "MLproject").open("a") as file:
        file.write("python_env: python_env.yaml\n")
    (home.root / "frugal" / "where.py").write_text(
        "import sys\nprint('prefix', sys.prefix)\nimport train\ntrain.main()\n"
    )
    text = (home.root / "frugal" / "MLproject").read_text().replace("python train.py", "python where.py")
    (home.root / "frugal" / "MLproject").write_text(text)
    run = home.one({"execution": {"env_manager": manager}})
    assert run.status == "FINISHED", run.tags
    output = read_text(run.run_id, "output.txt", uri=home.uri) or ""
    assert f"prefix {sys.prefix}\n" not in output
    assert "prefix " in output
