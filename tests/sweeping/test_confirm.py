"""The confirmation in real databases: fresh seeds for the winners, kept from the search, closed once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from mlflow import MlflowClient
from rich.console import Console
from scipy import stats

from rothamsted import tags
from rothamsted.analysis.analyze import QUICK, analyze, settings_of
from rothamsted.analysis.ranking import ranked
from rothamsted.analysis.values import Analysis
from rothamsted.errors import ResumeError, StoreError
from rothamsted.publish.confirmed_tables import confirmed_table as csv_table
from rothamsted.publish.console import confirmed_table
from rothamsted.publish.finished import publish_ended
from rothamsted.publish.record import winner_of
from rothamsted.reporting.tables.csv_tables import to_csv
from rothamsted.search import Queue, find_search
from rothamsted.sweeping.coordinator.decide import Decider
from rothamsted.sweeping.open.from_file import find_target
from rothamsted.sweeping.opened import Opened, open_started
from rothamsted.tracking import FoundRun, find_runs
from tests.sweeping.conftest import Events, Project, stop_in_replicate, toy_project
from tests.sweeping.search_run import counts_of, found_of

CONFIRM: dict[str, Any] = {
    "parameters": {"steps": 20, "n_points": 5, "own_noise": 0.01},
    "space": {"lr": [0.02, 0.25, 0.3]},
    "replicates": {"count": 3},
    "confirm": {"keep": 2, "replicates": 4},
}


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """A sweep that has been confirmed, for the tests that only look at it."""

    project: Project
    search: Opened
    confirmation: Queue
    events: Events
    analysis: Analysis


def publish(search: Opened, question: str = "") -> Analysis:
    """Write the end of a session down, as the coordinator does."""
    found = replace(found_of(search), question=question)
    of_both = {"queue": search.queue, "confirmation": search.confirm_queue}
    analysis = publish_ended(search.recorder, found, settings_of(search.sweep.statistics), **of_both)
    search.recorder.flush()
    return analysis


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]) -> Iterator[Confirmed]:
    folder = tmp_path_factory.mktemp("confirmed")
    with toy_project(folder) as project:
        new_mlflow(folder)
        search = project.start(CONFIRM)
        events = project.work(search)
        analysis = publish(search, question="does it hold?")
        yield Confirmed(
            project=project, search=search, confirmation=search.confirm_queue, events=events, analysis=analysis
        )


def runs(project: Project, role: str, phase: str = "confirm") -> list[FoundRun]:
    return find_runs(None, {tags.ROLE: role, tags.PHASE: phase}, uri=project.tracking_uri)


def test_the_best_conditions_run_on_seeds_after_the_largest_of_the_search(confirmed: Confirmed) -> None:
    best = list(map(str, ranked(found_of(confirmed.search))[:2]))
    seeds = {number: [] for number in best}
    for run in runs(confirmed.project, "replicate"):
        seeds[run.tags[tags.TRIAL]].append(run.tags[tags.SEED])
    assert {number: sorted(of) for number, of in seeds.items()} == {number: ["3", "4", "5", "6"] for number in best}


def test_the_runs_of_a_confirmation_lie_below_the_sweep_in_a_run_of_their_own(confirmed: Confirmed) -> None:
    trials = runs(confirmed.project, "confirmation")
    assert {t.name for t in trials} == {f"confirm lr {float(t.params['lr']):.3g}" for t in trials}
    assert {t.tags["mlflow.parentRunId"] for t in trials} == {confirmed.search.sweep_run_id}
    parents = {t.run_id: t.tags[tags.TRIAL] for t in trials}
    replicates = runs(confirmed.project, "replicate")
    assert all(parents[r.tags["mlflow.parentRunId"]] == r.tags[tags.TRIAL] for r in replicates)
    assert {r.status for r in (*trials, *replicates)} == {"FINISHED"}


def test_the_run_of_a_confirmed_condition_carries_mean_and_interval_of_every_step(confirmed: Confirmed) -> None:
    # Authority: scipy's t interval on what the replicate runs logged.
    client = MlflowClient(confirmed.project.tracking_uri)
    for trial in runs(confirmed.project, "confirmation"):
        mine = [r for r in runs(confirmed.project, "replicate") if r.tags["mlflow.parentRunId"] == trial.run_id]
        values = np.array([[m.value for m in client.get_metric_history(r.run_id, "val_loss")] for r in mine])
        low, _ = stats.t.interval(0.95, 3, values.mean(0), stats.sem(values, axis=0))
        logged = client.get_metric_history(trial.run_id, "val_loss/ci_low")
        assert [m.step for m in logged] == [4, 8, 12, 16, 20]
        assert [m.value for m in logged] == pytest.approx(low.tolist(), rel=1e-9)


def test_the_search_does_not_see_the_confirmation(confirmed: Confirmed) -> None:
    storage = confirmed.project.storage
    assert len(optuna.load_study(study_name="toys", storage=storage).trials) == 3
    trials = optuna.load_study(study_name="toys.confirm", storage=storage).trials
    assert (len(trials), {t.state.name for t in trials}) == (8, {"COMPLETE"})
    assert counts_of(found_of(confirmed.search)) == [{"finished": 3}] * 3


def test_the_confirmation_begins_when_the_search_has_ended(confirmed: Confirmed) -> None:
    phases = [e["phase"] for e in confirmed.events if e["event"] == "start"]
    assert phases == ["search"] * 9 + ["confirm"] * 8


def test_the_sweep_run_carries_both_estimates_and_their_difference(confirmed: Confirmed) -> None:
    # Authority: numpy on the objectives that the replicate runs logged. Smaller is better, so luck is
    # confirmed minus search.
    [sweep] = find_runs(None, {tags.ROLE: "sweep"}, uri=confirmed.project.tracking_uri)
    number = sweep.tags["rothamsted.best_trial"]
    searched, fresh = (
        np.array(
            [r.metrics["objective"] for r in runs(confirmed.project, "replicate", p) if r.tags[tags.TRIAL] == number]
        )
        for p in ("search", "confirm")
    )
    assert sweep.metrics["best_in_search/mean"] == pytest.approx(searched.mean(), rel=1e-12)
    assert sweep.metrics["confirmed/mean"] == pytest.approx(fresh.mean(), rel=1e-12)
    assert sweep.metrics["confirmed/sd"] == pytest.approx(fresh.std(ddof=1), rel=1e-12)
    assert sweep.metrics["confirmed/n"] == 4
    assert sweep.metrics["luck"] == pytest.approx(fresh.mean() - searched.mean(), rel=1e-9)


def test_luck_is_positive_where_a_maximum_looked_higher_in_the_search(confirmed: Confirmed) -> None:
    found, (one, *_) = confirmed.analysis.dataset, confirmed.analysis.confirmed
    objective = found.objective.model_copy(update={"direction": "maximize"})
    turned = {again.condition: again for again in analyze(replace(found, objective=objective), parts=QUICK).confirmed}
    assert turned[one.condition].luck.estimate == pytest.approx(-one.luck.estimate)


def test_writing_the_end_again_adds_no_point(confirmed: Confirmed) -> None:
    client, run_id = MlflowClient(confirmed.project.tracking_uri), confirmed.search.sweep_run_id
    keys = ("luck", "confirmed/mean", "best_in_search/mean", "replicates/finished")
    publish(confirmed.search)
    assert [len(client.get_metric_history(run_id, key)) for key in keys] == [1, 1, 1, 1]


def test_description_and_terminal_say_which_estimate_to_report(confirmed: Confirmed) -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(confirmed_table(confirmed.analysis))
    assert "the estimate to report" in console.export_text()
    [sweep] = find_runs(None, {tags.ROLE: "sweep"}, uri=confirmed.project.tracking_uri)
    text = sweep.tags["mlflow.note.content"]
    assert "**Confirmed on fresh seeds**" in text
    assert "This is the estimate to report." in text


def test_the_table_of_confirmed_conditions_has_a_line_each(confirmed: Confirmed) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(csv_table(confirmed.analysis)))))
    assert [float(row["luck"]) for row in rows] == [c.luck.estimate for c in confirmed.analysis.confirmed]
    assert [row["confirmed_n"] for row in rows] == ["4", "4"]
    parents = {run.tags[tags.TRIAL]: run.run_id for run in runs(confirmed.project, "confirmation")}
    assert {row["trial"]: row["run_id"] for row in rows} == parents
    assert [row["trial"] for row in rows] == list(map(str, confirmed.analysis.ranking[:2]))  # the search's order


def test_the_confirmation_is_no_sweep_that_a_worker_could_join(confirmed: Confirmed) -> None:
    project = confirmed.project
    with pytest.raises(StoreError, match="write --sweep toys"):
        open_started(
            "toys.confirm",
            project.storage,
            root=project.root,
            find_target=lambda sweep: find_target(sweep, project.root),
            tracking_uri=project.tracking_uri,
        )


def test_a_stopped_confirmation_goes_on_without_running_a_replicate_again(project: Project) -> None:
    straight = project.start({**CONFIRM, "name": "straight"})
    project.work(straight)
    expected = objectives(straight.confirm_queue)
    project.work(project.start(CONFIRM), stop_in_replicate(12, 3))
    search = project.start(CONFIRM)
    assert not is_over(search)
    project.work(search)
    assert objectives(search.confirm_queue) == expected
    mine = [r for r in runs(project, "replicate") if r.tags[tags.SWEEP] == "toys"]
    assert len(mine) == 8


def is_over(search: Opened) -> bool:
    decider = Decider(search)
    decider.decide()
    return decider.is_over


def objectives(confirmation: Queue | None) -> dict[str, list[float]]:
    closed = confirmation.attribute(tags.CONFIRMED) if confirmation is not None else {}
    return {trial: [one["objective"] for one in result["replicates"]] for trial, result in closed.items()}


def test_a_confirmation_can_be_asked_for_after_the_search(project: Project) -> None:
    project.work(project.start({**CONFIRM, "confirm": None}))
    events = project.work(project.start(CONFIRM))
    assert [e["phase"] for e in events if e["event"] == "start"] == ["confirm"] * 8


def test_keeping_more_confirms_only_those_that_are_new(project: Project) -> None:
    project.work(project.start({**CONFIRM, "confirm": {"keep": 1, "replicates": 4}}))
    events = project.work(project.start(CONFIRM))
    second = ranked(found_of(project.start(CONFIRM)))[1]
    assert {e["trial"] for e in events} == {second}


def test_other_seeds_for_a_confirmation_are_refused(project: Project) -> None:
    project.work(project.start(CONFIRM))  # on seeds 3 to 6
    with pytest.raises(ResumeError, match=r"confirm.*confirmed replicates keep their seeds"):
        project.start({**CONFIRM, "confirm": {"keep": 2, "seeds": [4, 5, 6, 7]}})


def test_a_diverged_condition_is_not_confirmed(project: Project) -> None:
    # lr 10 diverges by theory: |1 - lr| > 1.
    changes = {**CONFIRM, "space": {"lr": [0.02, 10.0]}, "parameters": {"steps": 200, "n_points": 5}}
    project.work(project.start(changes))
    assert {r.tags[tags.TRIAL] for r in runs(project, "confirmation")} == {"0"}


def test_a_search_without_any_score_has_nothing_to_confirm(project: Project) -> None:
    search = project.start({**CONFIRM, "space": {"fail": [True]}, "confirm": {"replicates": 4}})
    project.work(search)
    assert is_over(search)
    analysis = publish(search)
    [sweep] = find_runs(None, {tags.ROLE: "sweep"}, uri=project.tracking_uri)
    assert analysis.confirmed == ()
    assert "there is nothing to confirm" in sweep.tags["mlflow.note.content"]


def test_a_replicate_that_fails_on_a_fresh_seed_is_missing_and_counted(project: Project) -> None:
    parameters = {**CONFIRM["parameters"], "fail_at_seed": 4}
    search = project.start({**CONFIRM, "parameters": parameters, "confirm": {"keep": 1, "replicates": 4}})
    project.work(search)
    winner = winner_of(publish(search))
    assert winner is not None
    assert winner.summary is not None
    assert winner.summary.counts == {"finished": 3, "failed": 1}
    [sweep] = find_runs(None, {tags.ROLE: "sweep"}, uri=project.tracking_uri)
    assert sweep.metrics["confirmed/n"] == 3


def test_one_replicate_in_the_search_is_confirmed_below_a_run_of_its_own(project: Project) -> None:
    search = project.start({**CONFIRM, "replicates": {"count": 1}, "confirm": {"keep": 1, "replicates": 3}})
    project.work(search)
    assert (len(runs(project, "confirmation")), len(runs(project, "replicate"))) == (1, 3)
    assert len(runs(project, "trial", "search")) == 3


def test_a_population_confirms_as_one_at_a_time_does(project: Project) -> None:
    alone, together = (
        project.start({**CONFIRM, "name": name, "execution": {"population": population}})
        for name, population in (("alone", 1), ("together", 5))
    )
    for context in (alone, together):
        project.work(context)
    assert objectives(alone.confirm_queue) == objectives(together.confirm_queue)


def test_a_study_of_that_name_that_is_not_ours_is_refused_before_anything_is_created(project: Project) -> None:
    optuna.create_study(study_name="toys.confirm", storage=project.storage).ask()  # with a trial of its own
    with pytest.raises(StoreError, match=r"toys\.confirm"):
        project.start(CONFIRM)
    assert find_search(project.storage, "toys") is None
