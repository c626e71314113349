"""Small real sweeps with pruning, a composite score, constraints, several objectives: read back and published."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest

from rothamsted import tracking
from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.analysis.ranking import ranked
from rothamsted.analysis.read_search import read_search
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.analysis.sweep_record import stage_mark, stages_of
from rothamsted.analysis.sweep_runs import last_sessions
from rothamsted.analysis.values import Dataset, Objective
from rothamsted.publish.finished import publish_finished
from rothamsted.publish.pages import report_html
from rothamsted.publish.record import write_record
from rothamsted.publish.rewrite import rewrite_sweep_trials
from tests.analysis.runs import log_run
from tests.sweeping.conftest import Project

LEVEL = Settings(level=0.95)
COMPOSITE = {
    "objective": {"expression": "val_loss + max(0, train_loss - 10)", "name": "gap", "direction": "minimize"},
    "pruner": {"name": "threshold", "upper": 0.45},
    "early_stopping": {"patience": 2, "min_delta": 0.05},
    "space": {"lr": [0.001, 0.1, 0.5], "x": [0.0, 0.5]},
}
SEVERAL = {
    "objective": [
        {"metric": "val_loss", "direction": "minimize"},
        {"metric": "learning_rate", "direction": "maximize"},
    ],
    "constraints": ["samples_seen < 1000", "train_loss <= 0.1"],
    "space": {"lr": [0.001, 0.1, 0.5, 0.9], "x": [0.0]},
}


def swept(project: Project, changes: dict[str, Any]) -> tuple[Dataset, Dataset]:
    """A finished sweep as MLflow has it, and as the search has it."""
    context = project.start(changes)
    project.work(context)
    context.recorder.close()
    return read_sweep("toys", uri=project.tracking_uri), read_search(context.queue, context.sweep)


def table(project: Project, run_id: str, name: str) -> list[dict[str, str]]:
    text = tracking.read_text(run_id, f"statistics/{name}.csv", uri=project.tracking_uri)
    return list(csv.DictReader(io.StringIO(text or "")))


def test_a_pruned_and_composite_sweep_is_read_ranked_and_published(project: Project) -> None:
    # Authority: the toy's loss. x = 0, lr = 0.001 has 0.5 * 0.999^8 > 0.45 at its first measurement, step 4: pruned;
    # x = 0.5 begins at 0.125, and is never above 0.45. lr = 0.5 is at zero loss after some steps: stops early.
    found, searched = swept(project, COMPOSITE)
    pruned = [c for c in found.conditions if c.pruned]
    assert [(c.values["lr"], c.values["x"]) for c in pruned] == [(0.001, 0.0)]
    assert pruned[0].pruned.startswith("at step 4 by pruner threshold: gap 0.")
    assert [r.outcome for r in found.replicates if r.condition == pruned[0].number] == ["pruned"]  # others never began
    assert found.is_complete
    assert found.objective.expression == "val_loss + max(0, train_loss - 10)"
    assert any(r.stopped_early for r in found.replicates)
    made = analyze(found)
    assert list(made.ranking) == ranked(searched)

    with tracking.open_recorder(project.tracking_uri) as recorder:
        write_record(recorder, made, found.run_id)
    rows = {int(row["condition"]): row for row in table(project, found.run_id, "conditions")}
    own = rows[pruned[0].number]
    assert (own["rank"], own["n_pruned"], own["mean"], own["pruned"]) == ("", "1", "", pruned[0].pruned)
    assert all(row["n_pruned"] == "0" for number, row in rows.items() if number != pruned[0].number)
    page = report_html(made, plots=["outcomes"])
    assert "gap = val_loss + max(0, train_loss - 10), minimized" in page
    assert pruned[0].pruned in page
    assert "stopped early: no longer improving" in page


def test_the_curve_of_a_stopped_replicate_ends_and_the_band_says_how_many_are_alive(project: Project) -> None:
    # The seeds stop at different steps or all at one: n never rises, and never exceeds the replicates that finished.
    changes = {**COMPOSITE, "pruner": None, "early_stopping": {"patience": 1}, "space": {"lr": [0.3], "x": [0.0]}}
    found, _ = swept(project, {**changes, "parameters": {"steps": 20, "n_points": 20}})
    assert all(r.stopped_early for r in found.replicates)
    (band,) = analyze(found).bands["gap"]["step"]
    last = sorted(int(r.series["gap"].steps[-1]) for r in found.replicates)
    assert band.n.tolist() == [sum(step <= end for end in last) for step in band.x.tolist()]


def test_another_objective_of_a_composite_sweep_is_taken_from_the_curves(project: Project) -> None:
    swept(project, COMPOSITE)
    asked = Objective(metric="train_loss", direction="minimize")
    found = read_sweep("toys", uri=project.tracking_uri, objective=asked)
    finished = [r for r in found.replicates if r.outcome == "finished"]
    assert finished
    assert all(r.objective == r.series["train_loss"].values[-1] for r in finished)
    assert found.others == ()


def test_several_objectives_and_constraints_are_read_ranked_and_published(project: Project) -> None:
    # Authority: the toy. lr = 0.001 leaves a loss near 0.5 and breaks train_loss <= 0.1; the others keep it. The
    # larger the rate the better the second objective, and the losses at the end are the noise of the seed, equal.
    found, searched = swept(project, SEVERAL)
    by_rate = {c.values["lr"]: c for c in found.conditions}
    ((text, amount),) = by_rate[0.001].broken
    assert text == "train_loss <= 0.1"
    assert amount == pytest.approx(0.5 * 0.999**40 - 0.1)  # by hand: 20 steps, squared
    assert [dict(by_rate[rate].violations)["train_loss <= 0.1"] <= 0 for rate in (0.1, 0.5, 0.9)] == [True] * 3
    replicate = next(r for r in found.replicates if r.condition == by_rate[0.5].number)
    assert replicate.others == (0.5,)
    made = analyze(found)
    assert list(made.ranking) == ranked(searched)
    assert made.pareto is not None
    assert by_rate[0.9].number in made.pareto.members

    publish_finished(found.run_id, LEVEL, uri=project.tracking_uri)
    rows = {int(row["condition"]): row for row in table(project, found.run_id, "conditions")}
    assert float(rows[by_rate[0.9].number]["learning_rate/mean"]) == 0.9
    assert rows[by_rate[0.001].number]["feasible"] == "false"
    assert float(rows[by_rate[0.001].number]["violation of train_loss <= 0.1"]) == amount
    pareto = table(project, found.run_id, "pareto")
    assert {int(row["condition"]): row["on_pareto_set"] == "true" for row in pareto} == {
        number: number in made.pareto.members for number in made.ranking
    }
    written = {c.number: tracking.find_run(c.run_id, uri=project.tracking_uri) for c in found.conditions}
    said = {number: run.tags["rothamsted.pareto"] for number, run in written.items() if run is not None}
    assert said == {number: "yes" if number in made.pareto.members else "no" for number in written}
    page = tracking.read_text(found.run_id, "report/report.html", uri=project.tracking_uri) or ""
    assert 'id="pareto"' in page


def test_trials_written_again_at_the_same_level_are_as_the_engine_wrote_them(project: Project) -> None:
    found, _ = swept(project, SEVERAL)
    uri = project.tracking_uri
    ids = [condition.run_id for condition in found.conditions]

    def written() -> dict[str, dict[tuple[str, int], float]]:
        return {
            run_id: {(point.key, point.step): point.value for point in points}
            for run_id, points in tracking.read_history(ids, uri=uri).items()
        }

    before = written()
    assert any(key == "objective.learning_rate/mean" for key, _ in before[ids[0]])
    with tracking.open_recorder(uri) as recorder:
        rewrite_sweep_trials(recorder, found, Settings(), uri=uri)
    after = written()
    assert {run: set(points) for run, points in after.items()} == {run: set(points) for run, points in before.items()}
    for run_id, points in before.items():
        assert all(math.isclose(after[run_id][key], value, rel_tol=1e-12) for key, value in points.items())


def test_a_replicate_that_was_interrupted_and_trained_again_as_a_new_run_counts_once(uri: str) -> None:
    # A stranger's process cannot go on: its run stays KILLED, and the same replicate gets another run.
    own = {"rothamsted.role": "trial", "rothamsted.trial": "0", "rothamsted.replicate": "0"}
    log_run(uri, {}, [3.0], status="KILLED", tags={**own, "rothamsted.outcome": "interrupted"})
    last = log_run(uri, {}, [1.0], tags={**own, "rothamsted.outcome": "finished"})
    runs = tracking.find_runs(None, {"rothamsted.trial": "0"}, uri=uri)
    assert [run.run_id for run in last_sessions(runs)] == [last]


def test_a_stage_names_the_sweeps_before_and_after_it(uri: str) -> None:
    def sweep(name: str, **tags: str) -> str:
        return log_run(uri, {}, tags={"rothamsted.role": "sweep", "rothamsted.sweep": name, **tags})

    first = sweep("quick")
    second = sweep("quick.stage2", **{"rothamsted.stage_of": first})
    third = sweep("quick.stage3", **{"rothamsted.stage_of": first})
    alone = sweep("other.stage2")  # a name like a stage's, of a sweep that is none
    found = {run.run_id: stages_of(run, uri=uri) for run in tracking.find_runs(None, {}, uri=uri)}
    assert found[first] == {"next stage": f"quick.stage2, run {second}"}
    assert found[second] == {"stage before": f"quick, run {first}", "next stage": f"quick.stage3, run {third}"}
    assert found[third] == {"stage before": f"quick.stage2, run {second}"}
    assert found[alone] == {}
    assert f"sweep quick.stage2, run {second}" in stage_mark(found[first])
