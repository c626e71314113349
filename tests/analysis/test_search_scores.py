"""The expected best of a search: from which sweeps there is a curve, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.search_scores import curves_of, search_of
from rothamsted.analysis.settings import Settings
from rothamsted.publish.comparison import comparison_text
from rothamsted.publish.record import tables_of
from rothamsted.reporting.plots import NotApplicable, PlotOptions, render
from tests.analysis.runs import dataset

VALUES = {0: [0.4, 0.6], 1: [0.1, 0.3], 2: [0.9, 0.7], 3: [0.3, 0.3]}


def test_a_random_search_has_a_curve_of_its_means_and_a_table() -> None:
    found = analyze(replace(dataset(VALUES), sampler="random"))
    table = next(table for table in tables_of(found) if table.name == "expected_best")
    # By hand: means 0.5, 0.2, 0.8, 0.3; of one condition the mean, of all four the best.
    assert [row[1] for row in table.rows] == pytest.approx([0.45, 1.7 / 6, 0.225, 0.2])
    assert "Mean over all choices of k" in render("expected_best", found).caption


def test_a_diverged_condition_was_tried_and_counts_as_the_worst() -> None:
    found = search_of(replace(dataset(VALUES, outcomes={(1, 0): "diverged"}), sampler="qmc"))
    curves, _ = curves_of((found,), "minimize")
    (curve,) = curves.values()
    assert curve.n_without == 1
    assert curve.expected[0] == pytest.approx((0.5 + 0.8 + 0.8 + 0.3) / 4)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sampler": "tpe"}, "tpe chose conditions by the results of earlier ones"),
        ({"sampler": "grid"}, "the conditions of a grid are not a random sample"),
        ({"sampler": "random", "looked_by": ("pruning",)}, "depended on results"),
        ({}, "not a random search"),
    ],
)
def test_other_searches_have_none_and_the_reason_is_said(changes: dict, says: str) -> None:
    found = analyze(replace(dataset(VALUES), **changes))
    with pytest.raises(NotApplicable, match=says):
        render("expected_best", found, PlotOptions())
    assert "expected_best" not in {table.name for table in tables_of(found)}


def test_a_comparison_says_the_expected_best_at_the_budget_that_both_have() -> None:
    long = replace(search_of(replace(dataset(VALUES), sampler="random")), name="long")
    short = replace(long, name="short", scores=long.scores[:3])
    by_results = replace(long, name="clever", why_not="tpe chose conditions by the results of earlier ones")
    two = replace(dataset({0: VALUES[0], 1: VALUES[1]}), kind="runs", searches=(long, short, by_results))
    text = comparison_text(two, Settings(reference=0)).replace("\N{NO-BREAK SPACE}", " ")
    assert "expected best loss of 3 random conditions (the search's own means):\n  long: 0.225\n  short: 0.2" in text
    assert "clever: no expected best (tpe chose conditions" in text
    assert "Without a curve: clever" in render("expected_best", analyze(two, Settings(reference=0))).caption
