"""A condition is proposed as often as a sampler likes, and claimed once."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from optuna_dashboard import get_note

from rothamsted.search import Known, Lease, Queue, Told, open_queue, take_step
from rothamsted.search.sql.repeats import ASKED, REPEAT_OF, REPEATED_BY
from rothamsted.space import Choice, Range, Space
from tests.forked import FORKED
from tests.sweeping.power_cut import PowerCut, power

FOUR = Space({"x": Choice(values=(0.1, 0.2)), "mode": Choice(values=("a", "b"))})
HALVES = Space({"mode": Choice(values=("a", "b")), "lr": Range(low=0.1, high=1.0, when={"mode": ("b",)})})  # no end
ADAPTIVE = ["tpe", "gp", "nsgaii", "nsgaiii"]


def queue_at(url: str, sampler: str = "tpe", *, space: Space = FOUR, seed: int = 3, **options: Any) -> Queue:
    given = options or {"direction": "minimize"}
    return open_queue(url, "s", space=space, sampler=sampler, seed=seed, create=True, **given)


def key(condition: Any) -> tuple[Any, ...]:
    return tuple(sorted(condition.items()))


def loss(condition: Any) -> float:
    return condition.get("x", condition.get("lr", 0.0)) + (condition["mode"] == "b")


def work(queue: Queue, n_trials: int, worker: str = "w") -> list[tuple[Any, ...]]:
    """Claim one after another and tell each, until nothing is left."""
    found = []
    while claimed := queue.claim(worker, n_trials=n_trials):
        for lease in claimed:
            found.append(key(lease.condition))
            lease.tell(Told(value=loss(lease.condition)))
    return found


def stored(url: str) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="s", storage=url).trials


def repeats_of(url: str) -> dict[int, int]:
    return {t.number: t.user_attrs[REPEAT_OF] for t in stored(url) if REPEAT_OF in t.user_attrs}


def is_told_alike(trials: list[optuna.trial.FrozenTrial], pairs: dict[int, int]) -> bool:
    return all(
        (trials[repeat].state, trials[repeat].values, trials[repeat].params)
        == (trials[of].state, trials[of].values, trials[of].params)
        for repeat, of in pairs.items()
    )


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_design_proposes_each_condition_of_a_finite_space_once(tmp_path: Path, sampler: str) -> None:
    queue = queue_at(f"sqlite:///{tmp_path}/s.db", sampler)
    assert queue.enqueue(4) == 4
    assert len(set(work(queue, 4))) == 4


def test_a_random_design_goes_on_where_it_was_and_repeats_nothing_of_before(tmp_path: Path) -> None:
    space = Space({"x": Choice(values=tuple(range(40)))})
    grown = queue_at(f"sqlite:///{tmp_path}/grown.db", "random", space=space)
    at_once = queue_at(f"sqlite:///{tmp_path}/at_once.db", "random", space=space)
    grown.enqueue(15)
    grown.enqueue(30)
    at_once.enqueue(30)
    leases = [queue.claim("w", n_trials=30, limit=30) for queue in (grown, at_once)]
    first, second = ([lease.condition["x"] for lease in of_one] for of_one in leases)
    assert first == second
    assert len(set(first)) == 30


def test_equal_conditions_named_by_hand_are_one(tmp_path: Path) -> None:
    queue = queue_at(f"sqlite:///{tmp_path}/s.db", "random", space=Space({"x": Range(low=0.0, high=1.0)}))
    assert queue.enqueue(3, [{"x": 0.10}, {"x": 0.1}]) == 3
    found = [lease.condition["x"] for lease in queue.claim("w", n_trials=3, limit=3)]
    assert found[0] == 0.1
    assert len(set(found)) == 3


@pytest.mark.parametrize("sampler", ADAPTIVE)
def test_an_adaptive_sampler_gives_each_condition_once_until_the_space_is_exhausted(
    tmp_path: Path, sampler: str
) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    queue = queue_at(url, sampler)
    found = work(queue, 4)
    assert sorted(found) == sorted({key({"x": x, "mode": m}) for x in (0.1, 0.2) for m in "ab"})
    counts = queue.counts()
    assert (counts.complete, counts.running, counts.total) == (4, 0, 4)
    assert counts.repeats == len(stored(url)) - 4
    assert queue.claim("w", n_trials=4) == []


def test_a_repeat_says_so_and_is_told_what_its_trial_was_told(storage_url: str) -> None:
    work(queue_at(storage_url), 4)
    trials, pairs = stored(storage_url), repeats_of(storage_url)
    assert pairs
    assert is_told_alike(trials, pairs)
    study = optuna.load_study(study_name="s", storage=storage_url)
    for repeat, of in pairs.items():
        assert repeat in trials[of].user_attrs[REPEATED_BY]
        assert get_note(optuna.Trial(study, study.trials[repeat]._trial_id)).startswith(f"repeat of trial {of}:")
        assert trials[repeat].datetime_complete is not None
    assert not any(ASKED in trial.user_attrs for trial in trials)


def test_the_same_seed_gives_the_same_trials(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        url = f"sqlite:///{tmp_path}/{name}.db"
        work(queue_at(url, space=HALVES), 8)
        found.append([(t.params, t.values, t.user_attrs.get(REPEAT_OF)) for t in stored(url)])
    assert found[0] == found[1]
    assert any(of is not None for _, _, of in found[0])


def test_a_space_without_end_fills_the_budget_with_new_conditions(tmp_path: Path) -> None:
    # Half of all random proposals are mode a, which is a single condition.
    queue = queue_at(f"sqlite:///{tmp_path}/s.db", space=HALVES)
    found = work(queue, 12)
    assert len(found) == len(set(found)) == 12
    assert queue.counts().total == 12


def test_a_repeat_of_a_trial_that_runs_waits_for_it_and_the_worker_gets_another_condition(storage_url: str) -> None:
    queue = queue_at(storage_url)
    leases = queue.claim("w", n_trials=4, limit=4)
    assert len({key(lease.condition) for lease in leases}) == 4
    pairs = repeats_of(storage_url)
    assert pairs
    assert {stored(storage_url)[repeat].state for repeat in pairs} == {TrialState.RUNNING}
    assert queue.counts().running == 4
    for lease in leases:
        assert lease.tell(Told(value=loss(lease.condition)))
    assert is_told_alike(stored(storage_url), pairs)
    assert queue.counts().running == 0


def told_of(url: str, told: Told, report: float | None = None, **options: Any) -> tuple[Any, list[Any]]:
    """Tell all four conditions this; gives the first trial that has repeats, and them."""
    queue = queue_at(url, **options)
    for lease in queue.claim("w", n_trials=4, limit=4):
        if report is not None:
            lease.report(1, 9.0)
            lease.report(2, report)
        lease.tell(told)
    trials = stored(url)
    of = next(iter(repeats_of(url).values()))
    return trials[of], [trials[number] for number in trials[of].user_attrs[REPEATED_BY]]


def test_a_repeat_has_the_constraints_of_its_trial(storage_url: str) -> None:
    first, repeats = told_of(storage_url, Told(value=1.0, constraints=(0.5, -1.0)))
    assert {tuple(one.system_attrs["constraints"]) for one in (first, *repeats)} == {(0.5, -1.0)}


def test_a_repeat_of_a_pruned_trial_is_pruned_at_its_last_report(storage_url: str) -> None:
    first, repeats = told_of(storage_url, Told(state="pruned"), report=4.0)
    assert {(one.state, one.value) for one in (first, *repeats)} == {(TrialState.PRUNED, 4.0)}
    assert [one.intermediate_values for one in repeats] == [{2: 4.0}] * len(repeats)


def test_a_repeat_of_a_failed_trial_has_failed_until_that_one_is_tried_again(storage_url: str) -> None:
    first, repeats = told_of(storage_url, Told())
    assert {one.state for one in (first, *repeats)} == {TrialState.FAIL}
    queue = queue_at(storage_url)
    lease = queue.lease("a")
    assert lease.take(60.0)
    take_step(lease, queue, extend={first.number: {}})
    [again] = queue.claim("w", n_trials=4)
    assert again.tell(Told(value=2.0))
    assert [stored(storage_url)[one.number].values for one in repeats] == [[2.0]] * len(repeats)


def test_a_pruner_sees_no_repeat(tmp_path: Path) -> None:
    # By hand: of the values 1, 9 and 9 the median is 9, which 8.5 is below; with copies of the 1 it would be 5 or 1.
    url = f"sqlite:///{tmp_path}/s.db"
    queue = queue_at(url, direction="minimize", pruner={"name": "median", "startup_trials": 1})
    leases = queue.claim("w", n_trials=4, limit=4)
    repeats = Counter(repeats_of(url).values())
    [(most, n_copies)] = repeats.most_common(1)
    assert n_copies >= 1
    *ended, last = sorted(leases, key=lambda lease: lease.number == leases[0 if most else 1].number)
    for lease in ended:
        value = 1.0 if lease.number == most else 9.0
        lease.report(1, value)
        lease.tell(Told(value=value))
    assert not queue.should_prune(last, 1, {1: 8.5})
    assert queue.should_prune(last, 1, {1: 9.5})


def test_what_an_earlier_search_knows_is_trained_in_this_one(tmp_path: Path) -> None:
    queue = queue_at(f"sqlite:///{tmp_path}/s.db")
    queue.set_known([Known(condition={"x": x, "mode": m}, values=(x,)) for x in (0.1, 0.2) for m in "ab"])
    assert len(set(work(queue, 4))) == 4


def test_equal_trials_of_an_earlier_version_stay_as_they_are_and_are_not_proposed_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    queue = queue_at(url)
    queue.add([{"x": 0.1, "mode": "a"}, {"x": 0.1, "mode": "a"}], [{}, {}])
    work(queue, 2)
    assert queue.counts().complete == 2
    assert key({"x": 0.1, "mode": "a"}) not in work(queue, 5)


def _work_alone(url: str, worker: str, out: multiprocessing.Queue) -> None:
    out.put(work(queue_at(url), 4, worker))


def test_four_processes_train_no_condition_twice(storage_url: str) -> None:
    queue = queue_at(storage_url)
    out = FORKED.Queue()
    processes = [FORKED.Process(target=_work_alone, args=(storage_url, f"w{i}", out)) for i in range(4)]
    for process in processes:
        process.start()
    found = [one for _ in processes for one in out.get(timeout=120)]
    for process in processes:
        process.join(60)
    found += work(queue, 4)
    assert len(found) == len(set(found)) == 4
    trials, pairs = stored(storage_url), repeats_of(storage_url)
    assert is_told_alike(trials, pairs)
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}


@pytest.mark.parametrize("at", range(0, 40, 3))
def test_a_worker_that_dies_anywhere_leaves_no_condition_to_be_trained_twice(tmp_path: Path, at: int) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    queue_at(url)
    told: list[tuple[Any, ...]] = []

    def tell(lease: Lease) -> None:
        if lease.tell(Told(value=loss(lease.condition))):
            told.append(key(lease.condition))

    with power(at), contextlib.suppress(PowerCut):
        queue = queue_at(url)
        while claimed := queue.claim("dead", n_trials=4):
            tell(claimed[0])
    again = queue_at(url)
    again.leases.end(["dead"])
    while claimed := again.claim("w", n_trials=4):
        tell(claimed[0])
    assert len(told) == len(set(told)) == 4
    trials, pairs = stored(url), repeats_of(url)
    assert is_told_alike(trials, pairs)
    assert len(trials) == 4 + len(pairs)
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    assert not any(ASKED in trial.user_attrs for trial in trials)


def test_of_two_that_propose_the_same_before_either_looks_one_trains_it(storage_url: str) -> None:
    # The trial of the lower number has its condition, and its worker has not yet looked whether it is there.
    queue = queue_at(storage_url)
    [first] = queue.claim("a", n_trials=4)
    first.set_attributes({ASKED: True})
    others = queue.claim("b", n_trials=5, limit=4)
    assert key(first.condition) in {key(lease.condition) for lease in others}
    assert len({key(lease.condition) for lease in others}) == 4
    queue.leases.end(["a"])
    assert queue.claim("c", n_trials=4) == []
    assert first.number in repeats_of(storage_url)
