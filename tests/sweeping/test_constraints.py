"""Constraints through a whole sweep: what breaks one is never the best, and every record says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna_dashboard._serializer import serialize_frozen_trial

from rothamsted import tags
from rothamsted.search import Told
from tests.search.test_sampler_contract import plain_optuna
from tests.sweeping.conftest import Project, toy_project
from tests.sweeping.search_run import Ran, run

# The larger lr, the less loss; at most 0.3 of it is allowed.
SWEEP: dict[str, Any] = {
    "space": {"lr": [0.1, 0.2, 0.5, 0.9]},
    "parameters": {"steps": 10, "n_points": 5},
    "constraints": ["learning_rate <= 0.3", "val_loss < 0.1"],
    "replicates": {"count": 2},
    "execution": {"workers": 1},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("ran")
    with toy_project(folder) as project:
        new_mlflow(folder)
        yield run(project, {**SWEEP, "confirm": {"keep": 3, "replicates": 2}})


def test_a_condition_that_breaks_a_constraint_is_never_the_best_nor_confirmed(ran: Ran) -> None:
    # By hand: after ten steps 0.5 * 0.9^20 = 0.061 and 0.5 * 0.8^20 = 0.0058; 0.5 and 0.9 are above 0.3.
    [sweep_run] = ran.runs("sweep")
    assert sweep_run.tags["rothamsted.best_trial"] == "1"
    queue = ran.context.confirm_queue
    assert {trial.attributes[tags.CONFIRMS]["trial"] for trial in queue.trials([tags.CONFIRMS]) if trial.is_over} == {
        0,
        1,
    }
    for text in (ran.printed, ran.description):
        assert "2 of 4 conditions break the constraint learning_rate <= 0.3 and are not ranked." in text


def test_optuna_knows_the_violations_of_the_means(ran: Ran) -> None:
    # By hand: violation is left minus right of the mean over replicates of the last values; at most 0 holds.
    for trial, lr in zip(ran.trials, [0.1, 0.2, 0.5, 0.9], strict=True):
        mean = np.mean([one.metrics["val_loss"] for one in ran.runs("replicate", trial.number)])
        assert trial.system_attrs["constraints"] == pytest.approx([lr - 0.3, mean - 0.1], abs=1e-12)
    assert ran.study.best_trial.number == 1  # Optuna's own best is feasible


def test_the_tables_say_which_conditions_keep_the_constraints(ran: Ran) -> None:
    rows = ran.table("conditions")
    assert [row["feasible"] for row in rows] == ["true", "true", "false", "false"]
    found = [float(row["violation of learning_rate <= 0.3"]) for row in rows]
    assert found == pytest.approx([-0.2, -0.1, 0.2, 0.6], abs=1e-12)


def test_where_all_break_a_constraint_it_is_said_and_nothing_is_confirmed(project: Project) -> None:
    ran = run(project, {**SWEEP, "constraints": ["seconds < 0"], "confirm": {"keep": 1, "replicates": 2}})
    assert "4 of 4 conditions break the constraint seconds < 0 and are not ranked." in ran.printed
    assert "No condition keeps every constraint, so there is no best one." in ran.printed
    assert "there is nothing to confirm" in ran.printed
    assert ran.context.confirm_queue.counts().total == 0
    [sweep_run] = ran.runs("sweep")
    assert "rothamsted.best_trial" not in sweep_run.tags


def test_a_condition_that_cannot_be_judged_is_told_a_number_that_the_dashboard_can_read(project: Project) -> None:
    # lr 10 diverges in every replicate: no last values. JSON, which browsers read, has no infinity.
    changes = {**SWEEP, "space": {"lr": [0.2, 10.0]}, "parameters": {"steps": 200, "n_points": 5}}
    ran = run(project, changes)
    diverged = ran.trials[1]
    assert diverged.value == np.inf
    assert min(diverged.system_attrs["constraints"]) > 0
    shown = serialize_frozen_trial(ran.context.queue.study_id, diverged, {})["constraints"]
    json.dumps(shown, allow_nan=False)
    assert [row["feasible"] for row in ran.table("conditions")] == ["true", ""]  # nothing to judge


def test_a_metric_of_a_constraint_that_is_never_logged_fails_the_replicate(project: Project) -> None:
    ran = run(project, {**SWEEP, "constraints": ["latency < 3"]})
    reasons = {one.tags[tags.REASON] for one in ran.runs("replicate")}
    assert len(reasons) == 1
    assert reasons.pop().startswith(
        "constraint 'latency < 3': metric 'latency' was never logged; logged: learning_rate"
    )


def test_tpe_proposes_what_optuna_proposes_that_is_told_the_same_violations(project: Project) -> None:
    # Authority: Optuna's TPE in memory, told the toy's closed form and each constraint by set_constraint.
    changes = {"space": {"lr": {"low": 0.05, "high": 1.0}}, "sampler": {"name": "tpe", "seed": 1}, "trials": 15}
    changes |= {"replicates": {"count": 1}, "parameters": {"steps": 5, "n_points": 1}}
    ran = run(project, {**SWEEP, **changes, "constraints": ["learning_rate <= 0.3"]})
    noise = np.random.default_rng(0).normal(0.0, 0.01, 5)[-1]

    def told(condition: dict[str, Any], is_bounded: bool = True) -> Told:
        value = 0.5 * (1 - condition["lr"]) ** 10 + noise
        return Told(value=value, constraints=(condition["lr"] - 0.3,) if is_bounded else ())

    space, found = ran.context.sweep.search_space, [trial.params["lr"] for trial in ran.trials]
    expected = [c["lr"] for c in plain_optuna("tpe", space, 15, told, seed=1)]
    unbounded = [c["lr"] for c in plain_optuna("tpe", space, 15, lambda c: told(c, is_bounded=False), seed=1)]
    assert found == pytest.approx(expected, rel=1e-12)
    assert found[:10] == unbounded[:10]  # its first ten are random
    assert found[10:] != unbounded[10:]
