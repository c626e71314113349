"""Too much of anything is refused within a second of processor time, before it grows; large sweeps are taken."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml

from rothamsted.caps import MOST_OF_MESSAGE
from rothamsted.errors import SpecError, StudyError, UserError, as_line
from rothamsted.mlproject import MLprojectError, read_mlproject
from rothamsted.spec import Sweep, load_sweep
from rothamsted.starters.from_hydra import from_hydra
from rothamsted.starters.from_optuna import from_optuna
from rothamsted.starters.from_wandb import from_wandb
from rothamsted.studies.command_line import parse
from rothamsted.studies.multirun import combinations
from rothamsted.yaml_text import load, load_json
from tests.spec.conftest import SweepFile
from tests.toy import STUDY

COMMAND = "name: x\ncommand: python train.py {parameters}\nobjective: {metric: loss, direction: minimize}\n"
NINE = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
CHAIN = "space:\n  p0: [0, 1]\n" + "".join(
    f"  p{n}: {{values: [{', '.join(map(str, range(10)))}], when: {{p{n - 1}: [{', '.join(map(str, range(10)))}]}}}}\n"
    for n in range(1, 14)
).replace("when: {p0: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}", "when: {p0: [0, 1]}")
PARENTS = """\
space:
  a: {low: 0.0, high: 1.0, points: 100000}
  b: {low: 0.0, high: 1.0, points: 100000}
  c: {values: [1, 2], when: {a: 0.0}}
  d: {values: [1, 2], when: {b: 0.0}}
