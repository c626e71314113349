"""What a person reads in the MLflow UI about a finished sweep."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rothamsted.wording import with_basis
from tests.browser import sites
from tests.browser.conftest import N_TRIALS, Shown

pytestmark = pytest.mark.browser
N_REPLICATES = 3


@pytest.fixture
def page(mlflow_page: Any) -> Any:
    """The tests of this file read one site: they share its page."""
    return mlflow_page


def open_run(page: Any, shown: Shown, run: tuple[str, str]) -> None:
    """The page of a run, given by name and id."""
    name, run_id = run
    page.goto(sites.run_page(shown.mlflow, run_id))
    page.get_by_role("heading", name=name, exact=True).wait_for()


def open_trials(page: Any, shown: Shown, more: str = "") -> None:
    """Follow the link to the sweep's trials that it printed when it ended."""
    page.goto(f"{shown.mlflow}/{sites.link_to(shown.printed, 'its trials')}{more}")
    page.get_by_text(f"{N_TRIALS} matching runs").or_(page.get_by_text("objective (2)")).first.wait_for()


def table_below(page: Any, first_cell: str) -> dict[str, str]:
    """The two-column table whose header starts with a word: metrics or parameters of a run."""
    table = page.get_by_role("table").filter(has=page.get_by_role("columnheader", name=first_cell))
    table.get_by_role("row").nth(1).wait_for()
    rows = (row.split("\n") for row in table.get_by_role("row").all_inner_texts())
    return {row[0].strip(): row[-1].strip() for row in rows}


def tags_of(page: Any) -> dict[str, str]:
    """The tags on a run's page: each is a badge, `key: value`."""
    page.get_by_text("rothamsted.role").wait_for()
    pairs = re.findall(r"(rothamsted\.\w+)\s*:\s*(\S+)", page.inner_text("body"))
    return dict(pairs)


def test_the_printed_link_opens_the_trials_best_first_with_intervals_and_without_confirmations(
    page: Any, shown: Shown
) -> None:
    open_trials(page, shown)
    names = [name for name in page.get_by_role("row").get_by_role("link").all_inner_texts() if name.startswith("lr ")]
    # Authority: the textbook means of the replicates' runs, see `estimates_of`; what diverged has none and comes last.
    ranked = sorted(shown.estimates, key=lambda number: shown.estimates[number].mean)
    assert names[: len(ranked)] == [shown.runs.trials[number][0] for number in ranked]
    assert len(names) == N_TRIALS
    for column in ("objective/mean", "objective/ci_low", "objective/ci_high"):
        sites.column(page, column).wait_for()


def test_the_trials_are_called_by_what_varies(shown: Shown) -> None:
    assert {name for name, _ in shown.runs.trials.values()} == {
        f"lr {rate}, gamma {gamma}" for rate in ("0.02", "0.2", "1e+09") for gamma in ("0.5", "2")
    }


def test_the_charts_of_the_trials_are_few_and_begin_with_the_objective(page: Any, shown: Shown) -> None:
    open_trials(page, shown, "&compareRunsMode=CHART")
    page.get_by_text("Parallel Coordinates").wait_for()
    cards = page.get_by_test_id("experiment-view-compare-runs-card")
    for title in ("objective/mean", "val_loss/mean"):
        cards.filter(has_text=title).first.wait_for()
    assert cards.filter(has_text="objective/sd").count() == 0


def test_expanding_the_sweep_and_a_trial_shows_its_replicates_by_their_seed(page: Any, shown: Shown) -> None:
    page.goto(sites.run_list(shown.mlflow))
    sites.expand(page, "quickstart")
    sites.expand(page, shown.runs.trials[1][0])
    names = ["quickstart", shown.runs.trials[1][0], *(f"seed {seed}" for seed in range(N_REPLICATES))]
    links = [page.get_by_role("link", name=name, exact=True) for name in names]
    for link in links:
        link.wait_for()
    sweep, trial, *replicates = (link.bounding_box()["x"] for link in links)
    assert sweep < trial < min(replicates)


def test_a_trial_page_shows_the_mean_of_its_replicates_with_its_interval(page: Any, shown: Shown) -> None:
    open_run(page, shown, shown.runs.trials[shown.best_trial])
    metrics = table_below(page, "Metric")
    read = [float(metrics[f"objective/{key}"]) for key in ("mean", "ci_low", "ci_high")]
    # Authority: the textbook formula on the replicates' runs, see `estimates_of`.
    expected = shown.estimates[shown.best_trial]
    assert read == pytest.approx([expected.mean, expected.low, expected.high], rel=1e-9)


def test_a_trial_page_shows_how_many_replicates_its_numbers_stand_on(page: Any, shown: Shown) -> None:
    open_run(page, shown, shown.runs.trials[shown.best_trial])
    assert table_below(page, "Metric")["val_loss/n"] == str(N_REPLICATES)


def test_a_trial_page_draws_the_curves_of_a_metric_in_one_section(new_page: Any, shown: Shown) -> None:
    page = new_page  # its charts stay with it
    open_run(page, shown, shown.runs.trials[shown.best_trial])
    page.get_by_role("tab", name="Model metrics").click()
    page.get_by_placeholder("Search metric charts").fill("val_loss")
    charts = page.get_by_test_id("experiment-view-compare-runs-card")
    page.get_by_text("(val_loss/mean)").first.wait_for()
    titles = {chart.get_by_role("heading").inner_text() for chart in charts.all()}
    assert {"mean", "ci_low", "ci_high"} <= titles


