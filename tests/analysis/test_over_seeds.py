"""`over_seeds=` of the commands: what stands for a condition over its seeds, for runs that have ended."""

from __future__ import annotations

import csv
import io

import pytest

from rothamsted.cli.main import main
from rothamsted.tracking import find_runs, read_text
from tests.analysis.runs import log_run
from tests.sweeping.conftest import Project

KEYS = ("--experiment", "strangers", "--group_by", "lr", "--replicate_by", "seed", "--metric", "loss")


def log_bad_seed(project: Project) -> None:
    """Six seeds of two step sizes: 0.1 is better but for seed 3, where its loss is 100."""
    for lr in (0.1, 0.5):
        for seed in range(6):
            value = 100.0 if (lr, seed) == (0.1, 3) else lr + 0.01 * seed
            log_run(project.tracking_uri, {"lr": lr, "seed": seed}, [1.0, value])


@pytest.mark.parametrize(("over", "best"), [("mean", "0.5"), ("median", "0.1"), ("iqm", "0.1")])
def test_runs_of_strangers_are_ranked_by_what_is_asked(
    project: Project, capsys: pytest.CaptureFixture[str], over: str, best: str
) -> None:
    log_bad_seed(project)
    assert main(["analyze", *KEYS, "--over_seeds", over]) == 0
    [summary] = find_runs(None, {"rothamsted.role": "summary"}, uri=project.tracking_uri)
    table = read_text(summary.run_id, "statistics/conditions.csv", uri=project.tracking_uri)
    rows = list(csv.DictReader(io.StringIO(table or "")))
    assert next(row for row in rows if row["rank"] == "1")["lr"] == best
    # A stranger's condition is no trial of ours, but its number is the same; the way out is for runs that have ended.
    assert ("over_seeds=median" in capsys.readouterr().out) == (over == "mean")


def test_compare_shows_the_number_and_tests_it(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = log_run(project.tracking_uri, {"lr": 0.1, "seed": 0}, [1.0, 0.3])
    other = log_run(project.tracking_uri, {"lr": 0.2, "seed": 0}, [1.0, 0.4])
    assert main(["compare", "--runs", f"{run_id},{other}", "--metric", "loss", "--over_seeds", "median"]) == 0
    assert "loss (minimize, last, median over seeds)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["analyze", *KEYS, "--over_seeds", "mode"],
            "over_seeds=mode is not known; use mean, median, iqm, or quantile:Q",
        ),
        (
            ["analyze", *KEYS, "--over_seeds", "quantile:2"],
            "use mean, median, iqm, or quantile:Q with Q between 0 and 1",
        ),
        (["analyze", *KEYS, "--over_seeds", "iqm", "--interval", "bca"], "interval bca is for means, not for iqm"),
        (["power", *KEYS, "--over_seeds", "median", "--difference", "1"], "plans are for means"),
    ],
)
def test_what_cannot_be_is_one_line(
    project: Project, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    log_bad_seed(project)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert line in said
    assert len(said.strip().splitlines()) == 1
