"""What every pruner keeps: Optuna's own decisions, over resumes, several workers and both directions."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from rothamsted import catalog
from rothamsted.search import Queue, Told, open_queue
from rothamsted.search.pruners import make_pruner
from rothamsted.space import Range, Space
from tests.search.putting_back import put_back

SPACE = Space({"x": Range(low=0.0, high=1.0)})
N_TRIALS, N_STEPS, N_AT_ONCE = 12, 8, 3
OPTUNAS = optuna.pruners
MADE: dict[str, tuple[dict[str, Any], Callable[[], optuna.pruners.BasePruner]]] = {
    "median": ({}, lambda: OPTUNAS.MedianPruner()),
    "median after a while": (
        {"name": "median", "startup_trials": 2, "warmup_steps": 3, "interval_steps": 2, "min_trials": 2},
        lambda: OPTUNAS.MedianPruner(2, 3, 2, n_min_trials=2),
    ),
    "percentile": ({"percentile": 60.0}, lambda: OPTUNAS.PercentilePruner(60.0)),
    "asha": ({"reduction_factor": 2}, lambda: OPTUNAS.SuccessiveHalvingPruner(1, 2)),
    "hyperband": (
        {"max_resource": N_STEPS, "reduction_factor": 2},
        lambda: OPTUNAS.HyperbandPruner(max_resource=N_STEPS, reduction_factor=2),
    ),
    "threshold": ({"lower": 0.2, "upper": 0.9}, lambda: OPTUNAS.ThresholdPruner(0.2, 0.9)),
    "patient": ({"patience": 2}, lambda: OPTUNAS.PatientPruner(None, 2)),
    "patient and median": (
        {"name": "patient", "patience": 1, "wrapped": {"name": "median"}},
        lambda: OPTUNAS.PatientPruner(OPTUNAS.MedianPruner(), 1),
    ),
    "wilcoxon": ({"p_threshold": 0.2}, lambda: OPTUNAS.WilcoxonPruner(p_threshold=0.2)),
}


def options_of(case: str) -> dict[str, Any]:
    return {"name": case, **MADE[case][0]}


def curve(number: int) -> list[float]:
    """Noisy, with a level of the trial's own."""
    rng = np.random.default_rng([5, number])
    return (rng.random() * 0.6 + 0.4 * rng.random(N_STEPS)).tolist()


def queue_at(url: str, pruner: Mapping[str, Any] | None, direction: str = "minimize") -> Queue:
    queue = open_queue(url, "s", space=SPACE, sampler="random", seed=0, direction=direction, pruner=pruner, create=True)
    queue.enqueue(N_TRIALS)
    return queue


def decisions(queues: Sequence[Queue]) -> list[tuple[int, int, bool]]:
    """(trial, step, whether to prune), three trials at a time, each decision by another worker."""
    found, asked = [], 0
    while running := queues[0].claim("w", n_trials=N_TRIALS, limit=N_AT_ONCE):
        alive = {trial.number: trial for trial in running}
        for step in range(1, N_STEPS + 1):
            for number, trial in list(alive.items()):
                worker = queues[asked % len(queues)]
                asked += 1
                values = dict(enumerate(curve(number), start=1))  # what comes after the step is not looked at
                trial.report(step, values[step])
                found.append((number, step, worker.should_prune(trial, step, values)))
                if found[-1][-1]:
                    trial.tell(Told(state="pruned"))
                    del alive[number]
        for number, trial in alive.items():
            trial.tell(Told(value=float(np.mean(curve(number)))))
    return found