"""
RING = "space:\n" + "".join(
    f"  p{n}: [1, 2]\n  c{n}: {{values: [1, 2], when: {{p{n}: 1, p{(n + 1) % 20}: 2}}}}\n" for n in range(20)
)
ONE = "space: {a: [1, 2]}\n"
# what is too much -> (text after COMMAND, what must be said)
TOO_MUCH = {
    "aliases of aliases": (NINE, "with its aliases written out it has more than 10000 keys and values"),
    "deep lists": ("x: " + "[" * 2_000 + "]" * 2_000, "is nested deeper than 20 levels"),
    "deep mappings": ("x: " + "{a: " * 2_000 + "1" + "}" * 2_000, "is nested deeper than 20 levels"),
    "digits": ("trials: " + "9" * 5_000, "a number of 5000 digits, and at most 100"),
    "digits of a float": ("timeout: " + "9" * 5_000 + ".5", "a number of 5002 digits"),
    "comments": ("# " + "x" * 5_000_000, "has more than 200000 characters"),
    "keys": (f"x: [{', '.join(['1'] * 20_000)}]", "has more than 10000 keys and values"),
    "a chain of when": (CHAIN, "a grid of 20000000000000 conditions"),
    "two parents of 100,000 points": (PARENTS, "a grid of 10000200001 conditions, and at most 1000000"),
    "a ring of when": (RING, "its `when` can switch parameters on and off in too many ways"),
    "60,000 choices": (f"space: {{a: [{', '.join(map(str, range(60_000)))}]}}", "more than 200000 characters"),
    "2,000 choices": (f"space: {{a: [{', '.join(map(str, range(2_000)))}]}}", "space.a: 2000 values, and at most 1000"),
    "parameters": ("space:\n" + "".join(f"  p{n}: [1]\n" for n in range(101)), "101 parameters, and at most 100"),
    "enqueued": (ONE + "enqueue:\n" + "- {a: 1}\n" * 2_000, "2000 conditions named by hand, and at most 1000"),
    "constraints": (ONE + f"constraints: [{', '.join(['a < 1'] * 2_000)}]", "2000 constraints, and at most 100"),
    "stages": (ONE + "stages:\n- {}\n" + "- {keep: 1}\n" * 999, "1000 stages, and at most 20"),
    "memory": (
        ONE + f"execution: {{memory_limit: {'9' * 400}GB}}",
        "must be less than or equal to 1152921504606846976",
    ),
    "memory of a cluster": (
        ONE + f"execution: {{executor: ray, resources: {{memory: {'9' * 400}GB}}}}",
        "resources: memory: should be at most 1152921504606846976 bytes",
    ),
    "a duration": (ONE + f"timeout: {'9' * 90}d", "timeout: must be less than or equal to 1000000000"),
    "crossed replicates": (
        ONE + "seed_parameter: s\nreplicates: {vary: {s: 100, b: 100, c: 100, d: 100}}",
        "makes 100000000 replicates of a condition",
    ),
    "workers": (ONE + "execution: {workers: 1000000000}", "execution.workers: must be a whole number from 1 to 10000"),
    "workers of one machine": (
        ONE + "execution: {workers: 1001}",
        "one machine runs at most 1000 processes, not 1001",
    ),
    "replicates": (ONE + "replicates: 1000000000", "replicates.count: must be less than or equal to 10000"),
    "trials": (ONE + "sampler: tpe\ntrials: 1000000000", "trials: must be less than or equal to 1000000"),
    "patience": (ONE + f"early_stopping: {10**13}", "early_stopping.patience: must be less than or equal to"),
    "a pruner's patience": (
        ONE + "pruner: {name: patient, patience: 10000000000000}",
        "pruner.patience: must be at most 1e+12",
    ),
    "an exponent of a pruner": (
        ONE + "pruner: {name: asha, min_early_stopping_rate: 1000000000}",
        "pruner.min_early_stopping_rate: must be at most 40",
    ),
    "epochs of a pruner": (
        ONE + f"pruner: {{name: median, warmup_steps: '{'9' * 5_000} epochs'}}",
        "pruner.warmup_steps: must be a whole number of steps",
    ),
    "kept": (ONE + "stages: [{}, {keep: 1000000000}]", "stages[1].keep: must be less than or equal to 1000000"),
    "GPUs": (ONE + "execution: {devices: [1000000000]}", "a list of numbers below 1000 such as [0, 1]"),
    "cores": (
        ONE + "execution: {executor: ray, resources: {CPU: 1.0e+30}}",
        "CPU: should be a number above 0, at most",
    ),
}
# what is too much -> (key and value of the command line, what must be said)
TOO_LONG = {
    "a score": ({"objective": f"{{expression: 'a{'+a' * 10_000}', direction: minimize}}"}, "of 20001 characters"),
    "a deep score": (
        {"objective": f"{{expression: '{'-' * 900}a', direction: minimize}}"},
        "deeper than 50 operations",
    ),
    "a value": ({"note": "x" * 300_000}, "characters, and at most 200000"),
    "a key": ({"a." * 50_000: "1"}, "a key of 100000 characters, and at most 250"),
    "keys": ({f"a{n}": "1" for n in range(20_000)}, "keys, and at most 1000"),
    "a space": ({"space": "a=" + ",".join(map(str, range(10_000)))}, "characters, and at most 5000"),
    "a deep space": ({"space": f"a={'[' * 1_000}1{']' * 1_000}"}, "is nested deeper than 20 brackets"),
    "deep parameters": ({"set": f"a={'{b:' * 1_000}1{'}' * 1_000}"}, "is nested deeper than 20 brackets"),
}
GRID = """\
name: large
study: toy
metric: val_loss
direction: minimize
space:
  lr: {low: 1.0e-3, high: 1.0, log: true, points: 100}
