"""What runs are called in MLflow's lists, and what its UI is told of a sweep's trials."""

from __future__ import annotations

import json
from typing import Any

from rothamsted.spec import Sweep, from_resolved
from rothamsted.sweeping.open.trials_view import trials_view
from rothamsted.sweeping.run_names import confirmation_name, replicate_name, short_names, trial_name

MOST_CHARACTERS = 5000  # of a tag of an experiment: mlflow 3.17, MAX_EXPERIMENT_TAG_VAL_LENGTH
PLAIN: dict[str, Any] = {
    "name": "named",
    "study": "toy",
    "space": {"optimizer.lr": {"low": 0.01, "high": 1.0, "log": True}, "gamma": [0.3, 3.0], "width": 64},
    "objective": {"metric": "val_loss", "direction": "minimize"},
    "sampler": {"name": "random", "seed": 0},
    "trials": 4,
    "replicates": {"count": 3},
}


def sweep(**changes: Any) -> Sweep:
    return from_resolved({**PLAIN, **changes})


def test_a_trial_is_named_by_what_varies_in_three_digits() -> None:
    condition = {"optimizer.lr": 0.139247665008, "gamma": 0.3, "width": 64}
    assert trial_name(sweep(), condition, 5) == "lr 0.139, gamma 0.3"
    assert confirmation_name(sweep(), condition, 5) == "confirm lr 0.139, gamma 0.3"


def test_a_trial_is_named_by_its_number_where_nothing_varies() -> None:
    assert trial_name(sweep(space={"width": 64}), {"width": 64}, 5) == "trial 5"


def test_a_dotted_name_is_its_last_part_unless_two_end_alike() -> None:
    names = ["optimizer.lr", "model.width", "data.width", "gamma"]
    assert list(short_names(names).values()) == ["lr", "model.width", "data.width", "gamma"]


def test_a_name_that_is_too_long_is_cut() -> None:
    space = {f"parameter_{index}": ["a" * 20, "b"] for index in range(20)}
    name = trial_name(sweep(space=space), dict.fromkeys(space, "a" * 20), 0)
    assert (len(name), name[-1]) == (120, "…")


def test_a_replicate_is_named_by_its_seed_or_by_what_is_crossed() -> None:
    assert replicate_name({"seed": 3}, 3) == "seed 3"
    assert replicate_name({"seed": 3, "data.seed": 3}, 3) == "seed 3"
    assert replicate_name({"seed": 0, "data.split": 2}, 2) == "seed 0, split 2"
    assert replicate_name({}, 3) == "seed 3"  # of a project that takes no seed


def test_the_view_of_many_parameters_fits_into_a_tag() -> None:
    space = {f"a.long.name.of.a.parameter_{index}": {"low": 0.0, "high": 1.0} for index in range(40)}
    view = trials_view(sweep(space=space))
    assert len(json.dumps(view, separators=(",", ":"))) < MOST_CHARACTERS
    assert view["orderByAsc"] is True


def test_the_view_sorts_by_what_stands_for_a_condition() -> None:
    view = trials_view(sweep(objective={"metric": "acc", "direction": "maximize", "over": "median"}))
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`objective/median`", False)
