"""Thirteen sweeps, each reported everywhere: no two places disagree on winner, set, verdict, n or interval.

What is compared is read as a reader reads it: the page's text and tables, the CSV files, the Markdown of MLflow and
optuna-dashboard, the tags, the terminal.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import trim_mean

from rothamsted.analysis.analyze import QUICK, Settings, analyze
from rothamsted.analysis.equal_conditions import counted_once
from rothamsted.analysis.values import Analysis, Dataset
from rothamsted.publish.console import show
from rothamsted.publish.description import description
from rothamsted.publish.pages import report_html
from rothamsted.publish.record import _tags as tags_of
from rothamsted.reporting.plots.contract import NotApplicable, PlotOptions
from rothamsted.reporting.plots.forest import forest_data
from rothamsted.reporting.plots.heatmap import heatmap_data
from rothamsted.reporting.tables.csv_tables import to_csv
from tests.analysis.runs import dataset
from tests.reporting.reading import Page
from tests.reporting.tables import TABLES
from tests.reporting.worlds import over_tasks

NAN = float("nan")
RNG = np.random.default_rng


def grid() -> Dataset:
    """4 x 4 with spreads that grow with the level, as the quickstart."""
    rng, factors = RNG(1), {4 * i + j: {"lr": 10.0**-i, "gamma": j} for i in range(4) for j in range(4)}
    values = {n: ((1 + n % 7) * (0.1 + 0.02 * rng.normal(size=3))).tolist() for n in factors}
    return dataset(values, factors=factors, confirm={0: (0.1 + 0.02 * rng.normal(size=10)).tolist()})


def tpe_with_repeats() -> Dataset:
    """Trials 4 and 5 propose conditions 0 and 1 again: the same bits on the same seeds."""
    rng, factors = RNG(2), {n: {"x": 0.1 * (n % 4 + 1)} for n in range(6)}
    values = {n: (n + 0.3 * rng.normal(size=3)).tolist() for n in range(4)}
    found = dataset({**values, 4: values[0], 5: values[1]}, factors=factors)
    once = counted_once(found.conditions, found.replicates, {})
    return replace(found, conditions=once.conditions, replicates=once.replicates, marks=tuple(once.marks))


def random_search() -> Dataset:
    rng, factors = RNG(3), {n: {"x": float(x)} for n, x in enumerate(RNG(30).uniform(size=20))}
    return dataset({n: (f["x"] + 0.1 * rng.normal(size=5)).tolist() for n, f in factors.items()}, factors=factors)


def racing() -> Dataset:
    rng = RNG(4)
    values = {n: (n / 4 + 0.1 * rng.normal(size=6 if n < 3 else 3)).tolist() for n in range(8)}
    race = {n: "survived" if n < 3 else "dropped after 3" for n in range(8)}
    return dataset(values, race=race, dropped_after=dict.fromkeys(range(3, 8), 3))


def staged() -> Dataset:
    """The last stage of three: few conditions, more seeds."""
    rng = RNG(5)
    found = dataset({n: (n / 10 + 0.05 * rng.normal(size=10)).tolist() for n in (2, 5, 7)})
    return replace(found, name="toys.stage3", design={"stages": "3; these are the runs of the last"})


def two_objectives() -> Dataset:
    rng = RNG(6)
    values = {n: (n / 4 + 0.05 * rng.normal(size=4)).tolist() for n in range(6)}
    seconds = {n: (6 - n + 0.1 * rng.normal(size=4)).tolist() for n in range(6)}
    return dataset(values, others={"cost": ("minimize", seconds)})


def failures() -> Dataset:
    """A hard seed, on which two conditions failed: their raw means are the best."""
    rng = RNG(7)
    hard = np.array([0.0, 0.1, 3.0])
    values = {n: (hard + n / 5 + 0.02 * rng.normal(size=3)).tolist() for n in range(8)}
    return dataset(values, outcomes={(4, 2): "failed", (6, 2): "failed"})


def divergence() -> Dataset:
    rng = RNG(8)
    values = {n: (n / 5 + 0.05 * rng.normal(size=3)).tolist() for n in range(6)}
    return dataset(values, outcomes={(0, 1): "diverged", (5, 0): "diverged"}, direction="maximize")


def one_condition() -> Dataset:
    return dataset({0: [0.1, 0.2, 0.3]})


def bad_seeds(over: str) -> Dataset:
    """Condition 0 is the best but for one seed on which it failed badly: by means it is the last."""
    rng = RNG(10)
    values = {n: (n + 0.2 * rng.normal(size=12)).tolist() for n in range(5)}
    values[0][7] = 80.0
    found = dataset(values, confirm={0: (0.2 * rng.normal(size=12)).tolist()})
    return replace(found, objective=found.objective.model_copy(update={"over": over}))


def median_of_bad_seeds() -> Dataset:
    return bad_seeds("median")


def iqm_of_bad_seeds() -> Dataset:
    return bad_seeds("iqm")


def quantile_of_bad_seeds() -> Dataset:
    """The bad case of a loss that is minimized: the verdicts need more seeds, and say so."""
    return bad_seeds("quantile:0.8")


def strangers() -> Dataset:
    """Runs without seeds, of unequal number."""
    rng = RNG(9)
    found = dataset({n: (n + rng.normal(size=4 + n)).tolist() for n in range(5)}, has_seeds=False)
    return replace(found, kind="runs", name="strangers")


SWEEPS: Mapping[str, Callable[[], Dataset]] = {
    one.__name__: one
    for one in (
        grid,
        tpe_with_repeats,
        random_search,
        racing,
        staged,
        two_objectives,
        failures,
        divergence,
        one_condition,
        strangers,
        median_of_bad_seeds,
        iqm_of_bad_seeds,
        quantile_of_bad_seeds,
    )
}


def plain(text: str) -> str:
    return " ".join(text.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " ").split())


def terminal(analysis: Analysis) -> str:
    console = Console(file=io.StringIO(), width=400)
    show(analysis, console, tracking_uri="sqlite:///m.db", storage="sqlite:///o.db")
    return plain(console.file.getvalue())  # type: ignore[attr-defined]


def csv_rows(analysis: Analysis) -> dict[int, dict[str, str]]:
    rows = csv.DictReader(io.StringIO(to_csv(TABLES["conditions"](analysis))))
    return {int(row["condition"]): row for row in rows}


CENTRE = re.compile(r"(Mean|Median|Interquartile mean|[\d.]+ quantile) ")  # how the column of numbers begins


def page_rows(page: Page) -> dict[int, dict[str, str]]:
    """The table of results: condition -> heading -> cell, with the row's mark."""
    table = page.table("by condition")
    head = [" ".join(cell.split()) for cell in table.rows[0]]
    found = {}
    for cells, mark in zip(table.rows[1:], table.marks[1:], strict=True):
        row = dict(zip(head, cells, strict=True))
        at = next(i for i, title in enumerate(head) if CENTRE.match(title))  # of the first objective
        found[int(row["No."])] = {**row, "mark": mark, "mean": cells[at], "interval": cells[at + 1]}
    return found


