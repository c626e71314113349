"""Replicates that vary the data split, too: configs, runs, tables, confirmation, resume."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from rothamsted import tags
from rothamsted.analysis.analyze import QUICK, analyze, settings_of
from rothamsted.analysis.replicates_words import conditional_words
from rothamsted.report.tables.csv_tables import replicates_table
from rothamsted.statistics.crossed import Crossing, independent_values
from rothamsted.tracking import find_runs
from tests.sweep.conftest import Project, stop_in_replicate

NOISY = {"steps": 20, "n_points": 5, "data.noise": 0.05, "own_noise": 0.01}
TOGETHER: dict[str, Any] = {
    "parameters": NOISY,
    "space": {"lr": [0.1, 0.2]},
    "replicates": {"count": 4, "vary": ["seed", "data.seed"]},
    "confirm": {"keep": 1, "replicates": 3},
}
CROSSED: dict[str, Any] = {**TOGETHER, "replicates": {"vary": {"seed": 3, "data.seed": 4}}}


def replicate_runs(project: Project, phase: str) -> list[Any]:
    return find_runs(None, {tags.ROLE: "replicate", tags.PHASE: phase}, uri=project.tracking_uri)


def test_each_replicate_has_a_split_and_a_seed_of_its_own(project: Project) -> None:
    opened = project.start(TOGETHER)
    project.work(opened)
    for phase, numbers in (("search", [0, 1, 2, 3]), ("confirm", [4, 5, 6])):
        runs = replicate_runs(project, phase)
        told = sorted({(int(run.params["seed"]), int(run.params["data.seed"])) for run in runs})
        assert told == [(n, n) for n in numbers]
        assert {run.tags[tags.VARIED] for run in runs} == {json.dumps({"seed": n, "data.seed": n}) for n in numbers}
    data = opened.data()
    assert "both" in conditional_words(data)
    table = replicates_table(analyze(data, parts=QUICK))
    assert [dict(zip(table.columns, row, strict=True))["varied data.seed"] for row in table.rows][:4] == [0, 1, 2, 3]
    assert data.design["replicates"] == "4 a condition, on the same 4 pairs of training seed and data split: 0, 1, 2, 3"


def test_a_population_does_not_mix_splits_that_one_call_cannot_train(project: Project) -> None:
    # The toy's members may differ in the seed, and not in data.seed: `varies` of its Study.
    project.work(project.start({**TOGETHER, "execution": {"population": 8}}))
    assert len(replicate_runs(project, "search")) == 8


def test_crossed_replicates_are_summed_up_as_independent_ones(project: Project) -> None:
    opened = project.start(CROSSED)
    project.work(opened)
    runs = [run for run in replicate_runs(project, "search") if run.tags[tags.TRIAL] == "0"]
    pairs = sorted((int(run.params["seed"]), int(run.params["data.seed"])) for run in runs)
    assert pairs == [(i, j) for i in range(3) for j in range(4)]
    data = opened.data()
    found = analyze(data, settings_of(opened.sweep.statistics))
    values = np.array([r.objective for r in data.replicates if r.condition == 0 and r.phase == "search"])
    made = independent_values(values[:, None], Crossing(cells=tuple(range(12)), sizes=(3, 4)))[:, 0]
    summary = found.objective[0]
    assert summary.n == 3
    assert summary.counts == {"finished": 12}
    assert summary.statistics["sd"] == pytest.approx(values.std(ddof=1))
    assert summary.statistics["sem"] == pytest.approx(made.std(ddof=1) / 3**0.5)
    assert summary.statistics["mean"] == pytest.approx(values.mean())
    confirmed = found.confirmed[0]
    assert confirmed.summary is not None
    assert confirmed.summary.n == 3  # pairs of fresh numbers, independent as they are
    told = opened.queue.trials([tags.RESULT])[0].attributes[tags.RESULT]["summary"]
    assert (told["n"], told["ci_low"]) == (3, pytest.approx(summary.interval.low if summary.interval else None))


@pytest.mark.parametrize("changes", [TOGETHER, CROSSED], ids=["together", "crossed"])
def test_a_sweep_that_was_stopped_goes_on_with_the_same_numbers(project: Project, changes: dict[str, Any]) -> None:
    project.work(project.start(changes), should_stop=stop_in_replicate(3, 2))
    opened = project.start(changes)
    project.work(opened)
    numbers = [r.number for r in opened.data().replicates if r.phase == "search" and r.condition == 1]
    assert numbers == list(range(len(opened.sweep.replicates.values)))
