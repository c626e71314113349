"""A whole sweep whose sampler proposes a condition again: it is trained once, and nothing counts it twice."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest
from rich.console import Console

from rothamsted import tags
from rothamsted.analysis.analyze import analyze, settings_of
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.analysis.values import Dataset
from rothamsted.search.sql.repeats import REPEAT_OF
from rothamsted.spec import plan
from rothamsted.sweeping.coordinator.coordinator import Coordinator
from rothamsted.sweeping.open.check import print_plan
from rothamsted.sweeping.open.from_file import load
from rothamsted.sweeping.phases import follow_up
from tests.sweeping.conftest import Project
from tests.sweeping.ending import end_all_leases, finish
from tests.sweeping.in_this_process import in_this_process
from tests.sweeping.power_cut import PowerCut, power
from tests.sweeping.search_run import Ran, run

FOUR: dict[str, Any] = {  # four conditions, asked for eight times
    "parameters": {"steps": 4, "n_points": 2, "own_noise": 0.01},
    "space": {"x": [0.1, 0.2], "optimizer.name": ["sgd", "heavy_ball"]},
    "sampler": {"name": "random", "seed": 3},
    "trials": 8,
    "replicates": {"count": 2},
}
HALVES: dict[str, Any] = {
    **FOUR,
    "space": {
        "optimizer.name": ["sgd", "heavy_ball"],
        "lr": {"low": 0.1, "high": 1.0, "when": {"optimizer.name": "sgd"}},
    },
    "sampler": {"name": "tpe", "seed": 3},
    "trials": 6,
}


def check_counts(found: Dataset, ran: Ran) -> None:
    """Ranking, verdicts, power and effects of four conditions on two seeds."""
    analysis = analyze(found, settings_of(ran.context.sweep.statistics))
    assert len(analysis.ranking) == 4
    assert analysis.best is not None
    assert len(analysis.best.verdicts) == 4
    assert {summary.n for summary in analysis.objective} == {2}
    assert analysis.detectable is not None
    assert analysis.detectable.n == 2
    assert residual_df(found, ran) == 3


def residual_df(found: Dataset, ran: Ran) -> float:
    effects = analyze(found, settings_of(ran.context.sweep.statistics)).effects
    assert effects is not None
    return next(row.df for row in effects.rows if row.kind == "residual")


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_small_space_gives_each_condition_once_and_3_degrees_of_freedom(project: Project, sampler: str) -> None:
    # By hand: 4 cells on 2 seeds are 8 values; less 1 mean, 3 of the cells and 1 of the seeds leave 3.
    ran = run(project, {**FOUR, "sampler": {"name": sampler, "seed": 3}})
    assert len({condition.label for condition in ran.conditions}) == len(ran.conditions) == 4
    assert len(ran.found.replicates) == 8
    check_counts(ran.found, ran)
    assert (len(ran.table("conditions")), len(ran.table("replicates"))) == (4, 8)
    assert len(ran.runs("trial")) == 4
    assert len(ran.runs("replicate")) == 8
    [sweep_run] = ran.runs("sweep")
    recorded = read_sweep(sweep_run.run_id, uri=project.tracking_uri)
    check_counts(recorded, ran)
    assert (
        recorded.design["conditions"]
        == ran.found.design["conditions"]
        == ("all 4 of the space, which has no more (trials: 8)")
    )
    assert not ran.found.marks


def test_plan_check_and_counts_say_the_same_number(project: Project) -> None:
    sweep, study = load(project.write(FOUR), {}, project.root)
    size = plan(sweep)
    assert (sweep.n_trials, size.n_conditions, size.n_trainings, size.n_runs) == (4, 4, 8, 1 + 4 + 8)
    console = Console(file=io.StringIO(), record=True, width=200)
    print_plan(sweep, study, console=console, is_timed=False)
    assert "all 4 of the space, which has no more (trials: 8)" in console.export_text()


def test_the_terminal_says_that_the_space_ends_and_what_was_proposed_again(project: Project) -> None:
    console = Console(file=io.StringIO(), record=True, width=200)
    with project.start({**FOUR, "sampler": {"name": "tpe", "seed": 3}}) as opened:
        session = Coordinator(opened=opened, executor=in_this_process(), console=console).run()
        counts = opened.queue.counts()
    text = console.export_text()
    assert session.is_complete
    assert (counts.total, counts.finished) == (4, 4)
    assert "conditions: all 4 of the space, which has no more (trials: 8)" in text
    assert "8 done | 0 running | 0 failed | 0 remaining" in text
    assert counts.repeats > 0
    proposals = "1 proposal" if counts.repeats == 1 else f"{counts.repeats} proposals"
    assert f"{proposals} repeated a condition" in text


def test_the_budget_counts_new_conditions_and_a_repeat_has_no_run(project: Project) -> None:
    ran = run(project, HALVES)
    assert len({condition.label for condition in ran.conditions}) == 6
    repeats = {t.number: t.user_attrs[REPEAT_OF] for t in ran.trials if REPEAT_OF in t.user_attrs}
    assert repeats
    assert {ran.trials[number].values[0] for number in repeats} == {ran.trials[of].values[0] for of in repeats.values()}
    assert not {int(one.tags[tags.TRIAL]) for one in ran.runs("trial")} & set(repeats)
    assert len(ran.runs("trial")) == 6


def test_what_is_confirmed_is_distinct(project: Project) -> None:
    ran = run(project, {**HALVES, "confirm": {"keep": 6, "replicates": 2}})
    assert len({condition.label for condition in ran.conditions if condition.confirm_run_id}) == 6


def test_what_goes_on_to_a_stage_is_distinct(project: Project) -> None:
    opened = project.start(HALVES)
    project.work(opened)
    kept = follow_up.keep(opened.data(), 6, by="mean", level=0.95)
    assert len({condition.label for condition in kept}) == 6


def test_a_race_has_each_condition_once(project: Project) -> None:
    ran = run(project, {**FOUR, "replicates": {"racing": {"min": 3, "max": 4}}})
    assert len({condition.label for condition in ran.conditions}) == len(ran.conditions) == 4
    assert ran.found.is_complete


def test_where_more_are_to_be_confirmed_than_the_space_has_all_are(project: Project) -> None:
    changes = {**FOUR, "space": {"x": [0.1, 0.2, 0.3, 0.4]}, "confirm": {"keep": 5, "replicates": 2}}
    sweep, _ = load(project.write(changes), {}, project.root)
    assert (plan(sweep).n_confirmed, plan(sweep).n_confirm_trainings) == (4, 8)
    ran = run(project, changes)
    assert sum(bool(condition.confirm_run_id) for condition in ran.conditions) == 4
    assert ran.found.is_complete
    assert ran.found.design["confirmation"].startswith("the best 4 again")


@pytest.mark.parametrize("at", range(2, 60, 6))
def test_a_worker_that_dies_anywhere_does_not_train_a_condition_twice(project: Project, at: int) -> None:
    changes = {**HALVES, "replicates": {"count": 1}, "trials": 4, "execution": {"lease_seconds": 3600.0}}
    begun = project.start(changes)
    with power(at), contextlib.suppress(PowerCut):
        project.work(begun)
    end_all_leases(project)
    finish(project, changes)
    found = project.start(changes).data()
    assert len({condition.label for condition in found.conditions}) == len(found.conditions) == 4
    assert found.is_complete
    assert found.n_repeated == 0


def test_a_sweep_of_an_earlier_version_counts_its_copies_once_in_search_and_record(project: Project) -> None:
    # The fixture compares both readers at its end.
    changes = {**FOUR, "sampler": {"name": "grid"}, "trials": None, "confirm": {"keep": 2, "replicates": 2}}
    opened = project.start(changes)
    copies = [condition.condition for condition in opened.queue.trials([])][:2]
    opened.queue.add(copies, [{}, {}])  # as a sampler did that was not asked for new ones
    project.work(opened)
    found = opened.data()
    assert [condition.number for condition in found.conditions] == [0, 1, 2, 3]
    assert len([one for one in found.replicates if one.phase == "search"]) == 8
    assert "Trial 4 repeats trial 0; trial 5 repeats trial 1: counted once." in found.marks
    assert found.is_complete
    assert found.n_repeated == 2
    assert len({one.condition for one in found.replicates if one.phase == "confirm"}) == 2
    opened.recorder.flush()
    assert found.marks == read_sweep(opened.sweep_run_id, uri=project.tracking_uri).marks
