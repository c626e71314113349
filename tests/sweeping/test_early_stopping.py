"""A replicate that no longer improves ends, counts, and says that it ended early."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rothamsted import tags
from rothamsted.records import Measured, RunStatus
from rothamsted.spec import Sweep
from rothamsted.sweeping.open.from_file import load
from rothamsted.sweeping.worker.trial_judge import Patience
from tests.sweeping.conftest import Project, stop_in_replicate
from tests.sweeping.search_run import run, write_down

# The train loss of the toy has no noise: at lr 1 it is 0 from the first step on, at lr 0.05 it falls at every step.
SWEEP: dict[str, Any] = {
    "space": {"lr": [1.0, 0.05]},
    "parameters": {"steps": 20, "n_points": 10},
    "replicates": {"count": 2},
    "early_stopping": {"patience": 3, "metric": "train_loss", "direction": "minimize"},
    "execution": {"workers": 1},
}


def test_a_replicate_ends_after_patience_and_counts(project: Project) -> None:
    # By hand: measured at 2, 4, ...; best at 2, no better at 4, 6 and 8.
    ran = run(project, SWEEP)
    for one in ran.runs("replicate", 0):
        assert (one.status, one.tags[tags.OUTCOME]) == (RunStatus.FINISHED, "finished")
        expected = "at step 8: train_loss has not improved on 0 for 3 measurements"
        assert one.tags[tags.STOPPED_EARLY] == expected
        assert ran.steps(one, "val_loss") == [2, 4, 6, 8]
    for one in ran.runs("replicate", 1):
        assert tags.STOPPED_EARLY not in one.tags
        assert ran.steps(one, "val_loss")[-1] == 20
    noise = [np.random.default_rng(seed).normal(0.0, 0.01, 20)[7] for seed in (0, 1)]
    assert ran.trials[0].value == pytest.approx(np.mean(noise), rel=1e-9)  # the last value of what was trained
    assert [summary.n for summary in ran.analysis.objective] == [2, 2]


def test_members_that_train_together_stop_each_for_itself(project: Project) -> None:
    ran = run(project, {**SWEEP, "execution": {"workers": 1, "population": 4}})
    assert [ran.steps(one, "val_loss")[-1] for one in ran.runs("replicate")] == [8, 8, 20, 20]


def test_a_stopped_replicate_has_no_model_and_its_reason_is_the_stop(project: Project) -> None:
    ran = run(project, {**SWEEP, "models": "all", "replicates": {"count": 1}})
    stopped, whole = ran.runs("trial")
    assert "stopped early" in stopped.tags[tags.MODEL_PROBLEM]
    assert "stopped early" not in whole.tags.get(tags.MODEL_PROBLEM, "")
    assert "it was stopped early, and a study returns its model at its end" in ran.printed
    assert "returns no trained model" not in ran.printed


def sweep_with(project: Project, early: dict[str, Any], direction: str = "minimize") -> Sweep:
    objective = {"metric": "val_loss", "direction": direction, "reduce": "last"}
    sweep, _ = load(project.write({"early_stopping": early, "objective": objective}), {}, project.root)
    return sweep


@pytest.mark.parametrize(
    ("early", "direction", "values", "ends_at"),
    [
        ({"patience": 2}, "minimize", [3.0, 2.0, 2.0, 2.5, 1.0], 3),
        ({"patience": 2}, "maximize", [3.0, 2.0, 4.0, 3.5, 4.0], 4),
        ({"patience": 2, "min_delta": 0.5}, "minimize", [3.0, 2.6, 2.5, 2.0], 2),  # 2.5 is just 0.5 better: no more
        ({"patience": 2, "min_delta": 0.5}, "minimize", [3.0, 2.6, 2.4, 2.0], None),
        ({"patience": 1}, "minimize", [float("nan"), 2.0, 1.0], None),  # nothing is worse than what was no number
        ({"patience": 2}, "minimize", [2.0, float("nan"), float("nan")], 2),
    ],
)
def test_patience_counts_measurements_without_improvement(
    empty_project: Project, early: dict[str, Any], direction: str, values: list[float], ends_at: int | None
) -> None:
    # By hand: improvement is more than min_delta over the best so far.
    patience = Patience(sweep=sweep_with(empty_project, early, direction))
    measured = [
        Measured(step=n, epoch=None, seconds=0.0, metrics={"val_loss": v}, timestamp_ms=0) for n, v in enumerate(values)
    ]
    assert next((m.step for m in measured if patience.stopped(m)), None) == ends_at


def test_a_measurement_without_the_metric_does_not_count(empty_project: Project) -> None:
    patience = Patience(sweep=sweep_with(empty_project, {"patience": 1}))
    for step, metrics in enumerate([{"val_loss": 1.0}, {"other": 1.0}, {"other": 2.0}]):
        measured = Measured(step=step, epoch=None, seconds=0.0, metrics=metrics, timestamp_ms=0)
        assert patience.stopped(measured) is None


def test_early_stopping_goes_on_counting_after_a_resume(project: Project) -> None:
    context = project.start({**SWEEP, "replicates": {"count": 1}})
    project.work(context, stop_in_replicate(1, 3))  # in the first replicate, before its patience is over
    again = project.start({**SWEEP, "replicates": {"count": 1}})
    project.work(again)
    ran = write_down(project, again, [])
    assert [ran.steps(one, "val_loss")[-1] for one in ran.runs("trial")] == [8, 20]


def test_a_falling_loss_beside_a_maximised_objective_goes_on(project: Project) -> None:
    # The loss is an objective of its own, to be minimised; the first is to be maximised.
    objectives = [
        {"metric": "val_acc", "direction": "maximize", "reduce": "last"},
        {"metric": "train_loss", "direction": "minimize", "reduce": "last"},
    ]
    changes = {"objective": objectives, "early_stopping": {"patience": 2, "metric": "train_loss"}}
    sweep, _ = load(project.write(changes), {}, project.root)
    patience = Patience(sweep=sweep)
    measured = [
        Measured(step=i, epoch=None, seconds=0.0, metrics={"train_loss": 1.0 / i}, timestamp_ms=0) for i in range(1, 9)
    ]
    assert [patience.stopped(one) for one in measured] == [None] * 8
