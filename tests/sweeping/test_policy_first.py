"""A policy that could not judge the sweep is refused before the sweep starts, not after hours of training."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from rothamsted.cli.main import main
from tests.sweeping.conftest import Project

POLICY: dict[str, Any] = {
    "model": "toy",
    "study": "toy",
    "objective": {"metric": "val_loss", "direction": "minimize"},
    "smallest_improvement": 0.01,
    "replicates": 5,
}
CONFIRM = {"keep": 1, "replicates": 5}


def started(project: Project, policy: dict[str, Any], confirm: dict[str, Any], command: str) -> int:
    (project.root / "registry").mkdir()
    (project.root / "registry" / "toy.yaml").write_text("# Question: better?\n" + yaml.safe_dump({**POLICY, **policy}))
    config = project.write({"promote": "registry/toy.yaml", "confirm": confirm})
    return main([command, "--config", str(config)])


@pytest.mark.parametrize("command", ["sweep", "check"])
@pytest.mark.parametrize(
    ("policy", "confirm", "said"),
    [
        (
            {},
            {"keep": 1, "replicates": 4},
            ("4 confirmed replicates a condition, but the policy of model 'toy' asks for 5"),
        ),
        ({"objective": {"metric": "loss", "direction": "minimize"}}, CONFIRM, "objective is minimize loss, but sweep"),
        ({"study": "other"}, CONFIRM, "study is other, but sweep toys is of study toy"),
        ({"sweep": "others"}, CONFIRM, "sweep is others, not toys"),
    ],
)
def test_a_policy_that_cannot_judge_the_sweep_is_refused_before_anything_is_created(
    policy: dict[str, Any],
    confirm: dict[str, Any],
    said: str,
    command: str,
    empty_project: Project,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert started(empty_project, policy, confirm, command) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert not list(empty_project.root.glob("*.db"))


def test_a_policy_that_can_judge_the_sweep_is_planned_with(
    empty_project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert started(empty_project, {}, CONFIRM, "check") == 0
    assert "5" in capsys.readouterr().out
