"""The page that puts runs or sweeps side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from rothamsted.analysis.values import Objective
from rothamsted.reporting.page.compare_page import Comparison, SubjectResult, parameter_differences, render_comparison
from rothamsted.reporting.plots import NotApplicable
from tests.reporting import pages
from tests.reporting.pages import ATTACK
from tests.reporting.reading import Page

NAN = math.nan


def subject(number: int, name: str, scores: Sequence[float], **changes: Any) -> SubjectResult:
    replicates = [pages.replicate(number, seed, score) for seed, score in enumerate(scores)]
    given: dict[str, Any] = {
        "number": number,
        "name": name,
        "kind": "sweep",
        "run_id": f"id-{number}",
        "parameters": {"lr": 0.1 * (number + 1), "depth": 3},
        "objective": pages.summarized(number, replicates) if scores else None,
    }
    return SubjectResult(**{**given, **changes})


def comparison(*subjects: SubjectResult, **changes: Any) -> Comparison:
    given: dict[str, Any] = {
        "title": "a vs b",
        "objective": Objective(metric="val_loss", direction="minimize"),
        "level": 0.95,
        "subjects": subjects or (subject(0, "a", [0.40, 0.41, 0.42]), subject(1, "b", [0.50, 0.51, 0.52])),
        "comparisons": pages.family(1, pages.comparison(0, 1, -0.1)),
    }
    return Comparison(**{**given, **changes})


def page(found: Comparison, plots: tuple[str, ...] = (), render: Any = lambda _: pages.SVG) -> Page:
    return Page(render_comparison(found, plots=plots, render=render, generated_at="2026-01-02", version="0.1.0"))


# By hand: sd 0.01, half-width 4.302653 * 0.01 / sqrt(3) = 0.0248.
def test_each_subject_is_shown_with_its_mean_interval_and_n() -> None:
    row = page(comparison()).table("lower is better").rows[1]
    assert row == ["a", "sweep", "0.410", "[0.385, 0.435]", "0.010", "3", "id-0"]


@pytest.mark.parametrize(
    ("direction", "difference", "expected"),
    [
        ("minimize", -0.1, "a is better than b by 0.100 [0.090, 0.110] at 95 % (paired t, holm)."),
        ("maximize", -0.1, "a is worse than b by 0.100 [0.090, 0.110] at 95 % (paired t, holm)."),
        ("minimize", 0.1, "a is worse than b by 0.100 [0.090, 0.110] at 95 % (paired t, holm)."),
    ],
)
def test_a_difference_that_is_seen_says_which_one_is_better(direction: Any, difference: float, expected: str) -> None:
    found = comparison(
        objective=Objective(metric="val_loss", direction=direction),
        comparisons=pages.family(1, pages.comparison(0, 1, difference)),
    )
    assert expected in page(found).text("summary")


def test_what_cannot_be_told_apart_is_not_called_better() -> None:
    found = comparison(comparisons=pages.family(1, pages.comparison(0, 1, -0.1, is_different=False)))
    assert "a and b cannot be told apart at 95 %" in page(found).text("summary")


def test_a_comparison_without_p_value_says_that_nothing_is_known() -> None:
    row = pages.comparison(0, 1, -0.1, p_corrected=NAN, is_different=False, note="one replicate each")
    assert "Whether a and b differ is not known: one replicate each." in page(
        comparison(comparisons=pages.family(1, row))
    ).text("summary")


def test_a_comparison_that_was_not_made_says_why() -> None:
    found = comparison(comparisons=None, gaps={"comparisons": "each has one replicate"})
    assert "Each has one replicate." in page(found).text("comparisons")


def test_a_subject_without_the_metric_is_named() -> None:
    found = page(comparison(subject(0, "a", [0.4, 0.5]), subject(1, "b", []), comparisons=None))
    assert ("b has no val_loss." in found.text("summary"), found.table("lower is better").rows[2][2:6]) == (
        True,
        ["–", "–", "–", "0"],
    )


def test_one_replicate_is_shown_without_an_interval() -> None:
    found = comparison(subject(0, "a", [0.4]), subject(1, "b", [0.5]), comparisons=None)
    assert "a: 0.4 (one replicate: no interval); b: 0.5 (one replicate: no interval)." in page(found).text("summary")


def test_parameters_that_differ_stand_first_and_shared_ones_are_folded_away() -> None:
    found = page(comparison())
    folded = [tag for tag, _ in found.elements if tag in ("details", "table")][-2:]
    table = found.table("Parameters that differ")
    assert (table.rows, folded, "1 parameter that all share depth 3" in found.text("parameters")) == (
        [["Parameter", "a", "b"], ["lr", "0.1", "0.2"]],
        ["table", "details"],
        True,
    )


def test_parameters_that_differ_in_a_late_digit_do_not_look_the_same() -> None:
    subjects = [subject(number, "a", [0.4], parameters={"x": 0.1 + number * 1e-15}) for number in range(2)]
    _, first, second = page(comparison(*subjects)).table("Parameters that differ").rows[1]
    assert first != second


def test_the_noise_of_floating_point_is_not_shown() -> None:
    subjects = [subject(0, "a", [0.4], parameters={"x": 0.1 + 0.2}), subject(1, "b", [0.4], parameters={"x": 0.1})]
    assert page(comparison(*subjects)).table("Parameters that differ").rows[1] == ["x", "0.3", "0.1"]


def test_a_parameter_that_one_subject_lacks_differs() -> None:
    first, second = subject(0, "a", [0.4], parameters={"x": 1}), subject(1, "b", [0.4], parameters={})
    assert parameter_differences([first, second]) == (("x",), ())


@pytest.mark.parametrize(
    ("one", "other", "is_same"), [(1, 1.0, True), (True, 1, False), ("1", 1, False), (None, 0, False)]
)
def test_equal_numbers_are_the_same_setting_and_other_kinds_are_not(one: Any, other: Any, is_same: bool) -> None:
    subjects = [subject(0, "a", [0.4], parameters={"x": one}), subject(1, "b", [0.4], parameters={"x": other})]
    assert (parameter_differences(subjects)[1] == ("x",)) == is_same


def test_other_metrics_stand_side_by_side_with_n() -> None:
    replicates = [pages.replicate(0, seed, value) for seed, value in enumerate([0.8, 0.8])]
    first = subject(0, "a", [0.4, 0.5], metrics={"accuracy": pages.summarized(0, replicates)})
    found = page(comparison(first, subject(1, "b", [0.4]), comparisons=None))
    assert found.table("Final values").rows[1] == ["accuracy", "0.8 [0.8, 0.8], n = 2", "–"]


def test_curves_stand_on_the_page_and_one_that_does_not_apply_says_why() -> None:
    def render(name: str) -> str:
        if name == "curves_by_time":
            raise NotApplicable("no run logged its time")
        return pages.SVG

    found = page(comparison(), ("curves", "curves_by_time"), render)
    text = found.text("curves")
    assert (found.count("figure"), "Plots left out: curves by time (no run logged its time)." in text) == (1, True)


def test_a_script_in_any_name_is_text() -> None:
    one = subject(0, ATTACK, [0.4, 0.5], kind=ATTACK, run_id=ATTACK, about=ATTACK, parameters={ATTACK: ATTACK})
    found = comparison(
        one,
        replace(one, number=1, parameters={ATTACK: "b", "c": ATTACK}),
        title=ATTACK,
        marks=(ATTACK,),
        gaps={"curves": ATTACK},
        provenance={ATTACK: ATTACK},
        how_to_reproduce=(ATTACK,),
    )
    shown = page(found)
    assert (shown.count("script"), shown.text().count(ATTACK) > 15) == (1, True)