def optunas_decisions(case: str, direction: str) -> tuple[list[tuple[int, int, bool]], optuna.Study]:
    """Optuna alone, in memory, told the same in the same order."""
    study = optuna.create_study(study_name="s", direction=direction, pruner=MADE[case][1]())
    found = []
    for _ in range(N_TRIALS // N_AT_ONCE):
        alive = {trial.number: trial for trial in (study.ask() for _ in range(N_AT_ONCE))}
        for step in range(1, N_STEPS + 1):
            for number, trial in list(alive.items()):
                trial.report(curve(number)[step - 1], step)
                found.append((number, step, trial.should_prune()))
                if found[-1][-1]:
                    study.tell(trial, state=TrialState.PRUNED)
                    del alive[number]
        for number, trial in alive.items():
            study.tell(trial, float(np.mean(curve(number))))
    return found, study


def test_the_catalog_and_these_tests_tell_of_the_same_pruners() -> None:
    assert set(catalog.PRUNERS) == {options_of(case)["name"] for case in MADE}


@pytest.mark.filterwarnings("ignore:WilcoxonPruner finds steps")
@pytest.mark.parametrize(("direction", "n_workers"), [("minimize", 3), ("maximize", 1)])
@pytest.mark.parametrize("case", sorted(MADE))
def test_it_decides_as_plain_optuna_does(tmp_path: Path, case: str, direction: str, n_workers: int) -> None:
    # Authority: Optuna's study in memory with its own pruner, told the same reports in the same order.
    url = f"sqlite:///{tmp_path}/o.db"
    ours = decisions([queue_at(url, options_of(case), direction) for _ in range(n_workers)])
    expected, study = optunas_decisions(case, direction)
    assert ours == expected
    assert {pruned for _, _, pruned in ours} == {True, False}  # both decisions were put to the test
    stored = optuna.load_study(study_name="s", storage=url).trials
    assert [(t.state, t.value, t.intermediate_values) for t in stored] == [
        (t.state, t.value, t.intermediate_values) for t in study.trials
    ]


@pytest.mark.parametrize("case", ["median", "asha", "hyperband"])  # without and with a memory of their own
def test_on_both_databases_it_decides_the_same(storage_url: str, case: str) -> None:
    assert decisions([queue_at(storage_url, options_of(case))]) == optunas_decisions(case, "minimize")[0]


@pytest.mark.parametrize("case", sorted(MADE))
def test_a_new_process_decides_as_the_one_that_died(tmp_path: Path, case: str) -> None:
    def judged(url: str, is_new_at_each_step: bool) -> list[bool]:
        queue = queue_at(url, options_of(case))
        for trial in queue.claim("w", n_trials=N_TRIALS, limit=6):
            for step, value in enumerate(curve(trial.number), start=1):
                trial.report(step, value)
                queue.should_prune(trial, step, dict(enumerate(curve(trial.number), start=1)))
            trial.tell(Told(value=float(np.mean(curve(trial.number)))))
        found = []
        for trial in queue.claim("w", n_trials=N_TRIALS):
            for step in range(1, N_STEPS + 1):
                queue = queue_at(url, options_of(case)) if is_new_at_each_step else queue
                found.append(queue.should_prune(trial, step, dict(enumerate(curve(trial.number), start=1))))
        return found

    whole = judged(f"sqlite:///{tmp_path}/whole.db", is_new_at_each_step=False)
    assert judged(f"sqlite:///{tmp_path}/often.db", is_new_at_each_step=True) == whole


@pytest.mark.parametrize("value", [0.5, math.inf, -math.inf, math.nan])
def test_reports_are_stored_as_optuna_stores_them(storage_url: str, value: float) -> None:
    queue = queue_at(storage_url, None)
    [trial] = queue.claim("w", n_trials=N_TRIALS)
    trial.report(1, 7.0)
    trial.report(1, value)  # replaces it
    trial.report(3, 2.0)
    trial.report(2, value)
    found = optuna.load_study(study_name="s", storage=storage_url).trials[0].intermediate_values
    assert found == pytest.approx({1: value, 2: value, 3: 2.0}, nan_ok=True)


@pytest.mark.parametrize("last", [0.5, math.inf, math.nan, None])
def test_a_pruned_trial_has_the_value_that_optuna_gives_it(tmp_path: Path, last: float | None) -> None:
    # Authority: Study.tell(state=PRUNED) after the same reports.
    url = f"sqlite:///{tmp_path}/o.db"
    queue, study = queue_at(url, {"name": "median"}), optuna.create_study()
    [mine], optunas = queue.claim("w", n_trials=N_TRIALS), study.ask()
    for step, value in [(2, last), (1, 3.0)] if last is not None else []:
        mine.report(step, value)
        optunas.report(value, step)
    assert mine.tell(Told(state="pruned"))
    study.tell(optunas, state=TrialState.PRUNED)
    found = optuna.load_study(study_name="s", storage=url).trials[0]
    assert (found.state, found.value) == (TrialState.PRUNED, study.trials[0].value)


def test_without_a_pruner_nothing_is_pruned(tmp_path: Path) -> None:
    queue = queue_at(f"sqlite:///{tmp_path}/o.db", None)
    [trial] = queue.claim("w", n_trials=N_TRIALS)
    assert not queue.should_prune(trial, 1, {1: math.nan})


def test_a_trial_that_another_worker_ended_is_not_judged(tmp_path: Path) -> None:
    queue = queue_at(f"sqlite:///{tmp_path}/o.db", {"name": "threshold", "upper": 1.0})
    [trial] = queue.claim("w", n_trials=N_TRIALS)
    assert queue.should_prune(trial, 1, {1: 2.0})
    trial.tell(Told(value=2.0))
    assert not queue.should_prune(trial, 1, {1: 2.0})


def test_a_trial_that_is_retried_is_seen_with_its_new_value(tmp_path: Path) -> None:
    # By hand: the best value is 0.1 until that trial is told 0.9 again; the other's 0.5 is best then.
    queue = queue_at(f"sqlite:///{tmp_path}/o.db", {"name": "wilcoxon"})
    for trial, level in zip(queue.claim("w", n_trials=N_TRIALS, limit=2), (0.1, 0.5), strict=True):
        for step in range(8):
            trial.report(step, level)
        trial.tell(Told(value=level))
    [middling] = [queue.claim("w", n_trials=N_TRIALS)[0]]
    values = dict.fromkeys(range(8), 0.3)
    assert queue.should_prune(middling, 7, values)
    put_back(queue, 0)
    [again] = queue.claim("w", n_trials=N_TRIALS)[:1]
    while again.number != 0:
        [again] = queue.claim("w", n_trials=N_TRIALS)[:1]
    again.tell(Told(value=0.9))
    assert not queue.should_prune(middling, 7, values)


def test_defaults_of_the_catalog_are_optunas() -> None:
    # Authority: the signatures of Optuna's classes. Ours differ where Optuna has none, or "auto".
    ours = {"startup_trials": "n_startup_trials", "warmup_steps": "n_warmup_steps", "min_trials": "n_min_trials"}
    classes = {
        "median": OPTUNAS.MedianPruner,
        "percentile": OPTUNAS.PercentilePruner,
        "asha": OPTUNAS.SuccessiveHalvingPruner,
        "hyperband": OPTUNAS.HyperbandPruner,
        "threshold": OPTUNAS.ThresholdPruner,
        "patient": OPTUNAS.PatientPruner,
        "wilcoxon": OPTUNAS.WilcoxonPruner,
    }
    own = {("percentile", "percentile"), ("asha", "min_resource"), ("patient", "wrapped")}
    for name, made in classes.items():
        signature = inspect.signature(made.__init__).parameters
        for option, facts in catalog.PRUNERS[name].options.items():
            theirs = "n_startup_steps" if option == "startup_steps" else ours.get(option, option)
            if (name, option) not in own and not facts.is_required:
                assert facts.default == signature[theirs].default, (name, option)


def test_a_pruner_with_several_objectives_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="judges one objective"):
        open_queue(
            f"sqlite:///{tmp_path}/o.db", "s", space=SPACE, sampler="random", seed=0,
            directions=["minimize", "minimize"], pruner={"name": "median"}, create=True,
        )  # fmt: skip


def test_every_pruner_is_made_from_its_required_options_alone() -> None:
    required = {"hyperband": {"max_resource": 9}, "patient": {"patience": 3}, "threshold": {"upper": 1.0}}
    for name in catalog.PRUNERS:
        assert isinstance(make_pruner({"name": name, **required.get(name, {})}), OPTUNAS.BasePruner)