"""
ENQUEUED = "enqueue:\n" + "".join(f"- {{lr: {n / 1_000 + 0.0005}}}\n" for n in range(1, 401))
LARGE = {
    "a grid of 10,000": (GRID + "  steps: {low: 11, high: 110, points: 100}\n", 10_000),
    "3,000 trials": (GRID + "sampler: tpe\ntrials: 3000\n", 3_000),
    "400 enqueued beside 100": (GRID + ENQUEUED, 500),
}


def in_a_second(began: float) -> bool:
    """Whether less than a second of processor time has passed."""
    return time.process_time() - began < 1.0


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_file_with_too_much_is_refused_in_one_line_at_once(name: str, tmp_path: Path) -> None:
    text, said = TOO_MUCH[name]
    path = tmp_path / "sweep.yaml"
    path.write_text(COMMAND + text, encoding="utf-8")
    began = time.process_time()
    with pytest.raises(SpecError) as refused:
        load_sweep(path, parameter_names=lambda study: None)
    assert in_a_second(began)
    line = str(refused.value)
    assert said in line
    assert line.isprintable()
    assert len(line) <= MOST_OF_MESSAGE


@pytest.mark.parametrize("name", TOO_LONG)
def test_a_command_line_with_too_much_is_refused_in_one_line_at_once(name: str) -> None:
    overrides, said = TOO_LONG[name]
    given = {"command": "python train.py {parameters}", "metric": "loss", "direction": "minimize", **overrides}
    began = time.process_time()
    with pytest.raises(SpecError) as refused:
        load_sweep(
            None,
            {k: v for k, v in given.items() if "objective" not in overrides or k != "metric"},
            parameter_names=lambda study: None,
        )
    assert in_a_second(began)
    assert said in str(refused.value)
    assert len(str(refused.value)) <= MOST_OF_MESSAGE


def test_every_whole_number_of_a_sweep_file_has_a_greatest_value() -> None:
    """Asked of the JSON schema that pydantic makes of the sections: what has a reader of its own is in `TOO_MUCH`."""
    sections = json.loads(json.dumps(Sweep.model_json_schema(mode="serialization"), default=str))
    found = {
        f"{name}.{key}": one
        for name, section in {"Sweep": sections, **sections["$defs"]}.items()
        for key, field in section.get("properties", {}).items()
        for one in (field, *field.get("anyOf", ()), *(field.get("items", {}),))
        if one.get("type") == "integer" and name not in ("Range", "Choice")  # a domain, see `MOST_GRID_POINTS`
    }
    own = {"Execution.workers", "Execution.population", "Execution.memory_limit"}
    assert {"Sweep.trials", "Replicates.count", "Stage.keep", "EarlyStopping.patience", *own} <= set(found)
    assert {key for key, one in found.items() if "maximum" not in one and "exclusiveMaximum" not in one} <= own


@pytest.mark.parametrize("name", LARGE)
def test_a_large_sweep_is_taken_at_once(name: str, sweep_file: SweepFile) -> None:
    text, n_trials = LARGE[name]
    sweep_file.load(text)
    began = time.process_time()
    assert sweep_file.load(text).n_trials == n_trials
    assert in_a_second(began)


@pytest.mark.parametrize("words", [["--lr=0.1"] * 2_000, [f"--lr={'x' * 300_000}"]])
def test_a_line_by_hand_with_too_much_is_refused(words: list[str]) -> None:
    with pytest.raises(StudyError, match="are allowed; write a file: --config FILE"):
        parse(STUDY, words)


def test_more_combinations_than_anybody_waits_for_are_refused() -> None:
    with pytest.raises(StudyError, match=r"-m: 1000000 combinations, and at most 10000 are allowed"):
        combinations(["-m", "steps=range(0,1000,1)", "seed=range(0,1000,1)"])


@pytest.mark.parametrize("text", [NINE, "x: " + "[" * 2_000, "x: " + "9" * 5_000, "# " + "x" * 300_000, "x: 0b_"])
def test_a_file_of_others_with_too_much_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "MLproject").write_text(text, encoding="utf-8")
    began = time.process_time()
    with pytest.raises(MLprojectError) as refused:
        read_mlproject(tmp_path)
    assert str(refused.value).startswith(str(tmp_path))
    for read in (from_wandb, lambda path: from_hydra(path, here=tmp_path), from_optuna):
        with pytest.raises(UserError):
            read(str(tmp_path / "MLproject"))
    assert in_a_second(began)


@pytest.mark.parametrize(
    "text", ["2020-99-99", "!!int x", "!!float ''", "!!timestamp x", "0b_", "? [1]\n: 2", "!!python/name:os.x"]
)
def test_what_is_no_plain_value_is_no_yaml(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load(text)


def test_json_of_any_depth_is_refused_as_json() -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        load_json("[" * 100_000)


def test_a_message_is_one_line_that_can_be_printed() -> None:
    assert as_line("no\x1b[31m such\nfile \udc80") == r"no\x1b[31m such file \udc80"
    line = as_line(f"place: {'x' * 5_000}; way out")
    assert (len(line), line[:8], line[-9:]) == (MOST_OF_MESSAGE, "place: x", "; way out")
