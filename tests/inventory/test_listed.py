"""Sweeps of both databases, listed: what state they are in, how far, what is best."""

from __future__ import annotations

import json
from typing import Any

import optuna
import pytest
import sqlalchemy as sa

from rothamsted.cli.main import main
from rothamsted.inventory.progress import progress_of
from rothamsted.inventory.sweeps import find_listed, list_sweeps
from rothamsted.search.listed import list_searches
from rothamsted.tracking.deletion import delete_family, find_family
from tests.sweeping.conftest import Project, stop_in_replicate

# The toy's noise is drawn by the seed alone: with lr 1.0 the parameter is at its optimum, 1.0, after one step.
TWO: dict[str, Any] = {
    "parameters": {"steps": 4, "n_points": 2},
    "space": {"lr": [0.05, 1.0]},
    "replicates": {"count": 3},
}


def finished(project: Project, changes: dict[str, Any]) -> None:
    with project.start({**TWO, **changes}) as opened:
        project.work(opened)


def test_a_finished_sweep_is_listed_with_its_best_condition_and_interval(project: Project) -> None:
    finished(project, {"confirm": {"keep": 1, "replicates": 4}})
    [one] = list_sweeps(uri=project.tracking_uri, storage=project.storage)
    assert (one.name, one.state, one.n_done, one.n_all) == ("toys", "finished", 2, 2)
    assert one.best is not None
    assert (one.best.values, one.best.n, one.best.is_confirmed) == ({"lr": 1.0}, 4, True)
    study = optuna.load_study(study_name="toys.confirm", storage=project.storage)  # what fresh seeds gave
    values = [trial.value for trial in study.trials]
    assert one.best.value == pytest.approx(sum(v for v in values if v is not None) / 4)
    assert one.best.low is not None
    assert one.best.low < one.best.value
    assert one.started_ms > 0


def test_a_stopped_sweep_is_unfinished_and_says_how_far_it_is(project: Project) -> None:
    with project.start(TWO) as opened:
        project.work(opened, should_stop=stop_in_replicate(5, 1))
    one = find_listed("toys", uri=project.tracking_uri, storage=project.storage)
    assert (one.state, one.n_done, one.n_all) == ("unfinished", 1, 2)
    progress = progress_of(one, None, storage=project.storage)
    assert (progress.conditions.n_over, progress.n_conditions, progress.seconds_left) == (1, 2, None)


def test_a_sweep_that_a_living_process_decides_for_is_running(project: Project) -> None:
    with project.start(TWO):
        one = find_listed("toys", uri=project.tracking_uri, storage=project.storage)
        assert one.state == "running"
    assert find_listed("toys", uri=project.tracking_uri, storage=project.storage).state == "unfinished"


def test_of_maximized_objectives_and_of_constraints_the_right_one_is_best(project: Project) -> None:
    objective = {"metric": "val_loss", "direction": "maximize", "reduce": "last"}
    finished(project, {"name": "most", "objective": objective})
    finished(project, {"name": "kept", "constraints": ["val_loss > 0.05"]})  # 1.0 ends at about 0
    best = {one.name: one.best for one in list_sweeps(uri=project.tracking_uri, storage=project.storage)}
    assert {name: one.values for name, one in best.items() if one is not None} == {
        "most": {"lr": 0.05},
        "kept": {"lr": 0.05},
    }


def test_a_sweep_of_one_database_alone_is_listed_with_a_note(project: Project) -> None:
    finished(project, {})
    [one] = list_sweeps(uri=project.tracking_uri, storage=f"sqlite:///{project.root / 'other.db'}")
    assert (one.name, one.n_done, one.note) == ("toys", None, "not in this search database")
    family = find_family([one.run_id], ["toys"], uri=project.tracking_uri)
    delete_family(family, uri=project.tracking_uri)
    project.altered.append("the runs are deleted")
    [one] = list_sweeps(uri=project.tracking_uri, storage=project.storage)
    assert (one.name, one.state, one.run_id, one.note) == ("toys", "finished", "", "its run in MLflow is gone")


def test_however_many_sweeps_and_trials_there_are_a_few_queries_list_them(project: Project) -> None:
    for name in ("a", "b", "c"):
        finished(project, {"name": name, "confirm": {"keep": 1, "replicates": 2}})
    statements: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        searches = list_searches(project.storage)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", count)
    assert len(searches) == 6
    of_rows = [one for one in statements if "FROM studies" in one or "FROM trial" in one or "FROM (SELECT" in one]
    assert len(of_rows) <= 5


def test_the_command_lists_names_json_and_states(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    finished(project, {"name": "done"})
    with project.start({**TWO, "name": "stopped"}) as opened:
        project.work(opened, should_stop=stop_in_replicate(5, 1))
    assert main(["list", "-q", "state=finished"]) == 0
    assert capsys.readouterr().out.split() == ["done"]
    assert main(["list", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["sweeps"]
    assert {one["name"]: one["state"] for one in said} == {"done": "finished", "stopped": "unfinished"}
    assert main(["list"]) == 0
    assert "1 of 2" in capsys.readouterr().out
    assert main(["status", "stopped"]) == 3
    assert "to go on: repeat the command that started it" in capsys.readouterr().out
    assert main(["status", "stoped"]) == 2
    assert "did you mean stopped?" in capsys.readouterr().err
