"""The confirmation in real databases: fresh seeds for the winners, kept from the search, closed once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from mlflow import MlflowClient
from rich.console import Console
from scipy import stats

from rothamsted import tags
from rothamsted.errors import ResumeError, StoreError
from rothamsted.search import find_search
from rothamsted.sweep.advance import Conductor
from rothamsted.sweep.confirmed import confirmed_csv, confirmed_table, markdown, metric_points
from rothamsted.sweep.finish import Found, read_found, write_found
from rothamsted.sweep.open.from_file import find_target
from rothamsted.sweep.opened import SweepContext, open_context
from rothamsted.sweep.results import ranked, read_results
from rothamsted.tracking import FoundRun, find_runs
from tests.sweep.conftest import Events, Project, stop_in_replicate, toy_project

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
    search: SweepContext
    confirmation: SweepContext
    events: Events
    found: Found


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]) -> Iterator[Confirmed]:
    folder = tmp_path_factory.mktemp("confirmed")
    with toy_project(folder) as project:
        new_mlflow(folder)
        search = project.start(CONFIRM)
        events = project.work(search)
        confirmation = search.confirmation()
        found = read_found(search, confirmation)
        write_found(found, search, confirmation, question="does it hold?")
        search.recorder.flush()
        yield Confirmed(project=project, search=search, confirmation=confirmation, events=events, found=found)


def runs(project: Project, role: str, phase: str = "confirm") -> list[FoundRun]:
    return find_runs(None, {tags.ROLE: role, tags.PHASE: phase}, uri=project.tracking_uri)


def test_the_best_conditions_run_on_seeds_after_the_largest_of_the_search(confirmed: Confirmed) -> None:
    best = [str(r.number) for r in ranked(read_results(confirmed.search.queue), "minimize")[:2]]
    seeds = {number: [] for number in best}
    for run in runs(confirmed.project, "replicate"):
        seeds[run.tags[tags.TRIAL]].append(run.tags[tags.SEED])
    assert {number: sorted(of) for number, of in seeds.items()} == {number: ["3", "4", "5", "6"] for number in best}


def test_the_runs_of_a_confirmation_lie_below_the_sweep_in_a_run_of_their_own(confirmed: Confirmed) -> None:
    trials = runs(confirmed.project, "trial")
    assert {t.name for t in trials} == {f"confirm of trial {t.tags[tags.TRIAL]}" for t in trials}
    assert {t.tags["mlflow.parentRunId"] for t in trials} == {confirmed.search.sweep_run_id}
    parents = {t.run_id: t.tags[tags.TRIAL] for t in trials}
    replicates = runs(confirmed.project, "replicate")
    assert all(parents[r.tags["mlflow.parentRunId"]] == r.tags[tags.TRIAL] for r in replicates)
    assert {r.status for r in (*trials, *replicates)} == {"FINISHED"}


def test_the_run_of_a_confirmed_condition_carries_mean_and_interval_of_every_step(confirmed: Confirmed) -> None:
    # Authority: scipy's t interval on what the replicate runs logged.
    client = MlflowClient(confirmed.project.tracking_uri)
    for trial in runs(confirmed.project, "trial"):
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
    assert all(r.outcomes == {"finished": 3} for r in read_results(confirmed.search.queue))


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
    one = confirmed.found.confirmations[0]
    turned = type(one)(search=one.search, confirmed=one.confirmed, direction="maximize")
    assert turned.luck == pytest.approx(-(one.luck or 0.0))


def test_writing_the_end_again_adds_no_point(confirmed: Confirmed) -> None:
    client, run_id = MlflowClient(confirmed.project.tracking_uri), confirmed.search.sweep_run_id
    keys = ("luck", "confirmed/mean", "best_in_search/mean", "replicates/finished")
    write_found(confirmed.found, confirmed.search, confirmed.confirmation, question="")
    confirmed.search.recorder.flush()
    assert [len(client.get_metric_history(run_id, key)) for key in keys] == [1, 1, 1, 1]


def test_description_and_terminal_say_which_estimate_to_report(confirmed: Confirmed) -> None:
    text = markdown(confirmed.found.confirmations, metric="val_loss", level=0.95, study="toys.confirm")
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(confirmed_table(confirmed.found.confirmations, metric="val_loss", level=0.95))
    assert "The confirmed mean is the estimate to report" in text
    assert "the estimate to report" in console.export_text()
    [sweep] = find_runs(None, {tags.ROLE: "sweep"}, uri=confirmed.project.tracking_uri)
    assert "### Confirmed on fresh seeds" in sweep.tags["mlflow.note.content"]


def test_the_table_of_confirmed_conditions_has_a_line_each(confirmed: Confirmed) -> None:
    rows = list(csv.DictReader(io.StringIO(confirmed_csv(confirmed.found.confirmations, ["lr"]))))
    assert [float(row["luck"]) for row in rows] == [c.luck for c in confirmed.found.confirmations]
    assert [row["confirmed_n"] for row in rows] == ["4.0", "4.0"]


def test_the_confirmation_is_no_sweep_that_a_worker_could_join(confirmed: Confirmed) -> None:
    project = confirmed.project
    with pytest.raises(StoreError, match="write --sweep toys"):
        open_context(
            "toys.confirm",
            project.storage,
            root=project.root,
            find_target=lambda sweep: find_target(sweep, project.root),
            tracking_uri=project.tracking_uri,
        )


def test_a_stopped_confirmation_goes_on_without_running_a_replicate_again(project: Project) -> None:
    straight = project.start({**CONFIRM, "name": "straight"})
    project.work(straight)
    expected = objectives(straight.confirmation())
    project.work(project.start(CONFIRM), stop_in_replicate(12, 3))
    search = project.start(CONFIRM)
    assert not Conductor(search=search, holder="h").is_over()
    project.work(search)
    assert objectives(search.confirmation()) == expected
    mine = [r for r in runs(project, "replicate") if r.tags[tags.SWEEP] == "toys"]
    assert len(mine) == 8


def objectives(confirmation: SweepContext) -> dict[str, list[float]]:
    closed = confirmation.queue.attribute(tags.CONFIRMED)
    return {trial: [one["objective"] for one in result["replicates"]] for trial, result in closed.items()}


def test_a_confirmation_can_be_asked_for_after_the_search(project: Project) -> None:
    project.work(project.start({**CONFIRM, "confirm": None}))
    events = project.work(project.start(CONFIRM))
    assert [e["phase"] for e in events if e["event"] == "start"] == ["confirm"] * 8


def test_keeping_more_confirms_only_those_that_are_new(project: Project) -> None:
    project.work(project.start({**CONFIRM, "confirm": {"keep": 1, "replicates": 4}}))
    events = project.work(project.start(CONFIRM))
    second = ranked(read_results(project.start(CONFIRM).queue), "minimize")[1].number
    assert {e["trial"] for e in events} == {second}


def test_other_seeds_for_a_confirmation_are_refused(project: Project) -> None:
    project.start(CONFIRM)
    with pytest.raises(ResumeError, match="confirm"):
        project.start({**CONFIRM, "confirm": {"keep": 2, "replicates": 5}})


def test_a_diverged_condition_is_not_confirmed(project: Project) -> None:
    # lr 10 diverges by theory: |1 - lr| > 1.
    changes = {**CONFIRM, "space": {"lr": [0.02, 10.0]}, "parameters": {"steps": 200, "n_points": 5}}
    project.work(project.start(changes))
    assert {r.tags[tags.TRIAL] for r in runs(project, "trial")} == {"0"}


def test_a_search_without_any_score_has_nothing_to_confirm(project: Project) -> None:
    search = project.start({**CONFIRM, "space": {"fail": [True]}, "confirm": {"replicates": 4}})
    project.work(search)
    assert Conductor(search=search, holder="h").is_over()
    confirmation = search.confirmation()
    found = read_found(search, confirmation)
    write_found(found, search, confirmation, question="")
    search.recorder.flush()
    [sweep] = find_runs(None, {tags.ROLE: "sweep"}, uri=project.tracking_uri)
    assert found.confirmations == []
    assert "there is nothing to confirm" in sweep.tags["mlflow.note.content"]


def test_a_replicate_that_fails_on_a_fresh_seed_is_missing_and_counted(project: Project) -> None:
    parameters = {**CONFIRM["parameters"], "fail_at_seed": 4}
    search = project.start({**CONFIRM, "parameters": parameters, "confirm": {"keep": 1, "replicates": 4}})
    project.work(search)
    [one] = read_found(search, search.confirmation()).confirmations
    assert one.confirmed.outcomes == {"finished": 3, "failed": 1}
    assert {point.key: point.value for point in metric_points(one)}["confirmed/n"] == 3


def test_one_replicate_in_the_search_is_confirmed_below_a_run_of_its_own(project: Project) -> None:
    search = project.start({**CONFIRM, "replicates": {"count": 1}, "confirm": {"keep": 1, "replicates": 3}})
    project.work(search)
    assert (len(runs(project, "trial")), len(runs(project, "replicate"))) == (1, 3)
    assert len(runs(project, "trial", "search")) == 3


def test_a_population_confirms_as_one_at_a_time_does(project: Project) -> None:
    alone, together = (
        project.start({**CONFIRM, "name": name, "execution": {"population": population}})
        for name, population in (("alone", 1), ("together", 5))
    )
    for context in (alone, together):
        project.work(context)
    assert objectives(alone.confirmation()) == objectives(together.confirmation())


def test_a_study_of_that_name_that_is_not_ours_is_refused_before_anything_is_created(project: Project) -> None:
    optuna.create_study(study_name="toys.confirm", storage=project.storage).ask()  # with a trial of its own
    with pytest.raises(StoreError, match=r"toys\.confirm"):
        project.start(CONFIRM)
    assert find_search(project.storage, "toys") is None
