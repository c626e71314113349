"""Whole sweeps over values that floats or texts would confuse: what is trained is what is recorded and shown."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from rothamsted import UserError, tags
from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.analysis.only import matching
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.sweeping.open.contest import _alike, _split
from rothamsted.tracking import find_runs
from tests.sweeping.conftest import Project

FUNCTION = """
from typing import Any

LOSSES = {"[1]": 3.0, "'[1]'": 0.0, "1": 2.0, "'1'": 1.0}


def train(seed: int, v: Any = 1, x: float = 0.5, m: float = 0.0):
    yield {"loss": LOSSES[repr(v)] + m + seed / 100, "x_seen": x, "m_seen": m}
"""
SWEEP: dict[str, Any] = {
    "name": "apart",
    "study": "train.py:train",
    "parameters": None,
    "space": {"v": [[1], "[1]", 1, "1"]},
    "objective": {"metric": "loss", "direction": "minimize", "reduce": "last"},
    "replicates": {"count": 2},
    "confirm": {"keep": 1, "replicates": 2},
    "models": "none",
    "statistics": {"reference": {"v": "1"}},
}


@pytest.fixture
def script(project: Project) -> Project:
    (project.root / "train.py").write_text(FUNCTION)
    return project


def test_a_list_and_its_text_are_two_conditions_to_the_end(script: Project) -> None:
    opened = script.start(SWEEP)
    script.work(opened)
    found = analyze(read_sweep(opened.sweep_run_id, uri=script.tracking_uri), Settings(reference={"v": "1"}))
    means = {repr(found.dataset.conditions[one.condition].values["v"]): one.value for one in found.objective}
    # By hand: the table in the function, and seeds 0 and 1.
    assert means == {"[1]": 3.005, "'[1]'": 0.005, "1": 2.005, "'1'": pytest.approx(1.005)}
    [confirmed] = found.confirmed
    assert found.dataset.conditions[confirmed.condition].values == {"v": "[1]"}
    assert found.comparisons is not None
    assert found.comparisons.reference == 3
    assert [one.label for one in found.dataset.conditions] == ["v=[1]", 'v="[1]"', "v=1", 'v="1"']
    for written, number in (("[1]", 0), ('"[1]"', 1), ("1", 2), ("1.0", 2), ('"1"', 3)):
        assert matching(found.dataset, {"v": written}) == (number,)
    with pytest.raises(UserError, match=r"where: v is never 2; it is \[1\], \"\[1\]\", 1, \"1\""):
        matching(found.dataset, {"v": "2"})


def test_what_a_step_switches_on_is_trained_recorded_and_shown(script: Project) -> None:
    # Optuna itself gives 0.30000000000000004 for the third step, so that m would keep its default.
    space = {"x": {"low": 0.1, "high": 0.5, "step": 0.1}, "m": {"low": 0.5, "high": 1.0, "when": {"x": 0.3}}}
    enqueue = [{"x": 0.1 + 0.2, "m": 0.75}]
    adaptive = {"sampler": {"name": "tpe"}, "trials": 8, "enqueue": enqueue, "space": space}
    opened = script.start({**SWEEP, **adaptive, "confirm": None, "statistics": {}})
    script.work(opened)
    runs = find_runs(None, {tags.ROLE: "trial"}, uri=script.tracking_uri)
    assert {run.params["x"] for run in runs} <= {"0.1", "0.2", "0.3", "0.4", "0.5"}
    for run in runs:
        assert str(run.metrics["x_seen/mean"]) == run.params["x"]
        assert (run.metrics["m_seen/mean"] > 0) is ("m" in run.params) is (run.params["x"] == "0.3")
    shown = optuna.load_study(study_name="apart", storage=script.storage).trials
    assert {trial.params["x"] for trial in shown} <= {0.1, 0.2, 0.3, 0.4, 0.5}
    assert shown[0].params == {"x": 0.3, "m": 0.75}


def test_contestants_that_differ_by_rounding_have_one_value() -> None:
    # 1 and 1.0 are two texts of JSON and one value: a choice of both was refused as holding it twice.
    configs = _alike([{"x": 0.3, "n": 1, "v": [1]}, {"x": 0.1 + 0.2, "n": 1.0, "v": "[1]"}])
    assert _split(configs) == ({"x": 0.3, "n": 1}, {"v": [[1], "[1]"]})
