"""What every sampler keeps: bounds, seeds, resumes, several workers, and Optuna's own proposals."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from rothamsted import catalog
from rothamsted.search import Queue, Told, open_queue
from rothamsted.search.ask import _suggest
from rothamsted.search.distributions import distributions_of
from rothamsted.search.samplers import sampler_named, seed_of_trial
from rothamsted.space import Choice, Range, Space
from tests.search.ended_trials import finished_trials

NUMERIC = Space(
    {"x": Range(low=-5.0, high=5.0, points=5), "n": Range(low=1, high=64, log=True, points=4, is_integer=True)}
)
MIXED = Space({**NUMERIC.domains, "kind": Choice(values=("a", "b"))})
CONDITIONAL = Space({**MIXED.domains, "m": Range(low=0.0, high=0.9, points=3, when={"kind": ("a",)})})
ALL = sorted(catalog.SAMPLERS)
ADAPTIVE = [name for name in ALL if catalog.SAMPLERS[name].adaptive]
N_TRIALS = {"gp": 12, "nsgaii": 53, "nsgaiii": 53}  # beyond the random start of each
OPTUNAS: dict[str, Callable[..., optuna.samplers.BaseSampler]] = {
    "tpe": optuna.samplers.TPESampler,
    "gp": optuna.samplers.GPSampler,
    "cmaes": optuna.samplers.CmaEsSampler,
    "nsgaii": optuna.samplers.NSGAIISampler,
    "nsgaiii": optuna.samplers.NSGAIIISampler,
}


def space_of(name: str) -> Space:
    return MIXED if catalog.SAMPLERS[name].categorical else NUMERIC


def n_of(name: str) -> int:
    return N_TRIALS.get(name, 14)


def queue_at(folder: Path, name: str, *, seed: int = 3, space: Space | None = None, **options: Any) -> Queue:
    options = options or {"direction": "minimize"}
    url = f"sqlite:///{folder}/{seed}.db"
    return open_queue(url, "s", space=space or space_of(name), sampler=name, seed=seed, create=True, **options)


def loss(condition: dict[str, Any]) -> float:
    return (condition["x"] - 2) ** 2 + condition["n"] / 8 + (condition.get("kind") == "b")


def run(queue: Queue, n_trials: int, score: Callable[[dict[str, Any]], Told]) -> list[dict[str, Any]]:
    found = []
    queue.enqueue(n_trials)
    while claimed := queue.claim("w", n_trials=n_trials):
        found.append(dict(claimed[0].condition))
        claimed[0].tell(score(found[-1]))
    return found


def one(condition: dict[str, Any]) -> Told:
    return Told(value=loss(condition))


def plain_optuna(
    name: str,
    space: Space,
    n_trials: int,
    score: Callable[[dict[str, Any]], Told],
    *,
    seed: int = 3,
    directions: Sequence[str] = ("minimize",),
    known: Sequence[optuna.trial.FrozenTrial] = (),
    **options: Any,
) -> Iterator[dict[str, Any]]:
    """Optuna alone, in memory, with a sampler seeded anew for each trial."""
    study = optuna.create_study(directions=list(directions))
    for trial in known:
        study.add_trial(trial)
    distributions = distributions_of(space)
    for number in range(n_trials):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.sampler = OPTUNAS[name](seed=seed_of_trial(seed, number), **options)
        trial = study.ask()
        condition = {key: _suggest(trial, key, distributions[key]) for key in space.order}
        told = score(condition)
        for i, constraint in enumerate(told.constraints):
            trial.set_constraint(str(i), constraint)
        study.tell(trial, list(told.values or ()))
        yield condition


def test_every_row_of_the_catalog_has_its_sampler() -> None:
    assert {name: sampler_named(name).adaptive is not None for name in ALL} == {
        name: row.adaptive for name, row in catalog.SAMPLERS.items()
    }


N_WHOLE = 12  # trials
Whole = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The conditions of a search without a stop, made once a sampler."""

    @cache
    def conditions(name: str) -> list[dict[str, Any]]:
        return run(queue_at(tmp_path_factory.mktemp(name), name), N_WHOLE, one)

    return conditions


