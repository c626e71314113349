"""An analysis as JSON for other programs: its numbers, its names, what it refuses; and the command that writes it."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from rothamsted import tags
from rothamsted.analysis.analyze import analyze
from rothamsted.cli.main import main
from rothamsted.errors import UserError
from rothamsted.publish.export import AGGREGATED, INDIVIDUAL, Names, export_of, read_names, write_export
from rothamsted.tracking import find_runs, read_text
from tests.analysis.runs import dataset, log_run
from tests.sweeping.conftest import Project

NAN = math.nan


def test_a_condition_has_its_runs_and_the_statistics_of_its_metrics() -> None:
    # By hand: mean 2, sd 1, n 3; t(0.975, df=2) = 4.302653; half-width 4.302653 / sqrt(3).
    given = dataset({0: [1.0, 2.0, 3.0], 1: [4.0, 5.0, 6.0]})
    entry = next(iter(export_of(analyze(given)).values()))
    found = entry["aggregated_metrics"]["objective"]
    assert entry["n_runs"] == 3
    assert (found["mean"], found["std"], found["n"], found["values"]) == (2.0, 1.0, 3, [1.0, 2.0, 3.0])
    assert (found["ci_lower"], found["ci_upper"]) == pytest.approx((-0.484138, 4.484138), abs=1e-6)
    assert [one["objective"] for one in entry["individual_results"]] == [1.0, 2.0, 3.0]


def test_a_failed_replicate_is_listed_and_counted_in_no_statistic() -> None:
    given = dataset({0: [1.0, NAN, 3.0], 1: [4.0, 5.0, 6.0]}, outcomes={(0, 1): "failed"})
    entry = next(iter(export_of(analyze(given)).values()))
    assert (entry["n_runs"], entry["aggregated_metrics"]["objective"]["mean"]) == (2, 2.0)
    assert [one["outcome"] for one in entry["individual_results"]] == ["finished", "failed", "finished"]
    assert entry["individual_results"][1]["objective"] is None


def test_one_replicate_has_no_interval() -> None:
    entry = next(iter(export_of(analyze(dataset({0: [1.0], 1: [2.0]}))).values()))
    assert entry["aggregated_metrics"]["objective"]["ci_lower"] is None


def test_names_of_parameters_metrics_and_conditions_can_be_those_of_an_older_program() -> None:
    given = dataset({0: [1.0, 2.0], 1: [4.0, 5.0]})
    factor = given.factors[0].name
    names = Names(condition="x_{old:.1f}", names={factor: "old", "objective": "score"})
    found = export_of(analyze(given), names)
    for key, condition in zip(found, given.conditions, strict=True):
        assert key == f"x_{condition.values[factor]:.1f}"
        assert found[key]["old"] == condition.values[factor]
        assert "score" in found[key]["aggregated_metrics"]


@pytest.mark.parametrize(
    ("condition", "message"),
    [("all", "gives 'all' twice"), ("{nothing}", "cannot be filled"), ("{", "cannot be filled")],
)
def test_a_template_that_does_not_tell_conditions_apart_is_refused(condition: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        export_of(analyze(dataset({0: [1.0, 2.0], 1: [4.0, 5.0]})), Names(condition=condition))


def test_conditions_that_rounding_makes_equal_have_their_numbers_in_full() -> None:
    factors = {0: {"scale": 0.01}, 1: {"scale": 0.03}, 2: {"scale": 0.5}}
    given = dataset({0: [1.0], 1: [2.0], 2: [3.0]}, factors=factors)
    assert list(export_of(analyze(given), Names(condition="s_{scale:.1f}"))) == ["s_0.01", "s_0.03", "s_0.5"]


def test_conditions_with_one_label_have_their_numbers_in_full(tmp_path: Path) -> None:
    near = 0.1 + 1e-12
    given = dataset({0: [1.0, 2.0], 1: [4.0, 5.0]}, factors={0: {"lr": 0.1}, 1: {"lr": near}})
    assert given.conditions[0].label == given.conditions[1].label
    found = json.loads(write_export(analyze(given), tmp_path).read_text())
    assert [entry["lr"] for entry in found.values()] == [0.1, near]


@pytest.mark.parametrize(
    "names", [("..", "../..", ".", "/etc"), ("a/b", "a b", "a_b", "A_b"), ("x" * 300, "x" * 299), ("ü", "ö", "%", "")]
)
def test_no_two_conditions_share_a_folder_and_none_leaves_the_export(names: tuple[str, ...], tmp_path: Path) -> None:
    given = dataset(
        {number: [float(number), 2.5] for number in range(len(names))},
        factors={number: {"name": name} for number, name in enumerate(names)},
    )
    write_export(analyze(given), tmp_path / "out", Names(condition="{name}"))
    folders = sorted((tmp_path / "out" / "individual_results").iterdir())
    read = sorted(json.loads((folder / "config.json").read_text())["name"] for folder in folders)
    assert read == sorted([*names, *names])
    assert len({folder.name.casefold() for folder in folders}) == 2 * len(names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [AGGREGATED, INDIVIDUAL]


def test_numbers_are_read_back_bit_for_bit(tmp_path: Path) -> None:
    value, rate = 0.1 + 0.2, 1e-3 * 10 ** (1 / 3)
    given = replace(
        dataset({0: [value, 5e-324], 1: [4.0, 5.0]}, factors={0: {"opt.lr": rate}, 1: {"opt.lr": 1.0}}),
        fixed={"opt.name": "sgd", "hidden": [8, 4]},
    )
    write_export(analyze(given), tmp_path, Names(condition="lr_{lr:.1f}", names={"opt.lr": "lr", "loss": "best"}))
    own = tmp_path / "individual_results" / "lr_0.0_run_0"
    results = json.loads((own / "results.json").read_text())
    assert (results["best"], results["lr"], results["seed"]) == (value, rate, 0)
    config = {"opt": {"name": "sgd", "lr": rate}, "hidden": [8, 4], "seed": 0}
    assert json.loads((own / "config.json").read_text()) == config
    assert json.loads((own.parent / "lr_0.0_run_1" / "results.json").read_text())["best"] == 5e-324


@pytest.mark.parametrize(
    "text",
    [
        *("{a: 1}", "names: {a: 1}", "condition: [x]", "[1]", "names: {"),
        *("plots: [a]", "plots: {a: {x: lr}}", "plots: {a: {plot: trends, y: lr}}"),
        "plots: {a: {plot: trends, metrics: [a, b]}}",
    ],
)
def test_a_file_of_names_that_says_something_else_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "names.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="export_names="):
        read_names(path)


def test_files_hold_what_the_export_says(tmp_path: Path) -> None:
    analysis = analyze(dataset({0: [1.0, 2.0], 1: [4.0, 5.0]}))
    path = write_export(analysis, tmp_path / "out")
    found = export_of(analysis)
    assert json.loads(path.read_text()) == found
    files = sorted((tmp_path / "out" / "individual_results").rglob("*.json"))
    assert [path.name for path in files] == ["config.json", "results.json"] * 4
    results = json.loads(files[1].read_text())
    assert results.pop("curves") == {}  # none is given
    assert results in next(iter(found.values()))["individual_results"]


def test_analyze_exports_a_sweep(swept: Project, capsys: pytest.CaptureFixture[str]) -> None:
    names = swept.root / "names.yaml"
    names.write_text("condition: 'lr_{rate:.2f}_x_{x}'\nnames: {lr: rate, val_loss: best_val_loss}\n")
    assert main(["analyze", "--sweep", "toys", "--export", "out", "--export_names", str(names)]) == 0
    found = json.loads((swept.root / "out" / "aggregated_results.json").read_text())
    assert sorted(found) == [f"lr_{lr:.2f}_x_{x}" for lr in (0.01, 0.1, 1.0) for x in (0.0, 0.5)]
    entry = found["lr_0.10_x_0.5"]
    assert (entry["rate"], entry["n_runs"], entry["aggregated_metrics"]["best_val_loss"]["n"]) == (0.1, 3, 3)
    assert main(["analyze", "--sweep", "toys", "--export_names", str(names)]) == 2
    assert "needs export=DIR" in capsys.readouterr().err


NAMES = """
condition: "dim_{dim}_scale_{scale:.1f}"
names: {x: dim, lr: scale, val_loss: best/val_loss}
plots:
  "{metric}_vs_dimensions": {plot: trends, x: x, group: lr, metrics: [val_loss, train_loss]}
  "{metric}_vs_synergy_scale": {plot: trends, x: lr, group: x, metrics: [val_loss]}
  "heatmap_{metric}": {plot: heatmap, x: x, group: lr, metrics: [val_loss]}
  statistical_summary: {plot: completion}
  nothing: {plot: outcomes}
