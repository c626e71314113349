"""Whole sweeps as a user runs them: the console script in processes of its own, killed and resumed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from rothamsted import tags
from rothamsted.tracking import find_runs
from tests.sweeping.conftest import Project

SLOW = {"steps": 20, "n_points": 10, "sleep_seconds": 0.02}


def spawn(project: Project, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rothamsted", *arguments],
        cwd=project.root,
        env=project.environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def replicates(project: Project) -> dict[tuple[str, str], list[str]]:
    """(trial, replicate) -> statuses of its runs."""
    found: dict[tuple[str, str], list[str]] = {}
    for run in find_runs(None, {tags.ROLE: "replicate"}, uri=project.tracking_uri):
        found.setdefault((run.tags[tags.TRIAL], run.tags[tags.REPLICATE]), []).append(run.status)
    return found


def objectives(project: Project, name: str = "toys") -> list[float]:
    """Of the finished replicates, sorted."""
    found = find_runs(None, {tags.ROLE: "replicate", tags.SWEEP: name}, uri=project.tracking_uri)
    return sorted(run.metrics["objective"] for run in found if run.status == "FINISHED")


def straight(project: Project) -> list[float]:
    """The objectives of the slow sweep when nothing disturbs it: in this process, and without its sleeping."""
    project.work(project.start({"name": "straight", "parameters": {**SLOW, "sleep_seconds": 0.0}}))
    return objectives(project, "straight")


def n_finished(project: Project) -> int:
    return len(objectives(project))


def test_a_sweep_prints_the_best_conditions_and_takes_keys_and_study_parameters_from_the_command_line(
    project: Project,
) -> None:
    config = str(project.write({"execution": {"report": True, "workers": 2}}))
    overrides = ["--replicates.count", "2", "--steps", "7", "--n_points=7", "--x", "0.25"]
    done = project.cli("sweep", "--config", config, *overrides)
    assert done.returncode == 0, done.stderr
    assert "6 done | 0 running | 0 failed | 0 remaining" in done.stdout  # x is fixed now and has left the space
    assert "95\N{NARROW NO-BREAK SPACE}% interval (t)" in done.stdout
    assert f"mlflow ui --backend-store-uri {project.tracking_uri}" in done.stdout
    assert f"optuna-dashboard {project.storage}" in done.stdout
    assert "report: artifact report/report.html of the sweep's run" in done.stdout
    [run] = find_runs(None, {tags.ROLE: "sweep"}, uri=project.tracking_uri)
    assert run.status == "FINISHED"
    assert run.metrics["best_in_search/n"] == 2
    assert "Question: does the toy learn?" in run.tags["mlflow.note.content"]
    client = MlflowClient(project.tracking_uri)
    table = Path(client.download_artifacts(run.run_id, "statistics/conditions.csv")).read_text().splitlines()
    assert len(table) == 1 + 3
    trials = find_runs(None, {tags.ROLE: "trial"}, uri=project.tracking_uri)
    assert {trial.metrics["val_loss/n"] for trial in trials} == {2.0}
    assert len(client.get_metric_history(trials[0].run_id, "val_loss/mean")) == 7


@pytest.mark.slow  # in one process at every place: test_crashes
def test_a_killed_worker_costs_no_finished_replicate_and_its_own_goes_on(project: Project) -> None:
    expected = straight(project)
    config = project.write({"parameters": SLOW, "execution": {"workers": 2, "retries": 1, "checkpoint_every": 0.05}})
    sweep = spawn(project, "sweep", "--config", str(config))
    wait_until(lambda: n_finished(project) >= 2)
    worker = next(p for p in psutil.Process(sweep.pid).children() if "worker" in p.cmdline())
    worker.kill()
    output, _ = sweep.communicate(timeout=120)
    assert sweep.returncode == 0, output
    assert "was killed by SIGKILL" in output
    runs = find_runs(None, {tags.ROLE: "replicate", tags.SWEEP: "toys"}, uri=project.tracking_uri)
    assert len(runs) == 18  # the killed replicate went on in its own run
    assert {run.status for run in runs} == {"FINISHED"}
    assert objectives(project) == expected


def test_a_replicate_that_kills_its_worker_every_time_is_failed_once_with_the_reason(project: Project) -> None:
    changes = {"parameters": {"kill_at_step": 3}, "space": {"x": [0.0]}, "replicates": {"count": 1}}
    config = project.write(changes)
    done = project.cli("sweep", "--config", str(config))
    assert done.returncode == 1, done.stderr
    [run] = find_runs(None, {tags.ROLE: "trial"}, uri=project.tracking_uri)
    assert run.status == "FAILED"
    assert run.tags[tags.REASON] == (
        "its worker died in all 3 attempts: killed, out of memory, or by an error that was printed then"
    )
    client = MlflowClient(project.tracking_uri)
    text = Path(client.download_artifacts(run.run_id, "traceback.txt")).read_text()
    assert "killed, out of memory, or by an error" in text
    # What is missing because of crashes is tried anew when the command is given again.
    again = project.cli("sweep", "--config", str(config))
    assert again.returncode == 1, again.stderr
    statuses = [run.status for run in find_runs(None, {tags.ROLE: "trial"}, uri=project.tracking_uri)]
    assert statuses == ["FAILED", "FAILED"]


def test_a_replicate_that_was_running_when_all_was_killed_three_times_is_trained_by_the_next_command(
    project: Project,
) -> None:
    marker = project.root / "killed"
    parameters = {"kill_at_step": 3, "kill_marker": str(marker)}
    changes = {"parameters": parameters, "space": {"x": [0.0]}, "replicates": {"count": 1}}
    config = str(project.write({**changes, "execution": {"executor": "in_process", "workers": 1}}))
    for _ in range(3):
        marker.unlink(missing_ok=True)
        assert project.cli("sweep", "--config", config).returncode == -signal.SIGKILL  # the whole of it, in one process
    done = project.cli("sweep", "--config", config)
    assert done.returncode == 0, done.stderr
    [run] = find_runs(None, {tags.ROLE: "trial"}, uri=project.tracking_uri)  # of one replicate
    assert run.status == "FINISHED"


def test_a_replicate_killed_for_its_time_has_timed_out_and_not_run_out_of_memory(project: Project) -> None:
    stuck = {"steps": 2, "n_points": 1, "sleep_seconds": 60}  # no measurement in its time
    changes = {"parameters": stuck, "space": {"x": [0.0]}, "replicates": {"count": 1}}
    config = project.write({**changes, "execution": {"timeout_per_trial": 1}})
    impatient = (
        "import sys; from rothamsted.sweeping.coordinator import coordinator; coordinator.TIMEOUT_GRACE_SECONDS = 0.5; "
        "coordinator.SETUP_SECONDS = 0.0; "  # the toy does not say when it is set up
        "from rothamsted.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", impatient, "sweep", "--config", str(config)],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    assert "out of memory" not in done.stdout
    [run] = find_runs(None, {tags.ROLE: "trial"}, uri=project.tracking_uri)
    assert (run.status, run.tags[tags.REASON]) == ("FAILED", "timeout after 1 s")


def test_ctrl_c_checkpoints_and_the_resumed_sweep_ends_with_the_same_numbers(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = straight(project)
    config = str(project.write({"parameters": SLOW}))
    sweep = spawn(project, "sweep", "--config", config)
    wait_until(lambda: n_finished(project) >= 3)
    sweep.send_signal(signal.SIGINT)
    output, _ = sweep.communicate(timeout=60)
    assert sweep.returncode == 130, output
    assert "give the same command again to go on" in output
    mine = find_runs(None, {tags.SWEEP: "toys"}, uri=project.tracking_uri)
    assert "RUNNING" not in {run.status for run in mine}
    assert {run.status for run in mine if run.tags[tags.ROLE] == "sweep"} == {"KILLED"}
    finished = {run.run_id for run in mine if run.status == "FINISHED"}
    capsys.readouterr()
    assert project.here("sweep", "--config", config) == 0
    assert "resuming sweep toys" in capsys.readouterr().out
    runs = find_runs(None, {tags.SWEEP: "toys", tags.ROLE: "replicate"}, uri=project.tracking_uri)
    assert len(runs) == 18  # nothing was run twice
    assert finished <= {run.run_id for run in find_runs(None, {tags.SWEEP: "toys"}, uri=project.tracking_uri)}
    assert objectives(project) == expected


def test_workers_do_not_outlive_a_killed_coordinator_and_the_sweep_resumes(project: Project) -> None:
    config = str(project.write({"parameters": SLOW}))
    sweep = spawn(project, "sweep", "--config", config)
    wait_until(lambda: n_finished(project) >= 2)
    workers = [p for p in psutil.Process(sweep.pid).children() if "worker" in p.cmdline()]
    sweep.kill()
    sweep.communicate(timeout=30)
    assert workers
    wait_until(lambda: not any(p.is_running() and p.status() != "zombie" for p in workers), seconds=30)
    assert project.here("sweep", "--config", config) == 0
    assert sorted(map(len, replicates(project).values())) == [1] * 18
    assert n_finished(project) == 18


def test_a_worker_started_by_hand_shares_the_work(project: Project) -> None:
    slower = {**SLOW, "sleep_seconds": 0.05}  # the worker by hand takes seconds to come up
    config = project.write({"parameters": slower, "execution": {"workers": 1}})
    sweep = spawn(project, "sweep", "--config", str(config))
    wait_until(lambda: n_finished(project) >= 1)
    by_hand = project.cli("worker", "--sweep", "toys", "--storage", project.storage)
    output, _ = sweep.communicate(timeout=120)
    assert (sweep.returncode, by_hand.returncode) == (0, 0), output + by_hand.stderr
    n_ended = by_hand.stdout.count(" finished after ")
    assert n_ended
    assert f"sweep toys: nothing is left to do; replicates that ended here: {n_ended}" in by_hand.stdout
    assert sorted(map(len, replicates(project).values())) == [1] * 18


def test_a_changed_sweep_under_the_same_name_is_refused_with_the_difference(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.start()
    config = project.write({"space": {"lr": [0.1, 0.2]}})
    assert project.here("sweep", "--config", str(config)) == 2
    said = capsys.readouterr().err
    assert "space.lr" in said
    assert "another name" in said


def test_the_run_that_mlflow_opened_is_the_sweep_run(project: Project) -> None:
    client = MlflowClient(project.tracking_uri)
    outer = client.create_run("0")
    client.log_param(outer.info.run_id, "config", "'sweep.yaml'")
    done = project.cli("sweep", "--config", str(project.write()), MLFLOW_RUN_ID=outer.info.run_id)
    assert done.returncode == 0, done.stderr
    [run] = find_runs(None, {tags.ROLE: "sweep"}, uri=project.tracking_uri)
    assert run.run_id == outer.info.run_id
    assert run.status == "RUNNING"  # MLflow ends its own run


def test_an_outer_run_that_resumes_links_to_the_sweep_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.work(project.start())
    config = str(project.write())
    client = MlflowClient(project.tracking_uri)
    outer = client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", outer)
    assert project.here("sweep", "--config", config) == 0
    [sweep_run] = find_runs(None, {tags.ROLE: "sweep"}, uri=project.tracking_uri)
    found = client.get_run(outer).data.tags
    assert found[tags.ROLE] == "continuation"
    assert found[tags.CONTINUES] == sweep_run.run_id
    assert sweep_run.run_id in found["mlflow.note.content"]


def test_check_prints_the_plan_and_creates_nothing(empty_project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    config = empty_project.write()
    before = sorted(p.name for p in empty_project.root.iterdir())
    assert empty_project.here("check", str(config)) == 0
    said = capsys.readouterr().out
    assert "conditions:     6" in said
    assert "18 (3 a condition, seeds 0, 1, 2)" in said
    assert "25 (1 sweep, 6 trials, 18 replicates)" in said
    assert "estimated time" in said
    assert sorted(p.name for p in empty_project.root.iterdir()) == before


BAD_INPUT = {
    "an unknown key": ({"colour": "red"}, (), "colour"),
    "an unknown study": ({"study": "nonesuch"}, (), "nonesuch"),
    "an unknown parameter": ({"space": {"lrr": [0.1]}}, (), "lrr"),
    "low above high": ({"space": {"lr": {"low": 1.0, "high": 0.1, "points": 3}}}, (), "above high"),
    "a log range at zero": (
        {"space": {"lr": {"low": 0.0, "high": 1.0, "log": True, "points": 3}}},
        (),
        "zero",
    ),
    "an empty choice": ({"space": {"lr": []}}, (), "at least one"),
    "a grid over a range without points": ({"space": {"lr": {"low": 0.1, "high": 1.0}}}, (), "points"),
    "a type mismatch": ({"space": {"x": ["many"]}}, (), "many"),
    "a value the study refuses": ({"space": {"lr": [-1.0]}}, (), "-1.0"),
    "text that looks like a number": (
        {"space": {"lr": {"low": "1.0e-3", "high": 1.0, "points": 3}}},  # written in quotes
        (),
        "must be a finite number, not '1.0e-3'",
    ),
    "an executor that nobody has": (
        {"execution": {"executor": "slurm"}},
        (),
        "there is no executor 'slurm'; known: local",
    ),
    "a race with nothing to race for": ({"replicates": {"racing": {"min": 5, "max": 4}}}, (), "nothing to race for"),
    "a fresh seed that the search has": ({"confirm": {"seeds": [2, 9]}}, (), "is a seed of the search"),
    "a word that belongs to no key": ({}, ("trials",), "trials"),
    "a storage that cannot be reached": (
        {"storage": "postgresql+psycopg://x@127.0.0.1:1/db"},
        (),
        "cannot be reached",
    ),
    "a storage in a folder that is missing": ({"storage": "sqlite:///none/such/o.db"}, (), "does not exist"),
}


@pytest.mark.parametrize("what", sorted(BAD_INPUT))
def test_bad_input_gives_one_line_and_status_2_and_creates_nothing(
    empty_project: Project, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from rothamsted.cli.main import main

    changes, words, expected = BAD_INPUT[what]
    config = empty_project.write(changes)
    before = sorted(p.name for p in empty_project.root.iterdir())
    status = main(["sweep", "--config", str(config), *words])
    error = capsys.readouterr().err
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1, error
    assert expected in error
    assert sorted(p.name for p in empty_project.root.iterdir()) == before


def test_an_unreachable_tracking_server_gives_one_line_soon(empty_project: Project) -> None:
    config = str(empty_project.write())
    started = time.monotonic()
    done = empty_project.cli("sweep", "--config", config, MLFLOW_TRACKING_URI="http://127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "127.0.0.1:1" in done.stderr
    assert not (empty_project.root / "optuna.db").exists()
    assert time.monotonic() - started < 60  # MLflow itself retries for minutes


def test_a_read_only_folder_gives_one_line(empty_project: Project) -> None:
    config = empty_project.write({"storage": None})
    folder = empty_project.root
    folder.chmod(0o555)
    try:
        done = empty_project.cli("sweep", "--config", str(config), PYTHONDONTWRITEBYTECODE="1")
    finally:
        folder.chmod(0o755)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "read-only" in done.stderr
    assert not (folder / "optuna.db").exists()
    assert not (folder / "mlflow.db").exists()
