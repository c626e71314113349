"""Staged sweeps that are stopped, cut off, out of time and started again, and the whole chain as a user runs it."""

from __future__ import annotations

import contextlib
import gc
import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient

from rothamsted import tags
from rothamsted.cli.main import main
from rothamsted.errors import StoreError
from rothamsted.search import find_search
from rothamsted.search.sweep_lease import SweepLease
from rothamsted.studies import Checkpoint, Study, drive
from rothamsted.sweeping.open.from_file import find_target, load
from rothamsted.sweeping.opened import open_started
from rothamsted.tracking import find_runs
from tests.search.ended_trials import finished_trials
from tests.sweeping.conftest import Project
from tests.sweeping.in_this_process import WatchedExecutor, in_this_process, use
from tests.sweeping.power_cut import PowerCut, power
from tests.sweeping.staging import STAGED, curves, interrupting, replicates, run, states, sweep_run


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose sweeps are run by a worker in this process."""
    use(monkeypatch, in_this_process)
    return project


def reopened(project: Project, name: str) -> Any:
    return open_started(
        name,
        project.storage,
        root=project.root,
        find_target=lambda sweep: find_target(sweep, project.root),
        tracking_uri=project.tracking_uri,
    )


@pytest.mark.parametrize("stage", [1, 2])
def test_ctrl_c_in_a_stage_and_the_same_command_ends_with_the_same_numbers(
    here: Project, monkeypatch: pytest.MonkeyPatch, stage: int
) -> None:
    run(here, {"name": "straight"})
    name = "toys" if stage == 1 else "toys.stage2"
    use(monkeypatch, interrupting(name, n_started=2))
    stopped = run(here)
    assert (stopped.result.exit_status, stopped.result.sweep.name) == (130, name)
    assert "give the same command again to go on" in stopped.text
    n_left = len(states(here, "toys"))
    use(monkeypatch, in_this_process)
    told = run(here)
    assert told.result.exit_status == 0
    assert curves(here, "toys.stage2") == curves(here, "straight.stage2")
    assert {one.tags[tags.RESUMED_FROM_STEP] for one in replicates(here, "toys.stage2").values()} == {"8"}
    # By hand: in the second stage only states of the 2 x 2 replicates that go on are left; in the end none are.
    assert (n_left if stage == 2 else 4, states(here, "toys")) == (4, [])


def test_a_finished_chain_that_is_started_again_leaves_its_stages_alone(here: Project) -> None:
    run(here)
    client = MlflowClient(here.tracking_uri)
    first = sweep_run(here, "toys")
    before = client.get_run(first.run_id).info.end_time
    table = Path(client.download_artifacts(first.run_id, "statistics/conditions.csv")).stat().st_mtime_ns
    n_runs = len(find_runs(None, {}, uri=here.tracking_uri))
    told = run(here)
    assert "stage 1 of 2: sweep toys is finished; its best 2 go on" in told.text
    assert "sweep toys.stage2 is finished: 4 replicates are done already" in told.text
    assert told.after == []
    assert client.get_run(first.run_id).info.end_time == before
    assert Path(client.download_artifacts(first.run_id, "statistics/conditions.csv")).stat().st_mtime_ns == table
    assert len(find_runs(None, {}, uri=here.tracking_uri)) == n_runs


def test_what_goes_on_is_decided_once(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, interrupting("toys.stage2", n_started=1))
    run(here)
    # A result of the first stage changes after that: by its results another condition would go on now.
    queue = reopened(here, "toys").queue
    [trial] = [one for one in finished_trials(queue) if one.number == 3]
    result = trial.user_attrs[tags.RESULT]
    changed = {**result, "replicates": [{**one, "objective": 1e3} for one in result["replicates"]]}
    with contextlib.closing(sqlite3.connect(here.root / "optuna.db")) as connection, connection:
        connection.execute(
            "UPDATE trial_user_attributes SET value_json = ? WHERE trial_id = ? AND key = ?",
            (json.dumps(changed), trial._trial_id, tags.RESULT),
        )
    here.altered.append("toys")
    use(monkeypatch, in_this_process)
    assert run(here).result.exit_status == 0
    assert {one.params["lr"] for one in replicates(here, "toys.stage2").values()} == {"0.8", "0.4"}


def test_the_time_is_of_all_stages_together(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    untils: list[float] = []

    def noting() -> WatchedExecutor:
        return WatchedExecutor(on_start=lambda job: untils.append(job.arguments["until"]))

    clock = iter([4e9, 5e9, 6e9, 6e9, 6e9])  # seconds, decades from now
    use(monkeypatch, noting)
    watch = SimpleNamespace(time=lambda: next(clock))
    monkeypatch.setattr("rothamsted.api.time", watch)
    monkeypatch.setattr("rothamsted.sweeping.phases.follow_up.time", watch)
    told = run(here, {"timeout": 5e8})  # up at 4.5e9, and the first stage ends at 5e9
    assert "time is up before stage 2: give the same command again to go on" in told.text
    assert (told.result.exit_status, find_search(here.storage, "toys.stage2")) == (0, None)
    assert run(here, {"timeout": 5e8}).result.sweep.name == "toys.stage2"
    assert untils == [4.5e9, 6.5e9]


def test_a_first_stage_that_runs_out_of_time_begins_no_second(here: Project) -> None:
    told = run(here, {"timeout": 0.001})
    assert (told.result.exit_status, told.result.is_complete) == (0, False)
    assert find_search(here.storage, "toys.stage2") is None
    assert run(here, {"timeout": None}).result.sweep.name == "toys.stage2"


def ended(project: Project, name: str) -> dict[str, Any]:
    """What a chain leaves behind, but for ids and times."""
    stages = [f"{name}{suffix}" for suffix in ("", ".stage2")]
    return {
        "curves": [curves(project, stage) for stage in stages],
        "statuses": [
            [one.status for one in find_runs(None, {tags.SWEEP: s}, uri=project.tracking_uri)] for s in stages
        ],
        "kept": reopened(project, name).queue.attribute(tags.NEXT_STAGE)["trials"],
        "states": states(project, name),
    }


def check_cuts(project: Project, places: Callable[[int], Sequence[int]]) -> None:
    with power(None) as supply:
        run(project, {"name": "straight"})
    straight = ended(project, "straight")
    for at in places(supply.n_commits):
        name = f"cut-{at}"
        with power(at), contextlib.suppress(PowerCut):
            run(project, {"name": name})
            assert at > supply.n_commits * 0.7, "the cut came after the end"  # how many there are depends on the clock
        gc.collect()  # a connection that was cut within its transaction; that of a dead process holds no lock
        for stage in (name, f"{name}.stage2"):
            record = find_search(project.storage, stage)
            if record is not None and tags.RUN_ID in record.attributes:
                reopened(project, stage).queue.leases.end()
        assert run(project, {"name": name}).result.exit_status == 0
        found = ended(project, name)
        # A run that was opened just before the cut is left behind unknown to the search, and another one opened.
        found["statuses"] = [[status for status in of if status != "RUNNING"] for of in found["statuses"]]
        assert found == straight, f"cut before commit {at} of {supply.n_commits}"


def test_a_chain_ends_alike_where_it_dies_between_its_stages(here: Project) -> None:
    # By hand: a third of the commits are of the first stage with its 8 short replicates; the step is behind the middle.
    check_cuts(here, lambda n: [n // 2, n * 2 // 3])


def test_a_stage_that_was_cut_off_just_after_its_study_was_made_is_the_sweeps_own(here: Project) -> None:
    taken: list[SweepLease] = []

    def take(self: SweepLease, *given: Any, **how: Any) -> bool:
        taken.append(self)
        if len(taken) == 2:  # of the second stage, whose study has just been made
            raise PowerCut
        return real(self, *given, **how)

    real = SweepLease.take
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SweepLease, "take", take)
        with pytest.raises(PowerCut):
            run(here)
    assert find_search(here.storage, "toys.stage2") is not None
    assert run(here).result.exit_status == 0


@pytest.mark.slow
def test_a_chain_ends_alike_wherever_it_dies(here: Project) -> None:
    check_cuts(here, lambda n: range(3, n, 4))


def test_an_empty_study_that_a_dying_process_left_is_filled(here: Project) -> None:
    optuna.create_study(study_name="toys", storage=here.storage, direction="minimize")
    assert run(here).result.exit_status == 0


def test_an_empty_study_with_another_direction_is_refused(here: Project) -> None:
    optuna.create_study(study_name="toys", storage=here.storage, direction="maximize")
    with pytest.raises(StoreError, match="with other directions than minimize"):
        run(here)


def test_an_end_that_was_reached_just_before_a_stop_is_kept_for_the_next_stage(here: Project) -> None:
    # The stop is asked for at the last measurement: the second session has nothing left to train.
    study = find_target(load(here.write(STAGED), {}, here.root)[0], here.root)
    assert isinstance(study, Study)
    configs, checkpoint = [study.config(steps=8, n_points=4)], Checkpoint(folder=here.root / "kept")
    measured: list[int] = []
    for n_wanted in (4, 5):
        drive(
            study,
            configs,
            on_measurement=lambda member, point: measured.append(point.step),
            checkpoint=checkpoint,
            keeps_last_state=True,
            should_stop=lambda n=n_wanted: len(measured) >= n,
        )
    assert measured == [2, 4, 6, 8]
    kept = checkpoint.load("toy", configs)
    assert kept is not None
    assert int(kept.state["step"]) == 8


@pytest.mark.slow  # five processes; what they do is tested within one process above
def test_the_chain_of_a_user_below_mlflows_run_survives_a_killed_worker(project: Project, tmp_path: Path) -> None:
    client = MlflowClient(project.tracking_uri)
    outer = client.create_run("0").info.run_id
    trap = {"kill_at_step": 15, "kill_marker": str(tmp_path / "killed")}  # only the second stage gets there
    execution = {"workers": 1, "retries": 1, "checkpoint_every": 0.001, "report": True}
    config = project.write({**STAGED, "parameters": {"optimizer.momentum": 0.5, **trap}, "execution": execution})
    done = project.cli("sweep", "--config", str(config), MLFLOW_RUN_ID=outer)
    assert done.returncode == 0, done.stderr + done.stdout
    assert (tmp_path / "killed").exists()
    assert "was killed by SIGKILL" in done.stdout
    first, second = sweep_run(project, "toys"), sweep_run(project, "toys.stage2")
    assert (first.run_id, second.tags["mlflow.parentRunId"]) == (outer, outer)
    assert (first.status, second.status) == ("RUNNING", "FINISHED")  # MLflow ends its own run
    assert {one.tags[tags.RESUMED_FROM_STEP] for one in replicates(project, "toys.stage2").values()} == {"8"}
    reports = [[file.path for file in client.list_artifacts(one.run_id, "report")] for one in (first, second)]
    assert reports == [["report/report.html"]] * 2, done.stdout
    other = client.create_run("0").info.run_id
    again = project.cli("sweep", "--config", str(config), MLFLOW_RUN_ID=other)
    assert again.returncode == 0, again.stderr
    assert client.get_run(other).data.tags[tags.CONTINUES] == outer


def test_a_worker_by_hand_works_on_a_later_stage(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, interrupting("toys.stage2", n_started=1))
    run(here)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", here.tracking_uri)
    assert main(["worker", "--sweep", "toys.stage2", "--storage", here.storage]) == 0
    later = replicates(here, "toys.stage2")
    assert (len(later), {one.tags.get(tags.RESUMED_FROM_STEP) for one in later.values()}) == (4, {"8"})
