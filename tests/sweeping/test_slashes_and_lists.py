"""A sweep from its file to its report where metrics have slashes in their names and values are lists and mappings."""

from __future__ import annotations

from typing import Any

import pytest

from rothamsted import tags
from rothamsted.analysis.analyze import Settings
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.cli.main import main
from rothamsted.publish.finished import publish_finished
from rothamsted.tracking import find_runs, read_text
from tests.sweeping.conftest import Project
from tests.sweeping.sketch_project import SWEEP, add_sketch_study

CHANGES: dict[str, Any] = {
    **SWEEP,
    "space": {"lr": [0.25, 0.5], "model.hidden": [[4], [2, 3]], "weights": {"values": [{}, {"a": 1.0}]}},
    "sampler": {"name": "tpe"},
    "trials": 5,
    "enqueue": [{"lr": 0.5, "model.hidden": [2, 3], "weights": {"a": 1.0}}],
    "objective": [
        {"metric": "validation/loss", "direction": "minimize", "reduce": "best"},
        {"metric": "validation/accuracy", "direction": "maximize"},
    ],
    "constraints": ["{train/loss} < 1"],
    "execution": {"artifacts": False},
}


@pytest.fixture
def sketches(project: Project) -> Project:
    add_sketch_study(project)
    return project


def test_a_sweep_over_lists_with_slashed_metrics_is_summed_up_analysed_and_reported(
    sketches: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    context = sketches.start(CHANGES)
    sketches.work(context)
    uri = sketches.tracking_uri
    [first] = find_runs(None, {tags.ROLE: "trial", tags.TRIAL: "0"}, uri=uri)
    assert first.params == {"lr": "0.5", "model.hidden": "[2, 3]", "weights": "{'a': 1.0}", "steps": "2"}
    assert first.metrics["train/loss/mean"] == 0.5**2 / 5  # (1 - lr)^t / sum of widths, the same for all seeds
    names = {f"{metric}/{part}" for metric in ("validation/loss", "train/loss") for part in ("mean", "ci_low", "n")}
    assert names | {"objective/sd"} <= set(first.metrics)

    dataset = read_sweep(context.sweep_run_id, uri=uri)
    assert dataset.conditions[0].values == {"lr": 0.5, "model.hidden": [2, 3], "weights": {"a": 1.0}}
    assert publish_finished(context.sweep_run_id, Settings(), uri=uri)
    page = read_text(context.sweep_run_id, "report/report.html", uri=uri) or ""
    assert "validation/loss" in page
    assert "[2, 3]" in page
    assert "{'a': 1.0}" in page or "{&#39;a&#39;: 1.0}" in page

    capsys.readouterr()
    fields = ["--group_by", "lr,model.hidden", "--replicate_by", "seed", "--metric", "validation/loss"]
    assert main(["analyze", "--experiment", "Default", *fields]) == 0
    assert "[2, 3]" in capsys.readouterr().out
