"""`metric="val_loss + 0.1 * train_loss"` on the command line: a score of metrics that were logged, as in Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rothamsted as rt
from rothamsted.cli.main import main
from tests.analysis.runs import log_run
from tests.sweeping.conftest import Project

GAP = "val_loss - 0.5 * train_loss"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command: its status, and what it printed."""
    capsys.readouterr()
    status = main(arguments)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_analyze_and_report_take_arithmetic_on_metrics_as_python_does(
    swept: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = rt.analyze("toys", metric=GAP, direction="minimize")
    status, out, err = said(capsys, "analyze", "toys", f"metric={GAP}", "direction=minimize", "--json")
    assert status == 0, err
    found = json.loads(out)
    best = found["conditions"][0]
    assert (found["metric"], best["rank"]) == ("score", 1)
    assert best["value"] == pytest.approx(expected.best.mean)
    assert best["values"] == dict(expected.best.values)
    status, out, err = said(capsys, "report", "toys", f"metric={GAP}", "direction=minimize", "folder=pages")
    assert status == 0, err
    assert "score" in (swept.root / "pages" / "toys.html").read_text()
    folder = f"folder={swept.root / 'figures'}"
    status, out, err = said(capsys, "report", "toys", f"metric={GAP}", "direction=minimize", "format=svg", folder)
    assert status == 0, err
    assert list((swept.root / "figures").glob("*.svg"))


def test_a_direction_has_to_be_said_for_a_score(swept: Project, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = said(capsys, "analyze", "toys", f"metric={GAP}")
    assert status == 2
    assert f"is more {GAP} better? give direction=maximize or direction=minimize" in err
    assert len(err.strip().splitlines()) == 1


def test_a_score_of_a_metric_that_nobody_logged_names_it(swept: Project, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = said(capsys, "analyze", "toys", "metric=val_loss - 2 * train_los", "direction=minimize")
    assert status == 2
    assert "no replicate has the metric 'train_los'; did you mean train_loss?" in err
    assert len(err.strip().splitlines()) == 1


def test_runs_of_strangers_are_compared_by_a_score(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    for lr in (0.1, 0.2):
        for seed in range(3):
            # By hand: a/b - 2 * c at the last step is 1 - 2 * lr - 0.02 * seed; a/b is a name, and no division.
            more = {"c": [0.0, lr + 0.01 * seed]}
            log_run(project.tracking_uri, {"lr": lr, "seed": seed}, [0.5, 1.0], metric="a/b", more=more)
    keys = ("experiment=strangers", "group_by=lr", "replicate_by=seed", "direction=maximize")
    status, out, err = said(capsys, "analyze", *keys, "metric={a/b} - 2 * c", "--json")
    assert status == 0, err
    best = json.loads(out)["conditions"][0]
    assert best["values"] == {"lr": 0.1}
    assert best["value"] == pytest.approx(1 - 2 * 0.1 - 0.02)
    assert said(capsys, "analyze", *keys, "metric=a/b")[0] == 0
    status, _, err = said(capsys, "analyze", *keys, "metric=a/b - 2 * c")
    assert status == 2
    assert "no replicate has the metric 'a'; a/b is a name, not arithmetic: write {a/b}" in err


def test_the_help_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "or arithmetic on metrics" in said(capsys, "analyze", "--help")[1]
