"""A good sweep file: what it becomes, its defaults, and what the command line changes."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from rothamsted.space import Choice, Range
from rothamsted.spec import Racing
from tests.spec.conftest import SweepFile

# The defaults are the contract of docs/design.md and of the sweep file's documentation.
DEFAULTS = {
    "sampler.name": "grid",
    "sampler.seed": 0,
    "trials": None,
    "timeout": None,
    "objective.reduce": "last",
    "execution.executor": "local",
    "execution.workers": "auto",
    "execution.population": 1,
    "execution.timeout_per_trial": None,
    "execution.retries": 0,
    "execution.checkpoint_every": 30.0,
    "execution.checkpoint_dir": "checkpoints",
    "execution.lease_seconds": 60.0,
    "statistics.level": 0.95,
    "statistics.interval": "t",
    "statistics.correction": "holm",
    "experiment": None,
    "storage": "sqlite:///optuna.db",
}


def _get(sweep: Any, key: str) -> Any:
    for part in key.split("."):
        sweep = getattr(sweep, part)
    return sweep


@pytest.mark.parametrize(("key", "value"), DEFAULTS.items())
def test_a_key_that_is_not_given_has_its_default(sweep_file: SweepFile, key: str, value: Any) -> None:
    assert _get(sweep_file.load(), key) == value


def test_three_replicates_with_consecutive_seeds_are_the_default(sweep_file: SweepFile) -> None:
    assert sweep_file.load().replicates.values == (0, 1, 2)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("replicates: {count: 2}", (0, 1)),
        ("replicates: 2", (0, 1)),
        ("replicates: {count: 2, first_seed: 7}", (7, 8)),
        ("replicates: {seeds: [5, 3]}", (5, 3)),
        ("replicates: {count: 2, seeds: [5, 3]}", (5, 3)),
        ("replicates: {racing: {min: 2, max: 4}, first_seed: 7}", (7, 8, 9, 10)),
    ],
)
def test_seeds_are_what_the_replicates_say(sweep_file: SweepFile, text: str, seeds: tuple[int, ...]) -> None:
    assert sweep_file.load_changed("parameters:", f"{text}\nparameters:").replicates.values == seeds


def test_a_race_goes_from_three_to_twenty_by_one_where_nothing_else_is_said(sweep_file: SweepFile) -> None:
    racing = sweep_file.load_changed("parameters:", "replicates: {racing: {}}\nparameters:").replicates.racing
    assert racing == Racing(min=3, max=20, step=1, narrower_than=None)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("confirm: {}", tuple(range(3, 13))),  # after the search's 0, 1, 2; ten by default
        ("confirm: {replicates: 2}\nreplicates: {seeds: [9, 4]}", (10, 11)),
        ("confirm: {replicates: 2}\nreplicates: {racing: {min: 3, max: 8}}", (8, 9)),  # after all it may use
        ("confirm: {replicates: 2, first_seed: 100}", (100, 101)),
        ("confirm: {seeds: [77, 50]}", (77, 50)),
    ],
)
def test_a_confirmation_has_seeds_that_the_search_has_not(
    sweep_file: SweepFile, text: str, seeds: tuple[int, ...]
) -> None:
    assert sweep_file.load_changed("parameters:", f"{text}\nparameters:").confirm_seeds == seeds


@pytest.mark.parametrize("interval", ["t", "percentile", "bca", "wilson"])
@pytest.mark.parametrize("correction", ["holm", "bonferroni", "bh", "none", "dunnett", "tukey"])
def test_intervals_and_corrections_are_chosen_by_name(sweep_file: SweepFile, interval: str, correction: str) -> None:
    text = f"statistics: {{interval: {interval}, correction: {correction}}}"
    chosen = sweep_file.load_changed("parameters:", f"{text}\nparameters:").statistics
    assert (chosen.interval, chosen.correction) == (interval, correction)


def test_the_space_holds_the_domains_of_the_file(sweep_file: SweepFile) -> None:
    assert sweep_file.load().space == {
        "lr": Range(low=1e-3, high=1.0, log=True, points=4),
        "optimizer.name": Choice(values=("sgd", "heavy_ball")),
        "optimizer.momentum": Range(low=0.0, high=0.9, points=2, when={"optimizer.name": ("heavy_ball",)}),
    }


def test_the_number_of_trials_of_a_grid_is_its_size(sweep_file: SweepFile) -> None:
    # By hand: 4 step sizes, each with sgd and with heavy_ball at 2 momenta.
    assert sweep_file.load().n_trials == 12


def test_ends_written_as_whole_numbers_are_a_range_of_numbers_where_the_parameter_is_one(
    sweep_file: SweepFile,
) -> None:
    sweep = sweep_file.load_changed("low: 1.0e-3, high: 1.0, log: true", "low: 1, high: 9")
    assert sweep.space["lr"] == Range(low=1.0, high=9.0, points=4, is_integer=False)


def test_a_range_of_a_whole_number_parameter_is_of_whole_numbers(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load_changed("space:", "space:\n  n_points: {low: 2, high: 8, step: 2}")
    assert sweep.space["n_points"] == Range(low=2, high=8, step=2, is_integer=True)


def test_nested_parameters_are_written_out(sweep_file: SweepFile) -> None:
    text = "parameters: {steps: 10, optimizer: {momentum: 0.5}}"
    sweep = sweep_file.load(
        f"name: a\nstudy: toy\n{text}\nspace: {{lr: [0.1]}}\nobjective: {{metric: m, direction: maximize}}\n"
    )
    assert sweep.parameters == {"steps": 10, "optimizer.momentum": 0.5}


@pytest.mark.parametrize(
    ("written", "seconds"),
    # Arithmetic of units.
    [("2h", 7200), ("10m", 600), ("90s", 90), ("1h30m", 5400), ("1d", 86400), ("1.5h", 5400), ("45", 45)],
)
def test_a_duration_is_kept_in_seconds(sweep_file: SweepFile, written: str, seconds: float) -> None:
    assert sweep_file.load(overrides={"timeout": written}).timeout == seconds


@pytest.mark.parametrize(
    ("written", "kept"),
    [("last", "last"), ("best", "best"), ("{mean_of_last: 5}", "mean:5"), ("mean:5", "mean:5")],
)
def test_a_reduction_has_one_short_form(sweep_file: SweepFile, written: str, kept: str) -> None:
    sweep = sweep_file.load_changed("direction: minimize", f"direction: minimize, reduce: {written}")
    assert sweep.objective.reduce == kept


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("name", "other", "other"),
        ("execution.workers", "1", 1),
        ("execution.timeout_per_trial", "10m", 600.0),
        ("replicates.count", "5", 5),
        ("objective.direction", "maximize", "maximize"),
        ("statistics.level", "9e-1", 0.9),  # a shell's spelling of a number is one there
        ("experiment", "lab", "lab"),
        ("replicates.racing.max", "12", 12),
        ("confirm.keep", "2", 2),
    ],
)
def test_any_key_can_be_given_on_the_command_line(sweep_file: SweepFile, key: str, text: str, value: Any) -> None:
    assert _get(sweep_file.load(overrides={key: text}), key) == value


def test_a_sampler_given_on_the_command_line_keeps_the_seed_of_the_file(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load_changed(
        "space:", "sampler: {name: grid, seed: 7}\nspace:", {"sampler": "tpe", "trials": "10"}
    )
    assert (sweep.sampler.name, sweep.sampler.seed, sweep.n_trials) == ("tpe", 7, 10)


def test_part_of_a_domain_can_be_given_on_the_command_line(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load(overrides={"space.optimizer.momentum.points": "5"})
    assert sweep.space["optimizer.momentum"] == Range(
        low=0.0, high=0.9, points=5, when={"optimizer.name": ("heavy_ball",)}
    )


def test_null_takes_a_key_away(sweep_file: SweepFile) -> None:
    assert "lr" not in sweep_file.load(overrides={"space.lr": "null"}).space


@pytest.mark.parametrize("key", ["steps", "parameters.steps"])
def test_a_parameter_of_the_study_is_fixed_by_the_command_line(sweep_file: SweepFile, key: str) -> None:
    assert sweep_file.load(overrides={key: "20"}).parameters == {"steps": 20}


def test_a_parameter_fixed_on_the_command_line_leaves_the_space(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load(overrides={"lr": "1e-3"})
    assert ("lr" in sweep.space, sweep.parameters["lr"]) == (False, 0.001)


def test_fixing_a_parent_on_the_command_line_keeps_its_children_conditional(sweep_file: SweepFile) -> None:
    # By hand: without momentum 4 step sizes are left, with it 4 x 2.
    sizes = [sweep_file.load(overrides={"optimizer.name": name}).n_trials for name in ("sgd", "heavy_ball")]
    assert sizes == [4, 8]


def test_hydras_grammar_replaces_the_domains_that_it_names(sweep_file: SweepFile) -> None:
    text = "x=range(0,3,1) lr=tag(log,interval(1e-4,1e-1))"
    space = sweep_file.load(overrides={"space": text}).space
    assert (list(space), space["x"]) == (
        ["lr", "optimizer.name", "optimizer.momentum", "x"],
        Range(low=0.0, high=2.0, step=1.0),
    )


def test_hydras_grammar_keeps_the_points_and_the_condition_of_the_file(sweep_file: SweepFile) -> None:
    text = "optimizer.momentum=interval(0.5,0.6)"
    space = sweep_file.load(overrides={"space": text}).space
    assert space["optimizer.momentum"] == Range(low=0.5, high=0.6, points=2, when={"optimizer.name": ("heavy_ball",)})


def test_a_parameter_that_the_command_line_varies_is_no_longer_fixed(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load(overrides={"space": "steps=10,20"})
    assert (sweep.parameters, sweep.space["steps"]) == ({}, Choice(values=(10, 20)))


def test_parts_given_beside_hydras_grammar_are_added_to_it(sweep_file: SweepFile) -> None:
    overrides = {"space.lr.points": "3", "space": "lr=tag(log,interval(1e-4,1e-2))"}
    # By hand: the three powers of ten from 1e-4 to 1e-2.
    assert sweep_file.load(overrides=overrides).space["lr"].grid_points() == (1e-4, 1e-3, 1e-2)


def test_a_sweep_can_be_sent_to_another_process(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load()
    assert pickle.loads(pickle.dumps(sweep)) == sweep


def test_a_sweep_cannot_be_changed(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load()
    with pytest.raises(ValueError, match="frozen"):
        sweep.trials = 3  # pyright: ignore[reportAttributeAccessIssue]
