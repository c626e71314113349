"""What `rothamsted check` says of a search before it runs; nothing is created."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from rothamsted.errors import DataError, StoreError, UserError
from rothamsted.spec import Sweep, plan
from rothamsted.sweeping.open import estimate
from rothamsted.sweeping.open.check import print_plan
from rothamsted.sweeping.open.from_file import load
from tests.sweeping.conftest import Project


def shown(project: Project, changes: dict[str, Any], *, is_timed: bool = False) -> list[str]:
    sweep, study = load(project.write(changes), {}, project.root)
    console = Console(file=io.StringIO(), record=True, width=200)
    print_plan(sweep, study, console=console, is_timed=is_timed)
    return [" ".join(line.split()) for line in console.export_text().splitlines()]


def test_check_shows_what_stops_training_and_what_is_tried_first(empty_project: Project) -> None:
    before = sorted(path.name for path in empty_project.root.iterdir())
    changes = {
        "pruner": {"name": "patient", "patience": 2, "wrapped": {"name": "median", "startup_trials": 3}},
        "early_stopping": {"patience": 4, "min_delta": 0.01, "metric": "train_loss", "direction": "minimize"},
        "enqueue": [{"lr": 0.5, "x": 0.5}],
        "constraints": ["seconds < 60", "train_loss < 1"],
    }
    lines = shown(empty_project, changes)
    wrapped = "median, startup_trials 3, warmup_steps 0, interval_steps 1, min_trials 1"
    assert f"pruner: patient, patience 2, min_delta 0, wrapped ({wrapped})" in lines
    stop = "when train_loss (minimize) has not improved by more than 0.01 for 4 measurements"
    assert f"early stopping: {stop}" in lines
    assert "enqueued: 1, tried first" in lines
    assert "constraints: seconds < 60, train_loss < 1" in lines
    assert "conditions: 7" in lines  # by hand: 3 x 2 cells, and one beside them
    assert sorted(path.name for path in empty_project.root.iterdir() if path.name != "sweep.yaml") == before


def test_check_shows_every_objective_and_every_stage(empty_project: Project) -> None:
    objectives = [
        {"metric": "val_loss", "direction": "minimize"},
        {"name": "gap", "expression": "val_loss - train_loss", "direction": "minimize"},
    ]
    stages = [{"parameters": {"steps": 4}}, {"keep": 2, "parameters": {"steps": 20}}]
    lines = shown(empty_project, {"objective": objectives, "stages": stages, "parameters": {"n_points": 2}})
    assert "objective: minimize val_loss, minimize gap = val_loss - train_loss" in lines
    assert "replicates: 18 (3 a condition, seeds 0, 1, 2)" in lines
    assert "later stages: 6 more replicates (the best 2)" in lines  # by hand: 2 conditions of 3 seeds


def test_check_shows_the_earlier_sweep_and_refuses_one_that_is_missing(project: Project) -> None:
    space = {"lr": {"low": 0.01, "high": 1.0}}
    few = {"space": space, "parameters": {"steps": 2, "n_points": 1}, "trials": 2, "replicates": {"count": 1}}
    project.work(project.start({**few, "name": "earlier", "sampler": {"name": "random"}}))
    warm = {**few, "sampler": {"name": "tpe"}, "warm_start": {"sweep": "earlier"}}
    assert "warm start: from 2 conditions of sweep earlier" in shown(project, warm)
    with pytest.raises(UserError, match="there is no sweep called 'nonesuch'"):
        shown(project, {**warm, "warm_start": {"sweep": "nonesuch"}})


def test_the_estimated_time_counts_each_stage_with_the_time_of_its_own_replicates(
    empty_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(stage: Sweep, study: object) -> estimate._Timed:
        seconds = 0.98 if stage.parameters["steps"] == 4 else 9.98  # and 0.02 s to write it down
        return estimate._Timed(first_seconds=seconds, seconds=seconds, has_ended=True)

    monkeypatch.setattr(estimate, "_time_replicate", timed)
    stages = [{"parameters": {"steps": 4}}, {"keep": 2, "parameters": {"steps": 20}}]
    changes = {"stages": stages, "parameters": {"n_points": 2}, "confirm": {"keep": 1, "replicates": 4}}
    sweep, study = load(empty_project.write(changes), {}, empty_project.root)
    # By hand: 6 conditions x 3 seeds x 1 s, 2 x 3 x 10 s and 4 x 10 s, with one worker: 118 s.
    assert estimate.tried(sweep, study, plan(sweep)).time.startswith("about 118 s with 1 worker, ")


def test_the_estimated_time_trains_a_replicate_of_each_stage_and_says_where_it_takes_too_long(
    empty_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "MOST_SECONDS", 0.2)
    stages = [{"parameters": {"steps": 4}}, {"keep": 2, "parameters": {"steps": 20, "sleep_seconds": 0.1}}]
    sweep, study = load(empty_project.write({"stages": stages, "parameters": {"n_points": 2}}), {}, empty_project.root)
    said = estimate.tried(sweep, study, plan(sweep)).time
    assert said.startswith("more than ")
    assert "one replicate takes over 0.2 s here" in said


def test_a_replicate_that_fails_when_it_is_timed_is_what_check_says(empty_project: Project) -> None:
    with pytest.raises(UserError, match=r"a replicate of toys, tried here, failed: .*the toy was told to fail"):
        shown(empty_project, {"parameters": {"fail": True, "n_points": 2}}, is_timed=True)


def test_data_that_are_missing_are_what_check_says_in_the_studys_words(empty_project: Project) -> None:
    with pytest.raises(DataError, match=r"^(?!a replicate)"):
        shown(empty_project, {"parameters": {"fail": True, "fail_with": "user", "n_points": 2}}, is_timed=True)


def test_check_says_of_each_domain_its_kind_and_how_many_values_it_has(empty_project: Project) -> None:
    space = {
        "lr": {"low": 0.001, "high": 1.0, "log": True, "points": 4},
        "x": {"low": 0.0, "high": 1.0, "step": 0.25},
        "steps": {"low": 20, "high": 21, "points": 5},
        "optimizer.name": ["sgd", "heavy_ball"],
        "optimizer.momentum": {"values": [0.0, 0.9], "when": {"optimizer.name": "heavy_ball"}},
    }
    lines = shown(empty_project, {"space": space, "parameters": {"n_points": 5}})
    assert "space.lr: numbers 0.001 to 1, log: 4 points" in lines
    assert "space.x: numbers 0 to 1 in steps of 0.25: 5 values" in lines
    assert "space.steps: whole numbers 20 to 21: 2 values" in lines
    assert "space.optimizer.name: a choice of 2: sgd, heavy_ball" in lines
    assert "space.optimizer.momentum: a choice of 2: 0, 0.9, if optimizer.name is heavy_ball" in lines
    assert (
        "warning: space.steps: 5 points are asked for, and only 2 whole numbers can be placed between 20 and 21: "
        "20, 21; give points: 2, or a wider range"
    ) in lines
    lines = shown(empty_project, {"sampler": "random", "trials": 3, "parameters": None})
    assert "space.lr: numbers 0.01 to 1, log" in lines


def test_an_address_that_is_none_is_refused_as_at_a_start(
    empty_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow is imported here, so that the variable is put into its place by hand."""
    wrong = "postgresql://h:notaport/db"
    with pytest.raises(StoreError, match=r"storage .*notaport.*: not a database URL"):
        shown(empty_project, {"storage": wrong})
    for uri in (wrong, "http://h:notaport"):
        monkeypatch.setattr("rothamsted.sweeping.open.check.tracking_uri", lambda uri=uri: uri)
        with pytest.raises(StoreError, match=r"tracking URI .*notaport.*: is not an address"):
            shown(empty_project, {})
