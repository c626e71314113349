"""What a search proposes, is given and shows are values of its domains, whatever floats make of them on the way."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import optuna
import pytest

from rothamsted import catalog
from rothamsted.search import Known, Queue, Told, open_queue
from rothamsted.space import Choice, Range, Space

OFF = 0.1 + 0.2  # 0.30000000000000004, which Optuna computes as the third of steps of 0.1
STEPS = {"x": Range(low=0.1, high=0.9, step=0.1), "y": Range(low=-0.3, high=0.3, step=0.1)}
GRIDS = {name: domain.grid_points() for name, domain in STEPS.items()}
N_TRIALS = 30  # of the 63: all values of x are proposed


def queue_at(folder: Path, sampler: str, space: Space) -> Queue:
    url = f"sqlite:///{folder}/s.db"
    return open_queue(url, "s", space=space, sampler=sampler, seed=1, create=True, direction="minimize")


def work(queue: Queue, n_trials: int) -> list[dict[str, Any]]:
    found = []
    while claimed := queue.claim("w", n_trials=n_trials):
        for lease in claimed:
            found.append(dict(lease.condition))
            lease.tell(Told(value=float(len(found))))
    return found


def stored(folder: Path) -> list[dict[str, Any]]:
    return [trial.params for trial in optuna.load_study(study_name="s", storage=f"sqlite:///{folder}/s.db").trials]


@pytest.mark.parametrize("sampler", sorted(catalog.SAMPLERS))
def test_every_sampler_trains_and_shows_the_steps_as_they_are_written(tmp_path: Path, sampler: str) -> None:
    # By hand: tenths. Optuna itself gives 0.30000000000000004 for 0.3 and 5.55e-17 for 0.
    queue = queue_at(tmp_path, sampler, Space(STEPS))
    queue.enqueue(N_TRIALS)
    found = work(queue, N_TRIALS)
    assert len(found) == N_TRIALS
    for condition in itertools.chain(found, stored(tmp_path)):
        assert all(value in GRIDS[name] for name, value in condition.items()), condition


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii", "random"])
def test_a_parameter_that_depends_on_a_step_is_there_where_the_step_is(tmp_path: Path, sampler: str) -> None:
    space = Space({"x": Range(low=0.1, high=0.5, step=0.1), "m": Range(low=0.0, high=1.0, when={"x": (0.3,)})})
    queue = queue_at(tmp_path, sampler, space)
    queue.enqueue(12)
    found = work(queue, 12)
    assert any(condition["x"] == 0.3 for condition in found)
    assert all(("m" in condition) is (condition["x"] == 0.3) for condition in found)


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_a_condition_named_by_hand_off_by_rounding_is_no_new_one(tmp_path: Path, sampler: str) -> None:
    cut = {"points": 5} if sampler == "grid" else {"step": 0.1}
    queue = queue_at(tmp_path, sampler, Space({"x": Range(low=0.1, high=0.5, **cut)}))
    queue.enqueue(5, first=[{"x": OFF}])
    assert sorted(one["x"] for one in work(queue, 5)) == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_trials_of_an_earlier_sweep_off_by_rounding_are_known(tmp_path: Path) -> None:
    queue = queue_at(tmp_path, "tpe", Space({"x": Range(low=0.1, high=0.3, step=0.1)}))
    known = [Known(condition={"x": OFF}, values=(1.0,)), Known(condition={"x": 0.25}, values=(1.0,))]
    assert queue.set_known(known) == 1


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_a_list_and_the_text_that_writes_it_are_two_values(tmp_path: Path, sampler: str) -> None:
    # Their JSON is the same text, by which Optuna once knew both.
    values = ([1], "[1]", 1, "1", '"[1]"', None, "None")
    queue = queue_at(tmp_path, sampler, Space({"x": Choice(values=(0,)), "v": Choice(values=values)}))
    queue.enqueue(len(values))
    found = [one["v"] for one in work(queue, len(values))]
    assert sorted(map(repr, found)) == sorted(map(repr, values))
    assert len({repr(params["v"]) for params in stored(tmp_path)}) == len(values)
