"""A race in real databases: who gets how many replicates, what is written of it, and what is never run twice."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from mlflow import MlflowClient
from optuna_dashboard import get_note
from scipy import stats

from rothamsted import tags
from rothamsted.analysis.analyze import QUICK, analyze
from rothamsted.analysis.conditions import make_condition
from rothamsted.analysis.ranking import members_of, ranked, scores_of
from rothamsted.analysis.values import Dataset
from rothamsted.publish.description import race_text
from rothamsted.reporting.tables.csv_tables import conditions_table, to_csv
from rothamsted.statistics.racing import race
from rothamsted.sweeping.opened import Opened
from rothamsted.tracking import FoundRun, find_runs
from tests.analysis.runs import dataset
from tests.sweeping.conftest import Project, stop_in_replicate, toy_project
from tests.sweeping.search_run import counts_of, found_of

# Without momentum the toy's loss after 20 steps is 0.5 (1 - x)^2 (1 - lr)^40: by hand 0.22, 0.064, 4e-6 and 1e-7.
RACE: dict[str, Any] = {
    "parameters": {"steps": 20, "n_points": 5, "own_noise": 0.01},
    "space": {"lr": [0.02, 0.05, 0.25, 0.3]},
    "replicates": {"racing": {"min": 3, "max": 6}},
}


@dataclass(frozen=True, kw_only=True)
class Raced:
    """A sweep that has raced, for the tests that only look at it."""

    project: Project
    context: Opened
    full: Dataset  # the same sweep with all replicates in every condition, called `full`


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]) -> Iterator[Raced]:
    folder = tmp_path_factory.mktemp("raced")
    with toy_project(folder) as project:
        new_mlflow(folder)
        full = project.start({**RACE, "name": "full", "replicates": {"count": 6}})
        project.work(full)
        context = project.start(RACE)
        project.work(context)
        yield Raced(project=project, context=context, full=found_of(full))


def replicate_runs(project: Project, name: str = "toys") -> list[FoundRun]:
    return find_runs(None, {tags.ROLE: "replicate", tags.SWEEP: name}, uri=project.tracking_uri)


def trial_runs(project: Project, name: str = "toys") -> dict[str, FoundRun]:
    found = find_runs(None, {tags.ROLE: "trial", tags.SWEEP: name}, uri=project.tracking_uri)
    return {run.tags[tags.TRIAL]: run for run in found}


def n_replicates(project: Project) -> dict[str, int]:
    return dict(sorted(Counter(run.tags[tags.TRIAL] for run in replicate_runs(project)).items()))


def n_runs_of_each(project: Project) -> Counter[tuple[str, str]]:
    return Counter((r.tags[tags.TRIAL], r.tags[tags.REPLICATE]) for r in replicate_runs(project))


def fates_of(context: Opened) -> list[tuple[str, list[float]]]:
    """Of each condition how it left the race, and the objectives of its finished replicates."""
    found = found_of(context)
    members = members_of(found)
    return [(one.race, scores_of(members[one.number]).tolist()) for one in found.conditions]


def test_a_race_drops_what_the_rule_drops_and_gives_the_others_all(raced: Raced) -> None:
    # Authority: the rule itself, on the numbers of a sweep that gave every condition all six replicates.
    values = np.array([[one.objective for one in of] for of in members_of(raced.full).values()])
    dropped_after = race(values, direction="minimize", level=0.95, n_min=3, n_max=6).dropped_after
    assert [c.dropped_after for c in found_of(raced.context).conditions] == dropped_after.tolist()
    assert n_replicates(raced.project) == {str(k): int(n) or 6 for k, n in enumerate(dropped_after)}
    assert 0 < sum(dropped_after > 0) < 4  # it is a race with losers and survivors


def test_a_race_uses_the_numbers_that_a_sweep_without_one_gets(raced: Raced) -> None:
    full, of_race = (
        {(r.tags[tags.TRIAL], r.tags[tags.SEED]): r.metrics["val_loss"] for r in replicate_runs(raced.project, name)}
        for name in ("full", "toys")
    )
    assert of_race.items() < full.items()


def test_each_replicate_of_a_race_is_run_once(raced: Raced) -> None:
    assert set(n_runs_of_each(raced.project).values()) == {1}


def test_the_runs_say_how_their_condition_left_the_race(raced: Raced) -> None:
    results = found_of(raced.context).conditions
    fates = {str(r.number): f"dropped after {r.dropped_after}" if r.dropped_after else "survived" for r in results}
    assert {number: run.tags[tags.RACE] for number, run in trial_runs(raced.project).items()} == fates
    assert {run.status for run in trial_runs(raced.project).values()} == {"FINISHED"}


def test_curves_of_a_race_hold_one_interval_a_step_over_the_final_replicates(raced: Raced) -> None:
    # Authority: scipy's t interval on what the replicate runs logged.
    client = MlflowClient(raced.project.tracking_uri)
    for number, trial in trial_runs(raced.project).items():
        mine = [r for r in replicate_runs(raced.project) if r.tags[tags.TRIAL] == number]
        values = np.array([[m.value for m in client.get_metric_history(r.run_id, "val_loss")] for r in mine])
        low, _ = stats.t.interval(0.95, len(mine) - 1, values.mean(0), stats.sem(values, axis=0))
        logged = {k: client.get_metric_history(trial.run_id, f"val_loss/{k}") for k in ("ci_low", "n")}
        assert [m.step for m in logged["n"]] == [4, 8, 12, 16, 20]
        assert {m.value for m in logged["n"]} == {len(mine)}
        assert [m.value for m in logged["ci_low"]] == pytest.approx(low.tolist(), rel=1e-9)


def test_the_objective_of_a_racing_condition_is_logged_by_its_replicates(raced: Raced) -> None:
    client = MlflowClient(raced.project.tracking_uri)
    for number, trial in trial_runs(raced.project).items():
        n_mine = n_replicates(raced.project)[number]
        points = client.get_metric_history(trial.run_id, "objective/n")
        assert [(p.step, p.value) for p in points] == [(n, float(n)) for n in range(3, n_mine + 1)]


def test_optuna_is_told_the_mean_over_all_replicates_of_the_race_with_a_note(raced: Raced) -> None:
    study = optuna.load_study(study_name="toys", storage=raced.project.storage)
    found = found_of(raced.context)
    for trial, result in zip(study.trials, found.conditions, strict=True):
        objectives = [one.objective for one in members_of(found)[result.number]]
        assert trial.value == pytest.approx(np.mean(objectives), rel=1e-12)
        assert f"race: {result.race}" in get_note(optuna.Trial(study, trial._trial_id))


def test_survivors_rank_before_what_was_dropped_whatever_its_mean() -> None:
    fates = ["dropped after 3", "dropped after 5", "survived", "narrow after 4"]
    conditions = tuple(make_condition(number, {}, race=race) for number, race in enumerate(fates))
    found = dataset({0: [0.1] * 3, 1: [0.2] * 3, 2: [0.9] * 3, 3: [0.8] * 3})
    assert ranked(replace(found, conditions=conditions)) == [3, 2, 1, 0]


def test_the_table_of_conditions_has_their_fate(raced: Raced) -> None:
    found = found_of(raced.context)
    rows = csv.DictReader(io.StringIO(to_csv(conditions_table(analyze(found, parts=QUICK)))))
    assert {int(row["condition"]): row["race"] for row in rows} == {one.number: one.race for one in found.conditions}
    assert f"{len(replicate_runs(raced.project))} replicates" in race_text(found)


def test_a_sweep_without_a_race_has_no_column_of_one(project: Project) -> None:
    context = project.start({"space": {"lr": [0.1]}})
    project.work(context)
    assert "race" not in conditions_table(analyze(found_of(context), parts=QUICK)).columns


def test_a_diverged_condition_is_dropped_at_the_first_look(project: Project) -> None:
    # lr 10 diverges by theory: |1 - lr| > 1.
    context = project.start({**RACE, "space": {"lr": [0.25, 0.3, 10.0]}, "parameters": {"steps": 200, "n_points": 5}})
    project.work(context)
    found = found_of(context)
    assert (found.conditions[2].race, counts_of(found)[2]) == ("dropped after 3", {"diverged": 3})


def test_a_condition_whose_replicates_all_fail_is_dropped_and_not_tried_in_later_rounds(project: Project) -> None:
    space = {"lr": [0.25, 0.3], "fail": [False, True]}
    context = project.start({**RACE, "space": space})
    project.work(context)
    found = found_of(context)
    ended = zip(found.conditions, counts_of(found), strict=True)
    failed = [(condition.race, counts) for condition, counts in ended if "failed" in counts]
    assert failed == [("dropped after 3", {"failed": 3})] * 2


def test_a_failed_replicate_is_missing_in_later_rounds_and_tried_as_often_as_the_file_says(project: Project) -> None:
    changes = {**RACE, "space": {"lr": [0.25, 0.3]}, "execution": {"retries": 1}}
    changes["parameters"] = {**RACE["parameters"], "fail_at_seed": 1}
    context = project.start(changes)
    project.work(context)
    assert counts_of(found_of(context)) == [{"finished": 5, "failed": 1}] * 2
    attempts = Counter(r.tags[tags.REPLICATE] for r in replicate_runs(project))
    assert attempts == {"0": 2, "1": 4, "2": 2, "3": 2, "4": 2, "5": 2}  # two conditions; seed 1 twice in each
    assert {run.metrics["val_loss/n"] for run in trial_runs(project).values()} == {5.0}


def test_a_condition_whose_interval_is_narrow_gets_no_more_replicates(project: Project) -> None:
    # lr 0.25 and 0.3 both end below 4e-6, so that only noise of sd 0.014 is left: no interval over 3 is 10 wide.
    narrow = {"racing": {"min": 3, "max": 6, "narrower_than": 10.0}}
    context = project.start({**RACE, "space": {"lr": [0.25, 0.3]}, "replicates": narrow})
    project.work(context)
    assert n_replicates(project) == {"0": 3, "1": 3}
    conditions = found_of(context).conditions
    assert [(one.race, one.dropped_after) for one in conditions] == [("narrow after 3", 0)] * 2


def test_a_round_adds_a_step_of_replicates_and_the_last_one_ends_at_max(project: Project) -> None:
    replicates = {"racing": {"min": 2, "max": 7, "step": 3}}
    context = project.start({**RACE, "space": {"lr": [0.25, 0.3]}, "replicates": replicates})
    project.work(context)
    points = MlflowClient(project.tracking_uri).get_metric_history(trial_runs(project)["0"].run_id, "objective/n")
    assert [p.step for p in points] == [2, 5, 7]


def test_an_adaptive_sampler_searches_with_the_least_replicates_and_then_races(project: Project) -> None:
    changes = {**RACE, "space": {"lr": {"low": 0.01, "high": 0.4}}, "sampler": {"name": "tpe", "seed": 3}, "trials": 6}
    context = project.start(changes)
    events = project.work(context)
    started = [(e["trial"], e["replicate"]) for e in events if e["event"] == "start"]
    assert started[:18] == [(t, r) for t in range(6) for r in range(3)]
    assert {r >= 3 for _, r in started[18:]} == {True}
    assert {one.race.split(" ")[0] for one in found_of(context).conditions} <= {"dropped", "survived"}


def test_a_population_races_as_one_at_a_time_does(project: Project) -> None:
    def fates(name: str, population: int) -> list[tuple[str, Any]]:
        context = project.start({**RACE, "name": name, "execution": {"population": population}})
        project.work(context)
        return fates_of(context)

    assert fates("alone", 1) == fates("together", 5)


def test_a_stopped_race_goes_on_where_it_was(project: Project) -> None:
    context = project.start({**RACE, "name": "straight"})
    project.work(context)
    straight = fates_of(context)
    project.work(project.start(RACE), stop_in_replicate(14, 3))  # the second of the replicates after the first look
    context = project.start(RACE)
    project.work(context)
    assert fates_of(context) == straight
    assert set(n_runs_of_each(project).values()) == {1}


def test_starting_a_finished_race_again_runs_nothing(project: Project) -> None:
    project.work(project.start(RACE))
    assert project.work(project.start(RACE)) == []


def test_a_race_of_which_nothing_has_a_score_ends(project: Project) -> None:
    context = project.start({**RACE, "space": {"fail": [True]}})
    project.work(context)
    assert fates_of(context) == [("dropped after 3", [])]