def until_bracket(interval: str) -> str:
    """An interval without its method; a dash where there is none."""
    return interval[: interval.find("]") + 1] or interval


def chart_rows(page: Page) -> dict[int, dict[str, str]]:
    """The chart of the first screen: condition -> its mean, interval and verdict, with the row's mark."""
    found = {}
    for cells, mark in zip(page.charts[0].rows[1:], page.charts[0].marks[1:], strict=True):
        if mark != "fresh":
            mean, interval, verdict = cells[-3:]
            found[int(cells[0])] = {"mean": mean, "interval": interval, "verdict": verdict, "mark": mark}
    return found


@pytest.mark.parametrize("name", SWEEPS)
def test_no_two_places_disagree(name: str) -> None:
    analysis = analyze(SWEEPS[name](), Settings())
    page, rows = Page(report_html(analysis)), csv_rows(analysis)
    shown, notes, said, tags = page_rows(page), plain(description(analysis)), terminal(analysis), tags_of(analysis)

    # winner
    winner = analysis.ranking[0]
    assert [n for n, row in rows.items() if row["rank"] == "1"] == [winner]
    assert shown[winner]["Rank"] == "1"
    assert tags["rothamsted.best_trial"] == str(winner)
    assert re.search(r"\| (\d+) \|", notes.split("| --- |")[-1])[1] == str(winner)  # type: ignore[index]
    assert f"condition {winner}" in page.text("summary")

    # n and interval of every condition
    for n, row in rows.items():
        one = next(s for s in analysis.objective if s.condition == n)
        if row["rank"]:
            assert shown[n]["n"] == row["n"] == str(one.n)
        if one.interval is not None and row["rank"]:
            assert (float(row["ci_low"]), float(row["ci_high"])) == (one.interval.low, one.interval.high)

    # set and verdict
    best = analysis.best
    if best is None:
        assert all(row["verdict"] == row["can_be_best"] == "" for row in rows.values())
        assert "Verdict" not in next(iter(shown.values()))
        return
    assert best.winner == winner
    members = {n for n, row in rows.items() if row["can_be_best"] == "true"}
    assert members == set(best.members)
    assert {n for n, row in shown.items() if row["mark"] in ("best", "member")} == members
    assert {int(n) for n in tags["rothamsted.can_be_best"].split(", ")} == members
    n_others = len(members) - 1
    sentence = f"{n_others} other condition{'s' * (n_others != 1)} cannot be ruled out as the best (95 % confidence)."
    if not n_others:
        sentence = "No other can be the best (95 % confidence)."
    for text in (page.text("summary"), notes, said):
        assert sentence in text, text
    for n, one in best.verdicts.items():
        cell = f"best {analysis.over_words}" if n == winner else one.verdict
        assert shown[n]["Verdict"].startswith(cell)
        assert rows[n]["verdict"] == one.verdict
        assert not (one.verdict == "worse" and one.is_in_set)
        assert one.low <= one.difference <= one.high
        assert (one.verdict == "worse") == (one.low > 0 or (one.verdict == "worse" and one.low == 0))
    for verdict in ("worse", "open"):
        count = sum(1 for n, row in rows.items() if row["verdict"] == verdict and n != winner)
        if count and len(best.verdicts) > 2:
            words = rf"\b{count} (is|are) {verdict}"
            assert all(re.search(words, text) for text in (page.text("summary"), notes, said))

    # the chart of the first screen
    charted = chart_rows(page)
    assert {n for n, row in charted.items() if row["mark"] in ("best", "member")} == members
    assert [n for n, row in charted.items() if row["mark"] == "best"] == [winner]
    for n, row in charted.items():
        assert row["verdict"] == shown[n].get("Verdict", "").replace("–", "") or row["verdict"].startswith("dropped")
        assert (row["mean"], row["interval"]) == (shown[n]["mean"], until_bracket(shown[n]["interval"]))

    # pictures
    forest = forest_data(analysis, PlotOptions())
    filled = {n for n, is_shown in zip(forest.conditions, forest.is_shown, strict=True) if is_shown}
    assert filled == set(best.having("worse"))
    try:
        heatmap = heatmap_data(analysis, PlotOptions())
    except NotApplicable:
        return
    assert heatmap.is_best.sum() == 1
    assert heatmap.n_tied == len(members)


