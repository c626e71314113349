"""What of a replicate's run goes to Weights & Biases."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rothamsted import tags
from rothamsted.mirroring.pictures import Picture, placed
from rothamsted.mirroring.record import (
    fingerprint,
    is_to_be_mirrored,
    mirrored_run,
    nested,
    rows_of,
)
from rothamsted.records import MetricPoint
from rothamsted.tracking import FoundRun

LINK = "http://127.0.0.1:5000/#/experiments/1/runs/aa"


def run(*, status: str = "FINISHED", name: str = "seed 3", metrics: Any = None, **more: str) -> FoundRun:
    own = {
        tags.ROLE: "replicate",
        tags.SWEEP: "toys",
        tags.TRIAL: "4",
        tags.REPLICATE: "1",
        tags.SEED: "3",
        tags.PHASE: "search",
        tags.OUTCOME: "finished",
        "mlflow.source.name": "toy",
    }
    return FoundRun(
        run_id="aa",
        experiment_id="1",
        name=name,
        status=status,
        start_ms=1_700_000_000_000,
        end_ms=1_700_000_009_000,
        tags=own | more,
        params={"optimizer.lr": "0.1", "layers": "[4, 4]", "kind": "relu", "is_wide": "True", "seed": "3"},
        metrics=metrics or {"val/loss": 0.5, "objective": 0.5},
    )


def test_a_run_is_called_by_its_condition_and_its_seed() -> None:
    above = run(name="lr 0.1", **{tags.ROLE: "trial"})
    assert mirrored_run(run(), above, [], None, link=LINK).name == "lr 0.1, seed 3"


def test_a_lone_replicate_is_called_as_its_trial() -> None:
    alone = run(name="lr 0.1", **{tags.ROLE: "trial"})
    assert mirrored_run(alone, None, [], None, link=LINK).name == "lr 0.1"


def test_the_config_is_nested_and_says_which_replicate_it_is() -> None:
    ready = mirrored_run(run(), None, [], '{"optimizer": {"lr": 0.1}, "seed": 3}', link=LINK)
    assert ready.config == {
        "optimizer": {"lr": 0.1},
        "seed": 3,
        "rothamsted": {
            "sweep": "toys",
            "trial": 4,
            "replicate": 1,
            "seed": 3,
            "phase": "search",
            "started": "2023-11-14T22:13:20+00:00",  # 1,700,000,000 s: `date -u -d @1700000000`
            "mlflow_run_id": "aa",
            "mlflow_link": LINK,
        },
    }


def test_the_params_of_a_foreign_project_become_values_again() -> None:
    config = dict(mirrored_run(run(), None, [], None, link=LINK).config)
    del config["rothamsted"]
    assert config == {"optimizer": {"lr": 0.1}, "layers": [4, 4], "kind": "relu", "is_wide": True, "seed": 3}


def test_a_name_that_is_also_the_beginning_of_another_stays_dotted() -> None:
    flat = {"data": "mnist", "data.seed": 1, "a..b": 2}
    assert nested(flat) == flat


@pytest.mark.parametrize(
    ("status", "outcome", "exit_code"),
    [("FINISHED", "finished", 0), ("FINISHED", "diverged", 0), ("FAILED", "failed", 1), ("KILLED", "pruned", 255)],
)
def test_how_it_ended_is_its_exit_code_its_tag_and_its_summary(status: str, outcome: str, exit_code: int) -> None:
    ended = run(status=status, **{tags.OUTCOME: outcome, tags.REASON: "out of memory"})
    ready = mirrored_run(ended, None, [], None, link=LINK)
    assert ready.exit_code == exit_code
    assert list(ready.tags) == ["search", outcome, "toy"]
    assert ready.summary == {"outcome": outcome, "reason": "out of memory"}
    assert ready.notes == "out of memory"


def test_no_password_leaves_the_record() -> None:
    ended = run(name="store postgresql://me:pw@host/db", **{tags.REASON: "https://TOKEN@host/x.git is away"})
    ready = mirrored_run(ended, None, [], '{"data": {"from": ["https://TOKEN@host/x"]}}', link=LINK)
    assert "TOKEN" not in repr(ready)
    assert "pw" not in repr(ready)


def test_points_become_rows_by_step_and_the_later_of_two_counts() -> None:
    points = [
        MetricPoint("loss", 3.0, 3000, 2),
        MetricPoint("loss", 1.0, 1000, 1),
        MetricPoint("acc", math.inf, 1000, 1),
        MetricPoint("loss", 2.0, 2000, 2),
    ]
    rows = rows_of(points)
    assert [(row.step, row.seconds, row.values) for row in rows] == [
        (1, 1.0, {"loss": 1.0, "acc": math.inf}),
        (2, 3.0, {"loss": 3.0}),
    ]


def test_what_a_trial_says_over_replicates_is_no_metric_of_its_only_replicate() -> None:
    metrics = {"val/loss": 0.5, "val/loss/mean": 0.5, "objective": 0.5, "objective/n": 1.0, "grad/mean": 0.1}
    alone = run(metrics=metrics, **{tags.ROLE: "trial"})
    points = [MetricPoint(key, value, 0, 1) for key, value in metrics.items()]
    [row] = mirrored_run(alone, None, points, None, link=LINK).rows
    assert set(row.values) == {"val/loss", "objective", "grad/mean"}


@pytest.mark.parametrize(
    ("status", "outcome"), [("RUNNING", "finished"), ("KILLED", "interrupted"), ("RUNNING", ""), ("FAILED", "")]
)
def test_what_may_go_on_waits(status: str, outcome: str) -> None:
    assert not is_to_be_mirrored(run(status=status, **{tags.OUTCOME: outcome}), "/demo")


def test_a_trial_with_several_replicates_is_none() -> None:
    trial = run()
    own = {key: text for key, text in trial.tags.items() if key != tags.REPLICATE}
    assert not is_to_be_mirrored(FoundRun(**{**vars(trial), "tags": own}), "/demo")


def test_a_replicate_is_mirrored_once_until_its_result_or_its_place_changes() -> None:
    mark = {tags.MIRRORED: f"https://wandb.ai/lab/demo/runs/aa#{fingerprint(run(), '/demo')}"}
    assert not is_to_be_mirrored(run(**mark), "/demo")
    assert is_to_be_mirrored(run(**mark), "/other")
    assert is_to_be_mirrored(run(metrics={"objective": 0.4}, **mark), "/demo")  # scored anew
    assert is_to_be_mirrored(run(status="FAILED", **{**mark, tags.OUTCOME: "failed"}), "/demo")


@pytest.mark.parametrize(
    ("path", "key", "step"),
    [
        ("samples/step_000020.png", "samples", 20),
        ("samples/step-20.png", "samples", 20),
        ("samples_20.png", "samples", 20),
        ("faces/s20.JPG", "faces", 20),
        ("pictures/last.png", "pictures/last", None),
        ("samples/step_30.png", "samples/step_30", None),  # of a step without a measurement
        ("20.png", "20", None),
    ],
)
def test_a_picture_belongs_to_the_step_in_its_name(path: str, key: str, step: int | None) -> None:
    assert placed(path, {10, 20}) == Picture(path=path, key=key, step=step)
