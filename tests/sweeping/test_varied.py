"""Replicates that vary the data split, too: configs, runs, tables, confirmation, resume."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rothamsted import tags
from rothamsted.analysis.analyze import QUICK, Settings, analyze, settings_of
from rothamsted.analysis.read_compared import read_compared
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.analysis.replicates_words import conditional_words
from rothamsted.errors import SpecError, StoreError, UserError
from rothamsted.publish.power import power_text
from rothamsted.publish.record import tables_of
from rothamsted.reporting.sections.variance_sources import variance_sources
from rothamsted.reporting.tables.csv_tables import replicates_table
from rothamsted.statistics.crossed import Crossing, independent_values
from rothamsted.sweeping.open.asked import digest_of_first_data
from rothamsted.sweeping.open.from_file import load
from rothamsted.tracking import find_runs
from tests.sweeping import staging
from tests.sweeping.conftest import Project, stop_in_replicate
from tests.sweeping.in_this_process import in_this_process, use
from tests.sweeping.strangers import Home
from tests.sweeping.test_contest import TOYS, contest, refused, runs_of

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


def test_the_digest_of_the_data_is_that_of_the_study_whatever_split_comes_first(project: Project) -> None:
    # A policy that asks for the same data compares it: another first seed is no other data.
    sweep, study = load(
        project.write({**TOGETHER, "replicates": {"first_seed": 5, "vary": ["seed", "data.seed"]}}), {}, project.root
    )
    seen: list[int] = []

    def digest(config: Any) -> str:
        seen.append(config.data.seed)
        return "0" * 64

    assert digest_of_first_data(sweep, replace(study, data_digest=digest)) == "0" * 64
    assert set(seen) == {0}


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


@pytest.mark.parametrize("changes", [TOGETHER, CROSSED], ids=["together", "crossed"])
def test_a_sweep_whose_worker_is_killed_ends_with_the_numbers_of_one_that_was_not(
    project: Project, changes: dict[str, Any]
) -> None:
    def outcome(name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        own = {**changes, "name": name, "parameters": {**NOISY, **parameters}}
        words = ("sweep", "--config", str(project.write(own)))
        assert (project.cli(*words).returncode if parameters else project.here(*words)) == 0
        found = read_sweep(name, uri=project.tracking_uri)
        return [(r.condition, r.phase, tuple(r.varied.values()), r.objective) for r in found.replicates]

    marker = project.root / "killed"
    killed = outcome("killed", kill_at_step=7, kill_marker=str(marker))
    assert marker.exists()
    assert killed == outcome("alive")


def test_other_parameters_of_a_foreign_project_vary_with_its_seed(home: Home) -> None:
    # By hand, from its train.py: val_loss at its last step is 1 - lr + seed / 1000 + 1 / steps.
    context = home.start({"replicates": {"first_seed": 2, "vary": {"seed": 2, "steps": 2}}})
    home.work(context)
    found = [r for r in context.data().replicates if r.condition == 0]
    assert [tuple(r.varied.values()) for r in found] == [(2, 2), (2, 3), (3, 2), (3, 3)]
    assert [r.objective for r in found] == pytest.approx([0.75 + s / 1000 + 1 / n for s in (2, 3) for n in (2, 3)])


def test_a_project_that_takes_no_seed_cannot_vary_anything(home: Home) -> None:
    with pytest.raises(SpecError, match="needs seed_parameter"):
        home.start({"seed_parameter": None, "replicates": {"vary": ["steps"]}})


def test_a_published_crossed_sweep_has_shares_by_source(project: Project) -> None:
    # One factor more than noise: the toy's split moves all conditions by sd 0.05, its own noise each by 0.01.
    opened = project.start(CROSSED)
    project.work(opened)
    data = opened.data()
    found = analyze(data, settings_of(opened.sweep.statistics))
    assert found.sources is not None
    assert [one.source for one in found.sources.shares] == ["seed", "data.seed", "rest"]
    assert max(found.sources.shares, key=lambda one: one.share).source == "data.seed"
    tables = {table.name: table for table in tables_of(found)}
    assert [row[1] for row in tables["variance_sources"].rows] == ["seed", "data.seed", "rest"] * 2
    parts = " ".join(str(part) for part in variance_sources(found))
    assert "12 crossed replicates count as 3 independent ones" in parts.replace("\N{NO-BREAK SPACE}", " ").lower()
    with pytest.raises(UserError, match="crossed, and a plan is for independent ones"):
        power_text(data, 0.01, Settings())


def test_crossed_replicates_are_not_compared_as_if_they_were_independent(project: Project) -> None:
    # Twelve combinations of 3 and 4 numbers are no sample of twelve, as a sweep and as one of its trials.
    project.work(project.start({**CROSSED, "confirm": None}))
    project.work(project.start({**TOGETHER, "name": "together", "confirm": None}))
    uri = project.tracking_uri
    crossed, together = (
        find_runs(None, {tags.ROLE: "trial", tags.SWEEP: name}, uri=uri)[0].run_id for name in ("toys", "together")
    )
    for one in ("toys", crossed):
        with pytest.raises(StoreError, match=r"are crossed \(seed, data.seed\), and compare needs independent ones"):
            read_compared(["together", one], uri=uri)
    dataset, _ = read_compared(["together", together], uri=uri)
    assert len(dataset.replicates) == 8


def test_what_changes_together_cannot_be_told_apart_and_the_way_out_is_said(project: Project) -> None:
    opened = project.start({**TOGETHER, "confirm": None})
    project.work(opened)
    found = analyze(opened.data(), settings_of(opened.sweep.statistics))
    assert found.sources is None
    assert "vary: {seed: 5, data.seed: 5}" in found.gaps["sources"]


def test_a_crossed_condition_that_lost_a_replicate_keeps_its_interval(project: Project) -> None:
    # The toy fails at seed 2 of 3 in all splits of one condition: nothing can be said of it. Others are whole.
    opened = project.start(
        {
            **CROSSED,
            "confirm": None,
            "space": {"lr": [0.1, 0.2], "fail_at_seed": [-1, 2]},
            "execution": {"report": False},
        }
    )
    project.work(opened)
    found = analyze(opened.data(), settings_of(opened.sweep.statistics))
    by_fate = {c.number: c.values["fail_at_seed"] for c in found.dataset.conditions}
    for one in found.objective:
        is_whole = by_fate[one.condition] == -1
        assert (one.interval is not None) == is_whole
        assert one.counts["finished"] == (12 if is_whole else 8)
    assert {by_fate[number] for number in found.ranking} == {-1}


def test_a_later_stage_goes_on_with_the_splits_of_the_first(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, in_this_process)
    staging.run(project, {"replicates": {"count": 2, "first_seed": 3, "vary": ["seed", "data.seed"]}})
    runs = staging.replicates(project, "toys.stage2").values()
    assert sorted(run.params["data.seed"] for run in runs) == ["3", "3", "4", "4"]
    assert {run.tags[tags.RESUMED_FROM_STEP] for run in runs} == {"8"}


def test_a_contest_gives_all_contestants_the_same_fresh_splits(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, in_this_process)
    ids = contest(project, vary=("seed", "data.seed"))
    found = [[(run.params["seed"], run.params["data.seed"]) for run in of] for of in runs_of(project, ids)]
    assert found == [[("7", "7"), ("3", "3"), ("5", "5")]] * 2
    contestants = [{**TOYS[0], "data.seed": 1}, TOYS[1]]
    said = refused(project, SpecError, name="other", contestants=contestants, vary=("seed", "data.seed"))
    assert "champion has a data.seed of its own" in said
