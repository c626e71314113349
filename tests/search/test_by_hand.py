"""What a search starts with: conditions enqueued by hand, and trials known from an earlier search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from rothamsted.catalog import SAMPLERS
from rothamsted.errors import StoreError
from rothamsted.search import Known, Queue, Told, open_queue
from rothamsted.search.distributions import distributions_of
from rothamsted.search.samplers import sampler_named
from rothamsted.space import Range, Space
from rothamsted.space.by_hand import size_of_union
from tests.search.ended_trials import finished_trials
from tests.search.test_sampler_contract import NUMERIC, n_of, one, plain_optuna, queue_at, run

GRID = Space({"x": Range(low=0.0, high=1.0, points=3), "y": Range(low=0.0, high=1.0, points=2)})
ON, OFF = {"x": 0.5, "y": 1.0}, {"x": 0.25, "y": 0.125}


def claimed(queue: Queue, n_trials: int) -> list[dict[str, Any]]:
    return [dict(c.condition) for c in queue.claim("w", n_trials=n_trials, limit=n_trials)]


def test_conditions_named_by_hand_come_first_and_the_grid_does_not_repeat_them(tmp_path: Path) -> None:
    queue = queue_at(tmp_path, "grid", space=GRID)
    # By hand: 3 * 2 on the grid, one of them named, and one more beside it.
    assert size_of_union(GRID, [ON, OFF]) == 7
    assert queue.enqueue(7, [ON, OFF]) == 7
    rest = [condition for condition in GRID.grid() if condition != ON]
    assert claimed(queue, 7) == [ON, OFF, *rest]


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_enqueueing_by_hand_again_adds_nothing(tmp_path: Path, name: str) -> None:
    n_trials = 6
    queue = queue_at(tmp_path, name, space=GRID)
    queue.enqueue(4, [ON, OFF])
    assert queue_at(tmp_path, name, space=GRID).enqueue(4, [ON, OFF]) == 0
    queue_at(tmp_path, name, space=GRID).enqueue(n_trials, [ON, OFF])
    conditions = run(queue, n_trials, lambda c: Told(value=c["x"]))
    assert len(conditions) == n_trials
    assert conditions[:2] == [ON, OFF]
    if sampler_named(name).conditions is not None:
        alone = sampler_named(name).conditions(GRID, 3, 0, 6)
        assert conditions[2:] == [c for c in alone if c not in (ON, OFF)][:4]


# ---- warm start ----


def known_trials(n: int) -> list[Known]:
    conditions = [NUMERIC.from_unit(np.array([(7 * k % n) / n, (k + 0.5) / n])) for k in range(n)]
    return [Known(condition=c, values=one(c).values or ()) for c in conditions]


def as_optuna(known: list[Known], attributes: dict[str, Any]) -> list[optuna.trial.FrozenTrial]:
    return [
        optuna.create_trial(
            params=dict(k.condition),
            distributions=distributions_of(NUMERIC),
            values=list(k.values),
            system_attrs=attributes,
        )
        for k in known
    ]


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("tpe", {}),
        ("gp", {}),
        ("cmaes", {}),
        ("nsgaii", {"NSGAIISampler:generation": 0}),
        ("nsgaiii", {"NSGAIIISampler:generation": 0}),
    ],
)
def test_a_warm_start_proposes_what_optuna_proposes_with_those_trials_added(
    tmp_path: Path, name: str, attributes: dict[str, Any]
) -> None:
    # Authority: Optuna's study in memory with the same trials by add_trial (CMA-ES: as source_trials too). The
    # Gaussian process proposes one condition six times here, and is told its value each time, as Optuna's is.
    n_trials, n_proposed = (2, 6) if name == "gp" else (12, 12)
    known = known_trials(60)
    queue_at(tmp_path, name, space=NUMERIC).set_known(known)
    run(queue_at(tmp_path, name, space=NUMERIC), n_trials // 2, one)
    run(queue_at(tmp_path, name, space=NUMERIC), n_trials, one)  # resumed
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path}/3.db")
    ours = [trial.params for trial in study.trials][:n_proposed]
    added = as_optuna(known, attributes)
    options = {"source_trials": added} if name == "cmaes" else {}
    assert ours == list(plain_optuna(name, NUMERIC, n_proposed, one, known=added, **options))
    cold = tmp_path / "cold"
    cold.mkdir()
    assert ours != run(queue_at(cold, name, space=NUMERIC), n_trials, one)


def test_known_trials_are_no_trials_of_the_search(tmp_path: Path) -> None:
    queue = queue_at(tmp_path, "tpe", space=NUMERIC)
    assert queue.set_known(known_trials(20)) == 20
    run(queue, 2, one)
    assert [trial.number for trial in finished_trials(queue)] == [0, 1]
    assert queue.counts().total == 2
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path}/3.db")
    assert len(study.trials) == 2


def test_known_trials_outside_the_space_are_left_out(tmp_path: Path) -> None:
    outside = [Known(condition={"x": 99.0, "n": 4}, values=(1.0,)), Known(condition={"x": 1.0}, values=(1.0,))]
    inside = [Known(condition={"x": 1.0, "n": 4}, values=(1.0,))]
    assert queue_at(tmp_path, "tpe", space=NUMERIC).set_known([*outside, *inside]) == 1


def test_a_pruned_trial_may_be_known(tmp_path: Path) -> None:
    queue = queue_at(tmp_path, "tpe", space=NUMERIC)
    pruned = Known(condition={"x": 1.0, "n": 4}, state="pruned")
    assert queue.set_known([pruned, *known_trials(12)]) == 13
    assert len(run(queue, 3, one)) == 3


@pytest.mark.parametrize(
    ("name", "options", "n", "message"),
    [
        ("random", {"direction": "minimize"}, 20, "does not look at results; name an adaptive one"),
        ("cmaes", {"direction": "minimize"}, 9, "needs 10 complete trials"),
        ("tpe", {"directions": ["minimize", "minimize"]}, 5, "have 1 objectives, those of this one 2"),
    ],
)
def test_a_warm_start_that_cannot_be_is_refused_in_one_line(
    tmp_path: Path, name: str, options: dict[str, Any], n: int, message: str
) -> None:
    queue = open_queue(f"sqlite:///{tmp_path}/o.db", "s", space=NUMERIC, sampler=name, seed=0, create=True, **options)
    with pytest.raises(StoreError, match=message) as caught:
        queue.set_known(known_trials(n))
    assert "\n" not in str(caught.value)


def test_a_pruner_does_not_see_what_is_known(tmp_path: Path) -> None:
    # By hand: the median pruner acts from the fifth complete trial of the search on; twenty known ones are none.
    options = {"direction": "minimize", "pruner": {"name": "median"}}
    queue = queue_at(tmp_path, "tpe", space=NUMERIC, **options)
    queue.set_known(known_trials(n_of("tpe")))
    [trial] = queue.claim("w", n_trials=1)
    assert not queue.should_prune(trial, 1, {1: 1.0e9})
