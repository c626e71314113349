"""Samplers, objectives, constraints, pruning, warm start, conditions by hand: what a file says and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from rothamsted.catalog import PRUNERS, SAMPLERS
from rothamsted.errors import SpecError
from rothamsted.spec import Begun, Growth, Objective, WarmStart, from_resolved, growth, plan, resolved
from tests.spec.conftest import SweepFile

FLAT = "{lr: {low: 1.0e-3, high: 1.0, log: true, points: 4}, x: {low: 0.0, high: 1.0, points: 2}}"
TODAYS_KEYS = ["name", "study", "parameters", "space", "objective", "sampler", "replicates", "execution"]
TODAYS_KEYS += ["statistics", "storage"]
TWO = "[{metric: val_loss, direction: minimize}, {metric: seconds, direction: minimize}]"
TPE = {"sampler": "tpe", "trials": "10"}
GRID_CONDITION = "{lr: 1.0, optimizer.name: sgd}"  # the last step size of the toy's grid
OFF_GRID = "{lr: 0.5, optimizer: {name: heavy_ball, momentum: 0.25}}"


def test_todays_sweeps_are_resolved_as_before(sweep_file: SweepFile) -> None:
    # Authority: what version 0.1 before these keys recorded; sweeps of that time must go on.
    plain = resolved(sweep_file.load())
    assert (list(plain), plain["objective"], plain["execution"]) == (
        TODAYS_KEYS,
        {"metric": "val_loss", "direction": "minimize", "reduce": "last"},
        {
            "executor": "local",
            "workers": "auto",
            "population": 1,
            "retries": 0,
            "checkpoint_every": 30.0,
            "checkpoint_dir": "checkpoints",
            "lease_seconds": 60.0,
            "report": True,
        },
    )


VARIANTS: dict[str, dict[str, str]] = {
    "pruner": {**TPE, "pruner": "median", "pruner.startup_trials": "3"},
    "pruner in epochs": {**TPE, "pruner": "{name: hyperband, min_resource: 3 epochs, max_resource: 27 epochs}"},
    "wrapped pruner": {**TPE, "pruner": "{name: patient, patience: 5, wrapped: median}"},
    "threshold": {"pruner": "{name: threshold, upper: 3}"},
    "early stopping": {"early_stopping": "{patience: 10, min_delta: 1e-3}"},
    "early stopping by another metric": {"early_stopping": "{patience: 1, metric: acc, direction: maximize}"},
    "several objectives": {"objective": TWO},
    "a score": {"objective": "{expression: 'val_loss + 0.1 * seconds', direction: minimize}"},
    "constraints": {**TPE, "constraints": "['seconds < 60', '{train/acc} - val_acc <= 3']"},
    "warm start": {**TPE, "warm_start": "earlier"},
    "warm start elsewhere": {**TPE, "warm_start": "{sweep: toy-lr, storage: 'sqlite:///other.db'}"},
    "by hand": {"enqueue": f"[{GRID_CONDITION}, {OFF_GRID}]"},
    "exhaustive": {"sampler": "exhaustive", "trials": "5"},
    "stages": {"stages": "[{parameters: {steps: 20}}, {keep: 2, by: interval, parameters: {x: 0.5}, replicates: 5}]"},
}


@pytest.mark.parametrize("overrides", VARIANTS.values(), ids=VARIANTS)
def test_a_resolved_sweep_gives_the_sweep_back(sweep_file: SweepFile, overrides: dict[str, str]) -> None:
    sweep = sweep_file.load(overrides=overrides)
    plain = resolved(sweep)
    assert resolved(from_resolved(json.loads(json.dumps(plain)))) == plain
    assert resolved(sweep_file.load(yaml.safe_dump(plain, sort_keys=False))) == plain


@pytest.mark.parametrize("overrides", VARIANTS.values(), ids=VARIANTS)
def test_a_sweep_goes_on_with_all_its_keys_and_not_without_one(
    sweep_file: SweepFile, overrides: dict[str, str]
) -> None:
    plain = resolved(sweep_file.load(overrides=overrides))
    new = {"pruner", "early_stopping", "warm_start", "enqueue", "stages"} & set(plain)
    sweep = from_resolved(plain)
    assert growth(sweep, sweep, Begun()) == Growth()
    for key in new:
        other = from_resolved({name: value for name, value in plain.items() if name != key})
        assert any(line.startswith(key) for line in growth(sweep, other, Begun()).refused)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_of_the_catalog_can_be_named(sweep_file: SweepFile, name: str) -> None:
    budget = {} if SAMPLERS[name].needs_finite_space else {"trials": "10"}
    text = f"name: a\nstudy: toy\nspace: {FLAT}\nobjective: {{metric: m, direction: minimize}}\n"
    # By hand: the grid of 4 step sizes and 2 values of x has 8 conditions.
    assert sweep_file.load(text, {"sampler": name, **budget}).n_trials == (10 if budget else 8)


@pytest.mark.parametrize(("name", "n_trials"), [("grid", None), ("exhaustive", None), ("exhaustive", 7)])
def test_an_exhaustive_search_takes_a_budget_of_at_most_its_size(
    sweep_file: SweepFile, name: str, n_trials: int | None
) -> None:
    budget = {} if n_trials is None else {"trials": str(n_trials)}
    assert sweep_file.load(overrides={"sampler": name, **budget}).n_trials == (n_trials or 12)


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_of_the_catalog_has_its_defaults_written_out(sweep_file: SweepFile, name: str) -> None:
    required = {key: 9 for key, option in PRUNERS[name].options.items() if option.is_required}
    required |= dict.fromkeys(PRUNERS[name].needs_one_of[:1], 2.0)
    pruner = sweep_file.load(overrides={"pruner": json.dumps({"name": name, **required})}).pruner
    defaults = {key: option.default for key, option in PRUNERS[name].options.items() if option.default is not None}
    assert pruner is not None
    assert pruner.plain == {"name": name, **defaults, **required}


def test_numbers_that_are_left_out_beside_epochs_are_of_epochs(sweep_file: SweepFile) -> None:
    plain = {"name": "median", "startup_trials": 5, "warmup_steps": "3 epochs", "interval_steps": "1 epoch"}
    pruner = sweep_file.load(overrides={"pruner": "median", "pruner.warmup_steps": "3 epochs"}).pruner
    assert pruner is not None
    assert pruner.plain == {**plain, "min_trials": 1}
    assert pruner.in_epochs


def test_a_pruner_named_on_the_command_line_takes_no_options_of_another(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load_changed("name:", "pruner: {name: patient, patience: 5}\nname:", {"pruner": "median"})
    assert sweep.pruner is not None
    assert sweep.pruner.name == "median"


def test_a_score_is_optimised_under_its_name(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load(overrides={"objective": "{expression: a - b, direction: maximize}"})
    assert sweep.objectives == (
        Objective(metric="score", direction="maximize", expression="a - b", name="score"),  # the default of the name
    )
    named = sweep_file.load(overrides={"objective": "{expression: a - b, direction: maximize, name: gap}"})
    assert named.objective.metric == "gap"


def test_several_objectives_keep_their_order(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load(overrides={"objective": TWO})
    assert [one.metric for one in sweep.objectives] == ["val_loss", "seconds"]
    assert sweep.objective is sweep.objectives[0]


def test_early_stopping_looks_at_the_objective_unless_another_metric_is_named(sweep_file: SweepFile) -> None:
    def stopping(text: str) -> Any:
        return sweep_file.load(overrides={"early_stopping": text, "objective": TWO}).stopping

    assert stopping("{patience: 3}") == ("val_loss", "minimize")
    assert stopping("{patience: 3, metric: seconds}") == ("seconds", "minimize")
    assert stopping("{patience: 3, metric: acc, direction: maximize}") == ("acc", "maximize")


def test_a_warm_start_is_from_the_same_storage_unless_another_is_named(sweep_file: SweepFile) -> None:
    assert sweep_file.load(overrides={**TPE, "warm_start": "earlier"}).warm_start == WarmStart(sweep="earlier")


def test_conditions_by_hand_count_once_with_those_of_the_grid(sweep_file: SweepFile) -> None:
    # By hand: 12 conditions of the grid, one of the two by hand among them.
    sweep = sweep_file.load(overrides={"enqueue": f"[{GRID_CONDITION}, {OFF_GRID}]"})
    assert (sweep.n_trials, plan(sweep).n_conditions) == (13, 13)


def test_conditions_by_hand_are_among_the_trials_of_a_sampler(sweep_file: SweepFile) -> None:
    assert sweep_file.load(overrides={**TPE, "enqueue": f"[{OFF_GRID}]"}).n_trials == 10


def test_a_value_by_hand_is_the_value_of_its_domain(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load(overrides={"enqueue": "[{lr: 1, optimizer.name: sgd}]"})
    assert (sweep.enqueue[0]["lr"], type(sweep.enqueue[0]["lr"])) == (1.0, float)


# text before the toy's name -> what the one line says, the place in line 2 first
MISTAKES = {
    "a sampler without conditions": ("sampler: gp\ntrials: 5", "sampler.name: gp cannot do a space with `when`; give"),
    "an exhaustive budget above the size": (
        "sampler: exhaustive\ntrials: 13",
        "trials: 13 is more than the 12 conditions",
    ),
    "an unknown pruner": ("pruner: medium", "pruner.name: there is no pruner 'medium'; did you mean median?"),
    "no pruner": ("pruner: {startup_trials: 3}", "pruner.name: is missing"),
    "an unknown option": ("pruner: {name: median, startup: 3}", "pruner.startup: is not an option of pruner median"),
    "an option of another type": ("pruner: {name: median, startup_trials: 3.5}", "must be a whole number, not 3.5"),
    "an option out of bounds": ("pruner: {name: percentile, percentile: 120}", "must be at most 100, not 120"),
    "a missing option": ("pruner: {name: patient}", "pruner.patience: is missing: pruner patient needs it"),
    "neither of two options": ("pruner: threshold", "pruner: pruner threshold needs lower or upper; give one"),
    "two units": (
        "pruner: {name: hyperband, min_resource: 30, max_resource: 9 epochs}",
        "pruner.min_resource: is in steps, and max_resource in epochs: '9 epochs'; give both in one unit",
    ),
    "epochs upside down": (
        "pruner: {name: hyperband, min_resource: 10 epochs, max_resource: 9 epochs}",
        "pruner.min_resource: '10 epochs' is above max_resource '9 epochs'; swap them",
    ),
    "no epoch": ("pruner: {name: asha, min_resource: 0 epochs}", "pruner.min_resource: must be 1 or more, not 0"),
    "another unit": (
        "pruner: {name: asha, min_resource: 3 minutes}",
        """must be a whole number of steps, or of epochs as in "3 epochs", not '3 minutes'""",
    ),
    "trials in epochs": ("pruner: {name: median, startup_trials: 3 epochs}", "must be a whole number, not '3 epochs'"),
    "bounds upside down": ("pruner: {name: threshold, lower: 2, upper: 1}", "pruner.lower: 2.0 is above upper 1.0"),
    "a wrapped pruner over replicates": (
        "pruner: {name: patient, patience: 2, wrapped: wilcoxon}",
        "pruner.wrapped.name: wilcoxon looks at replicates",
    ),
    "an unknown option of a wrapped pruner": (
        "pruner: {name: patient, patience: 2, wrapped: {name: asha, x: 1}}",
        "pruner.wrapped.x: is not an option of pruner asha",
    ),
    "a pruner in a list": ("pruner: [median]", "pruner: must be a name or a mapping"),
    "a pruner of several objectives": (f"pruner: median\nobjective: {TWO}", "pruner: judges by one objective"),
    "a pruner in a race": ("pruner: median\nreplicates: {racing: {}}", "a race drops conditions by whole replicates"),
    "wilcoxon with one replicate": ("pruner: wilcoxon\nreplicates: 1", "pruner.name: wilcoxon compares replicates"),
    "no patience": ("early_stopping: {min_delta: 1.0}", "early_stopping.patience: is missing"),
    "an unknown key of early stopping": ("early_stopping: {patince: 1}", "did you mean patience?"),
    "early stopping without a direction": (
        "early_stopping: {patience: 1, metric: acc}",
        "early_stopping.direction: is missing: 'acc' is not an objective",
    ),
    "early stopping against the objective": (
        "early_stopping: {patience: 1, direction: maximize}",
        "early_stopping.direction: maximize, but the objective is to minimize",
    ),
    "an objective as text": ("objective: val_loss", "objective: must be a mapping such as {metric: val_loss,"),
    "an objective as a number": ("objective: 3", "objective: must be a mapping such as {metric: val_loss,"),
    "no objective in a list": ("objective: []", "objective: must"),
    "metric and expression": (
        "objective: {metric: a, expression: b + c, direction: minimize}",
        "objective: metric 'a' cannot be given with expression; give one of the two",
    ),
    "an objective on test rows": (
        "objective: {metric: test/accuracy, direction: maximize}",
        "objective.metric: test/accuracy is measured on rows that no choice may use",
    ),
    "a score on test rows": (
        "objective: [{metric: a, direction: minimize}, {expression: 'b + {test/loss}', direction: minimize}]",
        "objective[1].expression: test/loss is measured on rows that no choice may use",
    ),
    "a constraint on test rows": ("constraints: ['{test/loss} < 1']", "constraints[0]: test/loss is measured on rows"),
    "early stopping on test rows": (
        "early_stopping: {patience: 2, metric: test/loss, direction: minimize}",
        "early_stopping.metric: test/loss is measured on rows",
    ),
    "no expression": (
        "objective: {expression: 'open(1)', direction: minimize}",
        "objective.expression: 'open(1)' at character 1: open is not a known function",
    ),
    "a score named as its metric": (
        "objective: {expression: score + 1, direction: minimize}",
        "objective: name 'score' is that of a metric in the expression",
    ),
    "a name of a metric": (
        ("objective: {metric: a, name: b, direction: minimize}"),
        "a metric has a name already; remove name",
    ),
    "two scores of one name": (
        "objective: [{expression: a + 1, direction: minimize}, {expression: b, direction: minimize}]",
        "objective[1].name: 'score' is an objective twice; give each score a name of its own",
    ),
    "one metric twice": (
        "objective: [{metric: a, direction: minimize}, {metric: a, direction: maximize}]",
        "objective[1].metric: 'a' is an objective twice; remove one",
    ),
    "a score of a score": (
        "objective: [{expression: a + 1, direction: minimize}, {expression: score, name: b, direction: minimize}]",
        "objective[1].expression: 'score' is a score itself",
    ),
    "a mistake in the second objective": (
        "objective: [{metric: a, direction: minimize}, {metric: b, directon: minimize}]",
        "objective[1].directon: is not a key of a sweep file here; did you mean direction?",
    ),
    "a constraint that is none": ("constraints: ['a == 1']", "constraints[0]: 'a == 1' at character 1: must be one"),
    "a constraint that is no list": ("constraints: a < 1", "constraints: must be a list, not 'a < 1'"),
    "a constraint that is no text": ("constraints: [1]", "constraints[0]: must be text such as seconds < 60, not 1"),
    "a warm start of a grid": ("warm_start: earlier", "warm_start: sampler grid does not look at results"),
    "a warm start of itself": (
        "warm_start: toy-lr\nsampler: tpe\ntrials: 5",
        "warm_start.sweep: is this sweep itself",
    ),
    "a condition that lacks a parameter": ("enqueue: [{lr: 0.1}]", "enqueue[0].optimizer.name: is missing from the"),
    "a condition with an inactive parameter": (
        "enqueue: [{lr: 0.1, optimizer.name: sgd, optimizer.momentum: 0.1}]",
        "enqueue[0].optimizer.momentum: is not active",
    ),
    "a condition outside the space": ("enqueue: [{lr: 9.0, optimizer.name: sgd}]", "enqueue[0].lr: 9.0 lies outside"),
    "a condition with an unknown parameter": ("enqueue: [{rl: 1.0}]", "enqueue[0].rl: is not a parameter"),
    "a condition with text for a number": (
        "enqueue: [{lr: fast, optimizer.name: sgd}]",
        "lr: must be a number",
    ),
    "a condition twice": (
        "enqueue: [{lr: 1.0, optimizer.name: sgd}, {lr: 1, optimizer.name: sgd}]",
        "enqueue[1]: is the same condition as enqueue[0]; remove one",
    ),
    "a condition that is none": ("enqueue: [3]", "enqueue[0]: must"),
    "conditions in no list": ("enqueue: {lr: 1.0}", "enqueue: must be a list"),
    "more conditions than trials": (
        "enqueue: [{lr: 0.1, optimizer.name: sgd}, {lr: 0.2, optimizer.name: sgd}]\nsampler: tpe\ntrials: 1",
        "enqueue: 2 conditions, but trials is 1",
    ),
    "a race of several objectives": (
        f"replicates: {{racing: {{}}}}\nobjective: {TWO}",
        "a race needs one objective",
    ),
}


@pytest.mark.parametrize(("text", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_line(sweep_file: SweepFile, text: str, says: str) -> None:
    objective = "" if "objective:" in text else "objective: {metric: val_loss, direction: minimize}\n"
    toy = f"study: toy\n{text}\n{objective}name: toy-lr\nparameters: {{steps: 10}}\n{_space()}"
    with pytest.raises(SpecError) as error:
        sweep_file.load(toy)
    message = str(error.value)
    assert (message.startswith("sweep.yaml:"), says in message, "\n" in message) == (True, True, False), message


def _space() -> str:
    return (
        "space:\n  lr: {low: 1.0e-3, high: 1.0, log: true, points: 4}\n  optimizer.name: [sgd, heavy_ball]\n"
        "  optimizer.momentum: {low: 0.0, high: 0.9, points: 2, when: {optimizer.name: heavy_ball}}\n"
    )


ABILITIES = {
    "choices": ("cmaes", "{lr: {low: 0.1, high: 1.0}, optimizer.name: [sgd, heavy_ball]}", {}, "a space with choices"),
    "objectives": ("cmaes", FLAT, {"objective": TWO}, "several objectives"),
    "constraints": ("cmaes", FLAT, {"constraints": "[seconds < 3]"}, "constraints"),
    "one parameter": ("cmaes", "{lr: {low: 0.1, high: 1.0}}", {}, "needs 2 parameters or more"),
}


@pytest.mark.parametrize(("name", "space", "more", "says"), ABILITIES.values(), ids=ABILITIES)
def test_what_a_sampler_cannot_do_is_refused_with_samplers_that_can(
    sweep_file: SweepFile, name: str, space: str, more: dict[str, str], says: str
) -> None:
    text = f"name: a\nstudy: toy\nspace: {space}\nobjective: {{metric: m, direction: minimize}}\n"
    with pytest.raises(SpecError, match=r"command line: sampler\.name: ") as error:
        sweep_file.load(text, {"sampler": name, "trials": "10", **more})
    assert (says in str(error.value), "tpe" in str(error.value)) == (True, True)


def test_a_promotion_may_be_added_to_a_sweep_that_goes_on(sweep_file: SweepFile) -> None:
    # docs/sweep-file.md: promote may change.
    before = {"confirm.replicates": "5"}
    old, new = (sweep_file.load(overrides=given) for given in (before, {**before, "promote": "registry/toy.yaml"}))
    assert growth(old, new, Begun()) == Growth()
