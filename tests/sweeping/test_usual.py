"""What is filled in where nothing is said is the same for a call and for the command line."""

from __future__ import annotations

import pytest

import rothamsted as rt
from rothamsted.cli.sweep_target import take_file
from rothamsted.sweeping.open.from_file import load
from tests.sweeping.conftest import Project

SCRIPTS = {
    "plain": "def train(seed: int, lr: float = 0.1):\n    return lr\n",
    "declared": (
        "from rothamsted import Metric, study\n\n"
        "@study(metrics={'loss': Metric(direction='minimize')})\n"
        "def train(seed: int, lr: float = 0.1):\n    return {'loss': lr}\n"
    ),
}


@pytest.mark.parametrize("trials", [None, 2])
@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_a_call_and_a_command_fill_in_the_same(project: Project, script: str, trials: int | None) -> None:
    (project.root / "train.py").write_text(SCRIPTS[script])
    found = {"config": "train.py:train", "space": "lr=0.1,0.2", "direction": "minimize"}
    found |= {} if trials is None else {"trials": str(trials)}
    assert take_file(found, project.root) is None
    by_command, _ = load(None, found, project.root)
    by_call = rt.Sweep("train.py:train", {"lr": [0.1, 0.2]}, direction="minimize", trials=trials).spec
    assert (by_command.name, by_command.objective.metric, by_command.sampler.name) == (
        "train",
        "loss" if script == "declared" else "value",
        "grid" if trials is None else "tpe",
    )
    assert by_command == by_call