@pytest.mark.parametrize("name", ALL)
def test_every_condition_lies_in_its_space(whole: Whole, name: str) -> None:
    assert len(whole(name)) == N_WHOLE
    for condition in whole(name):
        space_of(name).check(condition)  # raises outside


@pytest.mark.parametrize("name", ALL)
def test_a_seed_fixes_the_conditions_also_over_a_resume(tmp_path: Path, whole: Whole, name: str) -> None:
    first = run(queue_at(tmp_path, name), N_WHOLE - 3, one)
    assert first + run(queue_at(tmp_path, name), N_WHOLE, one) == whole(name)


@pytest.mark.parametrize("name", sorted(set(ALL) - {"grid"}))  # the grid has one order
def test_another_seed_gives_other_conditions(tmp_path: Path, name: str) -> None:
    assert run(queue_at(tmp_path, name, seed=1), 6, one) != run(queue_at(tmp_path, name, seed=2), 6, one)


@pytest.mark.parametrize("name", ALL)
def test_three_workers_claim_each_trial_exactly_once(tmp_path: Path, name: str) -> None:
    n_trials = 12
    queue_at(tmp_path, name).enqueue(n_trials)
    numbers: list[int] = []

    def work(worker: str) -> None:
        queue = queue_at(tmp_path, name)
        while claimed := queue.claim(worker, n_trials=n_trials):
            numbers.append(claimed[0].number)
            space_of(name).check(claimed[0].condition)
            claimed[0].tell(one(dict(claimed[0].condition)))

    threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(numbers) == list(range(n_trials))


@pytest.mark.parametrize("name", [n for n in ALL if catalog.SAMPLERS[n].conditional])
def test_a_conditional_space_gives_whole_conditions(tmp_path: Path, name: str) -> None:
    conditions = run(queue_at(tmp_path, name, space=CONDITIONAL), 24, one)
    for condition in conditions:
        CONDITIONAL.check(condition)
    assert {"m" in condition for condition in conditions} == {True, False}


@pytest.mark.parametrize("name", [n for n in ADAPTIVE if not catalog.SAMPLERS[n].conditional])
def test_a_sampler_that_is_refused_for_conditional_spaces_would_draw_them_at_random(name: str) -> None:
    # Authority: Optuna's sampler itself leaves out what is not in every trial, and samples it independently.
    study = optuna.create_study()
    x, m = optuna.distributions.FloatDistribution(0, 1), optuna.distributions.FloatDistribution(0, 0.9)
    study.add_trial(optuna.create_trial(params={"x": 0.5, "m": 0.1}, distributions={"x": x, "m": m}, value=1.0))
    study.add_trial(optuna.create_trial(params={"x": 0.5}, distributions={"x": x}, value=1.0))
    assert set(OPTUNAS[name](seed=0).infer_relative_search_space(study, study.trials[0])) == {"x"}


@pytest.mark.parametrize("name", ADAPTIVE)
def test_one_worker_proposes_what_plain_optuna_proposes(tmp_path: Path, name: str) -> None:
    # Authority: Optuna's study in memory, the same sampler with the same seed for each trial: equal bit for bit.
    # Ours is resumed before the last trials, beyond the random start of each sampler.
    n_trials = n_of(name)
    ours = run(queue_at(tmp_path, name), n_trials - 2, one) + run(queue_at(tmp_path, name), n_trials, one)
    assert ours == list(plain_optuna(name, space_of(name), n_trials, one))


def two(condition: dict[str, Any]) -> Told:
    return Told(values=(loss(condition), float(condition["n"])), constraints=(condition["x"],))


def with_slow(names: Sequence[Any], slow: Any) -> list[Any]:
    return [
        pytest.param(*(name if isinstance(name, tuple) else (name,)), marks=pytest.mark.slow) if name == slow else name
        for name in names
    ]


SEVERAL = [n for n in ADAPTIVE if catalog.SAMPLERS[n].several_objectives]


