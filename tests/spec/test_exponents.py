"""`1e-3`, which YAML 1.1 reads as text, is a number wherever a number is expected, and text where text is."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from rothamsted.space import Choice, Range
from rothamsted.spec import resolved
from tests.spec.conftest import SweepFile

FILE = """
name: 1e5
study: toy
parameters: {x: -2e-1, steps: 1e1, kill_marker: 1e-3}
space:
  lr: {low: 1e-3, high: 1e0, log: true, points: 4}
  data.noise: [0, 1e-4, 1E-2]
  n_points: {low: 1, high: 1e1, points: 2}
objective: {metric: val_loss, direction: minimize}
statistics: {smallest_difference: 5e-3}
replicates: {count: 1e1}
execution: {checkpoint_every: 1e2}
"""


def test_a_number_with_an_exponent_is_what_its_key_takes(sweep_file: SweepFile) -> None:
    sweep = sweep_file.load(FILE)
    assert sweep.parameters == {"x": -0.2, "steps": 10, "kill_marker": "1e-3"}
    assert sweep.space == {
        "lr": Range(low=0.001, high=1.0, log=True, points=4),
        "data.noise": Choice(values=(0, 0.0001, 0.01)),
        "n_points": Range(low=1, high=10, points=2, is_integer=True),
    }
    assert (sweep.name, len(sweep.replicates.values)) == ("1e5", 10)
    assert (sweep.statistics.smallest_difference, sweep.execution.checkpoint_every) == (0.005, 100.0)


def test_it_is_recorded_as_the_number_written_out(sweep_file: SweepFile) -> None:
    plain = resolved(sweep_file.load(FILE))
    text = FILE
    for exponent, out in (("-2e-1", "-0.2"), ("1e1}", "10}"), ("1e1,", "10,"), ("1e0", "1.0"), ("5e-3", "0.005")):
        text = text.replace(exponent, out)
    text = text.replace("low: 1e-3", "low: 0.001").replace("1e-4, 1E-2", "0.0001, 0.01").replace("1e2", "100.0")
    text = text.replace("kill_marker: 1e-3", "kill_marker: '1e-3'").replace("name: 1e5", "name: '1e5'")
    assert resolved(sweep_file.load(text)) == plain
    assert yaml.safe_load(yaml.safe_dump(plain)) == json.loads(json.dumps(plain))  # plain numbers and texts


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"lr": "1e-2"}, {"lr": 0.01}),
        ({"steps": "1e2"}, {"steps": 100}),
        ({"kill_marker": "1e-2"}, {"kill_marker": "1e-2"}),
    ],
)
def test_on_the_command_line_too(sweep_file: SweepFile, overrides: dict[str, str], expected: dict[str, Any]) -> None:
    parameters = sweep_file.load(overrides=overrides).parameters
    assert {name: parameters[name] for name in expected} == expected
    assert [type(parameters[name]) for name in expected] == [type(value) for value in expected.values()]


def test_in_enqueued_conditions_stages_and_the_options_of_a_pruner(sweep_file: SweepFile) -> None:
    more = {
        "sampler": "random",
        "trials": "1e1",
        "enqueue": "[{lr: 1e-2, optimizer.name: sgd}]",
        "pruner": "{name: hyperband, min_resource: 1e0, max_resource: 1e2}",
        "stages": "[{}, {keep: 1e0, parameters: {x: 1e-1, steps: 2e1}}]",
    }
    sweep = sweep_file.load(overrides=more)
    assert sweep.enqueue == ({"lr": 0.01, "optimizer.name": "sgd"},)
    assert (sweep.trials, sweep.stages[1].keep, sweep.stages[1].parameters) == (10, 1, {"x": 0.1, "steps": 20})
    assert sweep.pruner is not None
    assert sweep.pruner.options["max_resource"] == 100
