"""The queue of trials: enqueued once, claimed by one, given back, taken over, told."""

from __future__ import annotations

import json
import math
import multiprocessing
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from optuna_dashboard import get_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

from rothamsted.search import Queue, Told, find_search, open_queue, take_step
from rothamsted.search.lease import DEATHS, renew
from rothamsted.search.samplers import sampler_named
from rothamsted.space import Choice, Range, Space
from tests.forked import FORKED

SPACE = Space(
    {
        "lr": Range(low=1.0e-4, high=1.0, log=True, points=5),
        "optimizer": Choice(values=("sgd", "adam")),
        "momentum": Range(low=0.0, high=0.9, points=3, when={"optimizer": ("sgd",)}),
    }
)
N_GRID = 5 * (1 + 3)  # adam has no momentum


def queue_at(url: str, sampler: str = "grid", direction: str = "minimize") -> Queue:
    return open_queue(url, "s", space=SPACE, sampler=sampler, seed=3, direction=direction, create=True)


def optuna_study(url: str) -> optuna.Study:
    return optuna.load_study(study_name="s", storage=url)


def _claim_all(url: str, worker: str, sampler: str, n_trials: int, out: multiprocessing.Queue) -> None:
    queue = open_queue(url, "s", space=SPACE, sampler=sampler, seed=3, direction="minimize")
    numbers = []
    while claimed := queue.claim(worker, n_trials=n_trials):
        for trial in claimed:
            numbers.append(trial.number)
            trial.tell(Told(value=1.0))
    out.put(numbers)


def test_enqueueing_twice_adds_nothing(storage_url: str) -> None:
    queue = queue_at(storage_url)
    assert queue.enqueue(N_GRID) == N_GRID
    assert queue.enqueue(N_GRID) == 0
    assert queue.counts().waiting == N_GRID


