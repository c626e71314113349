"""The worker: runs, means and intervals, failures, resumes, in real SQLite databases."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from mlflow import MlflowClient
from optuna_dashboard import get_note
from scipy import stats

from rothamsted import tags
from rothamsted.analysis.ranking import means_of, ranked
from rothamsted.analysis.read_search import KEYS, dataset_of
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.analysis.told_replicates import told_replicates
from rothamsted.search import ToldTrial
from rothamsted.sweeping.worker.work import Worker
from rothamsted.tracking import FoundRun, find_runs
from tests.sweeping.conftest import Events, Project, stop_in_replicate
from tests.sweeping.search_run import counts_of, found_of

BY_ROLE = ("sweep", "trial", "replicate")


def runs(project: Project, role: str, name: str = "toys") -> list[FoundRun]:
    return find_runs(None, {tags.ROLE: role, tags.SWEEP: name}, uri=project.tracking_uri)


def optuna_trials(project: Project) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="toys", storage=project.storage).trials


def test_each_trial_and_replicate_has_one_run_below_its_parent(project: Project) -> None:
    context = project.start()
    project.work(context)
    sweep_run, trials, replicates = (runs(project, role) for role in BY_ROLE)
    assert (len(sweep_run), len(trials), len(replicates)) == (1, 6, 18)
    assert {t.tags["mlflow.parentRunId"] for t in trials} == {sweep_run[0].run_id}
    children = {t.run_id: [r for r in replicates if r.tags["mlflow.parentRunId"] == t.run_id] for t in trials}
    assert [len(c) for c in children.values()] == [3] * 6
    assert all({c.tags[tags.SEED] for c in group} == {"0", "1", "2"} for group in children.values())
    assert {run.status for run in (*trials, *replicates)} == {"FINISHED"}


def test_the_trial_run_carries_mean_and_t_interval_of_every_metric_and_step(project: Project) -> None:
    # Authority: scipy's t interval on the three values that the replicate runs logged.
    context = project.start()
    project.work(context)
    client = MlflowClient(project.tracking_uri)
    [trial] = [t for t in runs(project, "trial") if t.tags[tags.TRIAL] == "0"]
    replicates = [r for r in runs(project, "replicate") if r.tags[tags.TRIAL] == "0"]
    curves = [[m.value for m in client.get_metric_history(r.run_id, "val_loss")] for r in replicates]
    steps = [m.step for m in client.get_metric_history(trial.run_id, "val_loss/mean")]
    assert steps == [4, 8, 12, 16, 20]
    written = {
        key: [m.value for m in client.get_metric_history(trial.run_id, f"val_loss/{key}")]
        for key in ("mean", "ci_low", "ci_high", "n")
    }
    values = np.array(curves)
    low, high = stats.t.interval(0.95, 2, values.mean(0), stats.sem(values, axis=0))
    expected = {
        "mean": values.mean(0),
        "ci_low": low,
        "ci_high": high,
        "n": np.full(5, 3.0),
    }
    for key, column in expected.items():
        assert written[key] == pytest.approx(column.tolist(), rel=1e-12), key


def test_the_trial_run_says_the_spread_once_and_of_other_metrics_the_last_value(project: Project) -> None:
    context = project.start()
    project.work(context)
    [trial] = [run for run in runs(project, "trial") if run.tags[tags.TRIAL] == "0"]
    replicates = [run for run in runs(project, "replicate") if run.tags[tags.TRIAL] == "0"]
    client = MlflowClient(project.tracking_uri)
    # Authority: numpy on the replicates' own numbers.
    scores = np.array([run.metrics["objective"] for run in replicates])
    spread = {"sd": scores.std(ddof=1), "median": np.median(scores), "min": scores.min(), "max": scores.max()}
    assert {key: trial.metrics[f"objective/{key}"] for key in spread} == pytest.approx(spread)
    rates = [run.metrics["train_loss"] for run in replicates]
    assert trial.metrics["train_loss/mean"] == pytest.approx(np.mean(rates))
    assert [point.step for point in client.get_metric_history(trial.run_id, "train_loss/mean")] == [20]
    names = {name.partition("/")[0] for name in trial.metrics}
    assert names == {"objective", "val_loss", "train_loss"}  # bookkeeping is no result


def test_runs_are_called_by_what_varies_and_by_their_seed(project: Project) -> None:
    context = project.start({"space": {"lr": [0.125, 0.25], "x": 0.5}, "parameters": {"steps": 8}})
    project.work(context)
    assert {run.tags[tags.TRIAL]: run.name for run in runs(project, "trial")} == {"0": "lr 0.125", "1": "lr 0.25"}
    assert {run.name for run in runs(project, "replicate")} == {"seed 0", "seed 1", "seed 2"}
    assert {run.params["steps"] for run in runs(project, "trial")} == {"8"}  # fixed parameters stand once
    assert not any("steps" in run.params for run in runs(project, "replicate"))


def test_optuna_is_told_the_mean_over_replicates_with_a_note_and_a_link(project: Project) -> None:
    context = project.start()
    project.work(context)
    trial_runs = {t.tags[tags.TRIAL]: t for t in runs(project, "trial")}
    study = optuna.load_study(study_name="toys", storage=project.storage)
    for trial in study.trials:
        run = trial_runs[str(trial.number)]
        assert trial.value == pytest.approx(run.metrics["objective/mean"], rel=1e-12)
        assert trial.user_attrs[tags.RUN_ID] == run.run_id
        note = get_note(optuna.Trial(study, trial._trial_id))
        assert "(95\N{NARROW NO-BREAK SPACE}%, t, n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}3)" in note
        assert run.run_id in note


def test_with_one_replicate_the_trial_run_is_the_replicate(project: Project) -> None:
    context = project.start({"replicates": {"count": 1}})
    project.work(context)
    trials = runs(project, "trial")
    assert len(trials) == 6
    assert runs(project, "replicate") == []
    assert all(t.tags[tags.SEED] == "0" and t.tags[tags.REPLICATE] == "0" for t in trials)
    assert all("val_loss" in t.metrics and "val_loss/mean" not in t.metrics for t in trials)


def test_all_conditions_get_the_same_seeds(project: Project) -> None:
    context = project.start({"replicates": {"seeds": [11, 5]}})
    project.work(context)
    by_trial: dict[str, set[str]] = {}
    for run in runs(project, "replicate"):
        by_trial.setdefault(run.tags[tags.TRIAL], set()).add(run.tags[tags.SEED])
    assert list(by_trial.values()) == [{"11", "5"}] * 6


def test_a_diverged_condition_is_worst_for_the_search_and_never_among_the_best(project: Project) -> None:
    # lr 10 diverges by theory: |1 - lr| > 1.
    context = project.start({"space": {"lr": [0.5, 10.0]}, "parameters": {"steps": 200, "n_points": 5}})
    project.work(context)
    trials = optuna_trials(project)
    assert [math.isinf(t.value or 0.0) for t in trials] == [False, True]
    found = found_of(context)
    assert counts_of(found) == [{"finished": 3}, {"diverged": 3}]
    assert ranked(found) == [0]
    assert [t.tags[tags.OUTCOME] for t in runs(project, "trial")] == ["finished", "diverged"]
    diverged = [r for r in runs(project, "replicate") if r.tags[tags.TRIAL] == "1"]
    assert {(r.status, r.tags[tags.OUTCOME]) for r in diverged} == {("FINISHED", "diverged")}


def test_a_replicate_whose_objective_is_not_finite_has_diverged_though_its_training_ended(project: Project) -> None:
    # By the toy's loss: lr 0.001 stays near 0.5, where the logarithm is undefined; lr 0.5 comes near 0.
    objective = {"expression": "log(0.3 - val_loss)", "name": "gap", "direction": "minimize"}
    context = project.start({"space": {"lr": [0.001, 0.5]}, "parameters": {"x": 0.0}, "objective": objective})
    project.work(context)
    found = found_of(context)
    assert counts_of(found) == [{"diverged": 3}, {"finished": 3}]
    assert ranked(found) == [1]
    assert {r.reason for r in found.replicates if r.condition == 0} == {"its objective is not finite: gap is nan"}
    assert [math.isinf(t.value or 0.0) for t in optuna_trials(project)] == [True, False]
    recorded = [r for r in runs(project, "replicate") if r.tags[tags.TRIAL] == "0"]
    assert {(r.status, r.tags[tags.OUTCOME]) for r in recorded} == {("FINISHED", "diverged")}
    assert ranked(read_sweep("toys", uri=project.tracking_uri)) == [1]


def test_an_older_record_that_calls_nan_finished_is_read_as_diverged(project: Project) -> None:
    context = project.start({"space": {"lr": [0.1, 0.5]}})
    project.work(context)
    trials = [older(trial) if trial.number == 1 else trial for trial in context.queue.trials(KEYS)]
    found = dataset_of(context.sweep, trials)
    assert counts_of(found) == [{"finished": 3}, {"finished": 2, "diverged": 1}]
    assert ranked(found) == [0]
    told = told_replicates(trials[1].attributes, context.sweep, trial=1)[0]
    assert (told.outcome, told.has_score) == ("diverged", False)
    run = next(r for r in runs(project, "replicate") if (r.tags[tags.TRIAL], r.tags[tags.REPLICATE]) == ("1", "0"))
    client = MlflowClient(project.tracking_uri)
    client.log_metric(run.run_id, "objective", math.nan, step=1_000_000)
    recorded = read_sweep("toys", uri=project.tracking_uri)
    client.log_metric(run.run_id, "objective", run.metrics["objective"], step=1_000_001)  # as the search has it
    assert counts_of(recorded) == counts_of(found)
    assert ranked(recorded) == [0]


def older(trial: ToldTrial) -> ToldTrial:
    """A trial as an older version told it: the first replicate finished, with NaN."""
    result = trial.attributes[tags.RESULT]
    told = [{**one, "objective": math.nan} if one["replicate"] == 0 else one for one in result["replicates"]]
    return replace(trial, attributes={**trial.attributes, tags.RESULT: {**result, "replicates": told}})


def test_a_replicate_that_raises_is_missing_with_its_traceback_and_the_sweep_goes_on(
    project: Project,
) -> None:
    context = project.start({"space": {"fail": [True, False]}})
    project.work(context)
    found = found_of(context)
    assert counts_of(found) == [{"failed": 3}, {"finished": 3}]
    assert 0 not in means_of(found)
    assert [t.state.name for t in optuna_trials(project)] == ["FAIL", "COMPLETE"]
    client = MlflowClient(project.tracking_uri)
    failed = [r for r in runs(project, "replicate") if r.tags[tags.TRIAL] == "0"]
    assert {r.status for r in failed} == {"FAILED"}
    text = Path(client.download_artifacts(failed[0].run_id, "traceback.txt")).read_text()
    assert "RuntimeError: the toy was told to fail" in text


def test_a_replicate_out_of_memory_is_failed_and_the_sweep_goes_on(project: Project) -> None:
    context = project.start(
        {"space": {"fail": [True, False]}, "parameters": {"fail_with": "memory"}, "replicates": {"count": 2}}
    )
    project.work(context)
    assert counts_of(found_of(context)) == [{"failed": 2}, {"finished": 2}]


def test_a_failed_replicate_is_retried_as_often_as_the_file_says(project: Project) -> None:
    context = project.start({"space": {"fail": [True]}, "replicates": {"count": 2}, "execution": {"retries": 2}})
    project.work(context)
    attempts = sorted((r.tags[tags.REPLICATE], r.tags.get(tags.ATTEMPT, "1")) for r in runs(project, "replicate"))
    assert attempts == [(r, a) for r in "01" for a in "123"]
    assert counts_of(found_of(context)) == [{"failed": 2}]


def test_starting_a_finished_sweep_again_runs_nothing(project: Project) -> None:
    project.work(project.start())
    before = {r.run_id for role in BY_ROLE for r in runs(project, role)}
    events = project.work(project.start())
    assert events == []
    assert {r.run_id for role in BY_ROLE for r in runs(project, role)} == before


def test_a_sweep_with_more_trials_goes_on_where_it_was(project: Project) -> None:
    changes = {"sampler": {"name": "random", "seed": 1}}
    project.work(project.start({**changes, "trials": 3}))
    first = {r.run_id for r in runs(project, "replicate")}
    events = project.work(project.start({**changes, "trials": 5}))
    assert len([e for e in events if e["event"] == "start"]) == 6
    assert first < {r.run_id for r in runs(project, "replicate")}


def test_a_stopped_trial_goes_on_without_running_finished_replicates_again(project: Project) -> None:
    changes = {"space": {"lr": [0.1]}, "replicates": {"count": 3}}
    context = project.start(changes)
    first = project.work(context, stop_in_replicate(2, 4))
    assert [e["outcome"] for e in first if e["event"] == "end"] == ["finished", "interrupted"]
    killed = [r for role in ("trial", "replicate") for r in runs(project, role) if r.status == "KILLED"]
    assert len(killed) == 2  # the trial and its second replicate
    second = project.work(project.start(changes))
    assert [e["replicate"] for e in second if e["event"] == "start"] == [1, 2]
    assert len(runs(project, "replicate")) == 3  # the interrupted run went on, no second one was made
    assert {r.status for role in ("trial", "replicate") for r in runs(project, role)} == {"FINISHED"}


def test_a_resumed_replicate_logs_the_same_metrics_as_one_that_never_stopped(project: Project) -> None:
    changes = {"space": {"lr": [0.1]}, "replicates": {"count": 1}}

    def history(run_id: str) -> list[tuple[int, float]]:
        points = MlflowClient(project.tracking_uri).get_metric_history(run_id, "val_loss")
        return [(p.step, p.value) for p in points]

    project.work(project.start({**changes, "name": "straight"}))
    project.work(project.start(changes), stop_in_replicate(1, 4))
    [stopped] = runs(project, "trial")
    n_before = len(history(stopped.run_id))
    assert 0 < n_before < 5
    project.work(project.start(changes))
    [straight] = runs(project, "trial", "straight")
    assert history(stopped.run_id) == history(straight.run_id)


def test_a_trial_of_a_dead_worker_is_finished_by_another(project: Project) -> None:
    context = project.start({"execution": {"lease_seconds": 0.2}, "space": {"lr": [0.1]}})
    [claimed] = context.queue.claim("dead", n_trials=1, lease_seconds=0.2)
    time.sleep(0.3)
    project.work(context)
    assert [one.number for one in found_of(context).conditions] == [claimed.number]
    assert len(runs(project, "trial")) == 1


def test_a_population_gets_the_numbers_of_one_member_at_a_time(project: Project) -> None:
    project.work(project.start({"name": "alone"}))
    project.work(project.start({"name": "together", "execution": {"population": 9}}))
    alone, together = (
        {(r.tags[tags.TRIAL], r.tags[tags.SEED]): r.metrics["val_loss"] for r in runs(project, "replicate", name)}
        for name in ("alone", "together")
    )
    assert alone == together  # the toy states rtol 0


def test_metrics_are_in_the_store_while_a_long_replicate_still_runs(project: Project) -> None:
    context = project.start(
        {
            "parameters": {"steps": 40, "n_points": 20, "sleep_seconds": 0.06},
            "space": {"lr": [0.1]},
            "replicates": {"count": 1},
        }
    )
    seen: list[tuple[str, int]] = []

    def look(events: Events) -> bool:
        for run in runs(project, "trial"):
            history = MlflowClient(project.tracking_uri).get_metric_history(run.run_id, "val_loss")
            seen.append((run.status, len(history)))
        return False

    project.work(context, look)
    assert any(status == "RUNNING" and 0 < n < 20 for status, n in seen)


def test_a_replicate_over_its_time_is_failed_with_the_reason(project: Project) -> None:
    context = project.start(
        {
            "parameters": {"steps": 50, "n_points": 50, "sleep_seconds": 0.02},
            "space": {"lr": [0.1]},
            "replicates": {"count": 1},
            "execution": {"timeout_per_trial": 0.1},
        }
    )
    project.work(context)
    [run] = runs(project, "trial")
    assert run.status == "FAILED"
    assert "timeout" in run.tags[tags.REASON]


def test_a_sweep_out_of_time_claims_no_more_and_can_go_on_with_more_time(project: Project) -> None:
    changes = {"parameters": {"steps": 10, "n_points": 2, "sleep_seconds": 0.02}}
    context = project.start({**changes, "timeout": 10})
    Worker(context=context, emit=lambda e: None, should_stop=lambda: False, until=time.time() + 1.0).run()
    n_before = context.queue.counts().complete
    assert 0 < n_before < 6
    project.work(project.start({**changes, "timeout": "10m"}))
    assert context.queue.counts().complete == 6
