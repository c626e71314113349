"""What a study declares of its metrics reaches its sweep files, their check, the record and the analysis."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from rich.console import Console

from rothamsted.analysis.analyze import Settings, analyze, settings_of
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.analysis.values import Objective
from rothamsted.errors import SpecError
from rothamsted.metric import Metric
from rothamsted.spec import Sweep
from rothamsted.sweeping.open.check import print_plan
from rothamsted.sweeping.open.from_file import find_target, load
from rothamsted.sweeping.open.start import open_sweep
from rothamsted.sweeping.opened import open_started
from rothamsted.tracking import find_runs
from tests.sweeping.conftest import Project

MAIN = """
from dataclasses import replace

from projects.toy import STUDY as TOY
from rothamsted.studies import Metric, main

STUDY = replace(TOY, metrics={metrics})

if __name__ == "__main__":
    main(STUDY)
"""
LOSSES = {
    "val_loss": Metric(direction="minimize", low=0, label="validation loss"),
    "train_loss": Metric(direction="minimize", low=0),
}
ONE = {"space": {"x": [0.0]}, "replicates": {"count": 3}}


def declare(project: Project, metrics: dict[str, Metric]) -> None:
    text = MAIN.replace("{metrics}", repr(metrics))
    (project.root / "projects" / "toy" / "__main__.py").write_text(text)


def loaded(project: Project, changes: dict[str, Any]) -> Sweep:
    return load(project.write(changes), {}, project.root)[0]


def test_a_direction_that_is_left_out_is_the_declared_one(empty_project: Project) -> None:
    declare(empty_project, LOSSES)
    assert loaded(empty_project, {"objective": {"metric": "val_loss"}}).objective.direction == "minimize"
    several = [{"metric": "val_loss"}, {"metric": "train_loss", "direction": "minimize"}]
    assert [one.direction for one in loaded(empty_project, {"objective": several}).objectives] == ["minimize"] * 2


def test_a_direction_that_disagrees_is_refused_with_the_metric_and_the_line(empty_project: Project) -> None:
    declare(empty_project, LOSSES)
    with pytest.raises(SpecError) as refused:
        loaded(empty_project, {"objective": {"metric": "val_loss", "direction": "maximize"}})
    said = str(refused.value)
    assert "sweep.yaml:" in said
    assert said.endswith(
        "objective.direction: is maximize, but study 'toy' declares val_loss as one to minimize; give minimize, or "
        "leave it out"
    )


def test_a_metric_that_is_not_declared_still_needs_its_direction(empty_project: Project) -> None:
    declare(empty_project, {})
    with pytest.raises(SpecError, match=r"objective\.direction: is missing"):
        loaded(empty_project, {"objective": {"metric": "val_loss"}})


def test_check_names_the_first_value_outside_a_declared_range(empty_project: Project) -> None:
    declare(empty_project, {"learning_rate": Metric(low=0.5, high=1), "train_loss": Metric(low=0)})
    sweep, study = load(
        empty_project.write({**ONE, "parameters": {"lr": 0.1, "steps": 4, "n_points": 2}}), {}, empty_project.root
    )
    console = Console(record=True, width=200)
    print_plan(sweep, study, console=console)
    said = [line for line in console.export_text().splitlines() if line.startswith("warning")]
    assert said == ["warning: learning_rate was 0.1 at step 2, but study toy declares 0.5 to 1: correct one of the two"]


def test_an_analysis_has_the_declaration_from_the_record_alone(project: Project) -> None:
    declare(
        project, {"train_loss": Metric(direction="maximize", low=0, high=0.1, rows=None), "val_loss": Metric(low=-9)}
    )
    context = project.start(ONE)
    project.work(context)
    context.recorder.close()
    searched = context.data()
    shutil.rmtree(project.root / "projects")  # the study is gone
    recorded = read_sweep("toys", uri=project.tracking_uri)
    assert recorded.metrics == searched.metrics
    assert recorded.metrics["train_loss"] == Metric(direction="maximize", low=0, high=0.1)
    assert recorded.metrics["samples_per_second"].low == 0  # of the engine's own
    guessed = Objective(metric="train_loss", direction="minimize")
    again = read_sweep("toys", uri=project.tracking_uri, objective=guessed, is_direction_guessed=True)
    assert again.objective.direction == "maximize"


def test_a_declaration_that_has_changed_is_that_of_the_session_that_goes_on(project: Project) -> None:
    declare(project, {"val_loss": Metric(low=-1)})
    project.start(ONE).close()
    changed, study = load(project.write(ONE), {}, project.root)
    opened = open_sweep(changed, replace(study, metrics={"val_loss": Metric(low=-2)}), project.place)
    opened.close()
    assert read_sweep("toys", uri=project.tracking_uri).metrics["val_loss"] == Metric(low=-2)


def test_values_outside_the_declared_range_are_said_above_every_number(project: Project) -> None:
    declare(project, {"learning_rate": Metric(low=0.5, high=1)})
    context = project.start({**ONE, "parameters": {"lr": 0.1, "steps": 4, "n_points": 2}})
    project.work(context)
    context.recorder.close()
    marks = analyze(read_sweep("toys", uri=project.tracking_uri)).marks
    assert (
        "learning_rate lies outside its declared range, 0.5 to 1, in 3 of 3 finished replicates, so its intervals may "
        "leave the range, too." in marks
    )


def test_no_interval_on_record_leaves_the_declared_range(project: Project) -> None:
    # Noise of sd 0.01 about a loss of nearly 0 at the end: Student's t has a lower end below 0 at some step.
    declare(project, {"train_loss": Metric(low=0), "samples_per_second": Metric(low=0), "val_loss": Metric(low=-0.05)})
    context = project.start({"space": {"x": [0.0, 0.5]}, "parameters": {"lr": 0.5, "steps": 20, "n_points": 5}})
    project.work(context)
    context.recorder.close()
    found = read_sweep("toys", uri=project.tracking_uri)
    analysis = analyze(found)
    for name, low in {"samples_per_second": 0.0, "train_loss": 0.0, "val_loss": -0.05}.items():
        for summary in analysis.metrics[name]:
            assert summary.interval is None or summary.interval.low >= low
        for trial in found.conditions:
            runs = find_runs(None, {}, uri=project.tracking_uri)
            metrics = next(run.metrics for run in runs if run.run_id == trial.run_id)
            assert metrics.get(f"{name}/ci_low", low) >= low
    assert {one.interval.method for one in analysis.objective if one.interval} == {"log"}
    told = [trial.attributes["rothamsted:result"]["summary"] for trial in context.queue.trials(["rothamsted:result"])]
    assert [(one["ci_low"], one["ci_high"]) for one in told] == [
        (one.interval.low, one.interval.high) for one in analysis.objective if one.interval
    ]


@pytest.mark.parametrize(("correction", "test"), [("dunnett", "Dunnett"), ("tukey", "Tukey")])
def test_a_joint_correction_of_the_sweep_file_is_that_of_its_report(
    project: Project, correction: str, test: str
) -> None:
    noisy = {"parameters": {"steps": 20, "n_points": 5, "own_noise": 0.05}, "space": {"x": [0.0, 0.2, 0.5]}}
    context = project.start({**noisy, "statistics": {"correction": correction}})
    project.work(context)
    context.recorder.close()
    found = read_sweep("toys", uri=project.tracking_uri)
    by_file = analyze(found, replace(settings_of(context.sweep.statistics), reference=0)).comparisons
    assert by_file is not None
    assert test in by_file.test
    assert by_file == analyze(found, Settings(correction=correction, reference=0)).comparisons


LEARNING = {"objective": {"metric": "learning_rate", "direction": "maximize"}, "space": {"lr": [0.25, 0.5]}}


def declare_rows(project: Project, rows: str) -> None:
    """The toy's learning rate, equal over seeds, as a share of some rows; `rows` is an expression of a config."""
    declared = MAIN.replace("{metrics}", "{'learning_rate': Metric(low=0, high=1)}, rows=lambda config: {rows}")
    (project.root / "projects" / "toy" / "__main__.py").write_text(declared.replace("{rows}", rows))


