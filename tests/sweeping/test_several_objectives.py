"""Several objectives through a whole sweep: what Optuna is told, the Pareto set, confirmation, resumes.

At lr 1 the train loss is 0 and lr itself is largest: less loss and a smaller step size pull in two directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from scipy import stats

from rothamsted import tags
from tests.sweeping.conftest import Project, stop_in_replicate, toy_project
from tests.sweeping.search_run import Ran, run, write_down
from tests.sweeping.test_crashes import check_cuts

SWEEP: dict[str, Any] = {
    "space": {"lr": [0.1, 0.5, 0.3], "optimizer.momentum": [0.0, 0.5]},
    "parameters": {"steps": 10, "n_points": 5, "own_noise": 0.05},
    "objective": [
        {"metric": "val_loss", "direction": "minimize", "reduce": "last"},
        {"metric": "learning_rate", "direction": "maximize"},
        {"name": "gap", "expression": "val_loss - train_loss", "direction": "minimize", "reduce": "best"},
    ],
    "replicates": {"count": 3},
    "execution": {"workers": 1},
}
NAMES = ["val_loss", "learning_rate", "gap"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("ran")
    with toy_project(folder) as project:
        new_mlflow(folder)
        yield run(project, {**SWEEP, "confirm": {"keep": 2, "replicates": 2}})


def test_optuna_is_told_the_means_with_directions_and_names(ran: Ran) -> None:
    # Authority: means of the numbers that the replicate runs logged, by numpy.
    study = ran.study
    assert [d.name for d in study.directions] == ["MINIMIZE", "MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == NAMES
    for trial in study.trials:
        replicates = ran.runs("replicate", trial.number)
        keys = ["objective", "objective.learning_rate", "objective.gap"]
        assert trial.values == pytest.approx([np.mean([r.metrics[k] for r in replicates]) for k in keys], rel=1e-12)


def test_each_objective_is_reduced_from_its_own_curve(ran: Ran) -> None:
    for one in ran.runs("replicate"):
        gap = np.array(ran.curve(one, "val_loss")) - np.array(ran.curve(one, "train_loss"))
        assert one.metrics["objective"] == ran.curve(one, "val_loss")[-1]
        assert one.metrics["objective.gap"] == pytest.approx(gap.min(), rel=1e-12)
        assert one.metrics["objective.learning_rate"] == one.metrics["learning_rate"]


def test_the_trial_run_has_the_interval_of_each_objective(ran: Ran) -> None:
    # Authority: scipy's t interval.
    for trial in ran.runs("trial"):
        values = [one.metrics["objective.gap"] for one in ran.runs("replicate", int(trial.tags[tags.TRIAL]))]
        low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
        found = [trial.metrics[f"objective.gap/{key}"] for key in ("mean", "ci_low", "ci_high", "n")]
        assert found == pytest.approx([np.mean(values), low, high, 3.0], rel=1e-9)


def test_the_pareto_set_is_optunas_and_is_marked_everywhere(ran: Ran) -> None:
    # Authority: Optuna's own best_trials.
    front = {trial.number for trial in ran.study.best_trials}
    assert 0 < len(front) < 6
    rows = ran.table("conditions")
    assert {int(row["condition"]) for row in rows if row["on_pareto_set"] == "true"} == front
    assert f"{len(front)} of 6 conditions on the Pareto set" in ran.printed
    assert f"Pareto set of val_loss (minimize), learning_rate (maximize), gap (minimize): {len(front)} conditions" in (
        ran.description
    )
    for name in ("mean learning_rate", "mean gap", "Pareto set"):
        assert name in ran.printed
    assert "| val_loss | learning_rate | gap | verdict | Pareto set |" in ran.description
    for row in rows:
        of_trial = ran.runs("trial", int(row["condition"]))[0].metrics
        assert float(row["gap/mean"]) == pytest.approx(of_trial["objective.gap/mean"], rel=1e-12)
        low = of_trial["objective.learning_rate/ci_low"]
        assert float(row["learning_rate/ci_low"]) == pytest.approx(low, rel=1e-12)
    of_one = ran.table("replicates")[0]
    assert float(of_one["gap"]) == ran.runs("replicate", 0)[0].metrics["objective.gap"]
    assert float(of_one["learning_rate"]) == 0.1


def test_the_confirmation_takes_the_pareto_set_in_the_order_of_the_first_objective(ran: Ran) -> None:
    # Authority: Optuna's best_trials, sorted by the first value.
    expected = [t.number for t in sorted(ran.study.best_trials, key=lambda t: t.values[0])][:2]
    queue = ran.context.confirm_queue
    confirmed = [trial.attributes[tags.CONFIRMS]["trial"] for trial in queue.trials([tags.CONFIRMS]) if trial.is_over]
    assert list(dict.fromkeys(confirmed)) == expected
    assert optuna.load_study(study_name="toys.confirm", storage=ran.project.storage).metric_names == NAMES


def test_a_condition_that_diverges_is_told_the_worst_of_everything(project: Project) -> None:
    changes = {**SWEEP, "space": {"lr": [0.5, 10.0]}, "parameters": {"steps": 200, "n_points": 5}}
    ran = run(project, changes)
    assert ran.trials[1].values == [np.inf, -np.inf, np.inf]
    assert ran.table("conditions")[1]["on_pareto_set"] == "false"
    assert list(ran.analysis.ranking) == [0]


def test_a_sweep_of_several_objectives_goes_on_with_what_it_had(project: Project) -> None:
    straight = run(project, {**SWEEP, "name": "straight"})
    context = project.start({**SWEEP, "name": "stopped"})
    project.work(context, stop_in_replicate(8, 1))
    again = project.start({**SWEEP, "name": "stopped"})
    stopped = write_down(project, again, project.work(again))
    assert [t.values for t in stopped.trials] == [t.values for t in straight.trials]
    assert len(stopped.runs("replicate")) == 18


def test_a_sweep_of_several_objectives_ends_alike_wherever_a_worker_dies(project: Project) -> None:
    parameters = {"steps": 4, "n_points": 2, "own_noise": 0.01}
    changes = {**SWEEP, "space": {"lr": [0.05]}, "parameters": parameters, "constraints": ["gap < 1", "seconds < 60"]}
    check_cuts(project, changes, first=2, every=9)
