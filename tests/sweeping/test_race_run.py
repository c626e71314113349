"""A race and its confirmation as a user runs them: processes of their own, killed and resumed."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient
from rich.console import Console

from rothamsted import tags
from rothamsted.sweeping.open.check import print_plan
from rothamsted.sweeping.open.from_file import load
from rothamsted.tracking import FoundRun, find_runs
from tests.sweeping.conftest import Project
from tests.sweeping.test_run import spawn, wait_until

SWEEP: dict[str, Any] = {
    "parameters": {"steps": 20, "n_points": 5, "own_noise": 0.01, "sleep_seconds": 0.005},
    "space": {"lr": [0.02, 0.05, 0.25, 0.3]},
    "replicates": {"racing": {"min": 3, "max": 8}},
    "confirm": {"replicates": 6},
    "execution": {"workers": 2, "checkpoint_every": 0.02},
}


def replicates(project: Project, phase: str, name: str = "toys") -> list[FoundRun]:
    wanted = {tags.ROLE: "replicate", tags.PHASE: phase, tags.SWEEP: name}
    return find_runs(None, wanted, uri=project.tracking_uri)


def found(project: Project, name: str = "toys") -> dict[str, Any]:
    """What a sweep has found, without ids and times; in one process it is cheap and the same."""
    context = project.start({**SWEEP, "name": name})
    closed = context.confirm_queue.attribute(tags.CONFIRMED)
    return {
        "search": [
            (trial.number, trial.attributes.get(tags.VERDICT), trial.attributes[tags.RESULT]["summary"])
            for trial in context.queue.trials([tags.RESULT, tags.VERDICT])
        ],
        "confirmed": {trial: result["summary"] for trial, result in closed.items()},
    }


def expected(project: Project) -> dict[str, Any]:
    project.work(project.start({**SWEEP, "name": "straight"}))
    return found(project, "straight")


def kill_all(pid: int) -> None:
    """SIGKILL to a coordinator and its workers, as a machine that goes down would."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in processes:
        os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=30)


def each_ran_once(project: Project) -> bool:
    keys = [(r.tags[tags.PHASE], r.tags[tags.TRIAL], r.tags[tags.SEED]) for r in project_runs(project)]
    return len(keys) == len(set(keys)) and {r.status for r in project_runs(project)} == {"FINISHED"}


def project_runs(project: Project) -> list[FoundRun]:
    return [*replicates(project, "search"), *replicates(project, "confirm")]


@pytest.mark.slow
def test_a_race_killed_in_a_later_round_resumes_to_the_same_winner_and_confirmation(project: Project) -> None:
    straight = expected(project)
    config = str(project.write(SWEEP))
    sweep = spawn(project, "sweep", "--config", config)
    wait_until(lambda: len([r for r in replicates(project, "search") if int(r.tags[tags.REPLICATE]) >= 4]) >= 1)
    kill_all(sweep.pid)
    sweep.communicate(timeout=30)
    resumed = project.cli("sweep", "--config", config)
    assert resumed.returncode == 0, resumed.stderr
    assert "Confirmed val_loss: the estimate to report" in resumed.stdout
    assert "race: over, 2 of 4 conditions dropped" in resumed.stdout
    [run] = [r for r in find_runs(None, {tags.ROLE: "sweep"}, uri=project.tracking_uri) if r.name == "toys"]
    assert (run.status, run.metrics["confirmed/n"]) == ("FINISHED", 6.0)
    tables = {Path(a.path).name for a in MlflowClient(project.tracking_uri).list_artifacts(run.run_id, "statistics")}
    assert tables >= {"conditions.csv", "replicates.csv", "confirmed.csv", "confirmed_replicates.csv"}
    assert each_ran_once(project)
    assert found(project) == straight