def test_a_trial_page_charts_how_its_objective_settled_as_replicates_came(new_page: Any, shown: Shown) -> None:
    page = new_page  # its charts stay with it
    open_run(page, shown, shown.runs.trials[shown.best_trial])
    page.get_by_role("tab", name="Model metrics").click()
    page.get_by_placeholder("Search metric charts").fill("objective/")
    charts = page.get_by_test_id("experiment-view-compare-runs-card")
    for name in ("mean", "ci_low", "ci_high", "n"):
        # MLflow draws a curve over steps, here numbers of replicates; a bar has no steps.
        charts.filter(has_text=f"(objective/{name})").filter(has_text="Step").first.wait_for()


def test_a_diverged_trial_counts_its_diverged_replicates(page: Any, shown: Shown) -> None:
    open_run(page, shown, shown.runs.trials[shown.diverged_trial])
    assert tags_of(page)["rothamsted.n_diverged"] == str(N_REPLICATES)


def test_a_diverged_trial_has_no_objective(page: Any, shown: Shown) -> None:
    open_run(page, shown, shown.runs.trials[shown.diverged_trial])
    page.get_by_text("rothamsted.n_diverged").wait_for()  # the page is all there
    assert page.get_by_text("objective/mean").count() == 0


def test_a_diverged_replicate_is_a_finished_run_with_that_outcome(page: Any, shown: Shown) -> None:
    open_run(page, shown, shown.runs.replicates[shown.diverged_trial, 0])
    assert tags_of(page)["rothamsted.outcome"] == "diverged"
    page.get_by_text("Finished", exact=True).wait_for()


def test_a_replicate_page_shows_its_condition_and_its_seed(page: Any, shown: Shown) -> None:
    open_run(page, shown, shown.runs.replicates[0, 1])
    parameters = table_below(page, "Parameter")
    # Condition 0 of the grid holds the first value of every domain; replicate 1 has the second of the seeds 0, 1, 2.
    assert {key: float(parameters[key]) for key in ("optimizer.lr", "gamma", "seed")} == {
        "optimizer.lr": 0.02,
        "gamma": 0.5,
        "seed": 1,
    }


def test_the_sweep_page_opens_with_the_answer_and_shows_its_chart(page: Any, shown: Shown) -> None:
    open_sweep(page, shown)
    name = page.get_by_text(re.compile(r"^Best: optimizer\.lr="))
    name.wait_for()
    page.get_by_text(re.compile("^Confirmed on fresh seeds: val_loss")).wait_for()
    page.get_by_text(re.compile("cannot be ruled out|No other can be the best")).first.wait_for()
    page.get_by_role("button", name="Expand description").click()
    chart = page.locator("img[src*='intervals.png']")
    chart.wait_for()
    assert chart.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300


def test_the_sweep_page_says_the_question_of_the_sweep_file(page: Any, shown: Shown) -> None:
    open_sweep(page, shown)
    page.get_by_role("button", name="Expand description").click()
    lines = (sites.ROOT / "sweeps" / "quickstart.yaml").read_text().splitlines()
    question = next(line for line in lines if line.startswith("# Question:"))
    page.get_by_text(question.lstrip("# ")).wait_for()


def test_a_trial_says_its_data(page: Any, shown: Shown) -> None:
    open_run(page, shown, shown.runs.trials[0])
    page.get_by_text("digits").first.wait_for()


def test_the_sweep_page_ranks_the_conditions_in_a_table_with_intervals(page: Any, shown: Shown) -> None:
    open_sweep(page, shown)
    page.get_by_role("button", name="Expand description").click()
    best = shown.best_trial
    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name=re.compile("best.mean"))).first.inner_text()
    expected = shown.estimates[best]
    assert row.split("\t")[0] == str(best)
    written = with_basis(
        expected.mean, expected.low, expected.high, level=0.95, method="t on the log scale", n=N_REPLICATES
    )
    assert row.replace("\N{NO-BREAK SPACE}", " ").split("\t")[-2:] == [
        written.replace("\N{NO-BREAK SPACE}", " "),
        "best mean",
    ]


def test_the_report_is_shown_among_the_artifacts_of_the_sweep(page: Any, shown: Shown) -> None:
    open_artifact(page, shown, "report/report.html")
    report = page.frame_locator("iframe")
    report.get_by_role("heading", name="quickstart", exact=True).wait_for()
    assert "This is the estimate to report" in report.locator("body").inner_text()
    assert report.locator("svg").count() >= 3


def test_the_table_of_conditions_is_shown_as_a_table(page: Any, shown: Shown) -> None:
    open_artifact(page, shown, "statistics/conditions.json")
    page.get_by_text("can_be_best").first.wait_for()
    assert page.get_by_text("ci_low").first.is_visible()


def test_the_registry_page_shows_the_champion(page: Any, shown: Shown) -> None:
    page.goto(f"{shown.mlflow}/#/models/batch_size")
    page.get_by_text("Version 1").first.wait_for()
    page.get_by_text("champion", exact=False).first.wait_for()


def test_the_page_of_a_version_shows_the_verdict(page: Any, shown: Shown) -> None:
    page.goto(f"{shown.mlflow}/#/models/batch_size/versions/1")
    page.get_by_text("there is no champion to compare with").first.wait_for()


def open_artifact(page: Any, shown: Shown, path: str) -> None:
    page.goto(f"{shown.mlflow}/#/experiments/0/runs/{shown.runs.sweep[1]}/artifacts/{path}")


def open_sweep(page: Any, shown: Shown) -> None:
    """Follow the link to the sweep's run that it printed when it ended."""
    page.goto(f"{shown.mlflow}/{sites.link_to(shown.printed, 'its result')}")
    page.get_by_role("heading", name="quickstart", exact=True).wait_for()
