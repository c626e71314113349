"""What a training says that MLflow cannot hold fails its replicate, with the reason; the worker lives."""

from __future__ import annotations

from typing import Any

import pytest

from rothamsted import tags
from tests.sweeping.conftest import Project
from tests.sweeping.strangers import Home
from tests.sweeping.test_function_sweeps import replicates

FUNCTION = """
def train(seed: int, x: int = 0):
    if x == 1:
        yield {NAME: 1.0}
    if x == 2:
        raise ValueError("a\\0b \\udc80")
    yield {"loss": x + seed / 8}
"""
SWEEP: dict[str, Any] = {
    "name": "odd",
    "study": "train.py:train",
    "parameters": None,
    "space": {"x": [0, 1, 2, 3]},
    "objective": {"metric": "loss", "direction": "minimize", "reduce": "last"},
    "replicates": {"count": 2},
}
COMMAND = """
import json, os, sys
lr = sys.argv[1]
name = sys.argv[2] if lr == "0.5" else "val_loss"
line = json.dumps({name: float(lr), "val_loss": 1.0, "step": 1})
if sys.argv[3] == "file":
    open(os.environ["ROTHAMSTED_REPORT"], "a").write(line + "\\n")
else:
    print(line)
"""
LONG = "n" * 245  # MLflow holds it, and not its interval: NAME/ci_high


@pytest.mark.parametrize(("name", "says"), [("a+b", "MLflow takes letters"), (LONG, "has 245 characters")])
def test_of_a_function(project: Project, name: str, says: str) -> None:
    (project.root / "train.py").write_text(FUNCTION.replace("NAME", repr(name)))
    opened = project.start(SWEEP)
    project.work(opened)
    found = {(run.params["x"], run.tags[tags.OUTCOME]) for run in replicates(project)}
    assert found == {("0", "finished"), ("1", "failed"), ("2", "failed"), ("3", "finished")}
    reasons = {run.params["x"]: run.tags.get(tags.REASON, "") for run in replicates(project)}
    assert says in reasons["1"]
    assert "; rename it" in reasons["1"]
    assert reasons["2"].startswith("ValueError: a\\x00b \\udc80")


@pytest.mark.parametrize("way", ["file", "last line"])
@pytest.mark.parametrize(("name", "says"), [("a+b", "metric 'a+b': MLflow takes letters"), (LONG, "245 characters")])
def test_of_a_command(home: Home, name: str, says: str, way: str) -> None:
    (home.root / "train.py").write_text(COMMAND)
    command = f"python train.py {{lr}} {name} '{way}'"
    home.run({"project": None, "seed_parameter": None, "command": command, "replicates": {"count": 1}})
    found = {run.tags[tags.OUTCOME]: run for run in home.runs("trial")}
    assert sorted(found) == ["failed", "finished"]
    assert says in found["failed"].tags[tags.REASON]
