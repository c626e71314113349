"""Runs of strangers become conditions and replicates by their parameters."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.ranking import ranked
from rothamsted.analysis.read_runs import read_runs
from rothamsted.analysis.values import Dataset, Objective
from rothamsted.errors import StoreError
from tests.analysis.runs import LOSS, log_run


def read(uri: str, **changes: Any) -> Dataset:
    given: dict[str, Any] = {"group_by": ["lr"], "replicate_by": "seed", "objective": LOSS, **changes}
    return read_runs("strangers", uri=uri, **given)


def objectives(dataset: Dataset) -> dict[tuple[str, str], float]:
    labels = {condition.number: condition.label for condition in dataset.conditions}
    return {(labels[r.condition], r.seed): r.objective for r in dataset.replicates}


def test_parameters_make_conditions_and_the_seed_makes_replicates(uri: str) -> None:
    for lr in (0.1, 0.2):
        for seed in (0, 1):
            log_run(uri, {"lr": lr, "seed": seed}, [1.0, lr + seed])
    assert objectives(read(uri)) == {
        ("lr=0.1", "0"): 0.1,
        ("lr=0.1", "1"): 1.1,
        ("lr=0.2", "0"): 0.2,
        ("lr=0.2", "1"): 1.2,
    }


def test_values_are_numbers_truth_values_and_text_again(uri: str) -> None:
    log_run(uri, {"lr": 1e-3, "width": 64, "amp": True, "act": "relu", "seed": 0}, [1.0])
    found = read(uri, group_by=["lr", "width", "amp", "act"])
    assert found.conditions[0].values == {"lr": 0.001, "width": 64, "amp": True, "act": "relu"}


def test_numbers_over_orders_of_magnitude_are_a_log_factor(uri: str) -> None:
    for lr in (1e-4, 1e-2, 1.0):
        log_run(uri, {"lr": lr, "width": 64, "seed": 0}, [1.0])
    factor = read(uri).factors[0]
    assert (factor.levels, factor.is_numeric, factor.is_log) == ((1e-4, 1e-2, 1.0), True, True)


def test_best_and_mean_of_last_are_taken_from_the_curve(uri: str) -> None:
    # By hand: least of the curve 0.2; mean of the last two (0.2 + 0.6) / 2.
    log_run(uri, {"lr": 0.1, "seed": 0}, [1.0, 0.2, 0.6])
    best = Objective(metric="loss", direction="minimize", reduce="best")
    mean = Objective(metric="loss", direction="minimize", reduce="mean:2")
    assert read(uri, objective=best).replicates[0].objective == 0.2
    assert read(uri, objective=mean).replicates[0].objective == pytest.approx(0.4)


def test_a_field_that_no_run_has_is_refused_with_those_that_exist(uri: str) -> None:
    log_run(uri, {"lr": 0.1, "seed": 0}, [1.0], tags={"team": "a"})
    with pytest.raises(StoreError, match="no run has a parameter or tag 'width'; parameters: lr, seed; tags: team"):
        read(uri, group_by=["width"])


def test_a_metric_that_no_run_has_is_refused_with_those_that_exist(uri: str) -> None:
    log_run(uri, {"lr": 0.1, "seed": 0}, [1.0], more={"acc": [0.5]})
    with pytest.raises(StoreError, match="no replicate has the metric 'auc'; logged: acc, loss"):
        read(uri, objective=Objective(metric="auc", direction="maximize"))


def test_runs_without_a_field_are_left_out_and_counted(uri: str) -> None:
    log_run(uri, {"lr": 0.1, "seed": 0}, [1.0])
    log_run(uri, {"seed": 0}, [9.0])
    found = read(uri)
    assert len(found.replicates) == 1
    assert "1 run has no 'lr' and is left out." in found.marks


@pytest.mark.parametrize(
    ("status", "outcome"), [("FAILED", "failed"), ("KILLED", "interrupted"), ("RUNNING", "running")]
)
def test_a_run_that_did_not_finish_has_no_score(uri: str, status: str, outcome: str) -> None:
    log_run(uri, {"lr": 0.1, "seed": 0}, [1.0], status=status)
    (replicate,) = read(uri).replicates
    assert replicate.outcome == outcome
    assert math.isnan(replicate.objective)


def test_running_runs_are_marked(uri: str) -> None:
    log_run(uri, {"lr": 0.1, "seed": 0}, [1.0])
    log_run(uri, {"lr": 0.1, "seed": 1}, [1.0], status="RUNNING")
    found = read(uri)
    assert not found.is_complete
    assert "1 run is still running; analysed with the results so far." in found.marks


def test_of_two_runs_of_one_seed_the_later_finished_one_counts(uri: str) -> None:
    log_run(uri, {"lr": 0.1, "seed": 0}, [5.0])
    log_run(uri, {"lr": 0.1, "seed": 0}, [6.0])
    log_run(uri, {"lr": 0.1, "seed": 0}, [7.0], status="FAILED")
    found = read(uri)
    assert [r.objective for r in found.replicates] == [6.0]
    assert any(mark.startswith("2 runs repeat a condition and seed") for mark in found.marks)


def test_a_parameter_that_differs_within_a_condition_is_named(uri: str) -> None:
    log_run(uri, {"lr": 0.1, "seed": 0, "width": 8}, [1.0])
    log_run(uri, {"lr": 0.1, "seed": 1, "width": 16}, [1.0])
    assert any("differ in width, which is not in group_by" in mark for mark in read(uri).marks)


def test_a_summary_run_is_no_result(uri: str) -> None:
    log_run(uri, {"lr": 0.1, "seed": 0}, [1.0])
    log_run(uri, {"lr": 0.1, "seed": 1}, [1.0], tags={"rothamsted.role": "summary"})
    assert len(read(uri).replicates) == 1


def test_seconds_are_counted_from_the_start_of_the_run(uri: str) -> None:
    # log_run lets a second pass between two steps.
    log_run(uri, {"lr": 0.1, "seed": 0}, [1.0, 0.5])
    series = read(uri).replicates[0].series["loss"]
    assert series.seconds.tolist() == [1.0, 2.0]


def test_seconds_that_a_run_logged_itself_count_instead(uri: str) -> None:
    log_run(uri, {"lr": 0.1, "seed": 0}, [1.0, 0.5], more={"seconds": [7.5, 9.0]})
    series = read(uri).replicates[0].series["loss"]
    assert series.seconds.tolist() == [7.5, 9.0]


def test_runs_without_a_seed_are_unpaired_replicates(uri: str) -> None:
    for value in (1.0, 2.0, 3.0):
        log_run(uri, {"lr": 0.1}, [value])
    found = read(uri, replicate_by=None)
    assert sorted(r.objective for r in found.replicates) == [1.0, 2.0, 3.0]
    assert {r.seed for r in found.replicates} == {""}


def test_a_run_of_a_stranger_that_ends_with_nan_has_diverged_and_its_condition_is_not_ranked_first(uri: str) -> None:
    # One seed of three ends with NaN; the mean of the other two would be the best of all.
    for seed, last in enumerate((0.1, 0.2, math.nan)):
        log_run(uri, {"lr": 0.1, "seed": seed}, [1.0, last])
        log_run(uri, {"lr": 0.2, "seed": seed}, [1.0, 0.5 + seed / 10])
    found = read(uri)
    assert [r.outcome for r in found.replicates if r.condition == 0] == ["finished", "finished", "diverged"]
    assert (
        next(r.reason for r in found.replicates if r.outcome == "diverged")
        == "its objective is not finite: loss is nan"
    )
    assert ranked(found) == [1]
    assert "1 of 2 conditions has diverged replicates and is not ranked." in analyze(found).marks
