"""What to do after a sweep: each step only where it helps, as commands that name this sweep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rothamsted import tags
from rothamsted.analysis.values import Analysis
from rothamsted.publish.console import show_next
from rothamsted.reporting.next_steps import NextStep, next_steps
from tests.reporting import pages
from tests.reporting.full_page import source
from tests.reporting.reading import Page
from tests.reporting.test_one_verdict import plain
from tests.reporting.worlds import over_tasks

SCORES = {0: [0.20, 0.21, 0.22], 1: [0.5, 0.6, 0.7], 2: [0.10, 0.11, 0.12]}


def made(*, of_dataset: dict[str, Any] | None = None, **changes: Any) -> Analysis:
    """Three conditions of three replicates of two seconds; 2 is best."""
    given = {"best": pages.best_set(2, worse=(0, 1)), **changes}
    return pages.with_dataset(pages.analysis(SCORES, name="toys", **given), run_id="abc", **(of_dataset or {}))


def confirmed(condition: int = 2) -> tuple[Any, ...]:
    return (pages.confirmed(condition, pages.interval(0.11, 0.09, 0.13, 3), pages.interval(0.14, 0.13, 0.15, 10)),)


def said(analysis: Analysis) -> list[str]:
    return [plain(step.words) for step in next_steps(analysis)]


def last(step: NextStep) -> str:
    return step.lines[-1].removeprefix("mlflow run . -e sweep --env-manager local ")


def test_a_best_condition_that_was_not_confirmed_is_confirmed_first() -> None:
    [step] = next_steps(made())
    assert plain(step.words).startswith("Confirm the best condition: train again on 10 fresh seeds")
    assert "(10 replicates, 20 s of training)" in plain(step.words)  # by hand: 10 times 2 s
    assert last(step) == "-P config=from-toys/resolved.json -P confirm.keep=1 -P confirm.replicates=10"


def test_all_conditions_that_may_be_the_best_are_confirmed_together() -> None:
    step, *_ = next_steps(made(best=pages.best_set(2, 0, worse=(1,))))
    assert "the 2 best conditions" in step.words
    assert "confirm.keep=2" in last(step)


def test_what_is_open_gets_the_seeds_that_decide_it_under_the_same_name() -> None:
    best = pages.best_set(2, 0, worse=(1,), more_seeds={0: 7})
    [step] = next_steps(made(best=best, confirmed=confirmed()))
    # By hand: 3 conditions times 4 further seeds, 2 s each.
    assert (
        plain(step.words)
        == "About 7 seeds a condition would decide what is open (now 3): 12 replicates, 24 s of training more, in the "
        "same sweep."
    )
    assert last(step) == "-P config=from-toys/resolved.json -P replicates.count=7 -P replicates.seeds=null"


def test_more_seeds_are_others_than_those_of_the_confirmation_which_keeps_its_own() -> None:
    best = pages.best_set(2, 0, worse=(1,), more_seeds={0: 5})
    analysis = made(best=best, confirmed=confirmed())
    fresh = [replace(pages.replicate(2, seed, 0.1, phase="confirm"), seed=str(seed)) for seed in (3, 4)]
    [step] = next_steps(pages.with_dataset(analysis, replicates=(*analysis.dataset.replicates, *fresh)))
    assert last(step) == (
        "-P config=from-toys/resolved.json -P replicates.count=5 -P 'replicates.seeds=[0, 1, 2, 5, 6]' "
        "-P 'confirm.seeds=[3, 4]'"
    )


def test_a_sweep_that_a_call_started_goes_on_with_a_call() -> None:
    best = pages.best_set(2, 0, worse=(1,), more_seeds={0: 7})
    by_call = {"started": tags.BY_CALL, "design": {"study": "train.py:train"}}
    confirm, more = next_steps(made(best=best, of_dataset=by_call))
    assert confirm.lines == ("rt.sweep(rt.load('toys').sweep, confirm={'keep': 2, 'replicates': 10})",)
    assert more.lines == ("rt.sweep(rt.load('toys').sweep, replicates=7)",)
    [go_on] = next_steps(made(of_dataset={**by_call, "is_complete": False}))
    assert go_on.lines == ("rt.sweep(rt.load('toys').sweep)",)
    in_a_cell = {"started": tags.BY_CALL, "design": {"study": ":train"}}
    _, more = next_steps(made(best=best, of_dataset=in_a_cell))
    assert more.lines == ("rt.sweep(rt.load('toys').sweep, replicates=7)",)  # the cell's function is found by its name
    of_lambda = {"started": tags.BY_CALL, "design": {"study": ":<lambda>"}}
    _, more = next_steps(made(best=best, of_dataset=of_lambda))
    assert more.lines == ("rt.sweep(result.sweep, replicates=7)  # result: what your call returned",)


@pytest.mark.parametrize(
    ("started", "project"),
    [
        ("https://example.org/toys.git#below", "'https://example.org/toys.git#below' --version abc123"),
        ("git@example.org:toys.git", "git@example.org:toys.git --version abc123"),
        ("/data/their toys", "'/data/their toys'"),
    ],
)
def test_a_sweep_from_elsewhere_is_told_with_that_address(started: str, project: str) -> None:
    best = pages.best_set(2, 0, worse=(1,), more_seeds={0: 7})
    from_there = {"started": started, "design": {"study": "toy"}, "provenance": {"git commit": "abc123"}}
    for step in next_steps(made(best=best, of_dataset=from_there)):
        assert step.lines[-1].startswith(f"mlflow run {project} -e sweep --env-manager local -P config=from-toys/")


def test_over_tasks_nothing_is_confirmed_and_every_task_is_counted() -> None:
    # By hand: 4 further seeds of 6 conditions on 4 tasks; a file with tasks refuses a confirmation.
    found = over_tasks()
    best = replace(found.best, more_seeds={0: 7}, verdicts=pages.best_set(20, 0).verdicts)  # type: ignore[type-var]
    steps = next_steps(replace(found, best=best, dataset=replace(found.dataset, run_id="abc")))
    assert len(steps) == 1
    assert "96 replicates" in plain(steps[0].words)
    assert "confirm" not in " ".join(steps[0].lines)


def test_after_crossed_replicates_more_seeds_vary_together() -> None:
    # The file refuses a count beside combinations; sixteen pairs count as sixteen, sixteen combinations as four.
    best = pages.best_set(2, 0, worse=(1,), more_seeds={0: 7})
    crossed = {"crossed": {"seed": 3, "data.seed": 3}}
    [step] = next_steps(made(best=best, confirmed=confirmed(), of_dataset=crossed))
    assert "-P name=toys-7-seeds -P replicates.count=7" in last(step)
    assert """-P 'replicates.vary=["seed", "data.seed"]' -P replicates.seeds=null""" in last(step)


def test_what_no_number_of_seeds_decides_is_asked_for_a_difference_that_matters() -> None:
    best = pages.best_set(2, 0, worse=(1,), more_seeds={0: None})
    [step] = next_steps(made(best=best, confirmed=confirmed(), detectable=pages.detectable()))
    assert "would take more than 100 seeds" in step.words
    # By hand: half of 0.0456.
    assert step.lines == ("mlflow run . -e power --env-manager local -P sweep=toys -P difference=0.023",)


def test_a_confirmed_winner_with_a_model_is_promoted_unless_it_was_judged() -> None:
    analysis = made(confirmed=confirmed())
    model = pages.replicate(2, 100, 0.14, phase="confirm", model="models:/m-1")
    held = pages.with_dataset(analysis, replicates=(*analysis.dataset.replicates, model))
    [step] = next_steps(held)
    assert step.lines == ("mlflow run . -e promote --env-manager local -P sweep=toys",)
    assert next_steps(pages.with_dataset(held, promotions=(pages.promotion(),))) == ()
    assert next_steps(analysis) == ()  # no model


def test_what_can_be_pasted_comes_before_what_cannot() -> None:
    # A stage is not given more seeds by itself: that is said without a command.
    found = pages.best_set(2, 0, worse=(1,), more_seeds={0: 7})
    analysis = made(best=found, confirmed=confirmed(), of_dataset={"looked_by": ("stages",)})
    model = pages.replicate(2, 100, 0.14, phase="confirm", model="models:/m-1")
    first, second = next_steps(pages.with_dataset(analysis, replicates=(*analysis.dataset.replicates, model)))
    assert first.words.startswith("Judge the confirmed condition")
    assert (plain(second.words), second.lines) == ("About 7 seeds a condition would decide what is open (now 3).", ())


def test_a_sweep_that_has_not_ended_goes_on_before_anything_else() -> None:
    [step] = next_steps(made(of_dataset={"is_complete": False}))
    assert last(step) == "-P config=from-toys/resolved.json"


@pytest.mark.parametrize(
    ("of_dataset", "n_steps"),
    [({"kind": "contest"}, 0), ({"kind": "runs"}, 0), ({"looked_by": ("stages",)}, 0), ({"run_id": ""}, 0)],
)
def test_no_command_is_given_that_would_not_run(of_dataset: dict[str, Any], n_steps: int) -> None:
    analysis = made(of_dataset={key: value for key, value in of_dataset.items() if key != "run_id"})
    analysis = pages.with_dataset(analysis, **of_dataset)
    assert len(next_steps(analysis)) == n_steps


def test_a_stranger_s_project_is_swept_by_the_console_script() -> None:
    [step] = next_steps(made(of_dataset={"design": {"project": "../theirs"}}))
    assert step.lines[-1].startswith("rothamsted sweep --config from-toys/resolved.json --confirm.keep 1 ")


def test_without_any_score_the_reader_is_sent_to_the_reasons() -> None:
    nothing = pages.analysis({0: [float("nan")]}, name="toys")
    assert said(nothing) == ["Read below why no condition has a score, repair that, and run the sweep again."]


def test_report_and_terminal_say_the_same_next_steps(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    best = pages.best_set(2, 0, worse=(1,), more_seeds={0: 7})
    analysis = replace(made(best=best))
    show_next(next_steps(analysis), Console(width=400))
    printed, shown = plain(capsys.readouterr().out), Page(source(analysis)).text("next").replace("\\ ", "")
    for step in next_steps(analysis):
        assert plain(step.words) in printed
        assert plain(step.words) in shown
        assert all(line in printed and line in shown for line in step.lines)