@pytest.mark.parametrize("name", SWEEPS)
def test_the_quick_analysis_of_the_end_says_what_the_whole_one_says(name: str) -> None:
    data = SWEEPS[name]()
    quick, whole = analyze(data, parts=QUICK), analyze(data)
    assert quick.ranking == whole.ranking
    assert (quick.best is None) == (whole.best is None)
    if quick.best is not None and whole.best is not None:
        assert quick.best.verdicts == whole.best.verdicts
    assert csv_rows(quick) == csv_rows(whole)


def test_copies_of_a_condition_are_in_no_count() -> None:
    analysis = analyze(tpe_with_repeats())
    assert set(csv_rows(analysis)) == {0, 1, 2, 3}
    assert "counted once" in plain(description(analysis))


def test_with_one_bad_seed_the_mean_ranks_wrongly_and_median_and_iqm_rank_right() -> None:
    mean, median, iqm = (analyze(bad_seeds(over)) for over in ("mean", "median", "iqm"))
    assert mean.ranking[-1] == 0
    for found in (median, iqm):
        assert found.ranking == (0, 1, 2, 3, 4)
        assert found.best is not None
        assert found.best.winner == 0


@pytest.mark.parametrize("name", ["median_of_bad_seeds", "iqm_of_bad_seeds", "quantile_of_bad_seeds"])
def test_every_place_shows_the_number_that_was_ranked(name: str) -> None:
    analysis = analyze(SWEEPS[name]())
    over, words = analysis.dataset.objective.over, analysis.over_words
    page, rows, said, notes = Page(report_html(analysis)), csv_rows(analysis), terminal(analysis), description(analysis)
    shown = page_rows(page)
    for n, row in rows.items():
        one = next(s for s in analysis.objective if s.condition == n)
        values = np.array(
            [r.objective for r in analysis.dataset.replicates if r.condition == n and r.phase == "search"]
        )
        expected = {
            "median": np.median(values),
            "iqm": trim_mean(values, 0.25),
            "quantile:0.8": np.quantile(values, 0.8),
        }
        assert float(row["value"]) == one.value == pytest.approx(expected[over])
        assert row["over"] == over
        written = shown[n][f"{words[0].upper()}{words[1:]} loss" if words[0].isalpha() else f"{words} loss"]
        assert plain(written) in plain(said)
        assert plain(written) in plain(notes)
    assert f"Best conditions by {words} loss" in said
    assert f"Best conditions by {words} loss" in plain(notes)
    assert f"over {over}" in tags_of(analysis)["rothamsted.analysis"]
    confirmed = analysis.confirmed[0]
    fresh = [r.objective for r in analysis.dataset.replicates if r.condition == 0 and r.phase == "confirm"]
    assert confirmed.mean == pytest.approx(
        {"median": np.median(fresh), "iqm": trim_mean(fresh, 0.25), "quantile:0.8": np.quantile(fresh, 0.8)}[over]
    )


def test_the_table_of_tasks_shows_no_second_interval_of_a_mean() -> None:
    # The chart has t intervals of seeds' means over tasks; bootstrap intervals of the same means beside them differ.
    page = Page(report_html(over_tasks()))
    table = page.table("Scores over 4 tasks")
    at = [" ".join(cell.split()) for cell in table.rows[0]].index("Mean")
    means = {int(cells[0]): cells[at] for cells in table.rows[1:]}
    assert not any("[" in mean for mean in means.values())
    assert means == {number: row["mean"] for number, row in chart_rows(page).items()}


def test_what_a_race_dropped_is_counted_beside_the_verdicts() -> None:
    # racing: 3 of 8 conditions are kept to the end, 0 is the best of them.
    assert "The other 2 are worse. The race dropped 5 more, because they looked worse." in terminal(analyze(racing()))
