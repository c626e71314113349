"""The report as its reader sees it: complete, honest about gaps, self-contained and safe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rothamsted.reporting.plots import NotApplicable, Rendered
from tests.reporting import pages
from tests.reporting.full_page import EVERYTHING, full, page, source

SECTIONS = (
    "confirmation",
    "comparisons",
    "effects",
    "curves",
    "sensitivity",
    "results",
    "plots",
    "run",
    "reproduce",
    "words",
)


def test_a_report_has_the_sections_of_a_paper_in_order() -> None:
    found = page(full(), EVERYTHING)
    assert tuple(given["id"] for tag, given in found.elements if tag == "section" and "id" in given) == SECTIONS


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (
            "header",
            "made-by-hand Sweep: 3 conditions, 9 replicates, 18 s of training · 2026-01-02 03:04 UTC · rothamsted 0",
        ),
        ("summary", "Which rate is best? Best condition, confirmed on fresh seeds condition 1: lr=0.2 val_loss 0.430"),
        ("summary", "1 other condition cannot be ruled out as the best"),
        ("run", "Expected the middle one, or so."),
        ("run", "val_loss, minimized, the best measurement"),
        ("run", "0.1, 0.2 and 0.3, on a logarithmic scale"),
        ("run", "sampler grid"),
        ("run", "95 %, Student's t"),
        ("run", "9 replicates of 3 conditions: 7 finished and 2 diverged."),
        ("confirmation", "0.430 [0.420, 0.440] 10 0.020 [−0.012, 0.052]"),  # hypot(0.03, 0.01) = 0.032 to each side
        ("confirmation", "of luck: Welch."),
        ("effects", "81 % is due to lr"),
        ("sensitivity", "would be called worse with a probability of 80 % or more"),
        ("run", "All replicates together took 18 s"),
        ("reproduce", "Run sweep-run git commit abc123"),
        ("reproduce", "git checkout abc123 mlflow run . -e sweep"),
        ("words", "fresh seeds Seeds that the search never used."),
    ],
)
def test_a_section_says_what_it_is_for(section: str, words: str) -> None:
    assert words in page(full(), EVERYTHING).text(section)


# By hand: 0.40, 0.41, 0.42 have sd 0.01; half-width 4.302653 * 0.01 / sqrt(3) = 0.0248.
VERDICT = ("best mean", "[−0.20, 0.10]")  # as `pages.best_set` has it


def test_the_result_table_shows_rank_factors_mean_interval_sd_n_and_outcomes() -> None:
    table = page(full()).table("val_loss by condition")
    assert table.rows[1] == ["1", "1", "0.2", *VERDICT, "0.410", "[0.385, 0.435]", "0.010", "3", "3 finished"]


def test_the_best_and_what_cannot_be_ruled_out_are_marked() -> None:
    assert page(full()).table("val_loss by condition").marks == ["", "best", "member"]


def test_a_condition_with_a_diverged_replicate_has_no_row_of_dashes_and_no_mean_of_the_lucky_ones() -> None:
    found = page(full())
    assert [row[1] for row in found.table("val_loss by condition").rows[1:]] == ["1", "0"]
    note = "Without a mean: 1 in which a replicate diverged (2). A condition with a diverged replicate has no mean"
    assert note in found.text("results")
    assert "Not shown: 1 in which a replicate diverged (2)." in found.text("all")


def test_an_open_verdict_says_how_many_seeds_would_decide_it() -> None:
    found = source(full(best=pages.best_set(1, 0, more_seeds={0: 7})))
    assert "about 7\N{NO-BREAK SPACE}seeds would decide" in found


def test_the_heading_of_the_intervals_names_level_and_method() -> None:
    assert page(full()).table("val_loss by condition").rows[0][6] == "95 % interval (Student's t)"


def test_intervals_of_different_kinds_name_their_own() -> None:
    made = full()
    first, second, third = made.objective
    boot = replace(second, interval=pages.interval(0.41, 0.39, 0.43, 3, method="bca"))
    found = page(replace(made, objective=(first, boot, third))).table("val_loss by condition")
    assert (found.rows[0][6], found.rows[1][6]) == ("Interval", "[0.390, 0.430] (BCa bootstrap, 95 %)")


def test_a_remark_on_many_metrics_stands_once_with_their_names() -> None:
    made = pages.with_metrics(full(), {f"metric_{i}": {1: 0.5} for i in range(9)})
    noted = {
        name: tuple(replace(one, note="all 2 values are equal") for one in all_) for name, all_ in made.metrics.items()
    }
    said = [one for one in source(replace(made, metrics=noted)).splitlines() if "all 2 values are equal" in one]
    assert len([one for one in said if 'class="note"' in one]) == 1
    assert "metric_4, metric_5 and 3 more: all 2 values are equal." in said[-1]


def test_failures_that_differ_in_numbers_only_are_one_row() -> None:
    table = page(full()).table("Replicates without a score")
    assert [row[2:4] for row in table.rows[1:]] == [["2", "1"]]


def test_a_comparison_shows_difference_interval_effect_and_verdict() -> None:
    row = page(full()).table("Differences in val_loss").rows[1]
    better = "0 of 3 pairs, at most 0.56"
    assert row[1:] == ["lr=0.1", "0.100", "[0.090, 0.110]", "3", "0.080", "1.5 [0.2, 2.8]", better, "no"]


def test_the_analysis_of_variance_shows_en_dashes_where_nothing_is_defined() -> None:
    row = page(full()).table("Analysis of variance").rows[-1]
    assert row == ["residual", "28", "0.09", "–", "–", "–", "–", "0.09"]


def test_main_effects_have_a_table_for_each_factor() -> None:
    found = page(full())
    assert [len(found.table(f"at each level of {name},").rows) for name in ("lr", "width")] == [3, 2]


def test_a_comparison_that_was_asked_for_and_is_missing_says_why_in_its_place() -> None:
    made = full(comparisons=None, gaps={"comparisons": "there is a reason for this"})
    assert "There is a reason for this." in page(made).text("comparisons")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("effects", "Effects of the factors: there is a reason."),
        ("detectable", "How small a difference could be seen: there is a reason."),
        ("bands", "Learning curves: there is a reason."),
    ],
)
def test_a_part_that_does_not_apply_has_no_section_and_is_named_with_its_reason_at_the_end(
    part: str, words: str
) -> None:
    found = page(full(**({} if part == "bands" else {part: None}), gaps={part: "there is a reason"}))
    assert words in found.text("missing")
    assert found.text({"detectable": "sensitivity", "bands": "curves"}.get(part, part)) == ""


def test_a_gap_that_no_section_knows_is_shown_at_the_end() -> None:
    assert "Nemenyi: one data set." in page(full(gaps={"nemenyi": "one data set"})).text("missing")


def test_marks_stand_before_every_number() -> None:
    text = page(full(marks=("Still running: 3 of 9.",))).text()
    assert 0 < text.index("Still running: 3 of 9.") < text.index("0.430")


def test_an_incomplete_sweep_is_marked_even_if_nobody_marked_it() -> None:
    assert "Not complete:" in page(pages.with_dataset(full(), is_complete=False)).text("marks")


def test_a_mark_of_the_data_that_the_analysis_repeats_is_shown_once() -> None:
    made = pages.with_dataset(full(marks=("Still running.",)), marks=("Still running.",))
    assert page(made).text("marks") == "Still running."


def test_figures_stand_in_their_sections_with_title_and_caption() -> None:
    def render(name: str) -> Rendered:
        return Rendered(name=name, title=f"The {name}", caption=f"About {name}.", svg=pages.SVG)

    found = page(full(), EVERYTHING, render)
    placed = [
        section for section in SECTIONS for name in EVERYTHING if f"The {name}. About {name}." in found.text(section)
    ]
    assert placed == ["comparisons", "effects", "curves", "plots"]


def test_a_plot_that_does_not_apply_says_why_in_its_section() -> None:
    def render(name: str) -> str:
        raise NotApplicable("a heatmap needs two factors; here 1 varies")

    found = page(full(), ("heatmap",), render)
    assert "Plots left out: heatmap (a heatmap needs two factors; here 1 varies)." in found.text("missing")


def test_plots_left_out_for_one_reason_share_it() -> None:
    def render(name: str) -> str:
        raise NotApplicable("there is one condition")

    found = page(full(), ("trends", "heatmap", "importance"), render)
    assert "Plots left out: trends, heatmap and importance (there is one condition)." in found.text("missing")


def test_a_metric_at_the_start_of_a_reason_keeps_its_name() -> None:
    assert "val_loss was not logged." in page(full(effects=None, gaps={"effects": "val_loss was not logged"})).text(
        "missing"
    )


def test_a_plot_that_is_asked_for_twice_is_shown_once() -> None:
    assert page(full(), ("heatmap", "heatmap")).count("figure") == 1
