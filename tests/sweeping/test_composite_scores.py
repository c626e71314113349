"""Scores made of metrics: logged at each step, with intervals, and used wherever a metric is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

from rothamsted import tags
from tests.sweeping.conftest import Project
from tests.sweeping.search_run import Ran, run

EXPRESSION = "val_loss + max(0, val_loss - train_loss)"
SWEEP: dict[str, Any] = {
    "space": {"lr": [0.1, 0.5]},
    "parameters": {"steps": 10, "n_points": 5},
    "objective": {"name": "robust", "expression": EXPRESSION, "direction": "minimize", "reduce": "last"},
    "replicates": {"count": 3},
    "execution": {"workers": 1},
}


def scores_by_hand(ran: Ran, run_: Any) -> np.ndarray:
    val, train = np.array(ran.curve(run_, "val_loss")), np.array(ran.curve(run_, "train_loss"))
    return val + np.maximum(0.0, val - train)


@pytest.mark.parametrize("reduce", ["last", "best", {"mean_of_last": 2}])
def test_a_score_is_logged_at_each_step_and_reduced_like_a_metric(project: Project, reduce: Any) -> None:
    # Authority: numpy on the metrics that the run itself logged.
    ran = run(project, {**SWEEP, "objective": {**SWEEP["objective"], "reduce": reduce}})
    take = {"last": lambda c: c[-1], "best": min}.get(
        reduce if isinstance(reduce, str) else "", lambda c: c[-2:].mean()
    )
    for trial in ran.trials:
        numbers = []
        for one in ran.runs("replicate", trial.number):
            expected = scores_by_hand(ran, one)
            assert ran.curve(one, "robust") == pytest.approx(expected.tolist(), rel=1e-12)
            numbers.append(take(expected))
            assert one.metrics["objective"] == pytest.approx(numbers[-1], rel=1e-12)
        assert trial.value == pytest.approx(np.mean(numbers), rel=1e-12)


def test_the_trial_run_has_the_interval_of_the_score_at_each_step(project: Project) -> None:
    ran = run(project, SWEEP)
    [trial] = ran.runs("trial", 0)
    curves = np.array([scores_by_hand(ran, one) for one in ran.runs("replicate", 0)])
    assert ran.steps(trial, "robust/mean") == [2, 4, 6, 8, 10]
    assert ran.curve(trial, "robust/mean") == pytest.approx(curves.mean(0).tolist(), rel=1e-12)
    assert ran.curve(trial, "robust/n") == [3.0] * 5
    assert "Best conditions by mean robust (minimize)" in ran.printed


def test_a_pruner_judges_the_score(project: Project) -> None:
    # By hand: -val_loss falls below -0.2 in no condition that learns; at lr 0.01 the loss at step 6 is 0.44.
    ran = run(
        project,
        {
            **SWEEP,
            "space": {"lr": [0.5, 0.01]},
            "objective": {"name": "gain", "expression": "0 - val_loss", "direction": "maximize"},
            "replicates": {"count": 1},
            "pruner": {"name": "threshold", "lower": -0.2, "warmup_steps": 6},
        },
    )
    assert [trial.state for trial in ran.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    [pruned] = ran.runs("trial", 1)
    assert pruned.tags[tags.PRUNED_BECAUSE].startswith("at step 6 by pruner threshold: gain -0.4")
    assert ran.trials[1].intermediate_values[6] == ran.curve(pruned, "gain")[-1]


def test_early_stopping_looks_at_the_score(project: Project) -> None:
    # By hand: learning_rate is constant, so that a score of it alone never improves: 2 is best, 4 and 6 no better.
    ran = run(
        project,
        {
            **SWEEP,
            "objective": {"expression": "learning_rate * 2", "direction": "minimize"},
            "early_stopping": {"patience": 2},
        },
    )
    assert {tuple(ran.steps(one, "score")) for one in ran.runs("replicate")} == {(2, 4, 6)}


def test_a_constraint_may_name_a_score(project: Project) -> None:
    ran = run(project, {**SWEEP, "constraints": ["robust < 0.05"]})
    for trial in ran.trials:
        mean = np.mean([scores_by_hand(ran, one)[-1] for one in ran.runs("replicate", trial.number)])
        assert trial.system_attrs["constraints"] == pytest.approx([mean - 0.05], rel=1e-9)


def test_a_metric_that_is_never_logged_fails_each_replicate_and_the_end_says_why(project: Project) -> None:
    expression = "val_loss - val_acc"
    ran = run(project, {**SWEEP, "objective": {"expression": expression, "direction": "minimize"}})
    logged = "learning_rate, samples_per_second, samples_seen, seconds, train_loss, val_loss"
    reason = f"objective: 'val_loss - val_acc': metric 'val_acc' was never logged; logged: {logged}"
    assert {one.tags[tags.REASON] for one in ran.runs("replicate")} == {reason}
    assert {one.status for one in ran.runs("replicate")} == {"FAILED"}
    assert [trial.state for trial in ran.trials] == [TrialState.FAIL] * 2
    printed = " ".join(ran.printed.split())
    assert f"No condition has a score. 6 failed replicates, each: {reason}" in printed
    assert f"6 failed replicates, each: {reason}" in ran.description


def test_the_commonest_reason_of_failure_is_named(project: Project) -> None:
    # By hand: seed 0 raises, the other two lack the metric.
    objective = {"metric": "nonesuch", "direction": "minimize"}
    changes = {**SWEEP, "objective": objective, "parameters": {**SWEEP["parameters"], "fail_at_seed": 0}}
    ran = run(project, changes)
    assert "4 of 6 failed replicates: objective: metric 'nonesuch' was never logged" in ran.printed


def test_a_score_outside_the_domain_of_its_expression_is_no_score(project: Project) -> None:
    # log(0 - 1) has no value at any step: an objective that is not finite has diverged, and is ranked nowhere.
    ran = run(project, {**SWEEP, "objective": {"expression": "log(0 - 1 - val_loss * 0)", "direction": "minimize"}})
    assert {replicate.outcome for replicate in ran.found.replicates} == {"diverged"}
    assert "No condition has a score" in ran.printed
