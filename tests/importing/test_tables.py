"""Tables of runs, as pandas, spreadsheets and the exports of other tools write them."""

from __future__ import annotations

from pathlib import Path

import optuna
import pandas as pd
import pytest

from rothamsted.errors import DataError
from rothamsted.importing.table import read
from rothamsted.importing.values import ImportedRun
from tests.importing.conftest import Place


def runs_of(path: Path, **options: str) -> list[ImportedRun]:
    return list(read(str(path), options))


def wide() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run_id": ["a", "b", "c"],
            "optimizer.lr": [0.1, 0.1, 0.5],
            "opt": ["sgd", "sgd", "adam"],
            "seed": [0, 1, 0],
            "val_loss": [0.5, 0.25, float("nan")],
            "test_acc": [0.9, 0.8, 0.7],
            "state": ["finished", "crashed", "killed"],
            "created_at": ["2023-11-14T22:13:20Z", "2023-11-14 22:13:20", "2023-11-14T23:13:20+01:00"],
        }
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_one_row_is_one_run_with_params_metrics_state_and_start(kind: str, place: Place) -> None:
    path = place.folder / f"runs.{kind}"
    wide().to_csv(path, index=False) if kind == "csv" else wide().to_parquet(path)
    out = place.bring(path.name, "experiment=before")
    runs = place.runs("before")
    assert {name: run.status for name, run in runs.items()} == {"a": "FINISHED", "b": "FAILED", "c": "KILLED"}
    assert runs["a"].params == {"optimizer.lr": "0.1", "opt": "sgd", "seed": "0"}
    assert runs["a"].metrics == {"val_loss": 0.5, "test_acc": 0.9}
    assert runs["c"].metrics["test_acc"] == 0.7
    # All three are the same moment: `date -u -d @1700000000` is 2023-11-14 22:13:20.
    assert {run.start_ms for run in runs.values()} == {1_700_000_000_000}
    assert "taken as a row a run; params: optimizer.lr, opt, seed; metrics: val_loss, test_acc" in out
    assert "--group_by optimizer.lr --replicate_by seed --metric val_loss" in out


def test_a_row_a_step_of_each_run_is_found_by_the_column_that_repeats(tmp_path: Path) -> None:
    rows = [
        {"run": run, "lr": lr, "step": step, "loss": lr / (step + 1)}
        for run, lr in (("a", 0.1), ("b", 0.5))
        for step in range(3)
    ]
    pd.DataFrame(rows).sample(frac=1, random_state=0).to_csv(tmp_path / "t.csv", index=False)
    found = {run.name: run for run in runs_of(tmp_path / "t.csv")}
    assert found["b"].params == {"lr": "0.5"}
    points = sorted((one.key, one.step, one.value) for one in found["b"].points)
    assert points == [("loss", 0, 0.5), ("loss", 1, 0.25), ("loss", 2, pytest.approx(0.5 / 3))]


