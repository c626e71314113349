"""Pruning of the toy through whole sweeps: who is stopped, and what every record says of it.

With momentum 0 the loss at step t is 0.5 (1 - lr)^(2 t) from x = 0, plus noise that all conditions share at a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from rich.console import Console

from rothamsted import tags
from rothamsted.analysis.ranking import means_of, only
from rothamsted.records import RunStatus
from rothamsted.sweeping.coordinator.coordinator import Coordinator
from rothamsted.sweeping.coordinator.progress import Progress
from tests.sweeping.conftest import Project, stop_in_replicate, toy_project
from tests.sweeping.in_this_process import in_this_process
from tests.sweeping.search_run import Ran, counts_of, run, searched, write_down
from tests.sweeping.test_crashes import check_cuts

LRS = [0.3, 0.5, 0.02, 0.4, 0.01, 0.6]  # the third and the fifth are slow: losses of 0.33 and 0.41 after ten steps
SWEEP: dict[str, Any] = {
    "space": {"lr": LRS},
    "parameters": {"steps": 20, "n_points": 10},
    "replicates": {"count": 1},
    "execution": {"workers": 1},
}
MEDIAN = {"name": "median", "startup_trials": 2, "warmup_steps": 4}
OPTUNAS = optuna.pruners
PRUNERS: dict[str, tuple[dict[str, Any], Callable[[], optuna.pruners.BasePruner]]] = {
    "median": (MEDIAN, lambda: OPTUNAS.MedianPruner(2, 4)),
    "percentile": (
        {"name": "percentile", "percentile": 40.0, "startup_trials": 2},
        lambda: OPTUNAS.PercentilePruner(40.0, 2),
    ),
    "asha": (
        {"name": "asha", "min_resource": 2, "reduction_factor": 2},
        lambda: OPTUNAS.SuccessiveHalvingPruner(2, 2),
    ),
    "hyperband": (
        {"name": "hyperband", "min_resource": 2, "max_resource": 20, "reduction_factor": 2},
        lambda: OPTUNAS.HyperbandPruner(2, 20, 2),
    ),
    "threshold": (
        {"name": "threshold", "upper": 0.3, "warmup_steps": 10},
        lambda: OPTUNAS.ThresholdPruner(upper=0.3, n_warmup_steps=10),
    ),
    "patient": (
        {"name": "patient", "patience": 1, "wrapped": MEDIAN},
        lambda: OPTUNAS.PatientPruner(OPTUNAS.MedianPruner(2, 4), 1),
    ),
}
LR_OF_PATIENT = [0.3, 0.5, 2.02, 0.4, 2.03, 0.6]  # |1 - lr| above 1: the loss grows, slowly


def noise(seed: int, steps: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.01, steps)


def loss(lr: float, step: int, seed: int) -> float:
    return float(0.5 * (1 - lr) ** (2 * step) + noise(seed)[step - 1])


def optunas_sweep(lrs: list[float], pruner: optuna.pruners.BasePruner) -> optuna.Study:
    """The same conditions in the same order, reported to plain Optuna in memory."""
    study = optuna.create_study(study_name="toys", pruner=pruner)
    for lr in lrs:
        trial = study.ask()
        for step in range(2, 21, 2):
            trial.report(loss(lr, step, 0), step)
            if trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, loss(lr, 20, 0))
    return study


@pytest.mark.parametrize("name", sorted(PRUNERS))
def test_a_sweep_prunes_what_plain_optuna_prunes(project: Project, name: str) -> None:
    # Authority: Optuna's own pruner in memory, told the toy's closed form in the same order.
    lrs = LR_OF_PATIENT if name == "patient" else LRS
    options, make = PRUNERS[name]
    ran = run(project, {**SWEEP, "space": {"lr": lrs}, "pruner": options})
    expected = optunas_sweep(lrs, make())
    assert {trial.state for trial in expected.trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert [trial.state for trial in ran.trials] == [trial.state for trial in expected.trials]
    for mine, theirs in zip(ran.trials, expected.trials, strict=True):
        assert mine.intermediate_values == pytest.approx(theirs.intermediate_values, rel=1e-9)
        assert mine.value == pytest.approx(theirs.value, rel=1e-9)
    for one, theirs in zip(ran.runs("trial"), expected.trials, strict=True):
        assert ran.steps(one, "val_loss") == sorted(theirs.intermediate_values)  # trained no further than that


def test_a_pruner_in_epochs_sees_one_value_an_epoch_whatever_the_steps_of_an_epoch(project: Project) -> None:
    # Two measurements an epoch: a pruner in steps would be told both.
    # Authority: Optuna's own pruner in memory, told the first value of each whole epoch.
    points = {"steps": 20, "n_points": 20, "steps_per_epoch": 2}
    options = {"name": "hyperband", "min_resource": "1 epochs", "max_resource": "10 epochs", "reduction_factor": 2}
    ran = run(project, {**SWEEP, "parameters": points, "pruner": options})
    study = optuna.create_study(study_name="toys", pruner=OPTUNAS.HyperbandPruner(1, 10, 2))
    for lr in LRS:
        trial = study.ask()
        for epoch in range(1, 11):
            trial.report(loss(lr, 2 * epoch, 0), epoch)
            if trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, loss(lr, 20, 0))
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert [trial.state for trial in ran.trials] == [trial.state for trial in study.trials]
    for mine, theirs in zip(ran.trials, study.trials, strict=True):
        assert mine.intermediate_values == pytest.approx(theirs.intermediate_values, rel=1e-9)
    stopped = next(trial.number for trial in ran.trials if trial.state == TrialState.PRUNED)
    [one] = ran.runs("trial", stopped)
    assert one.tags[tags.PRUNED_BECAUSE].startswith(f"at epoch {max(ran.trials[stopped].intermediate_values)} by prun")


def test_a_pruner_in_epochs_is_refused_where_nothing_is_measured_by_epochs(project: Project) -> None:
    parameters = {"steps": 20, "n_points": 10, "steps_per_epoch": 0}
    ran = run(project, {**SWEEP, "parameters": parameters, "pruner": {"name": "asha", "min_resource": "2 epochs"}})
    [one] = ran.runs("trial", 0)
    assert one.tags[tags.REASON] == (
        "pruner: counts epochs, and no measurement says its epoch; give its numbers in steps"
    )


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]) -> Iterator[Ran]:
    """By hand: after two finished conditions the third and the fifth are worse than the median at step 4."""
    folder = tmp_path_factory.mktemp("pruned")
    changes = {"space": {"lr": [0.1, 0.2, 0.02, 0.3, 0.01, 0.6]}, "replicates": {"count": 3}}
    with toy_project(folder) as project:
        new_mlflow(folder)
        yield run(project, {**SWEEP, **changes, "pruner": MEDIAN, "confirm": {"keep": 6, "replicates": 2}})


def test_pruned_is_a_state_of_its_own_in_every_record(pruned: Ran) -> None:
    trials = pruned.trials
    assert [trial.number for trial in trials if trial.state == TrialState.PRUNED] == [2, 4]
    assert sorted(trials[2].intermediate_values) == [2, 4]  # what optuna-dashboard draws
    [of_trial] = pruned.runs("trial", 2)
    [replicate] = pruned.runs("replicate", 2)  # the later ones were never started
    for one in (of_trial, replicate):
        assert (one.status, one.tags[tags.OUTCOME]) == (RunStatus.KILLED, "pruned")
        assert one.tags[tags.PRUNED_BECAUSE].startswith("at step 4 by pruner median: val_loss 0.")
    assert not any(key.startswith("objective") or "/" in key for key in of_trial.metrics)  # in no interval
    [row] = [row for row in pruned.table("conditions") if row["condition"] == "2"]
    assert (row["n_pruned"], row["n_finished"], row["mean"], row["ci_low"]) == ("1", "0", "", "")
    assert row["pruned"] == of_trial.tags[tags.PRUNED_BECAUSE]
    assert {row["condition"]: row["n_pruned"] for row in pruned.table("conditions")}["0"] == "0"
    assert [row["outcome"] for row in pruned.table("replicates") if row["condition"] == "2"] == ["pruned"]
    for text in (pruned.printed, pruned.description):
        assert "2 of 6 conditions were pruned (stopped before the end) and are not ranked." in text
    assert "2 pruned" in pruned.description
    assert set(means_of(pruned.found)) == {0, 1, 3, 5}


def test_a_pruned_condition_is_never_ranked_and_never_confirmed(pruned: Ran) -> None:
    confirmed = {
        row.attributes[tags.CONFIRMS]["trial"]
        for row in pruned.context.confirm_queue.trials([tags.CONFIRMS])
        if row.is_over
    }
    assert confirmed == {0, 1, 3, 5}  # keep: 6, but two were pruned


def test_the_progress_line_counts_the_pruned_and_does_not_wait_for_what_they_spare(pruned: Ran) -> None:
    console = Console(file=StringIO(), width=300)
    of_search = {"sweep": pruned.context.sweep, "n_search": 18, "n_confirm": 0, "n_replicates": 3}
    progress = Progress(**of_search, console=console)
    progress.open(only(pruned.found, ()))
    for event in pruned.events:
        if event["phase"] == "search":
            hear = {"start": lambda e: progress.on_start(1, e), "end": progress.on_end, "trial": progress.on_trial}
            hear.get(event["event"], lambda e: None)(event)
    progress.close()
    line = console.file.getvalue()  # type: ignore[attr-defined]
    # By hand: 4 conditions of 3 replicates, 2 of which one was begun and pruned.
    assert "14 done" in line
    assert "of them 2 pruned" in line
    assert " 0 remaining" in line
    again = Progress(**of_search, console=console)
    again.open(searched(pruned.found))
    again.close()
    assert " 0 remaining" in console.file.getvalue().splitlines()[-2]  # type: ignore[attr-defined]


@pytest.mark.parametrize("population", [1, 3, 6])
def test_the_value_that_is_judged_is_the_mean_over_the_replicates_that_reached_the_step(
    project: Project, population: int
) -> None:
    # Authority: the toy's closed form; with population 1 the last report is over all three seeds as well, since
    # those that ended before have their curves kept.
    ran = run(
        project,
        {
            **SWEEP,
            "space": {"lr": [0.3, 0.5]},
            "replicates": {"count": 3},
            "pruner": MEDIAN,
            "execution": {"workers": 1, "population": population},
        },
    )
    for trial, lr in zip(ran.trials, [0.3, 0.5], strict=True):
        expected = {step: np.mean([loss(lr, step, seed) for seed in range(3)]) for step in range(2, 21, 2)}
        assert trial.intermediate_values == pytest.approx(expected, rel=1e-9)


def test_trials_that_train_together_are_judged_each_for_itself(project: Project) -> None:
    # By hand: thresholds need no other trials; 0.02 and 0.01 are above 0.3 at step 10 and all others far below.
    ran = run(
        project,
        {
            **SWEEP,
            "replicates": {"count": 2},
            "pruner": PRUNERS["threshold"][0],
            "execution": {"workers": 1, "population": 12},
        },
    )
    states = [trial.state for trial in ran.trials]
    assert [number for number, state in enumerate(states) if state == TrialState.PRUNED] == [2, 4]
    for number in (2, 4):
        assert [ran.steps(one, "val_loss")[-1] for one in ran.runs("replicate", number)] == [10, 10]
    assert [ran.steps(one, "val_loss")[-1] for one in ran.runs("replicate", 3)] == [20, 20]


@pytest.mark.filterwarnings("ignore:WilcoxonPruner")
@pytest.mark.parametrize("population", [1, 2])
def test_wilcoxon_stops_after_so_many_replicates_as_plain_optuna_does(project: Project, population: int) -> None:
    # Authority: Optuna's WilcoxonPruner, told the toy's last losses seed by seed; every trial's last replicate too.
    ran = run(
        project,
        {
            **SWEEP,
            "space": {"lr": [0.3, 0.02, 0.5]},
            "replicates": {"count": 8},
            "pruner": {"name": "wilcoxon", "p_threshold": 0.1},
            "execution": {"workers": 1, "population": population},
        },
    )
    study = optuna.create_study(pruner=OPTUNAS.WilcoxonPruner(p_threshold=0.1))
    for lr in [0.3, 0.02, 0.5]:
        trial = study.ask()
        scores = [loss(lr, 20, seed) for seed in range(8)]
        for replicate, score in enumerate(scores):
            trial.report(score, replicate)
            is_asked = (replicate + 1) % population == 0
            if is_asked and replicate < 7 and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, float(np.mean(scores)))
    assert [t.state for t in study.trials] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE]
    for mine, theirs in zip(ran.trials, study.trials, strict=True):
        assert mine.state == theirs.state
        assert mine.intermediate_values == pytest.approx(theirs.intermediate_values, rel=1e-9)
    n_seen = len(study.trials[1].intermediate_values)
    assert 2 < n_seen < 8
    assert len(ran.runs("replicate", 1)) == n_seen  # nothing after it was started
    assert {one.tags[tags.OUTCOME] for one in ran.runs("replicate", 1)} == {"finished"}
    [of_trial] = ran.runs("trial", 1)
    assert of_trial.status == RunStatus.KILLED
    assert of_trial.tags[tags.PRUNED_BECAUSE] == f"after {n_seen} replicates by pruner wilcoxon"
    [row] = [row for row in ran.table("conditions") if row["condition"] == "1"]
    assert (row["mean"], row["n_finished"]) == ("", str(n_seen))


CRASHING: dict[str, Any] = {
    **SWEEP,
    "space": {"lr": [0.3, 0.02]},
    "parameters": {"steps": 8, "n_points": 2},
    "replicates": {"count": 2},
    "pruner": {"name": "threshold", "upper": 0.3},
}


def test_a_sweep_with_a_pruner_ends_alike_wherever_a_worker_dies(project: Project) -> None:
    check_cuts(project, CRASHING, first=1, every=14)


@pytest.mark.slow
def test_a_sweep_with_a_pruner_ends_alike_for_every_place_where_a_worker_can_die(project: Project) -> None:
    check_cuts(project, CRASHING, first=0, every=1)


def test_a_pruned_trial_is_not_trained_again_when_a_sweep_goes_on(project: Project) -> None:
    # Replicate 0 fails in every condition, is to be tried again, and is: the rest of the trial is pruned meanwhile.
    changes = {
        **SWEEP,
        "space": {"lr": [0.02]},
        "replicates": {"count": 2},
        "parameters": {"steps": 20, "n_points": 10, "fail_at_seed": 0},
        "pruner": {"name": "threshold", "upper": 0.3, "warmup_steps": 10},
        "execution": {"workers": 1, "retries": 0},
    }
    first = write_down(project, context := project.start(changes), project.work(context))
    assert [trial.state for trial in first.trials] == [TrialState.PRUNED]
    assert counts_of(first.found) == [{"failed": 1, "pruned": 1}]
    again = project.start({**changes, "execution": {"workers": 1, "retries": 3}})
    coordinator = Coordinator(opened=again, executor=in_this_process(), console=Console(quiet=True))
    assert coordinator.run().exit_status == 0
    assert [trial.state for trial in first.trials] == [TrialState.PRUNED]
    assert len(first.runs("replicate")) == 2


def test_a_diverged_replicate_is_seen_by_whoever_takes_the_trial_over(project: Project) -> None:
    # The curve of a replicate that diverged is read back from the store: the means are those of one session.
    changes = {
        **SWEEP,
        "space": {"lr": [2.5]},
        "parameters": {"steps": 20, "n_points": 10, "diverge_above": 10.0},
        "replicates": {"count": 2},
        "pruner": {"name": "threshold", "upper": 1.0e9, "warmup_steps": 100},
    }
    straight = run(project, {**changes, "name": "straight"})
    context = project.start({**changes, "name": "stopped"})
    project.work(context, stop_in_replicate(2, 1))
    again = project.start({**changes, "name": "stopped"})
    stopped = write_down(project, again, project.work(again))
    assert stopped.trials[0].intermediate_values == pytest.approx(straight.trials[0].intermediate_values, nan_ok=True)
