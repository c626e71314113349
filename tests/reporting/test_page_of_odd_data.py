"""The report of what is hostile, missing, failed, alone or very much: safe, and never a wrong number."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import math
import re

import pytest

from rothamsted.analysis.values import Analysis, Factor
from rothamsted.publish.description import PICTURE_TEXT, description
from rothamsted.reporting.plots import NotApplicable, Rendered
from rothamsted.reporting.tables.csv_tables import to_csv
from tests.reporting import pages
from tests.reporting.full_page import EVERYTHING, full, page, source
from tests.reporting.pages import ATTACK
from tests.reporting.reading import Page
from tests.reporting.tables import TABLES

NAN = math.nan


def hostile(attack: str = ATTACK) -> Analysis:
    """An attack in every text that somebody else may have chosen."""
    factor = Factor(name=attack, levels=(attack, "b"), is_numeric=False, is_log=False)
    replicates = [
        pages.replicate(0, 0, 0.1, run_id=attack),
        pages.replicate(1, 0, NAN, reason=attack, run_id=attack, outcome=attack),
    ]
    made = pages.analysis(
        {0: [], 1: []},
        values={0: {attack: attack}, 1: {attack: "b"}},
        factors=[factor],
        replicates=replicates,
        name=attack,
        marks=(attack,),
        gaps={attack: attack, "effects": attack},
        comparisons=pages.family(0, pages.comparison(1, 0, 0.1, note=attack)),
        best=pages.best_set(0, warnings=(attack,)),
    )
    made = pages.with_metrics(made, {attack: {0: 0.8}})
    return pages.with_dataset(
        made,
        objective=made.dataset.objective.model_copy(update={"metric": attack}),
        question=attack,
        design={attack: attack},
        provenance={attack: attack},
        how_to_reproduce=(attack,),
        run_id=attack,
    )


def test_a_script_in_any_name_is_text() -> None:
    found = page(hostile())
    assert (found.count("script"), found.text().count(ATTACK) > 20) == (1, True)


def test_a_description_in_markdown_has_no_tag_and_no_link_of_others() -> None:
    text = description(hostile("<img src=http://h/x> ![a](http://h/y) [b](http://h/z)|"), picture="p.png")
    assert "<" not in text
    assert re.findall(r"\[[^\]\\]*\]\(", text) == [f"[{PICTURE_TEXT}]("]  # ours alone
    cells = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in cells}) == 1


def test_a_table_for_spreadsheets_has_no_formula_of_others() -> None:
    for make in TABLES.values():
        for row in csv.reader(io.StringIO(to_csv(make(hostile("=HYPERLINK(1)"))))):
            assert not [cell for cell in row if cell.startswith(("=", "+", "@"))]


def test_a_script_in_a_title_or_reason_of_a_plot_is_text() -> None:
    def render(name: str) -> Rendered:
        if name == "heatmap":
            raise NotApplicable(ATTACK)
        return Rendered(name=name, title=ATTACK, caption=ATTACK, svg=pages.SVG)

    found = page(full(), ("history", "heatmap"), render)
    assert (found.count("script"), found.text().count(ATTACK)) == (1, 3)


def test_a_script_inside_a_drawing_stops_the_report() -> None:
    with pytest.raises(ValueError, match="plot history: its SVG holds <script>"):
        page(full(), ("history",), lambda _: pages.SVG.replace("<text", "<script>alert(1)</script><text"))


def test_no_attribute_of_a_hostile_report_is_a_handler() -> None:
    names = {name for _, given in page(hostile()).elements for name in given}
    assert not [name for name in names if name.startswith("on")]


def test_a_report_refers_to_nothing_outside_itself() -> None:
    text = source(full(), EVERYTHING).replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?:|//[a-z]|@import|src=|<link", text) == []


def test_the_policy_of_the_page_allows_its_own_script_only() -> None:
    text = source(full())
    [script] = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    [policy] = [given["content"] for tag, given in Page(text).elements if tag == "meta" and "http-equiv" in given]
    assert (f"script-src 'sha256-{digest}'" in policy, "default-src 'none'" in policy) == (True, True)


def test_equal_analyses_make_equal_pages() -> None:
    assert source(full(), EVERYTHING) == source(full(), EVERYTHING)


def visible_words(made: Analysis) -> set[str]:
    return set(re.findall(r"[a-z]+", page(made, EVERYTHING).text().lower()))


@pytest.mark.parametrize(
    "made",
    [
        pages.analysis({0: [NAN, NAN], 1: [NAN, NAN]}),
        pages.analysis({0: [0.5]}),
        pages.analysis({0: [0.5, 0.6]}),
        pages.analysis({0: [0.5], 1: [0.6]}),
        pages.analysis({0: [0.5, 0.5, 0.5], 1: [0.6, 0.6, 0.6]}),
        pages.analysis({0: [0.5, math.inf], 1: [NAN, 0.6]}),
        pages.analysis({}),
        full(),
        hostile(),
    ],
    ids=[
        "all failed",
        "one replicate",
        "one condition",
        "n is 1",
        "no spread",
        "infinite",
        "nothing",
        "full",
        "hostile",
    ],
)
def test_no_page_shows_nan_inf_or_none_as_a_number(made: Analysis) -> None:
    found = page(made, EVERYTHING)
    cells = [cell for table in found.tables for row in table.rows for cell in row]
    assert ("nan" in visible_words(made), [cell for cell in cells if cell in ("inf", "-inf", "None")]) == (False, [])


def test_where_all_failed_the_page_says_so_and_gives_the_reason() -> None:
    found = page(pages.analysis({0: [NAN, NAN], 1: [NAN]}))
    assert (
        "No condition has a mean val_loss" in found.text("summary"),
        found.table("without a score").rows[1][1:3],
    ) == (
        True,
        ["RuntimeError: out of memory", "3"],
    )


def test_one_replicate_is_shown_without_interval_and_sd() -> None:
    row = page(pages.analysis({0: [0.123456], 1: [0.5]})).table("val_loss by condition").rows[1]
    assert row[3:] == ["0.1235", "–", "–", "1", "1 finished"]


def test_replicates_without_spread_are_remarked_on() -> None:
    assert "No. 0: every replicate gave the same value" in page(pages.analysis({0: [0.5, 0.5]})).text("results")


def test_a_replicate_that_finished_without_a_finite_score_is_counted() -> None:
    made = pages.analysis(
        {0: []}, replicates=[pages.replicate(0, 0, 0.5), pages.replicate(0, 1, math.inf, outcome="finished")]
    )
    assert "1 replicate finished without a finite val_loss and counts in no mean." in page(made).text("run")


# By hand: starts at 0 and 1 s, each of 2 s: 3 s from first to last, 4 s together.
def test_the_cost_tells_time_together_from_time_that_passed() -> None:
    found = page(pages.analysis({0: [0.5, 0.6]})).text("run")
    assert (
        "All replicates together took 4 s" in found,
        "from the first start to the last end it was 3 s" in found,
    ) == (
        True,
        True,
    )


def test_the_cost_counts_replicates_whose_time_is_not_known() -> None:
    replicates = [pages.replicate(0, 0, 0.5), pages.replicate(0, 1, NAN, outcome="running", seconds=NAN)]
    found = page(pages.analysis({0: []}, replicates=replicates)).text("run")
    assert ("1 replicate without a duration on record" in found, "from the first start" in found) == (True, False)


def large(n_conditions: int) -> Analysis:
    scores = {number: [0.1 + 0.001 * number + 0.0001 * seed for seed in range(5)] for number in range(n_conditions)}
    rows = [pages.comparison(number, 0, 0.001 * number) for number in range(1, n_conditions)]
    return pages.analysis(scores, best=pages.best_set(0, *range(1, 80)), comparisons=pages.family(0, *rows))


def test_a_long_table_shows_its_first_rows_and_says_where_the_others_are() -> None:
    found = page(large(200))
    shown = len(found.table("val_loss by condition").rows) - 1
    note = "The first 50 of 200; the 150 more conditions with every digit: statistics/conditions.csv."
    assert (shown, note in found.text("results")) == (50, True)


def test_members_of_the_best_set_below_the_last_row_shown_are_counted() -> None:
    assert "30 of them are not among the rows shown." in page(large(200)).text("results")


def test_the_report_of_a_thousand_runs_is_small() -> None:
    assert len(source(large(200)).encode()) < 200_000


def test_the_text_of_a_cell_is_sorted_by_the_number_behind_it() -> None:
    assert 'data-value="0.41">0.410</td>' in source(full()).replace("0.41000000000000003", "0.41")