def test_a_row_a_number_with_the_name_of_its_metric_is_read_as_well(tmp_path: Path) -> None:
    rows = [
        {"run": run, "lr": 0.1, "step": step, "metric": metric, "value": step + len(metric)}
        for run in "ab"
        for step in range(2)
        for metric in ("loss", "acc")
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    found = {run.name: run for run in runs_of(tmp_path / "t.csv")}
    assert found["a"].params == {"lr": "0.1"}
    points = sorted((one.key, one.step, one.value) for one in found["a"].points)
    assert points == [("acc", 0, 3.0), ("acc", 1, 4.0), ("loss", 0, 4.0), ("loss", 1, 5.0)]


def test_a_column_that_only_looks_as_if_it_told_runs_apart_is_refused_and_several_do(tmp_path: Path) -> None:
    rows = [
        {"lr": lr, "trial": trial, "step": step, "loss": lr + trial + step}
        for lr in (0.1, 0.5)
        for trial in (0, 1)
        for step in (0, 1)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"has step 0 twice, with two values of 'lr'.*run_by=A,B"):
        runs_of(tmp_path / "t.csv")
    found = {run.name: run for run in runs_of(tmp_path / "t.csv", run_by="lr,trial")}
    assert sorted(found) == ["lr=0.1,trial=0", "lr=0.1,trial=1", "lr=0.5,trial=0", "lr=0.5,trial=1"]
    assert found["lr=0.5,trial=1"].params == {"lr": "0.5", "trial": "1"}
    assert [(one.step, one.value) for one in found["lr=0.5,trial=1"].points] == [(0, 1.5), (1, 2.5)]


def test_a_number_of_a_replicate_that_repeats_is_a_parameter_of_a_row_a_run(tmp_path: Path) -> None:
    pd.DataFrame({"lr": [0.1, 0.1, 0.5], "trial": [0, 1, 0], "loss": [1.0, 2.0, 3.0]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    assert [run.params for run in runs_of(tmp_path / "t.csv")] == [
        {"lr": "0.1", "trial": "0"},
        {"lr": "0.1", "trial": "1"},
        {"lr": "0.5", "trial": "0"},
    ]


def test_steps_without_a_column_of_runs_are_refused_with_the_option_that_decides(place: Place) -> None:
    pd.DataFrame({"step": [0, 1, 0], "loss": [1.0, 0.5, 0.9]}).to_csv("t.csv", index=False)
    said = place.refused("t.csv")
    assert "has the step column 'step' and none that tells runs apart; add run_by=COLUMN" in said
    place.bring("t.csv", "params=step", "metrics=loss", "experiment=before")
    place.bring("t.csv", "kind=folder", "experiment=one run")
    assert place.history(place.runs("one run")["t"]) == {"loss": [(0, 0.9), (0, 1.0), (1, 0.5)]}


def test_a_step_column_and_the_name_of_an_experiment_make_a_row_a_step(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("experiment,epoch,lr,loss\nA,0,0.1,1\nA,1,0.1,0.5\nB,0,0.2,1\n")
    found = {run.name: run for run in runs_of(tmp_path / "t.csv")}
    assert {name: dict(run.params) for name, run in found.items()} == {"A": {"lr": "0.1"}, "B": {"lr": "0.2"}}
    assert [(one.key, one.step, one.value) for one in found["A"].points] == [("loss", 0, 1.0), ("loss", 1, 0.5)]


def test_a_table_whose_metrics_cannot_be_told_is_refused_with_its_columns(place: Place) -> None:
    pd.DataFrame({"lr": [0.1, 0.5], "quality": [1.0, 2.0]}).to_csv("t.csv", index=False)
    assert "none of its columns is surely a metric; add metrics=A,B; known: lr, quality" in place.refused("t.csv")
    place.bring("t.csv", "metrics=quality", "experiment=before")
    assert {name: run.params["lr"] for name, run in place.runs("before").items()} == {"t 0": "0.1", "t 1": "0.5"}
    assert "has no column 'qualty'" in place.refused("t.csv", "metrics=qualty")


def test_equal_rows_are_two_runs_and_the_same_table_again_adds_none(place: Place) -> None:
    pd.DataFrame({"lr": [0.1, 0.1], "loss": [0.5, 0.5]}).to_csv("t.csv", index=False)
    assert "2 new" in place.bring("t.csv", "experiment=before")
    assert "0 new, 0 brought up to date, 2 there already" in place.bring("t.csv", "experiment=before")


def test_a_value_that_was_corrected_is_brought_up_to_date(place: Place) -> None:
    pd.DataFrame({"run_id": ["a"], "lr": [0.1], "loss": [0.5]}).to_csv("t.csv", index=False)
    place.bring("t.csv", "experiment=before")
    pd.DataFrame({"run_id": ["a"], "lr": [0.1], "loss": [0.25]}).to_csv("t.csv", index=False)
    assert "0 new, 1 brought up to date" in place.bring("t.csv", "experiment=before")
    [run] = place.runs("before").values()
    assert place.history(run)["loss"] == [(0, 0.25)]


def test_the_data_frame_that_optuna_makes_of_a_study_is_read_by_its_prefixes(tmp_path: Path) -> None:
    study = optuna.create_study()
    study.optimize(lambda trial: trial.suggest_float("lr", 0, 1), n_trials=2)
    study.trials_dataframe().to_csv(tmp_path / "t.csv", index=False)
    for run, trial in zip(runs_of(tmp_path / "t.csv"), study.trials, strict=True):
        assert run.params == {"lr": str(trial.params["lr"])}
        assert (run.summary["value"], str(run.state)) == (trial.value, "FINISHED")


def test_the_table_that_mlflow_gives_of_its_runs_is_read_by_its_prefixes(tmp_path: Path) -> None:
    # Columns as `mlflow.search_runs` names them.
    row = {
        "run_id": "a" * 32,
        "status": "FAILED",
        "start_time": "2023-11-14 22:13:20+00:00",
        "params.lr": "0.1",
        "metrics.loss": 0.5,
        "tags.who": "me",
        "artifact_uri": "x",
    }
    pd.DataFrame([row]).to_csv(tmp_path / "t.csv", index=False)
    [run] = runs_of(tmp_path / "t.csv")
    assert (run.params["lr"], run.summary, dict(run.tags)) == ("0.1", {"loss": 0.5}, {"who": "me"})
    assert (str(run.state), run.start_ms) == ("FAILED", 1_700_000_000_000)


def test_a_time_without_a_zone_is_utc_unless_another_is_said(tmp_path: Path) -> None:
    pd.DataFrame({"start_time": ["2023-11-14 23:13:20"], "loss": [0.5]}).to_csv(tmp_path / "t.csv", index=False)
    assert runs_of(tmp_path / "t.csv")[0].start_ms == 1_700_003_600_000
    assert runs_of(tmp_path / "t.csv", time_zone="Europe/Berlin")[0].start_ms == 1_700_000_000_000


def test_an_end_before_the_start_is_noted_and_the_run_ends_when_it_begins(place: Place) -> None:
    row = {"run_id": "a", "loss": 0.5, "start_time": 1_700_000_000, "end_time": 1_600_000_000}
    pd.DataFrame([row]).to_csv("t.csv", index=False)
    assert "ended before it began" in place.bring("t.csv", "experiment=before")
    [run] = place.runs("before").values()
    assert (run.start_ms, run.end_ms) == (1_700_000_000_000, 1_700_000_000_000)


def test_files_that_are_no_tables_are_one_line(place: Place) -> None:
    wide().to_parquet("cut.parquet")
    whole = Path("cut.parquet").read_bytes()
    Path("cut.parquet").write_bytes(whole[: len(whole) // 2])
    assert "cut.parquet: is damaged or of another kind" in place.refused("cut.parquet")
    Path("book.xlsx").write_bytes(b"PK\x03\x04" + b"x" * 60)
    assert "book.xlsx: is an Excel workbook; save it as CSV in UTF-8" in place.refused("book.xlsx")
    Path("no.csv").write_text("a,b\n")
    assert "no.csv: has no rows" in place.refused("no.csv")
    assert "time_zone=Mars: there is no such zone" in place.refused("no.csv", "time_zone=Mars")
    assert "study=a: a table of runs (kind=table) has no such option" in place.refused("no.csv", "study=a")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.csv", "lr,clip,val_loss\n0.1,NA,0.5\n0.2,1,NA\n"),
        ("r.jsonl", '{"lr": 0.1, "clip": null, "val_loss": 0.5}\n{"lr": 0.2, "clip": 1, "val_loss": null}\n'),
    ],
)
def test_a_measurement_that_is_missing_leaves_its_column_a_metric(name: str, text: str, place: Place) -> None:
    (place.folder / name).write_text(text)
    place.bring(name, "experiment=before")
    runs = [run for _, run in sorted(place.runs("before").items())]
    assert [run.metrics for run in runs] == [{"val_loss": 0.5}, {}]
    assert [set(run.params) for run in runs] == [{"lr", "clip"}] * 2


def test_a_text_in_a_column_that_was_said_to_be_a_metric_is_said(place: Place) -> None:
    (place.folder / "r.csv").write_text("lr,val_loss\n0.1,0.5\n0.2,diverged\n")
    assert "note, 1 run: val_loss is not a number and is left out" in place.bring("r.csv", "metrics=val_loss")


def test_decimals_of_a_database_are_numbers_in_parquet(place: Place) -> None:
    from decimal import Decimal

    frame = pd.DataFrame({"lr": [0.1, 0.2], "val_loss": [Decimal("0.50"), Decimal("0.25")]})
    frame.to_parquet(place.folder / "r.parquet")
    place.bring("r.parquet", "experiment=before")
    assert sorted(run.metrics["val_loss"] for run in place.runs("before").values()) == [0.25, 0.5]


def test_a_quoted_list_of_two_numbers_is_a_setting_and_a_measurement_with_a_comma_is_refused(place: Place) -> None:
    (place.folder / "r.csv").write_text('layers,val_loss\n"64,64",0.5\n"32,32",0.25\n')
    place.bring("r.csv", "experiment=before")
    assert sorted(run.params["layers"] for run in place.runs("before").values()) == ["32,32", "64,64"]
    (place.folder / "s.csv").write_text('layers,val_loss\n64,"0,5"\n32,"0,25"\n')
    assert "column 'val_loss' has decimal commas (0,5)" in place.refused("s.csv")


def test_epochs_with_fractions_lose_no_row_of_a_table(place: Place) -> None:
    (place.folder / "r.csv").write_text("run,epoch,loss\na,0,3\na,0.5,2\nb,0,3\nb,0.5,1\n")
    place.bring("r.csv", "experiment=before")
    assert place.history(place.runs("before")["b"])["loss"] == [(0, 3), (1, 1)]
