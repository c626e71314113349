"""A sweep that grows under its name: what is finished is not trained again, and the result is the whole sweep's."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import Any

import optuna
import pytest

from rothamsted import tags
from rothamsted.analysis.read_search import read_search
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.analysis.values import Dataset
from rothamsted.errors import ResumeError
from rothamsted.search import find_search
from rothamsted.spec import from_resolved
from rothamsted.sweeping.opened import confirm_queue_of, open_started, queue_of
from rothamsted.sweeping.worker.waiting import WaitingForDecisions
from rothamsted.tracking import find_run, find_runs, read_text
from tests.sweeping.conftest import Events, Project

NOISY = {"steps": 20, "n_points": 5, "own_noise": 0.1}
TOYS: dict[str, Any] = {"parameters": NOISY, "space": {"lr": [0.1, 0.5]}, "replicates": {"count": 2}}
OBJECTIVE = {"metric": "val_loss", "direction": "minimize"}
RANGE = {"low": 0.05, "high": 0.8, "log": True}


def run(project: Project, changes: dict[str, Any]) -> Events:
    """One session of a sweep to its end; returns what its worker said."""
    with project.start(changes) as opened:
        return project.work(opened)


def trained(events: Events) -> int:
    return sum(event["event"] == "start" for event in events)


def data(project: Project, name: str, storage: str = "") -> Dataset:
    storage = storage or project.storage
    record = find_search(storage, name)
    assert record is not None
    sweep = from_resolved({**record.spec, "storage": storage})
    grown = record.attributes.get(tags.GROWN, [])
    return read_search(queue_of(sweep), sweep, confirmation=confirm_queue_of(sweep), growths=grown)


def scores(project: Project, name: str, storage: str = "") -> dict[tuple[Any, ...], float]:
    """(phase, values, seed) -> objective of every replicate that has one."""
    found = data(project, name, storage)
    values = {one.number: tuple(one.values.values()) for one in found.conditions}
    return {(one.phase, values[one.condition], one.seed): one.objective for one in found.replicates}


GROWTHS: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    # before, after, how many replicates are trained in the second session
    "more replicates": (TOYS, {**TOYS, "replicates": {"count": 5}}, 2 * 3),
    "one replicate becomes three": ({**TOYS, "replicates": {"count": 1}}, {**TOYS, "replicates": {"count": 3}}, 2 * 2),
    "more levels, one of them in between": (TOYS, {**TOYS, "space": {"lr": [0.1, 0.3, 0.5, 0.7]}}, 2 * 2),
    "more levels and replicates": (
        TOYS,
        {**TOYS, "space": {"lr": [0.7, 0.5, 0.1]}, "replicates": {"count": 3}},
        2 * 1 + 3,
    ),
    "a finer grid": (
        {**TOYS, "space": {"x": {"low": 0.0, "high": 0.5, "points": 2}}},
        {**TOYS, "space": {"x": {"low": 0.0, "high": 1.0, "points": 5}}},
        3 * 2,
    ),
    "more combinations of what varies": (
        {**TOYS, "replicates": {"vary": {"seed": 2, "data.seed": 2}}},
        {**TOYS, "replicates": {"vary": {"seed": 3, "data.seed": 2}}},
        2 * 2,
    ),
    "another objective": (
        TOYS,
        {**TOYS, "objective": {"metric": "train_loss", "direction": "maximize", "reduce": "best"}},
        0,
    ),
    "a composite score in place of a metric": (
        TOYS,
        {**TOYS, "objective": {"expression": "val_loss - 2 * train_loss", "direction": "minimize"}},
        0,
    ),
    "two objectives in place of one": (
        TOYS,
        {
            **TOYS,
            "objective": [
                {"metric": "train_loss", "direction": "maximize"},
                {"metric": "val_loss", "direction": "minimize"},
            ],
        },
        0,
    ),
    "a constraint": (TOYS, {**TOYS, "constraints": ["train_loss < 0.01"]}, 0),
}


@pytest.mark.parametrize(("before", "after", "n_trained"), GROWTHS.values(), ids=GROWTHS)
def test_a_grown_sweep_has_the_numbers_of_one_that_was_whole_from_the_start(
    project: Project, before: dict[str, Any], after: dict[str, Any], n_trained: int
) -> None:
    run(project, {**before, "name": "grown"})
    assert trained(run(project, {**after, "name": "grown"})) == n_trained
    run(project, {**after, "name": "whole"})
    assert scores(project, "grown") == scores(project, "whole")  # bit for bit
    assert trained(run(project, {**after, "name": "grown"})) == 0


def test_what_was_a_trials_only_replicate_lies_below_its_run_under_a_replicates_name(project: Project) -> None:
    run(project, {**TOYS, "space": {"lr": [0.5]}, "replicates": {"count": 1}})
    [lone] = find_runs(None, {tags.ROLE: "trial"}, uri=project.tracking_uri)
    run(project, {**TOYS, "space": {"lr": [0.5]}})
    [trial] = find_runs(None, {tags.ROLE: "trial"}, uri=project.tracking_uri)
    found = find_runs(None, {tags.ROLE: "replicate"}, uri=project.tracking_uri)
    assert {one.tags["mlflow.parentRunId"] for one in found} == {trial.run_id}
    names = {one.tags["mlflow.runName"] for one in found}
    assert (len(names), lone.run_id in {one.run_id for one in found}) == (2, True)
    assert trial.tags["mlflow.runName"] not in names


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "gp"])
def test_a_search_goes_on_in_a_wider_space_with_what_it_has_found(project: Project, sampler: str) -> None:
    before = {**TOYS, "sampler": sampler, "trials": 4, "space": {"lr": RANGE, "optimizer.name": ["sgd", "heavy_ball"]}}
    if sampler == "gp":
        before |= {"space": {"lr": RANGE, "x": {"low": 0.0, "high": 0.5}}}
    run(project, before)
    first = scores(project, "toys")
    wider = {**before["space"], "lr": {**RANGE, "high": 1.9}}
    if "optimizer.name" in wider:
        wider["optimizer.name"] = ["heavy_ball", "sgd"]
    events = run(project, {**before, "space": wider, "trials": 12})
    assert trained(events) == 8 * 2
    after = scores(project, "toys")
    assert {place: after[place] for place in first} == first
    if sampler != "gp":  # which stays near the best that it knows
        assert max(values[0] for _, values, _ in after) > 0.8


def test_optuna_sees_one_distribution_a_parameter_after_a_growth(project: Project) -> None:
    # Optuna's own rule: distributions.check_distribution_compatibility refuses another choice under a name.
    before = {**TOYS, "sampler": "tpe", "trials": 3, "space": {"lr": RANGE, "optimizer.name": ["sgd"]}}
    run(project, before)
    run(
        project,
        {
            **before,
            "space": {"lr": {**RANGE, "high": 1.6}, "optimizer.name": ["heavy_ball", "sgd"]},
            "trials": 6,
        },
    )
    trials = optuna.load_study(storage=project.storage, study_name="toys").get_trials()
    assert len({str(trial.distributions) for trial in trials}) == 1
    assert [trial.params["optimizer.name"] for trial in trials[:3]] == ["sgd"] * 3


def test_what_was_added_when_stands_in_search_record_and_report(project: Project) -> None:
    run(project, TOYS)
    run(project, {**TOYS, "replicates": {"count": 3}})
    run(project, {**TOYS, "replicates": {"count": 3}, "space": {"lr": [0.1, 0.5, 0.7]}})
    record = find_search(project.storage, "toys")
    assert record is not None
    run_id = str(record.attributes[tags.RUN_ID])
    of_record = read_sweep(run_id, uri=project.tracking_uri)
    first, second = (
        mark.replace("\N{NO-BREAK SPACE}", " ") for mark in of_record.marks if mark.startswith("This sweep grew on ")
    )
    assert "when it had 2 conditions and 4 ended replicates: replicates.seeds: [0, 1] -> [0, 1, 2]." in first
    assert "when it had 2 conditions and 6 ended replicates: space.lr: [0.1, 0.5] -> [0.1, 0.5, 0.7]." in second
    assert of_record.marks == data(project, "toys").marks
    found = find_run(run_id, uri=project.tracking_uri)
    assert found is not None
    assert "UTC: replicates.seeds: [0, 1] -> [0, 1, 2]; 20" in found.tags[tags.GROWN_TAG]
    entries = json.loads(read_text(run_id, "sweep/grown.json", uri=project.tracking_uri) or "")
    assert [from_resolved(entry["before"]).replicates.values for entry in entries] == [(0, 1), (0, 1, 2)]
    assert abs(entries[0]["at"] - time.time()) < 3600


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a parameter": (TOYS, {**TOYS, "parameters": {**NOISY, "steps": 10}}, "parameters.steps: 20 -> 10: it may not"),
    "fewer levels": (TOYS, {**TOYS, "space": {"lr": [0.1, 0.7]}}, "finished conditions have 0.5; keep the values"),
    "another factor": (TOYS, {**TOYS, "space": {"lr": [0.1, 0.5], "x": [0.0, 0.5]}}, "a factor cannot be added"),
    "other points": (
        {**TOYS, "space": {"x": {"low": 0.0, "high": 0.5, "points": 3}}},
        {**TOYS, "space": {"x": {"low": 0.0, "high": 0.5, "points": 4}}},
        "the new grid has no 0.25, which is finished",
    ),
    "other seeds": (TOYS, {**TOYS, "replicates": {"seeds": [0, 7, 1]}}, "finished replicates keep their seeds"),
    "a combination that changes": (
        {**TOYS, "replicates": {"vary": {"seed": 2, "data.seed": 2}}},
        {**TOYS, "replicates": {"vary": {"seed": 2, "data.seed": 3}}},
        "of crossed fields only the first, seed, grows",
    ),
    "a race": (
        {**TOYS, "replicates": {"racing": {"min": 3, "max": 5}}},
        {**TOYS, "replicates": {"racing": {"min": 3, "max": 9}}},
        "replicates.racing.max: 5 -> 9: the error rate of a race holds only for",
    ),
    "the objective of a pruner": (
        {**TOYS, "pruner": "median"},
        {**TOYS, "pruner": "median", "objective": {"metric": "train_loss", "direction": "minimize"}},
        'objective.metric: "val_loss" -> "train_loss": pruner median has judged',
    ),
    "an objective that nobody has logged": (
        TOYS,
        {**TOYS, "objective": {"metric": "trein_loss", "direction": "minimize"}},
        "metric 'trein_loss' was never logged; did you mean train_loss",
    ),
    "the range of a sampler with a state": (
        {**TOYS, "space": {"lr": RANGE, "x": {"low": 0.0, "high": 0.5}}, "sampler": "cmaes", "trials": 2},
        {**TOYS, "space": {"lr": RANGE, "x": {"low": 0.0, "high": 0.9}}, "sampler": "cmaes", "trials": 2},
        "space.x.high: 0.5 -> 0.9: sampler cmaes keeps a state",
    ),
}


@pytest.mark.parametrize(("before", "after", "says"), REFUSED.values(), ids=REFUSED)
def test_what_would_change_the_meaning_of_finished_results_is_refused_in_one_line(
    project: Project, before: dict[str, Any], after: dict[str, Any], says: str
) -> None:
    run(project, before)
    there = scores(project, "toys")
    with pytest.raises(ResumeError) as refusal, project.start(after):
        pass
    line = str(refusal.value)
    assert says in line
    assert "another name" in line
    assert "\n" not in line
    assert scores(project, "toys") == there


def test_an_adaptive_sampler_is_told_the_scores_of_another_objective(project: Project) -> None:
    before = {**TOYS, "sampler": "tpe", "trials": 3, "space": {"lr": RANGE}}
    run(project, before)
    objective = {"metric": "train_loss", "direction": "maximize"}
    assert trained(run(project, {**before, "objective": objective, "trials": 4})) == 2
    study = optuna.load_study(storage=project.storage, study_name="toys")
    assert [one.name for one in study.directions] == ["MAXIMIZE"]
    # the toy's loss: 0.5 * (1 - lr) ** (2 * 20), the same for all seeds
    expected = [0.5 * (1 - trial.params["lr"]) ** 40 for trial in study.get_trials()]
    assert [trial.value for trial in study.get_trials()] == pytest.approx(expected, rel=1e-9)


def test_a_mended_metric_goes_on_under_the_same_name_and_trains_nothing_again(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {**TOYS, "space": {"lr": [0.5]}, "replicates": {"count": 1}}
    wrong = {**small, "objective": {**OBJECTIVE, "metric": "val_los"}}
    assert project.here("sweep", str(project.write(wrong))) == 2
    assert "correct the file, and give the same command again" in capsys.readouterr().out
    assert project.here("sweep", str(project.write({**small, "objective": OBJECTIVE}))) == 0
    assert "1 done | 0 running | 0 failed | 0 remaining" in capsys.readouterr().out
    [replicate] = find_runs(None, {tags.ROLE: "trial"}, uri=project.tracking_uri)
    assert (replicate.status, replicate.tags[tags.OUTCOME]) == ("FINISHED", "finished")
    run(project, {**small, "name": "whole"})
    assert scores(project, "toys") == scores(project, "whole")
    [mark] = [mark for mark in data(project, "toys").marks if mark.startswith("This sweep grew")]
    assert "could see results" not in mark  # there were none


def test_a_confirmation_grows_and_its_seeds_stay_fresh(project: Project) -> None:
    confirmed = {**TOYS, "confirm": {"keep": 1, "replicates": 3}}
    run(project, confirmed)
    with pytest.raises(ResumeError, match=r"the confirmation has used seed 2; give replicates: {seeds: \[0, 1, 5\]}"):
        project.start({**confirmed, "replicates": {"count": 3}})
    grown = {
        **TOYS,
        "replicates": {"seeds": [0, 1, 5]},
        "confirm": {"keep": 1, "seeds": [2, 3, 4, 6]},
    }
    assert trained(run(project, grown)) == 2 + 1
    run(project, {**grown, "name": "whole"})
    assert scores(project, "toys") == scores(project, "whole")


def test_what_a_pruner_has_stopped_keeps_the_replicates_that_it_has(project: Project) -> None:
    pruned = {
        **TOYS,
        "space": {"lr": [0.5, 0.4, 0.3, 0.01, 0.02]},
        "pruner": {"name": "median", "startup_trials": 2},
        "parameters": {**NOISY, "own_noise": 0.0},
    }
    run(project, pruned)
    n_pruned = sum(bool(one.pruned) for one in data(project, "toys").conditions)
    assert n_pruned > 0
    assert trained(run(project, {**pruned, "replicates": {"count": 3}})) == 5 - n_pruned
    found = data(project, "toys")
    assert sum(bool(one.pruned) for one in found.conditions) == n_pruned


def test_a_sweep_that_another_process_runs_does_not_grow(project: Project) -> None:
    first = project.start(TOYS)
    first.lease.leave("left")
    assert first.queue.lease("elsewhere:1:1").take(60.0)  # a living process of another machine
    with pytest.raises(ResumeError) as refusal:
        project.start({**TOYS, "replicates": {"count": 3}})
    assert "another process runs the sweep by the old file; stop that process" in str(refusal.value)


KILLED_AFTER_THREE = """
import os, signal, sys
from pathlib import Path
from rothamsted.sweeping.open.from_file import load
from rothamsted.sweeping.open.start import open_sweep
from rothamsted.sweeping.opened import Place
from rothamsted.sweeping.worker.work import Worker
ended = []
def emit(event):
    ended.extend([event] if event["event"] == "end" else [])
    if len(ended) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