@pytest.mark.parametrize("name", with_slow(SEVERAL, "gp"))
def test_with_two_objectives_and_a_constraint_it_proposes_what_plain_optuna_proposes(tmp_path: Path, name: str) -> None:
    # Authority: as above; Optuna is told by Study.tell and Trial.set_constraint.
    directions = ["minimize", "maximize"]
    n_trials = n_of(name)
    ours = run(queue_at(tmp_path, name, directions=directions), n_trials, two)
    assert ours == list(plain_optuna(name, space_of(name), n_trials, two, directions=directions))


@pytest.mark.parametrize("name", [n for n in ADAPTIVE if not catalog.SAMPLERS[n].several_objectives])
def test_a_sampler_that_is_refused_for_several_objectives_cannot_do_them(name: str) -> None:
    # Authority: Optuna raises.
    with pytest.raises(ValueError, match="multi-objective"):
        list(plain_optuna(name, NUMERIC, 3, two, directions=["minimize", "minimize"]))


@pytest.mark.parametrize(("name", "n_trials"), with_slow([("tpe", 40), ("nsgaii", 150)], ("nsgaii", 150)))
def test_a_constrained_search_leaves_the_half_that_is_forbidden(tmp_path: Path, name: str, n_trials: int) -> None:
    # By hand: the loss falls with x, and x <= 0 is allowed. Without the constraint a search that learns goes to
    # x > 0 in most of its second half, with it in few.
    space = Space({"x": Range(low=-1.0, high=1.0), "y": Range(low=-1.0, high=1.0)})

    def share_forbidden(seed: int, is_constrained: bool) -> float:
        def score(c: dict[str, Any]) -> Told:
            return Told(value=-c["x"] + c["y"] ** 2, constraints=(c["x"],) if is_constrained else ())

        late = run(queue_at(tmp_path, name, seed=seed, space=space), n_trials, score)[n_trials // 2 :]
        return sum(c["x"] > 0 for c in late) / len(late)

    assert share_forbidden(1, is_constrained=False) > 0.6
    assert share_forbidden(2, is_constrained=True) < 0.4


def test_two_objectives_give_optunas_pareto_set(tmp_path: Path) -> None:
    # By hand: (1, 2) and (2, 1) dominate nothing of each other, (2, 2) is dominated by both.
    queue = queue_at(tmp_path, "random", directions=["minimize", "minimize"])
    queue.enqueue(3)
    for claimed, values in zip(queue.claim("w", n_trials=3, limit=3), [(1, 2), (2, 1), (2, 2)], strict=True):
        claimed.tell(Told(values=values))
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path}/3.db")
    assert sorted(trial.number for trial in study.best_trials) == [0, 1]


def test_a_diverged_trial_does_not_stop_a_search_with_two_objectives(tmp_path: Path) -> None:
    def score(c: dict[str, Any]) -> Told:
        return Told(values=(float("inf"),) * 2 if c["x"] > 3 else (loss(c), -loss(c)))

    assert len(run(queue_at(tmp_path, "tpe", directions=["minimize", "minimize"]), 20, score)) == 20


def test_a_trial_told_too_few_values_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    queue = queue_at(tmp_path, "random", directions=["minimize", "minimize"])
    queue.enqueue(1)
    [claimed] = queue.claim("w", n_trials=1)
    with pytest.raises(ValueError, match="2 objectives"):
        claimed.tell(Told(value=1.0))


def test_the_exhaustive_design_is_the_whole_grid_in_another_order(tmp_path: Path) -> None:
    conditions = run(queue_at(tmp_path, "exhaustive"), 40, one)
    assert conditions != MIXED.grid()
    assert sorted(map(str, conditions)) == sorted(map(str, MIXED.grid()))


def test_a_failed_trial_has_no_values_and_a_pruned_one_is_counted(tmp_path: Path) -> None:
    queue = queue_at(tmp_path, "random")
    queue.enqueue(2)
    for claimed, told in zip(queue.claim("w", n_trials=2, limit=2), [Told(), Told(state="pruned")], strict=True):
        claimed.tell(told)
    assert [trial.state for trial in finished_trials(queue)] == [TrialState.FAIL, TrialState.PRUNED]
    assert (queue.counts().failed, queue.counts().pruned) == (1, 1)