def test_a_grid_in_the_queue_is_the_grid_of_the_space(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(N_GRID)
    claimed = queue.claim("w", n_trials=N_GRID, limit=N_GRID)
    assert [dict(c.condition) for c in claimed] == SPACE.grid()


@pytest.mark.parametrize(
    ("storage_url", "sampler"),  # the two databases, and the two kinds: asked and enqueued
    [
        ("sqlite", "tpe"),
        ("postgresql", "grid"),
        pytest.param("sqlite", "grid", marks=pytest.mark.slow),
        pytest.param("postgresql", "tpe", marks=pytest.mark.slow),
    ],
    indirect=["storage_url"],
)
def test_four_processes_claim_each_trial_exactly_once(storage_url: str, sampler: str) -> None:
    queue_at(storage_url, sampler).enqueue(N_GRID)
    out = FORKED.Queue()
    processes = [FORKED.Process(target=_claim_all, args=(storage_url, f"w{i}", sampler, N_GRID, out)) for i in range(4)]
    for process in processes:
        process.start()
    numbers = [number for _ in processes for number in out.get(timeout=120)]
    for process in processes:
        process.join(timeout=30)
    assert sorted(numbers) == list(range(N_GRID))


def test_quasi_random_points_fill_a_range_more_evenly_than_random_ones() -> None:
    # Authority: a scrambled Sobol sequence of 2^k points has exactly one point in each of 2^k equal bins
    # of every coordinate (Owen 1998); for random points the chance of that with 64 bins is below 1e-26.
    space = Space({"x": Range(low=0.0, high=1.0)})
    make = sampler_named("qmc").conditions
    assert make is not None
    points = [c["x"] for c in make(space, 5, 0, 64)]
    assert sorted(int(x * 64) for x in points) == list(range(64))


def test_a_claimed_trial_is_not_claimed_again_while_its_lease_lasts(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(1)
    assert len(queue.claim("a", n_trials=1)) == 1
    assert queue.claim("b", n_trials=1) == []


def test_a_trial_whose_lease_ran_out_goes_to_one_other_worker(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(1)
    first = queue.claim("a", n_trials=1, lease_seconds=0.05)
    time.sleep(0.1)
    second = queue.claim("b", n_trials=1)
    assert [c.number for c in second] == [0]
    assert second[0].token == 2
    assert second[0].condition == first[0].condition
    assert queue.claim("c", n_trials=1) == []


def test_a_worker_learns_that_its_trial_was_taken_over(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(1)
    [mine] = queue.claim("a", n_trials=1, lease_seconds=0.05)
    time.sleep(0.1)
    queue.claim("b", n_trials=1)
    assert not mine.confirm()
    assert mine.is_lost


def test_a_renewed_lease_is_not_taken_over(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(1)
    [mine] = queue.claim("a", n_trials=1, lease_seconds=-1)  # it has run out, and nobody has noticed
    mine.seconds = 60
    renew([mine])
    assert not mine.is_lost
    assert queue.claim("b", n_trials=1) == []


def test_a_released_trial_is_claimed_at_once_by_another(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(1)
    [mine] = queue.claim("a", n_trials=1)
    mine.release()
    [again] = queue.claim("b", n_trials=1)
    assert (again.number, again.deaths) == (0, [])


def test_expiring_the_leases_of_a_dead_worker_leaves_the_others_alone(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(2)
    queue.claim("dead", n_trials=2)
    queue.claim("alive", n_trials=2)
    assert queue.leases.end(["dead"]) == 1
    assert queue.leases.holders() == {"alive": [1]}


def test_a_told_trial_reads_as_complete_in_optuna_with_params_value_and_note(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(1)
    [mine] = queue.claim("a", n_trials=1)
    mine.tell(Told(value=0.25, attributes={"k": [1, 2]}, note="**hello**"))
    study = optuna_study(storage_url)
    trial = study.trials[0]
    assert trial.state == TrialState.COMPLETE
    assert trial.value == 0.25
    assert trial.params == {"lr": 1.0e-4, "optimizer": "sgd", "momentum": 0.0}
    assert trial.user_attrs == {"k": [1, 2]}  # the lease is gone
    assert trial.datetime_start is not None
    assert trial.datetime_complete is not None
    assert 0 <= (trial.datetime_complete - trial.datetime_start).total_seconds() < 60
    ask_like = optuna.Trial(study, mine.trial_id)
    assert get_note(ask_like) == "**hello**"


def test_an_infinite_value_survives_the_storage(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(1)
    [mine] = queue.claim("a", n_trials=1)
    mine.tell(Told(value=math.inf))
    assert optuna_study(storage_url).trials[0].value == math.inf


def test_a_trial_without_a_score_is_failed_in_optuna(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(1)
    [mine] = queue.claim("a", n_trials=1)
    assert mine.tell(Told(value=None))
    assert optuna_study(storage_url).trials[0].state == TrialState.FAIL
    assert queue.counts().failed == 1


def test_telling_a_finished_trial_again_changes_nothing(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(1)
    [mine] = queue.claim("a", n_trials=1)
    assert mine.tell(Told(value=1.0))
    assert not mine.tell(Told(value=2.0))
    assert optuna_study(storage_url).trials[0].value == 1.0


def test_a_trial_that_is_put_back_can_be_claimed_and_told_again(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(2)
    for claimed in queue.claim("a", n_trials=2, limit=2):
        claimed.tell(Told(value=1.0, attributes={"attempts": 1}))
    lease = queue.lease("c")
    assert lease.take(60.0)
    take_step(lease, queue, extend={1: {}})
    [again] = queue.claim("a", n_trials=2)
    assert again.number == 1
    assert again.token == 2
    again.tell(Told(value=2.0))
    assert [t.value for t in optuna_study(storage_url).trials] == [1.0, 2.0]


def test_an_adaptive_sampler_stops_at_the_number_of_trials(storage_url: str) -> None:
    queue = queue_at(storage_url, "tpe")
    assert len(queue.claim("a", n_trials=3, limit=10)) == 3
    assert queue.claim("b", n_trials=3) == []
    assert len(queue.claim("b", n_trials=4)) == 1


def test_an_asked_trial_whose_worker_died_keeps_its_condition(storage_url: str) -> None:
    queue = queue_at(storage_url, "tpe")
    [mine] = queue.claim("dead", n_trials=1)
    queue.leases.end(["dead"])
    [again] = queue.claim("b", n_trials=1)
    assert again.condition == mine.condition


def test_whoever_takes_a_trial_over_counts_the_crash_until_somebody_is_blamed_for_it(storage_url: str) -> None:
    queue = queue_at(storage_url)
    queue.enqueue(1)
    for n in range(3):
        [mine] = queue.claim(f"w{n}", n_trials=1)
        assert mine.deaths == [""] * n
        queue.leases.end([f"w{n}"])
    [mine] = queue.claim("b", n_trials=1)
    mine.set_attributes({DEATHS: []})
    queue.leases.end(["b"], why="timeout after 5 s")
    [mine] = queue.claim("c", n_trials=1)
    assert mine.deaths == ["timeout after 5 s"]


def test_a_storage_that_does_not_exist_yet_is_not_created_by_looking(tmp_path: Path) -> None:
    assert find_search(f"sqlite:///{tmp_path}/none.db", "s") is None
    assert list(tmp_path.iterdir()) == []


def test_sqlite_storage_is_in_wal_mode(tmp_path: Path) -> None:
    queue_at(f"sqlite:///{tmp_path}/o.db")
    import sqlite3

    assert sqlite3.connect(tmp_path / "o.db").execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_dashboard_shows_the_objectives_name_and_the_note_of_the_sweep(storage_url: str) -> None:
    queue_at(storage_url).describe(metric="val_loss", note="**sweep**")
    study = optuna_study(storage_url)
    assert study.metric_names == ["val_loss"]
    assert get_note(study) == "**sweep**"


def test_optuna_dashboard_reads_the_plots_and_attributes_that_are_shown(storage_url: str) -> None:
    # Authority: optuna-dashboard's own reader. The second plot is shorter: nothing of the first is left.
    queue = queue_at(storage_url)
    queue.enqueue(2)
    for n_points in (1000, 3):
        figure = {"data": [{"x": list(range(n_points))}], "layout": {}}
        queue.show(plots={"intervals": figure}, on_trials={1: {"verdict": "open"}}, on_study={"best": "lr=0.1"})
        study = optuna_study(storage_url)
        shown = get_plotly_graph_objects(study._storage.get_study_system_attrs(study._study_id))
        assert {name: json.loads(text) for name, text in shown.items()} == {"intervals": figure}
    assert study.user_attrs["best"] == "lr=0.1"
    assert [trial.user_attrs.get("verdict") for trial in study.trials] == [None, "open"]