sweep, study = load(sys.argv[1], {}, Path.cwd())
with open_sweep(sweep, study, Place(root=Path.cwd(), tracking_uri=sys.argv[2])) as opened:
    Worker(context=opened, emit=emit, should_stop=lambda: False).run()
"""


def test_a_growth_that_is_killed_in_the_middle_goes_on_and_ends_alike(project: Project) -> None:
    short = {**TOYS, "execution": {"lease_seconds": 2}}  # no coordinator here that would give back what the dead hold
    grown = {**short, "space": {"lr": [0.1, 0.3, 0.5]}, "replicates": {"count": 4}}
    run(project, short)
    config = str(project.write(grown))
    command = [sys.executable, "-c", KILLED_AFTER_THREE, config, project.tracking_uri]
    killed = subprocess.run(command, cwd=project.root, env=project.environment(), timeout=240)
    assert killed.returncode == -signal.SIGKILL
    assert len(scores(project, "toys")) < 3 * 4
    run(project, grown)
    run(project, {**grown, "name": "whole"})
    assert scores(project, "toys") == scores(project, "whole")
    assert len(find_runs(None, {tags.SWEEP: "toys", tags.ROLE: "replicate"}, uri=project.tracking_uri)) == 3 * 4


def test_a_worker_that_knows_the_file_of_before_ends_when_the_sweep_has_grown(project: Project) -> None:
    with project.start(TOYS) as first:
        project.work(first)
    at_work = open_started(
        "toys",
        project.storage,
        root=project.root,
        find_target=lambda whole: first.study,
        tracking_uri=project.tracking_uri,
    )
    with project.start({**TOYS, "space": {"lr": [0.1, 0.3, 0.5]}}) as second:  # it decides now
        assert not WaitingForDecisions(at_work)()
        assert at_work.has_grown
        assert WaitingForDecisions(second)()
        assert not second.has_grown
        project.work(second)


def test_a_sweep_grows_on_postgresql_too(project: Project, postgres_url: str) -> None:
    before = {**TOYS, "storage": postgres_url, "confirm": {"keep": 1, "seeds": [7, 8]}}
    objective = {"metric": "train_loss", "direction": "maximize"}
    after = {**before, "space": {"lr": [0.7, 0.5, 0.1]}, "replicates": {"count": 3}, "objective": objective}
    run(project, before)
    n_trained = trained(run(project, after))
    assert n_trained in (2 * 1 + 3, 2 * 1 + 3 + 2)  # and where another condition has won, its two fresh replicates
    run(project, {**after, "name": "whole"})
    grown, whole = scores(project, "toys", postgres_url), scores(project, "whole", postgres_url)
    assert {place: grown[place] for place in whole} == whole
    assert {place for place in grown if place[0] == "search"} == {place for place in whole if place[0] == "search"}
