"""The answers to the checklist: what bars are, what computing took, and nothing that is not on record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.sweep_runs import read_sweep_runs
from rothamsted.publish.exported.checklist import checklist
from rothamsted.publish.exported.compute import Compute, compute_of_runs, compute_of_sweep
from rothamsted.tracking import find_runs
from rothamsted.tracking.environment import machine
from tests.analysis.runs import dataset
from tests.sweeping.conftest import Project

FOUND = analyze(dataset({0: [1.0, 2.0, 3.0], 1: [2.0, 3.0, 4.5]}))
SOME = Compute(
    machines={"EPYC, 2 cores, 8 GiB": 3},
    n_asked=3,
    n_runs=3,
    seconds={"finished": [10.0, 30.0], "failed": [20.0]},
    python=("3.11.7",),
    workers="2",
)


def answer(page: str, question: str) -> str:
    [line] = [line for line in page.splitlines() if line.startswith(f"- **{question}")]
    return line.partition("?** ")[2]


def test_times_are_summed_with_those_of_failed_runs() -> None:
    page = checklist(FOUND, SOME)
    assert answer(page, "How long did all take").startswith("1\u202fmin of wall-clock time, the sum over all runs")
    assert "40\u202fs of 2\u00a0runs that finished and 20\u202fs of 1\u00a0run that failed" in page
    assert answer(page, "How long does one run take").startswith(
        "Wall-clock from start to end of a finished run: median 20"
    )
    assert "counts all 3\u00a0runs" in page


def test_what_is_not_on_record_is_said_to_be_so() -> None:
    page = checklist(FOUND, Compute())
    assert answer(page, "Which machines") == "Not recorded."
    assert answer(page, "How much memory was used").startswith("Peak memory is not recorded")
    assert answer(page, "How long did all take") == "Not recorded."
    assert answer(page, "CPU or GPU") == "No GPU is on record for any run."


def test_memory_and_devices_that_were_logged_are_named() -> None:
    page = checklist(FOUND, replace(SOME, memory={"peak_memory_mib": 512.0}, devices={"NVIDIA H200 (GPU 0)": 2}))
    assert answer(page, "How much memory was used").endswith("peak_memory_mib 512.")
    assert answer(page, "CPU or GPU") == "NVIDIA H200 (GPU 0) (2\u00a0runs); 1\u00a0run without a GPU on record."


def test_error_bars_are_named_with_kind_level_n_method_and_assumptions() -> None:
    given = replace(dataset({0: [1.0, 2.0, 3.0], 1: [2.0, 3.0, 4.5]}), varied=("seed",))
    numbered = tuple(replace(one, number=int(one.seed)) for one in given.replicates)
    page = checklist(analyze(replace(given, replicates=numbered)), SOME)
    assert answer(page, "What do the error bars capture").startswith("Variation over training seed.")
    kind = answer(page, "Standard deviation, standard error")
    assert kind.startswith("Confidence intervals of 95\u202f% for the mean, not standard deviations")
    assert kind.endswith("n = 3 replicates.")
    assert answer(page, "How are they computed").startswith("By Student's t.")
    assert "normally distributed" in answer(page, "What do they assume")


def test_lost_replicates_are_counted_and_one_replicate_has_no_bars() -> None:
    lost = dataset({0: [1.0, 2.0, 3.0], 1: [2.0, 3.0, 4.0]}, outcomes={(0, 1): "failed", (1, 2): "diverged"})
    assert answer(checklist(analyze(lost), SOME), "What was left out").startswith(
        "Of 6\u00a0replicates 1 diverged and 1 failed."
    )
    single = checklist(analyze(dataset({0: [1.0], 1: [2.0]})), SOME)
    assert "No: no condition has enough replicates for an interval." in single


def test_the_compute_of_a_sweep_is_that_of_its_runs_on_record(swept: Project, exported: Path) -> None:
    # Authority: the starts and ends of the runs in MLflow, and this machine's own description.
    uri = swept.tracking_uri
    found = compute_of_sweep(read_sweep_runs("toys", uri=uri), uri=uri)
    runs = [run for run in find_runs(None, {}, uri=uri) if "rothamsted.replicate" in run.tags]
    assert found.n_runs == len(runs) == 18
    assert found.total * 1000 == pytest.approx(sum((run.end_ms or 0) - run.start_ms for run in runs))
    assert found.machines == {machine(): 18}
    page = (exported / "paper" / "checklist.md").read_text()
    assert f"{machine()} (18\u00a0runs); Python 3." in page


def test_runs_of_no_sweep_have_times_alone() -> None:
    found = compute_of_runs(dataset({0: [1.0, 2.0]}, outcomes={(0, 1): "failed"}))
    assert (found.machines, found.n_runs, found.total) == ({}, 2, 2.0)
    assert set(found.seconds) == {"finished", "failed"}
