"""The frames of a result: their columns, kinds and order, and that their numbers are those of the tables."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

import rothamsted as rt
from rothamsted.tracking import read_text
from tests.calls.conftest import TOY
from tests.sweeping.conftest import Project

CONDITIONS = [
    *("condition", "label", "lr", "x", "rank", "verdict", "mean", "adjusted_mean", "ci_low", "ci_high", "sd", "min"),
    *("max", "n", "n_failed", "n_diverged", "gap_low", "gap_high", "in_set", "confirmed_mean", "confirmed_low"),
    *("confirmed_high", "confirmed_n", "seconds", "why", "run_id"),
]


def test_the_columns_of_conditions_are_those_of_the_interface(toys: rt.Result) -> None:
    frame = toys.conditions
    assert list(frame.columns) == CONDITIONS
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert {name for name, kind in kinds.items() if kind == "int64"} == {
        *("condition", "n", "n_failed", "n_diverged", "confirmed_n")
    }
    assert kinds["rank"] == "Int64"
    assert kinds["in_set"] == "bool"
    assert {name for name, kind in kinds.items() if kind == "str"} == {"label", "verdict", "why", "run_id"}
    assert list(frame["rank"]) == [1, 2, 3, 4, 5, 6]


def test_conditions_are_the_numbers_of_the_table_in_mlflow(toys: rt.Result, project: Project) -> None:
    text = read_text(toys.run_id, "statistics/conditions.csv", uri=project.tracking_uri)
    assert text is not None
    table, frame = pd.read_csv(io.StringIO(text)), toys.conditions
    same = {
        **{name: name for name in ("condition", "rank", "n", "mean", "sd", "min", "max", "ci_low", "ci_high")},
        **{"adjusted_mean": "mean_adjusted", "n_failed": "n_failed", "label": "label", "run_id": "run_id"},
        **{"gap_low": "worse_by_low", "gap_high": "worse_by_high", "lr": "lr", "x": "x"},
    }
    for name, column in same.items():
        # To the bit: both are written from the same analysis, and a CSV file has all digits.
        np.testing.assert_array_equal(frame[name].to_numpy(), table[column].to_numpy(), err_msg=name)
    assert list(frame["in_set"]) == [str(one).lower() == "true" for one in table["can_be_best"]]


def test_replicates_have_every_metric_and_their_run(toys: rt.Result) -> None:
    frame = toys.replicates
    metrics = ["learning_rate", "samples_per_second", "train_loss", "val_loss"]
    first = ["condition", "label", "lr", "x", "phase", "seed", "outcome", "objective"]
    assert list(frame.columns) == [*first, *metrics, "seconds", "started", "reason", "run_id", "model"]
    assert str(frame.dtypes["started"]) == "datetime64[ms, UTC]"
    assert str(frame.dtypes["seed"]) == "int64"
    assert len(frame) == 6 * 3 + 4  # each condition on three seeds, the best on four fresh ones
    best = frame[frame["condition"] == toys.best.condition]
    assert list(best["phase"]) == ["search"] * 3 + ["confirm"] * 4
    assert list(frame["condition"].drop_duplicates()) == list(toys.conditions["condition"])
    np.testing.assert_array_equal(frame["objective"], frame["val_loss"])  # reduce: last


def test_a_curve_has_a_row_a_measurement_and_a_band_one_a_point(toys: rt.Result) -> None:
    curves = toys.curves()
    assert list(curves.columns) == ["condition", "label", "lr", "x", "seed", "step", "epoch", "seconds", "value"]
    assert len(curves) == 22 * 5
    bands = toys.bands()
    # A factor that is called like a column is marked.
    assert list(bands.columns) == ["condition", "label", "lr", "parameter.x", "x", "mean", "ci_low", "ci_high", "n"]
    worst = toys.conditions["condition"].iloc[-1]
    searched = curves[(curves["condition"] == worst) & (curves["step"] == 20)]["value"]
    last = bands[(bands["condition"] == worst) & (bands["x"] == 20)].iloc[0]
    assert last["mean"] == pytest.approx(searched.mean())
    assert last["n"] == 3
    assert list(toys.bands("train_loss", by="epoch")["x"].unique()) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_curves_and_bands_know_the_samples_seen(toys: rt.Result) -> None:
    curves = toys.curves(samples=True)
    assert list(curves.columns)[-4:] == ["epoch", "samples", "seconds", "value"]
    assert curves["samples"].tolist() == (8.0 * curves["step"]).tolist()  # the toy sees 8 samples a step
    assert "samples" not in toys.curves().columns
    assert sorted(toys.bands(by="samples")["x"].unique()) == sorted(curves["samples"].unique())


def test_a_metric_that_was_read_without_its_curve_is_read_when_it_is_asked_for(toys: rt.Result) -> None:
    assert set(toys.curves("learning_rate")["value"]) == {0.01, 0.1, 1.0}
    with pytest.raises(rt.UserError, match=r"metric 'val_los' was not logged; did you mean .*val_loss"):
        toys.curves("val_los")
    with pytest.raises(rt.UserError, match="by='time' is not an axis"):
        toys.bands(by="time")


def test_versus_is_a_row_a_condition_against_the_named_one(toys: rt.Result) -> None:
    found = toys.versus({"lr": 1.0, "x": 0.0}, correction="bonferroni")
    columns = "condition label lr x task n difference ci_low ci_high p_value p_corrected probability_better"
    assert list(found.columns) == [*columns.split(), "is_different", "test"]
    assert len(found) == 5
    assert set(found["test"]) == {"paired t"}
    means = toys.conditions.set_index("condition")["mean"]
    reference = means[toys.best.condition]
    n_made = found["p_value"].notna().sum()
    for _, row in found.iterrows():
        assert row["difference"] == pytest.approx(means[row["condition"]] - reference)
        # By hand: as many comparisons as could be made, at most 1; two of the toy's conditions end at the same place.
        assert row["p_corrected"] == pytest.approx(np.minimum(1.0, n_made * row["p_value"]), nan_ok=True)
    with pytest.raises(rt.UserError, match="no condition has"):
        toys.versus({"lr": 0.5})
    with pytest.raises(rt.UserError, match="correction='hulm'"):
        toys.versus({"lr": 1.0, "x": 0.0}, correction="hulm")


def test_a_failed_replicate_is_counted_and_says_why(project: Project) -> None:
    changed = {**TOY, "parameters": {"steps": 4, "n_points": 2, "fail_at_seed": 1}}
    result = rt.sweep("toy", {"lr": [0.5, 1000.0]}, **changed)
    frame = result.conditions.set_index("lr")
    assert (frame.loc[0.5, "n"], frame.loc[0.5, "n_failed"]) == (2, 1)
    assert frame.loc[1000.0, "n_diverged"] > 0
    assert frame.loc[1000.0, "rank"] is pd.NA
    assert frame.loc[1000.0, "verdict"] == ""
    failed = result.replicates[result.replicates["outcome"] == "failed"]
    assert failed["objective"].isna().all()
    assert failed["reason"].str.contains("told to fail").all()


def test_what_is_not_there_is_an_error_with_the_way_out(project: Project) -> None:
    result = rt.sweep("toy", {"lr": [1.0]}, **TOY)
    with pytest.raises(rt.UserError, match=r"confirmed: toy: .*confirm"):
        _ = result.confirmed
    assert result.best.verdict == "best"
