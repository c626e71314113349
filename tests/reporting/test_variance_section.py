"""The section on what intervals speak of: the sentence, the shares by source, or why there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rothamsted.analysis.replicates_words import conditional_words, units_words
from rothamsted.analysis.values import Analysis
from rothamsted.spec import Objective
from rothamsted.statistics.sources import shares_by_source
from tests.reporting import pages
from tests.reporting.full_page import full, page

CROSSED = {"seed": 3, "data.seed": 3}


def numbered(**dataset: object) -> Analysis:
    """The full page's analysis with replicates that are numbered, as those of a sweep are."""
    made = full()
    replicates = tuple(replace(one, number=int(one.seed)) for one in made.dataset.replicates)
    return pages.with_dataset(made, replicates=replicates, **dataset)


@pytest.mark.parametrize(
    ("varied", "words"),
    [
        (("seed",), "only in the training seed, so all intervals are conditional on this validation split"),
        (("seed", "data.seed"), "differ in training seed and data split, so intervals are about new numbers of both"),
        (("random_state",), "differ only in random_state. All else that is random is the same in all"),
    ],
)
def test_the_report_says_what_its_intervals_are_conditional_on(varied: tuple[str, ...], words: str) -> None:
    assert words in page(numbered(varied=varied)).text("variance")


def test_where_the_best_step_is_taken_the_split_chose_that_too() -> None:
    made = numbered(varied=("seed",), objective=Objective(metric="val_loss", direction="minimize", reduce="best"))
    assert "chose the winner and the step" in conditional_words(made.dataset)


def test_nothing_is_said_of_runs_whose_replicates_nothing_tells_apart_and_of_lone_ones() -> None:
    assert "variance" not in page(full()).sections
    assert conditional_words(pages.with_dataset(full(), varied=("seed",)).dataset) == ""  # all have number 0


def test_shares_stand_in_a_table_with_their_intervals() -> None:
    values = np.random.default_rng(0).normal(size=(2, 9)) + np.tile([0.0, 2.0, 4.0], 3)
    both = {
        "sources": shares_by_source(values, CROSSED),
        "sources_of_differences": shares_by_source(values, CROSSED, of_differences=True),
    }
    made = replace(numbered(varied=tuple(CROSSED), crossed=CROSSED), **both)
    found = page(made)
    assert "9 crossed replicates count as 3 independent ones" in found.text("variance").lower()
    table = found.table("Shares of variance by source, over 2 conditions of 9 trainings")
    assert [row[0] for row in table.rows if "%" in row[1]] == ["training seed", "data split", "rest"]


def test_what_varies_together_is_named_with_the_way_to_tell_it_apart() -> None:
    made = replace(numbered(varied=("seed", "data.seed")), gaps={"sources": "they change together; vary: {seed: 5}"})
    text = page(made).text("variance")
    assert "No shares of variance by source: they change together; vary: {seed: 5}." in text
    assert "they change together" not in page(made).text("missing")


@pytest.mark.parametrize(
    ("varied", "n", "words"),
    [
        (("seed",), 1, "1 training seed"),
        (("seed", "data.seed"), 5, "5 pairs of training seed and data split"),
        (("seed", "data.seed", "aug"), 2, "2 sets of training seed, data split and aug"),
    ],
)
def test_what_a_condition_is_trained_on_is_counted_in_words(varied: tuple[str, ...], n: int, words: str) -> None:
    assert units_words(varied, n) == words
