"""Starting a sweep: what is refused leaves nothing behind, and of two that start it at once one decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient

from rothamsted import tags
from rothamsted.errors import StoreError, UserError
from rothamsted.search import find_search
from rothamsted.search.sweep_lease import SWEEP_LEASE
from rothamsted.sweeping.open import start
from rothamsted.tracking import FoundRun, find_runs
from tests.sweeping.conftest import Project
from tests.sweeping.test_run import SLOW, spawn, wait_until

FEW: dict[str, Any] = {"space": {"lr": [0.1, 0.5]}, "replicates": {"count": 2}}


def sweep_runs(project: Project, name: str = "toys") -> list[FoundRun]:
    return find_runs(None, {tags.ROLE: "sweep", tags.SWEEP: name}, uri=project.tracking_uri)


def delete_experiment(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MlflowClient(project.tracking_uri)
    client.delete_experiment(client.create_experiment("gone"))
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "gone")


def name_no_experiment(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "")


def name_an_unknown_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)


def name_an_unknown_experiment(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "77")


@pytest.mark.parametrize(
    ("spoil", "changes", "reason"),
    [
        (delete_experiment, {}, "experiment 'gone' (id 1) is deleted"),
        (name_no_experiment, {}, "MLFLOW_EXPERIMENT_NAME: is empty"),
        (name_an_unknown_run, {}, "MLFLOW_RUN_ID: there is no run 000"),
        (name_an_unknown_experiment, {}, "MLFLOW_EXPERIMENT_ID: "),
        (
            None,
            {"parameters": {"kill_marker": "x" * 6001}},
            "parameters.kill_marker: cannot be recorded: the value has 6001",
        ),
        (
            None,
            {"space": {"kill_marker": ["", "x" * 6001]}},
            "space.kill_marker[1]: cannot be recorded: the value has 6001",
        ),
    ],
)
def test_a_start_that_is_refused_leaves_no_study_that_blocks_its_name(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Project, pytest.MonkeyPatch], None] | None,
    changes: dict[str, Any],
    reason: str,
) -> None:
    with pytest.MonkeyPatch.context() as spoilt:
        if spoil is not None:
            spoil(project, spoilt)
        with pytest.raises(UserError) as caught:
            project.start({**FEW, **changes})
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (project.root / "optuna.db").exists()
    assert find_runs(None, {}, uri=project.tracking_uri) == []
    project.work(project.start(FEW))  # the name is free
    assert len(sweep_runs(project)) == 1


def test_more_workers_than_a_server_takes_connections_are_refused_before_anything_is_made(
    project: Project, postgres_url: str
) -> None:
    many = {"storage": postgres_url, "replicates": {"count": 200}, "execution": {"workers": 200}}
    with pytest.raises(StoreError, match="200 workers and the coordinator keep 201 connections, and its server has"):
        project.start({**FEW, **many})
    assert find_search(postgres_url, "toys") is None
    assert find_runs(None, {}, uri=project.tracking_uri) == []


class Cut(BaseException):
    pass


@pytest.mark.parametrize("place", ["_run", "_started", "_propose"])
def test_a_start_that_is_killed_half_way_blocks_no_name_and_opens_no_second_run(
    project: Project, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def die(*given: Any, **how: Any) -> Any:
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(start.Opening, place, die)
        with pytest.raises(Cut):
            project.start(FEW)
    changed = FEW if place == "_propose" else {**FEW, "parameters": {"steps": 7, "n_points": 7}}
    opened = project.start(changed)  # not started yet, it may still be another file
    project.work(opened)
    assert len(sweep_runs(project)) == 1
    assert opened.queue.counts().complete == 2


def test_an_outer_run_that_is_another_sweeps_is_left_alone(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MlflowClient(project.tracking_uri)
    outer = client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", outer)
    project.work(project.start({**FEW, "name": "first"}))
    before = client.get_run(outer).data
    project.work(project.start({**FEW, "name": "second"}))
    project.work(project.start({**FEW, "name": "second"}))  # and when it goes on
    after = client.get_run(outer).data
    assert (after.tags, after.params) == (before.tags, before.params)
    [first], [second] = sweep_runs(project, "first"), sweep_runs(project, "second")
    assert first.run_id == outer
    assert second.tags["mlflow.parentRunId"] == outer


def test_of_two_that_start_a_sweep_in_turn_the_second_helps_and_decides_nothing(project: Project) -> None:
    first, said = project.start(FEW), []
    first.lease.leave("left")
    assert first.queue.lease("elsewhere:1:1").take(60.0)  # a living process of another machine
    second = project.start(FEW, say=said.append)
    assert second.lease.token == 0
    second.close()  # it gives nothing back that it has not
    found = first.lease.deciding_now()
    assert found is not None
    assert (found.holder, found.is_living) == ("elsewhere:1:1", True)
    assert len(said) == 1
    assert "sweep toys is run by elsewhere:1:1 already" in said[0]
    assert len(sweep_runs(project)) == 1


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_two_commands_given_at_once_one_decides_the_other_helps_and_each_replicate_is_run_once(
    project: Project, request: pytest.FixtureRequest, database: str
) -> None:
    storage = project.storage if database == "sqlite" else request.getfixturevalue("postgres_url")
    changes = {"parameters": SLOW, "storage": storage, "execution": {"workers": 1}}
    config = str(project.write({**changes, "confirm": {"replicates": 3}}))
    both = [spawn(project, "sweep", "--config", config) for _ in range(2)]
    outputs = [process.communicate(timeout=200)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(outputs)
    assert len(sweep_runs(project)) == 1
    assert sum("already: this process helps" in output for output in outputs) <= 1
    found = find_runs(None, {tags.ROLE: "replicate"}, uri=project.tracking_uri)
    places = [(run.tags[tags.PHASE], run.tags[tags.TRIAL], run.tags[tags.SEED]) for run in found]
    assert (len(places), len(set(places))) == (18 + 3, 18 + 3)
    assert {run.status for run in found} == {"FINISHED"}
    [run] = sweep_runs(project)
    assert run.status == "FINISHED"
    assert project.root / run.tags["mlflow.source.name"] == Path(config)  # MLflow's column Source: the sweep file


@pytest.mark.slow  # two commands of seconds each
def test_a_helper_takes_over_when_the_process_that_decides_is_killed(project: Project) -> None:
    config = str(project.write({"parameters": SLOW, "confirm": {"replicates": 3}, "execution": {"workers": 1}}))
    first = spawn(project, "sweep", "--config", config)
    wait_until(lambda: bool(find_runs(None, {tags.ROLE: "replicate"}, uri=project.tracking_uri)))
    second = spawn(project, "sweep", "--config", config)
    wait_until(lambda: len(decider_leases(project)) > 0)
    first.kill()
    first.communicate(timeout=30)
    output, _ = second.communicate(timeout=200)
    assert second.returncode == 0, output
    record = find_search(project.storage, "toys")
    assert record is not None
    assert record.attributes[SWEEP_LEASE]["how"] == "over"
    found = find_runs(None, {tags.ROLE: "replicate"}, uri=project.tracking_uri)
    assert len(found) == 18 + 3
    assert {run.status for run in found} == {"FINISHED"}


def decider_leases(project: Project) -> list[Any]:
    study = optuna.load_study(study_name="toys", storage=project.storage)
    return [study.user_attrs[SWEEP_LEASE]] if SWEEP_LEASE in study.user_attrs else []
