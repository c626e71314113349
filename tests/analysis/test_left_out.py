"""What an effect or an average leaves out is named, with why; and what still holds where trials depend on results."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.left_out import left_out_words, over_words
from rothamsted.analysis.ranking import ranked
from rothamsted.reporting.sections.order import sections
from rothamsted.reporting.sentences import effects_over, effects_words
from rothamsted.reporting.tables.csv_tables import effects_table
from tests.analysis.runs import dataset

N = 16


def plain(text: str) -> str:
    """Text with ordinary spaces."""
    return text.replace("\xa0", " ")


def grid_of_sixteen(n: int = 3, **more: Any) -> Any:
    rng = np.random.default_rng(0)
    factors = {k: {"width": k // 4, "depth": k % 4} for k in range(N)}
    values = {k: (3.0 * (k // 4) + rng.normal(size=n)).tolist() for k in range(N)}
    return dataset(values, factors=factors, **more)


def with_losses() -> Any:
    return grid_of_sixteen(
        outcomes={(3, 0): "diverged", (7, 1): "diverged", **{(9, s): "failed" for s in range(3)}},
        pruned={12: "at step 3"},
        violations={14: (("c < 1", 0.5),)},
    )


WORDS = (
    "1 that was pruned (12), 2 in which a replicate diverged (3 and 7), 1 without a score (9) and "
    "1 that breaks a constraint (14)"
)


def test_conditions_that_are_left_out_are_named_with_why() -> None:
    found = with_losses()
    assert left_out_words(found, ranked(found)) == WORDS
    assert over_words(found, ranked(found)) == "11 of 16 conditions"


def test_where_nothing_is_left_out_all_are_said() -> None:
    found = grid_of_sixteen()
    assert (left_out_words(found, ranked(found)), over_words(found, ranked(found))) == ("", "all 16 conditions")


def test_many_of_one_reason_are_not_all_listed() -> None:
    found = grid_of_sixteen(pruned=dict.fromkeys(range(10), "early"))
    assert left_out_words(found, ranked(found)) == "10 that were pruned (0, 1, 2, 3, 4, 5, 6, 7 and 2 more)"


def test_sentence_caption_terminal_and_csv_name_what_the_effects_leave_out() -> None:
    found = analyze(with_losses())
    assert plain(effects_words(found)).startswith("Over 11 of 16 conditions loss depends on width")
    assert plain(effects_words(found)).endswith(f"Left out: {WORDS}.")
    assert effects_over(found) == f"Over 11 of 16 conditions; left out: {WORDS}."
    assert f"Effects and comparisons are over 11 of 16 conditions; left out: {WORDS}." in found.marks
    table = effects_table(found)
    assert {row[table.columns.index("note")] for row in table.rows} == {f"over 11 of 16 conditions; left out: {WORDS}"}


def test_with_two_replicates_the_report_says_why_no_factor_is_tested() -> None:
    found = analyze(grid_of_sixteen(2))
    assert found.effects is not None
    assert all(np.isnan(row.p_value) for row in found.effects.rows)
    assert plain(effects_words(found)).startswith(
        "What loss depends on was not tested: most conditions have 2 replicates"
    )


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        (("tpe",), "The sampler tpe chose conditions"),
        (("pruning",), "Pruning stopped conditions because of their own values"),
        (("racing",), "The race stopped conditions because of their own values"),
        (("stages",), "An earlier stage chose these conditions"),
    ],
)
def test_where_trials_depend_on_results_the_report_says_what_holds(looks: tuple[str, ...], said: str) -> None:
    found = analyze(replace(grid_of_sixteen(), looked_by=looks))
    assert found.dependence[0].startswith(said)
    assert found.dependence[-1].startswith("Only fresh seeds")
    assert "dependence" in [section.name for section in sections(found, ())]
    assert any(f"decided which trials were run ({looks[0]})" in mark for mark in found.marks)


def test_a_confirmed_estimate_is_said_to_hold() -> None:
    found = analyze(replace(grid_of_sixteen(confirm={0: [0.1, 0.2, 0.3]}), looked_by=("tpe",)))
    assert found.dependence[-1].startswith("The estimate of a confirmed condition on fresh seeds holds in full")


def test_a_design_that_looks_at_nothing_says_nothing() -> None:
    found = analyze(grid_of_sixteen())
    assert found.dependence == ()
    assert "dependence" not in [section.name for section in sections(found, ())]