"""


def test_export_writes_curves_of_all_metrics_and_plots_under_their_names(
    swept: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (swept.root / "names.yaml").write_text(NAMES)
    capsys.readouterr()
    assert main(["export", "toys", "folder=out", "names=names.yaml"]) == 0
    printed = capsys.readouterr().out
    assert sorted(path.name for path in (swept.root / "out" / "plots").iterdir()) == [
        *("best_val_loss_vs_dimensions.png", "best_val_loss_vs_synergy_scale.png", "heatmap_best_val_loss.png"),
        *("statistical_summary.png", "train_loss_vs_dimensions.png"),
    ]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in (swept.root / "out" / "plots").iterdir())
    assert "no plot nothing: all 18 replicates of 6 conditions finished" in printed
    own = swept.root / "out" / "individual_results" / "dim_0.5_scale_0.1_run_2"
    results = json.loads((own / "results.json").read_text())
    run = next(run for run in find_runs(None, {}, uri=swept.tracking_uri) if run.run_id == results["run_id"])
    logged = {"best/val_loss" if name == "val_loss" else name for name in run.metrics}
    assert set(results["curves"]) == logged - {"objective", "epoch", "seconds", "samples_seen"}
    curve = results["curves"]["best/val_loss"]
    assert (len(curve["step"]), curve["value"][-1]) == (len(curve["value"]), run.metrics["val_loss"])
    config = json.loads((own / "config.json").read_text())
    assert config == json.loads(read_text(run.run_id, "config.json", uri=swept.tracking_uri) or "")
    assert config.items() >= {"steps": 20, "n_points": 5, "lr": 0.1, "x": 0.5, "seed": results["seed"]}.items()


@pytest.mark.parametrize(
    ("plots", "said"),
    [("{a: {plot: trend}}", "did you mean trends?"), ("{a: {plot: trends, metrics: [los]}}", "no run has the metric")],
)
def test_a_plot_that_cannot_be_drawn_is_refused_in_one_line(
    plots: str, said: str, swept: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (swept.root / "names.yaml").write_text(f"plots: {plots}\n")
    capsys.readouterr()
    assert main(["export", "toys", "folder=out", "names=names.yaml"]) == 2
    err = capsys.readouterr().err
    assert (err.count("\n"), said in err) == (1, True), err


def test_curves_of_all_metrics_that_are_asked_for_reach_the_table_and_the_report(project: Project) -> None:
    for lr in (0.1, 0.2):
        for seed in range(3):
            more = {"accuracy": [0.1, 0.5, 0.7 + 0.1 * lr], "norm": [3.0, 2.0, 1.0 + seed]}
            log_run(project.tracking_uri, {"lr": lr, "seed": seed}, [1.0, 0.5 + lr, lr + 0.01 * seed], more=more)
    keys = ["--experiment", "strangers", "--group_by", "lr", "--replicate_by", "seed", "--metric", "loss"]
    assert main(["report", *keys, "--metrics", "loss,accuracy,norm", "--folder", "r"]) == 0
    [run] = find_runs(None, {tags.ROLE: "summary"}, uri=project.tracking_uri)
    table = read_text(run.run_id, "statistics/curves.csv", uri=project.tracking_uri) or ""
    metrics = [row["metric"] for row in csv.DictReader(table.splitlines())]
    assert list(dict.fromkeys(metrics)) == ["loss", "accuracy", "norm"]
    page = (project.root / "r" / "strangers.html").read_text()
    for metric in ("accuracy", "norm"):
        assert f"<b>Learning curves by step: {metric}.</b>" in page
