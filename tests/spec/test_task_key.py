"""A factor that is the task: how a file says it, and what is refused beside it."""

from __future__ import annotations

import pytest

from rothamsted.errors import SpecError
from rothamsted.spec import from_resolved, resolved
from tests.spec.conftest import SweepFile

TEXT = """\
# Question: which step size is best over tasks?
name: toy-tasks
study: toy
parameters: {steps: 10}
space:
  lr: [0.1, 0.3, 0.5]
  x: [0.0, 0.5]
objective: {metric: val_loss, direction: minimize}
task: x
"""


def test_a_task_may_be_a_name_or_a_mapping(sweep_file: SweepFile) -> None:
    assert sweep_file.load(TEXT) == sweep_file.load(TEXT.replace("task: x", "task: {factor: x, scale: range}"))
    given = sweep_file.load(TEXT.replace("task: x", "task: {factor: x, scale: {'0.0': [0, 1], '0.5': [0, 2]}}"))
    assert given.task is not None
    assert given.task.scale == {"0.0": (0.0, 1.0), "0.5": (0.0, 2.0)}


def test_a_sweep_with_a_task_comes_back_from_its_record(sweep_file: SweepFile) -> None:
    for scale in ("range", "none", "{'0.0': [0, 1], '0.5': [0, 2]}"):
        sweep = sweep_file.load(TEXT.replace("task: x", f"task: {{factor: x, scale: {scale}}}"))
        again = from_resolved(resolved(sweep))
        assert (resolved(again), again.task) == (resolved(sweep), sweep.task)


def test_a_sweep_without_a_task_is_recorded_as_before(sweep_file: SweepFile) -> None:
    assert "task" not in resolved(sweep_file.load())


def test_a_reference_is_a_condition_without_the_task(sweep_file: SweepFile) -> None:
    with_reference = TEXT + "statistics: {reference: {lr: 0.3}}\n"
    assert sweep_file.load(with_reference).statistics.reference == {"lr": 0.3}
    with pytest.raises(SpecError, match=r"statistics\.reference"):
        sweep_file.load(with_reference.replace("task: x\n", ""))


MISTAKES = {
    "not in the space": ("task: x", "task: y", "sweep.yaml:9: task: 'y' is not in the space; there are: lr, x"),
    "one task": ("x: [0.0, 0.5]", "x: [0.0]", "must be a choice of two tasks or more"),
    "a range": ("x: [0.0, 0.5]", "x: {low: 0.0, high: 0.5, points: 2}", "must be a choice of two tasks or more"),
    "nothing beside it": ("  lr: [0.1, 0.3, 0.5]\n", "", "all that the space has"),
    "another sampler": ("task: x", "sampler: tpe\ntrials: 4\ntask: x", "cannot be given with sampler tpe"),
    "a budget": ("task: x", "sampler: exhaustive\ntrials: 4\ntask: x", "with trials: 4"),
    "a confirmation": ("task: x", "confirm: {keep: 1}\ntask: x", "confirm: chooses single runs"),
    "stages": ("task: x", "stages: [{}, {keep: 1}]\ntask: x", "stages: chooses single runs"),
    "a race": ("task: x", "replicates: {racing: {min: 3, max: 5}}\ntask: x", "cannot be given with task: would drop"),
    "scale of another task": ("task: x", "task: {factor: x, scale: {'0.0': [0, 1]}}", "'0.5' has no ends"),
    "ends that are none": ("task: x", "task: {factor: x, scale: {'0.0': [1, 0]}}", "low below high"),
    "no scale": ("task: x", "task: {factor: x, scale: log}", "must be range, none, or the ends"),
}


@pytest.mark.parametrize(("old", "new", "says"), MISTAKES.values(), ids=MISTAKES)
def test_what_a_task_cannot_stand_beside_is_one_line(sweep_file: SweepFile, old: str, new: str, says: str) -> None:
    with pytest.raises(SpecError) as error:
        sweep_file.load(TEXT.replace(old, new, 1))
    assert says in str(error.value)
    assert "\n" not in str(error.value)
