"""An analysis as JSON for other programs: its numbers, its names, what it refuses; and the command that writes it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.cli.main import main
from rothamsted.errors import UserError
from rothamsted.publish.export import Names, export_of, read_names, write_export
from tests.analysis.runs import dataset
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


@pytest.mark.parametrize("text", ["{a: 1}", "names: {a: 1}", "condition: [x]", "[1]", "names: {"])
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
    assert len(files) == 4
    assert json.loads(files[0].read_text()) in next(iter(found.values()))["individual_results"]


def test_analyze_exports_a_sweep(swept: Project, capsys: pytest.CaptureFixture[str]) -> None:
    names = swept.root / "names.yaml"
    names.write_text("condition: 'lr_{rate:.2f}_x_{x}'\nnames: {lr: rate, val_loss: best_val_loss}\n")
    assert main(["analyze", "--sweep", "toys", "--export", "out", "--export_names", str(names)]) == 0
    found = json.loads((swept.root / "out" / "aggregated_results.json").read_text())
    assert sorted(found) == [f"lr_{lr:.2f}_x_{x}" for lr in (0.01, 0.1, 1.0) for x in (0.0, 0.5)]
    entry = found["lr_0.10_x_0.5"]
    assert (entry["rate"], entry["n_runs"], entry["aggregated_metrics"]["best_val_loss"]["n"]) == (0.1, 3, 3)
    assert main(["analyze", "--sweep", "toys", "--export_names", str(names)]) == 2
    assert "goes with export=DIR" in capsys.readouterr().err