@pytest.mark.slow
def test_a_confirmation_killed_half_way_resumes_to_the_same_estimate(project: Project) -> None:
    straight = expected(project)
    config = str(project.write(SWEEP))
    sweep = spawn(project, "sweep", "--config", config)
    wait_until(lambda: len([r for r in replicates(project, "confirm") if r.status == "FINISHED"]) >= 2)
    kill_all(sweep.pid)
    sweep.communicate(timeout=30)
    resumed = project.cli("sweep", "--config", config)
    assert resumed.returncode == 0, resumed.stderr
    assert found(project) == straight
    assert each_ran_once(project)


@pytest.mark.slow
def test_ctrl_c_in_the_confirmation_leaves_no_run_running_and_says_what_is_left(project: Project) -> None:
    config = str(project.write(SWEEP))
    sweep = spawn(project, "sweep", "--config", config)
    wait_until(lambda: len([r for r in replicates(project, "confirm") if r.status == "FINISHED"]) >= 1)
    sweep.send_signal(signal.SIGINT)
    output, _ = sweep.communicate(timeout=60)
    assert sweep.returncode == 130, output
    assert "the confirmation is not finished: give the same command again to go on" in output
    statuses = {r.status for r in find_runs(None, {tags.SWEEP: "toys"}, uri=project.tracking_uri)}
    assert "RUNNING" not in statuses
    resumed = project.cli("sweep", "--config", config)
    assert resumed.returncode == 0, resumed.stderr
    assert {r.status for r in find_runs(None, {tags.SWEEP: "toys"}, uri=project.tracking_uri)} == {"FINISHED"}


@pytest.mark.slow
def test_a_worker_killed_in_a_race_costs_no_finished_replicate(project: Project) -> None:
    straight = expected(project)
    config = str(project.write({**SWEEP, "execution": {**SWEEP["execution"], "retries": 1}}))
    sweep = spawn(project, "sweep", "--config", config)
    wait_until(lambda: len(replicates(project, "search")) >= 14)
    worker = next(p for p in psutil.Process(sweep.pid).children() if "worker" in p.cmdline())
    worker.kill()
    output, _ = sweep.communicate(timeout=120)
    assert sweep.returncode == 0, output
    assert found(project)["search"] == straight["search"]
    assert each_ran_once(project)


@pytest.mark.slow
def test_a_worker_by_hand_joins_in_a_later_round_and_in_the_confirmation(project: Project) -> None:
    slower = {**SWEEP["parameters"], "sleep_seconds": 0.1}  # the worker by hand takes seconds to come up
    config = str(project.write({**SWEEP, "parameters": slower, "execution": {"workers": 1}}))
    sweep = spawn(project, "sweep", "--config", config)
    wait_until(lambda: any(int(r.tags[tags.REPLICATE]) >= 3 for r in replicates(project, "search")))
    by_hand = project.cli("worker", "--sweep", "toys", "--storage", project.storage)
    output, _ = sweep.communicate(timeout=240)
    assert (sweep.returncode, by_hand.returncode) == (0, 0), output + by_hand.stderr
    n_by_hand = by_hand.stdout.count("finished after")
    assert n_by_hand > 3  # of six fresh seeds alone it gets about half
    assert each_ran_once(project)


def test_check_prints_the_most_that_a_race_can_take_and_the_confirmation(empty_project: Project) -> None:
    sweep, study = load(empty_project.write(SWEEP), {}, empty_project.root)
    console = Console(width=200, record=True, file=io.StringIO())
    print_plan(sweep, study, console=console, is_timed=False)
    text = console.export_text()
    # By hand: 4 conditions x 3 to 8 replicates; 6 of the best one; 1 + 4 + 12 + 1 + 6 runs, or 20 more.
    assert "12 to 32 (a race: 3 to 8 a condition, 1 a round, seeds 0 to 7)" in text
    assert "6 more (the best condition with fresh seeds 8, 9, 10, 11, 12, 13)" in text
    assert "24 to 44 (1 sweep, 4 trials, 12 to 32 replicates, 1 confirmed with 6 replicates)" in text
