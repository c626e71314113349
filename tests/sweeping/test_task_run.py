"""A sweep with a task, run to its end: what is best is over tasks, in every place."""

from __future__ import annotations

from typing import Any

from rothamsted.analysis.analyze import analyze, settings_of
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.publish.finished import publish_finished
from rothamsted.tracking import find_run, list_files, read_text
from tests.sweeping.conftest import Project
from tests.sweeping.search_run import run

SWEEP: dict[str, Any] = {
    "space": {"lr": [0.02, 0.1, 0.3], "x": [0.0, 0.5, 3.0, -2.0]},
    "parameters": {"steps": 10, "n_points": 5},
    "replicates": {"count": 5},
    "task": "x",
}


def test_a_sweep_over_tasks_ranks_conditions_and_not_cells(project: Project) -> None:
    ran = run(project, SWEEP)
    rows = sorted(ran.table("conditions"), key=lambda row: int(row["rank"]))
    # The loss after ten steps is 0.5 ((x - 1) (1 - lr)^10)^2: the largest step size is best on every task.
    assert [float(row["lr"]) for row in rows] == [0.3, 0.1, 0.02]
    assert "x" not in rows[0]
    assert len(ran.table("replicates")) == 3 * 4 * 5
    assert "3 conditions; replicates: 60 finished" in ran.description
    assert "Conditions are compared over 4" in ran.description


def test_the_search_and_the_record_say_the_same_over_tasks(project: Project) -> None:
    ran = run(project, SWEEP)
    quick = ran.table("conditions")
    run_id, uri = ran.context.sweep_run_id, project.tracking_uri
    assert publish_finished(run_id, settings_of(ran.context.sweep.statistics), uri=uri)
    assert [row["mean"] for row in ran.table("conditions")] == [row["mean"] for row in quick]
    names = {path.rpartition("/")[2] for path in list_files(run_id, "statistics", uri=uri)}
    assert {"tasks.csv", "task_aggregates.csv", "task_ranks.csv", "task_improvement.csv", "task_profiles.csv"} <= names
    page = read_text(run_id, "report/report.html", uri=uri) or ""
    for name in ("task_profiles", "critical_difference", "improvement"):
        assert f'id="{name}' in page or name in page
    found = find_run(run_id, uri=uri)
    assert found is not None
    assert found.tags["rothamsted.best_condition"] == "lr=0.3"


def test_the_seeds_of_a_condition_are_put_together_over_tasks(project: Project) -> None:
    ran = run(project, SWEEP)
    dataset = read_sweep(ran.context.sweep_run_id, uri=project.tracking_uri)
    found = analyze(dataset)
    assert dataset.task is not None
    assert {
        len([r for r in found.dataset.replicates if r.condition == c.number]) for c in found.dataset.conditions
    } == {5}
    assert {r.seed for r in found.dataset.replicates} == {"0", "1", "2", "3", "4"}
