"""A sweep that is only described: one value from Python and from YAML."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rothamsted as rt
from tests.calls.conftest import TOY
from tests.sweeping.conftest import Project

WHOLE: dict[str, Any] = {
    **TOY,
    "trials": 7,
    "confirm": {"keep": 2, "replicates": 3},
    "pruner": {"name": "asha", "min_resource": 2},
    "early_stopping": 5,
    "timeout": "2h",
    "sampler": {"name": "random", "seed": 3},
}


def test_a_sweep_written_as_yaml_is_read_as_the_same_sweep(project: Project) -> None:
    space = {
        "lr": rt.loguniform(1e-6, 0.1),
        "x": rt.uniform(0, 1),
        "optimizer.name": rt.choice(["sgd", "heavy_ball"]),
        "optimizer.momentum": rt.uniform(0.1, 0.9, when={"optimizer.name": "heavy_ball"}),
        "steps": rt.integers(5, 20, step=5),
    }
    keys = {**WHOLE, "parameters": {"n_points": 5}}
    sweep = rt.Sweep("toy", space, **keys)
    text = sweep.to_yaml("again.yaml")
    again = rt.Sweep("again.yaml")
    assert again == sweep
    assert hash(again) == hash(sweep)
    assert again.to_yaml() == text
    assert "low: 1.0e-06" in text  # a number to YAML, too
    assert "low: 0.0\n" in text
    assert "low: 5\n" in text


def test_another_sweep_is_not_equal(project: Project) -> None:
    sweep = rt.Sweep("toy", {"lr": [0.1, 1.0]}, **TOY)
    assert sweep == rt.Sweep("toy", {"lr": np.array([0.1, 1.0])}, **TOY)
    assert sweep != rt.Sweep("toy", {"lr": [0.1, 2.0]}, **TOY)
    assert sweep != "toy"


def test_text_that_looks_like_a_number_stays_text(project: Project) -> None:
    keys = {**TOY, "parameters": {"kill_marker": "1e-3"}}
    sweep = rt.Sweep("toy", {"lr": [0.1]}, **keys)
    sweep.to_yaml("again.yaml")
    assert rt.Sweep("again.yaml").spec.parameters == {"kill_marker": "1e-3"}


def test_a_described_sweep_runs(project: Project) -> None:
    result = rt.Sweep("toy", {"lr": [0.1, 1.0]}, **TOY).run()
    assert result.best.values == {"lr": 1.0}
    assert result.sweep == rt.Sweep("toy", {"lr": [0.1, 1.0]}, **TOY)
    assert rt.load("toy").sweep == result.sweep


def test_a_described_sweep_prints_its_plan(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    rt.Sweep("toy", {"lr": [0.1, 1.0]}, **TOY).check()
    assert "the sweep file is valid" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("space", "keys", "sampler"),
    [
        ({"lr": [0.1, 1.0]}, {}, "grid"),
        ({"lr": [0.1, 1.0], "steps": rt.integers(1, 3)}, {}, "grid"),
        ({"lr": [0.1, 1.0]}, {"trials": 2}, "tpe"),
        ({"lr": rt.loguniform(0.01, 1.0)}, {"trials": 5}, "tpe"),
    ],
)
def test_a_finite_space_without_trials_is_a_grid_and_any_other_is_searched(
    project: Project, space: dict[str, Any], keys: dict[str, Any], sampler: str
) -> None:
    toy = {**TOY, "parameters": {}}
    assert rt.Sweep("toy", space, **toy, **keys).spec.sampler.name == sampler


@pytest.mark.parametrize(
    ("space", "keys", "said"),
    [
        ({"lr": (0.1, 1.0)}, {}, r"rt\.sweep: space\.lr: \(0\.1, 1\.0\) is a tuple.*rt\.uniform"),
        ({"lr": rt.integers(1, 3)}, {}, r"rt\.sweep: space\.lr: rt\.integers gives whole numbers.*rt\.uniform"),
        (
            {"data.seed": rt.uniform(1, 3)},
            {},
            r"rt\.sweep: space\.data\.seed\.low: must be a whole number.*rt\.integers",
        ),
        ({"ls": [1.0]}, {}, r"rt\.sweep: space\.ls: is not a parameter of study 'toy'; the nearest of 19: lr"),
        ({"lr": [0.1]}, {"parameters": {"lr": 0.2}}, r"rt\.sweep: space\.lr: is fixed at 0\.2 by parameters, too"),
        ({"lr": [0.1]}, {"trails": 3}, r"rt\.sweep: trails is not an argument; did you mean"),
        ({"lr": [0.1]}, {"keys": {"exekution": {}}}, r"rt\.sweep: keys: exekution is not a key"),
        ({"lr": [0.1]}, {"keys": {"trials": 3}}, r"rt\.sweep: keys: trials is an argument of its own"),
        ({"lr": [0.1]}, {"objective": {"metric": "loss"}}, r"rt\.sweep: metric cannot be given with objective"),
        ([0.1], {}, r"rt\.sweep: space must be a mapping of names"),
        ({"lr": [object]}, {}, r"rt\.sweep: space\.lr: .* is not a number, text"),
    ],
)
def test_a_mistake_is_one_line_with_place_value_and_way_out(
    project: Project, space: Any, keys: dict[str, Any], said: str
) -> None:
    with pytest.raises(rt.UserError, match=said) as raised:
        rt.Sweep("toy", space, **{**TOY, **keys})
    assert "\n" not in str(raised.value)


def test_what_cannot_be_swept_is_refused(project: Project) -> None:
    with pytest.raises(rt.UserError, match="42 cannot be swept"):
        rt.Sweep(42)
    with pytest.raises(rt.UserError, match=r"study 'tay' is not an entry point .* did you mean toy"):
        rt.Sweep("tay", {"lr": [0.1]}, **TOY)


def test_a_metric_beside_a_file_is_a_new_objective_with_a_direction_of_its_own(project: Project) -> None:
    path = project.write()
    with pytest.raises(rt.UserError, match="direction"):
        rt.Sweep(path, metric="train_loss")
    objective = rt.Sweep(path, metric="train_loss", direction="maximize").spec.objective
    assert (objective.metric, objective.direction, objective.reduce) == ("train_loss", "maximize", "last")
    assert rt.Sweep(path, reduce="best").spec.objective.reduce == "best"


def test_metric_direction_and_reduce_are_short_for_the_objective_in_a_file_too(project: Project) -> None:
    short = {"metric": "val_loss", "direction": "minimize", "reduce": "best"}
    path = project.write({"objective": None, **short})
    assert rt.Sweep(path).spec.objective.model_dump(include=set(short)) == short
    both = project.write({"metric": "val_loss"})
    with pytest.raises(rt.UserError, match=r"sweep\.yaml:\d+: metric: cannot be given with objective"):
        rt.Sweep(both)


def test_help_shows_every_key_of_a_call() -> None:
    import inspect

    for call in (rt.sweep, rt.Sweep):
        names = list(inspect.signature(call).parameters)
        assert names[:2] == ["target", "space"]
        assert {"metric", "trials", "workers", "keys"} <= set(names)
        assert "**keys" not in str(inspect.signature(call))