def test_a_share_of_rows_that_is_equal_over_seeds_has_one_interval_in_run_search_and_analysis(project: Project) -> None:
    declare_rows(project, "{'learning_rate': 100}")
    project.start(LEARNING).close()
    find = partial(find_target, root=project.root)  # as another process does: from name and storage alone
    context = open_started(
        "toys", project.storage, root=project.root, find_target=find, tracking_uri=project.tracking_uri
    )
    project.work(context)
    context.recorder.close()
    found = read_sweep("toys", uri=project.tracking_uri)
    assert found.metrics["learning_rate"] == Metric(low=0, high=1, rows=100)
    analysis = analyze(found)
    intervals = [one.interval for one in analysis.objective]
    assert intervals == [one.interval for one in analysis.metrics["learning_rate"]]
    ends = {lr: (one.low, one.high) for lr, one in zip((0.25, 0.5), intervals, strict=True) if one is not None}
    assert all(low < lr < high for lr, (low, high) in ends.items())
    told = [trial.attributes["rothamsted:result"]["summary"] for trial in context.queue.trials(["rothamsted:result"])]
    assert {one["mean"]: (one["ci_low"], one["ci_high"]) for one in told} == ends
    metrics = {one.run_id: one.metrics for one in find_runs(None, {}, uri=project.tracking_uri)}
    for trial in found.conditions:
        logged = metrics[trial.run_id]
        for name in ("learning_rate", "objective"):
            assert (logged[f"{name}/ci_low"], logged[f"{name}/ci_high"]) == ends[logged[f"{name}/mean"]]


def test_a_share_whose_rows_depend_on_the_condition_is_one_of_unknown_rows(project: Project) -> None:
    declare_rows(project, "{'learning_rate': round(400 * config.lr)}")
    project.start(LEARNING).close()
    assert read_sweep("toys", uri=project.tracking_uri).metrics["learning_rate"] == Metric(low=0, high=1)
