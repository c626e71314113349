"""Results that are there already, analysed by a call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import rothamsted as rt
from tests.calls.conftest import TOY
from tests.sweeping.conftest import Project

LOSSES = {0.1: (0.30, 0.32, 0.31), 0.5: (0.50, 0.51, 0.53)}
ROWS = [
    {"config": {"lr": lr, "seed": seed}, "loss": loss, "acc": 1 - loss, "train_acc": 1 - loss / 2}
    for lr, losses in LOSSES.items()
    for seed, loss in enumerate(losses)
]
ASKED: dict[str, Any] = {"group_by": ["config.lr"], "replicate_by": "config.seed", "metric": "loss"}


@pytest.fixture
def files(tmp_path: Path) -> str:
    for number, row in enumerate(ROWS):
        path = tmp_path / "runs" / str(number) / "summary.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(row))
    return str(tmp_path / "runs" / "*" / "summary.json")


def test_files_are_a_row_a_condition_with_the_interval_that_scipy_gives(files: str) -> None:
    frame = rt.analyze(files, **ASKED).conditions
    assert list(frame["config.lr"]) == [0.1, 0.5]
    for row, losses in zip(frame.itertuples(), LOSSES.values(), strict=True):
        # Student's t interval, of scipy 1.17.
        low, high = stats.t.interval(0.95, 2, np.mean(losses), stats.sem(losses))
        assert (row.mean, row.ci_low, row.ci_high) == pytest.approx((np.mean(losses), low, high))
        assert row.n == 3
    assert frame["verdict"].iloc[0] == "best"


def test_a_table_lines_and_mappings_say_the_same_as_files(files: str, tmp_path: Path) -> None:
    flat = [{"config.lr": r["config"]["lr"], "config.seed": r["config"]["seed"], "loss": r["loss"]} for r in ROWS]
    lines, table = tmp_path / "all.jsonl", tmp_path / "all.csv"
    lines.write_text("\n".join(json.dumps(row) for row in ROWS))
    pd.DataFrame(flat).to_csv(table, index=False)
    expected = rt.analyze(files, **ASKED).conditions[["config.lr", "mean", "ci_low", "ci_high", "n"]]
    for data in (lines, str(table), pd.DataFrame(flat), ROWS):
        found = rt.analyze(data, **ASKED).conditions
        pd.testing.assert_frame_equal(found[expected.columns], expected)


def test_the_results_of_one_run_are_a_row_of_replicates(files: str) -> None:
    frame = rt.analyze(files, **ASKED).replicates
    row = frame[(frame["config.lr"] == 0.5) & (frame["seed"] == 2)].iloc[0]
    assert (row["objective"], row["acc"], row["outcome"]) == (0.53, pytest.approx(0.47), "finished")


def test_a_score_of_its_own_is_arithmetic_on_names(files: str) -> None:
    asked = {**ASKED, "metric": "acc - max(0, train_acc - acc - 0.2)", "direction": "maximize"}
    frame = rt.analyze(files, **asked).conditions
    # By hand: train_acc - acc is loss / 2, above 0.2 for the second condition alone.
    assert list(frame["mean"]) == pytest.approx([0.69, np.mean([1 - x - (x / 2 - 0.2) for x in LOSSES[0.5]])])


def test_where_and_level_narrow_what_is_analysed(files: str) -> None:
    some = rt.analyze(ROWS, **ASKED, where={"config.seed": 1})
    assert set(some.conditions["n"]) == {1}
    wide, narrow = (rt.analyze(ROWS, **ASKED, level=level).conditions for level in (0.99, 0.5))
    assert (wide["ci_low"] < narrow["ci_low"]).all()


def test_a_result_without_its_number_has_failed_and_one_that_is_not_finite_diverged() -> None:
    rows = [*ROWS, {"config": {"lr": 0.9, "seed": 0}, "loss": None}, {"config": {"lr": 0.9, "seed": 1}, "loss": np.inf}]
    row = rt.analyze(rows, **ASKED).conditions.iloc[-1]
    assert (row["n_failed"], row["n_diverged"], row["n"]) == (1, 1, 0)
    assert "row 6 has no number loss" in row["why"]


def test_tasks_of_files_are_compared_one_by_one_and_together() -> None:
    rows = [
        {"method": method, "data": data, "seed": seed, "acc": level + gain + noise}
        for data, level in (("a", 0.5), ("b", 0.7))
        for method, gain in (("ours", 0.1), ("baseline", 0.0))
        for seed, noise in enumerate(np.random.default_rng(1).normal(0, 0.01, 6).tolist() if gain else [0.0] * 6)
    ]
    result = rt.analyze(rows, group_by=["method"], replicate_by="seed", metric="acc", task="data")
    found = result.versus({"method": "baseline"})
    assert list(found["task"]) == ["a", "b", "all"]
    assert list(found["label"].unique()) == ["method=ours"]
    assert found["is_different"].all()
    of_a = [r["acc"] for r in rows if r["data"] == "a" and r["method"] == "ours"]
    first = found.iloc[0]
    # Paired t of scipy; Holm of the two tasks: the smaller p-value counts twice.
    p_values = [
        stats.ttest_rel(*([r["acc"] for r in rows if (r["data"], r["method"]) == (d, m)] for m in ("ours", "baseline")))
        for d in ("a", "b")
    ]
    assert first["difference"] == pytest.approx(np.mean(of_a) - 0.5)
    assert first["p_value"] == pytest.approx(p_values[0].pvalue)
    smallest = min(one.pvalue for one in p_values)
    assert found["p_corrected"].iloc[:2].min() == pytest.approx(2 * smallest)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"group_by": None}, r"rt\.analyze: group_by=\[…\] is missing.*config\.lr"),
        ({"group_by": "config.lr"}, r"write group_by=\['config\.lr'\]"),
        ({"group_by": ["config.ls"]}, r"no result has 'config\.ls'; did you mean config\.lr"),
        ({"metric": None}, r"rt\.analyze: metric=… is missing"),
        ({"metric": "los"}, r"metric='los': 'los' is not there; did you mean loss"),
        ({"metric": "acc - accc", "direction": "maximize"}, r"'accc' is not there"),
        ({"metric": "train_acc / acc"}, r"direction is missing"),
        ({"reduce": "best"}, r"reduce='best' needs curves"),
        ({"replicate_by": None, "level": 95}, r"level=95 must lie between 0 and 1"),
        ({"where": {"config.lr": 7}}, r"where=.* leaves no result"),
        ({"group_by": ["acc"], "replicate_by": "config.lr"}, r"."),
    ],
)
def test_a_mistake_names_what_there_is(changes: dict[str, Any], said: str) -> None:
    if changes == {"group_by": ["acc"], "replicate_by": "config.lr"}:
        changes, said = (
            {"group_by": ["config.lr"], "replicate_by": "config.lr"},
            r"row 0 and row 1 are both config\.lr=0\.1",
        )
    with pytest.raises(rt.UserError, match=said):
        rt.analyze(ROWS, **{**ASKED, **changes})


def test_what_is_not_there_is_said(project: Project, tmp_path: Path) -> None:
    with pytest.raises(rt.UserError, match="no file matches"):
        rt.analyze(str(tmp_path / "none" / "*.json"), **ASKED)
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(rt.UserError, match=r"broken\.json: is damaged"):
        rt.analyze(broken, **ASKED)
    with pytest.raises(rt.UserError, match=r"no sweep called 'nobody'.*group_by"):
        rt.analyze("nobody")
    with pytest.raises(rt.UserError, match="int cannot be analysed"):
        rt.analyze(3)


def test_a_sweep_is_looked_at_by_another_metric_or_score(project: Project) -> None:
    result = rt.sweep("toy", {"lr": [0.1, 1.0]}, name="mine", **TOY)
    by_train = rt.analyze("mine", metric="train_loss")
    assert by_train.dataset.objective.direction == "minimize"
    curves = result.curves("train_loss")
    last = curves[curves["step"] == 20].groupby("condition")["value"].mean()
    frame = by_train.conditions.set_index("condition")
    assert frame["mean"].sort_index().tolist() == pytest.approx(last.sort_index().tolist())
    score = rt.analyze("mine", metric="train_loss + 2 * val_loss", direction="minimize", reduce="best")
    # By hand: the least of the sum over the steps, of each replicate.
    val = result.curves("val_loss").set_index(["condition", "seed", "step"])["value"]
    train = curves.set_index(["condition", "seed", "step"])["value"]
    expected = (train + 2 * val).groupby(["condition", "seed"]).min().groupby("condition").mean()
    assert score.conditions.set_index("condition")["mean"].sort_index().tolist() == pytest.approx(expected.tolist())
    assert score.run_id == result.run_id
    with pytest.raises(rt.UserError, match=r"'val_lss' is not there; did you mean val_loss"):
        rt.analyze("mine", metric="val_lss")


def test_conditions_of_a_sweep_are_grouped_anew(project: Project) -> None:
    result = rt.sweep("toy", {"lr": [0.1, 1.0], "x": [0.0, 0.5]}, name="mine", **TOY)
    frame = rt.analyze(result, group_by=["lr"], metric="val_loss").conditions
    assert list(frame["n"]) == [6, 6]


def test_runs_of_mlflow_are_grouped_whoever_logged_them(project: Project) -> None:
    import mlflow

    client = mlflow.MlflowClient(project.tracking_uri)
    experiment_id = client.create_experiment("loop")
    for lr, losses in LOSSES.items():
        for seed, loss in enumerate(losses):
            run = client.create_run(experiment_id)
            client.log_param(run.info.run_id, "lr", lr)
            client.log_param(run.info.run_id, "seed", seed)
            client.log_metric(run.info.run_id, "loss", loss)
            client.set_terminated(run.info.run_id)
    asked: dict[str, Any] = {"group_by": ["lr"], "replicate_by": "seed", "metric": "loss"}
    by_name = rt.analyze("loop", **asked).conditions
    for runs in (
        mlflow.search_runs(experiment_names=["loop"]),
        mlflow.search_runs(experiment_names=["loop"], output_format="list"),
    ):
        found = rt.analyze(runs, **asked).conditions
        assert list(found["lr"]) == [0.1, 0.5]
        assert found["mean"].tolist() == by_name["mean"].tolist() == pytest.approx([0.31, np.mean(LOSSES[0.5])])
