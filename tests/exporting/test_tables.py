"""The tidy tables of an export, read by pandas and by polars in one line each."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.values import Series
from rothamsted.publish.exported.tidy import COLUMNS, write_tables
from rothamsted.tracking import find_runs, read_history
from tests.analysis.runs import dataset
from tests.sweeping.conftest import Project

READERS = {
    "pandas csv": lambda folder, name: pd.read_csv(folder / f"{name}.csv"),
    "pandas parquet": lambda folder, name: pd.read_parquet(folder / f"{name}.parquet"),
    "polars csv": lambda folder, name: pl.read_csv(folder / f"{name}.csv").to_pandas(),
    "polars parquet": lambda folder, name: pl.read_parquet(folder / f"{name}.parquet").to_pandas(),
}


def series(steps: list[int], values: list[float]) -> Series:
    seconds = np.arange(len(steps), dtype=float)
    return Series(steps=np.array(steps), values=np.array(values), seconds=seconds, epochs=np.full(len(steps), np.nan))


@pytest.mark.parametrize("how", sorted(READERS))
def test_every_number_that_was_logged_is_a_row(how: str, swept: Project, exported: Path) -> None:
    # Authority: MLflow's own history of the same runs. The exported sweep is a copy with the same runs.
    table = READERS[how](exported / "tables", "measurements")
    assert tuple(table.columns) == COLUMNS
    runs = [run for run in find_runs(None, {}, uri=swept.tracking_uri) if "rothamsted.replicate" in run.tags]
    history = read_history([run.run_id for run in runs], uri=swept.tracking_uri)
    logged = sorted(
        (int(run.tags["rothamsted.trial"]), int(run.tags["rothamsted.seed"]), point.key, point.step, point.value)
        for run in runs
        for point in history[run.run_id]
        if point.key in set(table["metric"])
    )
    rows = zip(*(table[name] for name in ("condition", "seed", "metric", "step", "value")), strict=True)
    assert sorted(rows) == logged
    assert {"val_loss", "train_loss"} <= set(table["metric"])
    assert set(table["phase"]) == {"search"}


@pytest.mark.parametrize("how", sorted(READERS))
def test_conditions_join_with_measurements_and_have_the_parameters(how: str, exported: Path) -> None:
    read = READERS[how]
    conditions, measured = read(exported / "tables", "conditions"), read(exported / "tables", "measurements")
    joined = measured.merge(conditions, on="condition")
    assert len(joined) == len(measured)
    assert sorted(set(zip(joined["lr"], joined["x"], strict=True))) == [
        (lr, x) for lr in (0.01, 0.1, 1.0) for x in (0.0, 0.5)
    ]


@pytest.mark.parametrize("how", sorted(READERS))
def test_what_diverged_is_nan_what_is_infinite_is_so_and_what_is_unknown_is_empty(how: str, tmp_path: Path) -> None:
    given = replace(dataset({0: [0.1 + 0.2, 5e-324]}), varied=("seed",))
    runs = [one.run_id for one in given.replicates]
    curves = {runs[0]: {"loss": series([1, 2, 3], [0.1 + 0.2, math.nan, -math.inf])}}
    write_tables(analyze(given), tmp_path, curves)
    table = READERS[how](tmp_path / "tables", "measurements")
    first, last = table[table["seed"] == 0], table[table["seed"] == 1]
    assert first["value"].tolist()[0] == 0.1 + 0.2  # bit for bit
    assert math.isnan(first["value"].tolist()[1])
    assert first["value"].tolist()[2] == -math.inf
    assert first["step"].tolist() == [1, 2, 3]
    assert last["value"].tolist() == [5e-324]  # no curve: its last value, without a step
    assert last["step"].isna().all()


def test_text_that_a_spreadsheet_would_run_is_marked_in_csv_and_as_it_is_in_parquet(tmp_path: Path) -> None:
    factors = {0: {"=cmd": "@SUM(1)"}, 1: {"=cmd": "-2+3"}}
    given = dataset({0: [1.0, 2.0], 1: [2.0, 3.0]}, factors=factors)
    write_tables(analyze(given), tmp_path, {})
    text = (tmp_path / "tables" / "conditions.csv").read_text()
    assert text.splitlines() == ["condition,'=cmd", "0,'@SUM(1)", "1,'-2+3"]
    assert pl.read_parquet(tmp_path / "tables" / "conditions.parquet")["=cmd"].to_list() == ["@SUM(1)", "-2+3"]


def test_a_parameter_of_several_kinds_is_text_and_one_called_condition_is_told_apart(tmp_path: Path) -> None:
    factors = {0: {"n": 1, "condition": 0.5}, 1: {"n": "auto", "condition": 2}, 2: {"n": [8, 4], "condition": 1}}
    given = dataset({0: [1.0, 2.0], 1: [2.0, 3.0], 2: [2.5, 3.0]}, factors=factors)
    write_tables(analyze(given), tmp_path, {})
    table = pl.read_parquet(tmp_path / "tables" / "conditions.parquet")
    assert table.columns == ["condition", "n", "condition (parameter)"]
    assert table["n"].to_list() == ["1", "auto", "[8, 4]"]
    assert table["condition (parameter)"].to_list() == [0.5, 2.0, 1.0]


def test_replicates_on_fresh_seeds_are_told_apart_by_their_phase(tmp_path: Path) -> None:
    given = dataset({0: [1.0, 2.0], 1: [2.0, 3.0]}, confirm={0: [1.1, 1.2, 1.3]})
    write_tables(analyze(given), tmp_path, {})
    table = pl.read_parquet(tmp_path / "tables" / "measurements.parquet")
    keys = table.select("condition", "phase", "replicate", "metric")
    assert len(keys) == len(keys.unique()) == 4 + 3
    assert table.filter(pl.col("phase") == "confirm")["value"].to_list() == [1.1, 1.2, 1.3]
