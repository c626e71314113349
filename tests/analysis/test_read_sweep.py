"""A sweep read back from MLflow alone says what the sweep said."""

from __future__ import annotations

import json
import math
import socket
from pathlib import Path

import pytest
from mlflow import MlflowClient

from rothamsted import tags
from rothamsted.analysis.find import find_sweep
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.analysis.values import Dataset, Objective
from rothamsted.errors import StoreError
from rothamsted.tracking import find_runs, read_text
from tests.sweeping.conftest import Project, stop_in_replicate


def finish(project: Project, changes: dict[str, object] | None = None) -> Dataset:
    context = project.start(changes)
    project.work(context)
    context.recorder.close()
    return read_sweep("toys", uri=project.tracking_uri)


def test_conditions_replicates_and_seeds_are_those_of_the_sweep(project: Project) -> None:
    # Authority: the sweep file of the fixture: 3 learning rates x 2 values of x, 3 replicates.
    found = finish(project)
    assert len(found.conditions) == 6
    assert {c.values["x"] for c in found.conditions} == {0.0, 0.5}
    assert sorted({round(c.values["lr"], 6) for c in found.conditions}) == [0.01, 0.1, 1.0]
    assert [(f.name, f.is_log) for f in found.factors] == [("lr", True), ("x", False)]
    assert sorted((r.condition, r.seed) for r in found.replicates) == [(c, str(s)) for c in range(6) for s in range(3)]


def test_objectives_are_those_that_the_search_was_told(project: Project) -> None:
    # Authority: the metric `objective` that the engine logged on each replicate's run.
    found = finish(project)
    logged = {
        r.run_id: r.metrics["objective"]
        for r in find_runs(None, {}, uri=project.tracking_uri)
        if "objective" in r.metrics
    }
    assert {r.run_id: r.objective for r in found.replicates} == {r.run_id: logged[r.run_id] for r in found.replicates}


def test_another_objective_is_taken_from_the_curves(project: Project) -> None:
    finish(project)
    least = Objective(metric="val_loss", direction="minimize", reduce="best")
    found = read_sweep("toys", uri=project.tracking_uri, objective=least)
    for replicate in found.replicates:
        series = replicate.series["val_loss"]
        assert replicate.objective == series.values[series.steps > 0].min()


def test_the_question_design_and_provenance_come_along(project: Project) -> None:
    found = finish(project)
    assert found.question == "Question: does the toy learn?"
    assert found.design["replicates"] == "3 a condition, the same seeds in each: 0, 1, 2"
    assert found.design["fixed: steps"] == "20"
    assert "command" in found.provenance


def test_digests_and_the_machine_are_read_from_the_artifact_or_the_tags_of_an_older_record(project: Project) -> None:
    found = finish(project)
    [run] = find_runs(None, {tags.ROLE: "sweep"}, uri=project.tracking_uri)
    assert not run.tags.keys() & set(tags.ORIGIN)
    assert found.provenance["host"] == socket.gethostname()
    # As it was on record before: all of it tags, and no artifact.
    origin = json.loads(read_text(run.run_id, "sweep/origin.json", uri=project.tracking_uri) or "")
    of_the_machine = {tags.HOST, tags.MACHINE, tags.THREADS, tags.PYTHON, tags.STARTED_BY}
    assert origin.keys() == {tags.CODE_DIGEST, tags.DATA_SHA, *of_the_machine}
    client = MlflowClient(project.tracking_uri)
    for name, text in origin.items():
        client.set_tag(run.run_id, name, text)
    folder = Path(client.get_run(run.run_id).info.artifact_uri.removeprefix("file://"))
    (folder / "sweep" / "origin.json").unlink()
    assert read_sweep("toys", uri=project.tracking_uri).provenance == found.provenance


def test_a_sweep_of_one_replicate_is_read_like_any_other(project: Project) -> None:
    found = finish(project, {"replicates": {"count": 1}})
    assert len(found.replicates) == len(found.conditions) == 6
    assert all(math.isfinite(r.objective) for r in found.replicates)


def test_a_sweep_that_was_stopped_is_read_as_it_stands_and_marked(project: Project) -> None:
    context = project.start()
    project.work(context, stop_in_replicate(5, 1))
    context.recorder.close()
    found = read_sweep("toys", uri=project.tracking_uri)
    assert not found.is_complete
    assert any(
        "1 of 6 conditions has ended; analysed with the results so far" in mark or "2 of 6" in mark
        for mark in found.marks
    )
    outcomes = {r.outcome for r in found.replicates}
    assert "finished" in outcomes
    assert all(math.isnan(r.objective) for r in found.replicates if r.outcome != "finished")


def test_an_unknown_sweep_is_refused_with_those_that_exist(project: Project) -> None:
    finish(project)
    with pytest.raises(StoreError, match="there is no sweep called 'toy' in this tracking store; known: toys"):
        find_sweep("toy", uri=project.tracking_uri)


def test_a_store_without_sweeps_says_how_to_start_one(uri: str) -> None:
    with pytest.raises(StoreError, match="no sweep has been run here; start one with mlflow run"):
        find_sweep("toys", uri=uri)


def test_a_run_that_is_no_sweep_is_refused(project: Project) -> None:
    found = finish(project)
    with pytest.raises(StoreError, match=f"run {found.replicates[0].run_id} is not a sweep"):
        find_sweep(found.replicates[0].run_id, uri=project.tracking_uri)


def test_of_two_sweeps_with_one_name_the_newest_is_read_and_the_reader_told(project: Project) -> None:
    first = finish(project)
    second = finish(project, {"storage": f"sqlite:///{project.root / 'other.db'}", "trials": None})
    assert second.run_id != first.run_id
    assert any(mark.startswith("2 sweeps are called toys; this is the newest") for mark in second.marks)
    assert len(second.replicates) == 18
    assert read_sweep(first.run_id, uri=project.tracking_uri).run_id == first.run_id
