"""What a person reads in optuna-dashboard about a finished sweep, a diverged condition included."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rothamsted.wording import with_basis
from tests.browser.conftest import N_TRIALS, Shown

pytestmark = pytest.mark.browser


def open_study(page: Any, shown: Shown, tab: str = "") -> None:
    """The pages of the sweep's search; it is the only one in its storage."""
    page.goto(f"{shown.dashboard}/dashboard/studies/1{tab}")
    page.get_by_text("quickstart (id=1)").wait_for()


def note_of(page: Any, shown: Shown, number: int) -> Any:
    """The note on a trial, rendered."""
    open_study(page, shown, f"/trials?numbers={number}")
    page.get_by_role("heading", name=f"Trial {number} ").wait_for()
    note = page.get_by_text("replicates:").locator("xpath=..")
    note.wait_for()
    return note


def count_points(page: Any) -> int:
    """Marks that the history plot draws, one a trial with a finite value."""
    plot = page.locator(".js-plotly-plot").first
    plot.locator(".scatterlayer .point").first.wait_for(state="attached")
    return plot.locator(".scatterlayer .trace").first.locator(".point").count()


def test_the_first_page_names_the_sweep_and_its_direction(page: Any, shown: Shown) -> None:
    page.goto(f"{shown.dashboard}/dashboard")
    card = page.get_by_role("link", name=re.compile(r"quickstart(?!\.confirm)"))
    card.wait_for()
    assert "MINIMIZE" in card.inner_text()


def test_every_condition_is_a_complete_trial(page: Any, shown: Shown) -> None:
    open_study(page, shown, "/trials")
    page.get_by_text(f"{N_TRIALS} Trials").wait_for()
    names = page.get_by_role("button", name=re.compile(r"^Trial \d+\s*Complete")).all_inner_texts()
    assert [name.split("\n")[0] for name in names] == [f"Trial {number}" for number in range(N_TRIALS)]


def test_the_best_value_is_the_smallest_mean_over_replicates(page: Any, shown: Shown) -> None:
    open_study(page, shown)
    best = page.get_by_role("heading", name=f"Best Trial (number={shown.best_trial})")
    best.wait_for()
    value = re.search(r"Best Trial \(number=\d+\)\s+(\S+)", best.locator("xpath=..").inner_text())
    assert value is not None
    # Authority: the textbook mean of the replicates' runs, see `estimates_of`.
    assert float(value.group(1)) == pytest.approx(shown.estimates[shown.best_trial].mean, rel=1e-9)


def test_the_note_on_a_trial_gives_its_interval_and_n(page: Any, shown: Shown) -> None:
    estimate = shown.estimates[shown.best_trial]
    assert (
        with_basis(estimate.mean, estimate.low, estimate.high, level=0.95, method="log", n=3)
        in note_of(page, shown, shown.best_trial).inner_text()
    )


def test_the_note_on_a_trial_leads_to_its_run_in_mlflow(page: Any, shown: Shown) -> None:
    note = note_of(page, shown, shown.best_trial).inner_html()
    link = re.search(r"#/experiments/\d+/runs/\w+", note)
    assert link is not None, f"no link to a run in {note}"
    page.goto(f"{shown.mlflow}/{link.group()}")
    page.get_by_role("heading", name=shown.runs.trials[shown.best_trial][0], exact=True).wait_for()


def test_a_diverged_trial_has_the_worst_value_and_its_note_says_why(page: Any, shown: Shown) -> None:
    note = note_of(page, shown, shown.diverged_trial).inner_text()
    assert "3 diverged" in note
    assert "interval" not in note


def test_the_history_is_drawn_although_conditions_diverged(page: Any, shown: Shown) -> None:
    open_study(page, shown)
    assert count_points(page) == len(shown.estimates)


def test_the_importance_of_parameters_is_drawn_although_conditions_diverged(page: Any, shown: Shown) -> None:
    open_study(page, shown)
    card = page.get_by_role("heading", name="Hyperparameter Importance").locator("xpath=..")
    card.locator(".js-plotly-plot .bars .point").first.wait_for(state="attached")
    labels = card.inner_text()
    assert "optimizer.lr" in labels
    assert "gamma" in labels


def test_the_first_page_of_the_search_draws_intervals_map_and_set(page: Any, shown: Shown) -> None:
    open_study(page, shown)
    for title in ("val_loss with 95 % intervals, best first", "What cannot be ruled out as the best"):
        page.locator(".js-plotly-plot").filter(has_text=title).first.wait_for()
    cells = page.locator(".js-plotly-plot .heatmaplayer image, .js-plotly-plot .heatmaplayer .hm")
    cells.first.wait_for(state="attached")


def test_a_trial_lists_its_verdict(page: Any, shown: Shown) -> None:
    open_study(page, shown, f"/trials?numbers={shown.best_trial}")
    page.get_by_role("heading", name=f"Trial {shown.best_trial} ").wait_for()
    page.get_by_text("best mean").first.wait_for()
