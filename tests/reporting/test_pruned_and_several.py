"""What a report says of pruned and infeasible conditions, of several objectives and of composite scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.values import Analysis, Objective
from rothamsted.errors import UserError
from rothamsted.publish.description import description
from rothamsted.reporting.parts import DataTable, Fold, Paragraph, Part
from rothamsted.reporting.plots import PLOTS, NotApplicable, PlotOptions, render
from rothamsted.reporting.sections.completion import failures, pruned_conditions
from rothamsted.reporting.sections.first_screen import first_screen
from rothamsted.reporting.sections.order import sections
from rothamsted.reporting.sections.pareto_set import pareto_section, uncertain
from rothamsted.reporting.sentences import pareto_words, without_mean
from rothamsted.reporting.tables.of_effects import means_tables
from rothamsted.reporting.verdicts import verdict_words
from tests.analysis.runs import dataset
from tests.reporting import worlds

GAP = "\N{NO-BREAK SPACE}"


def data(name: str, made: Analysis, **options: Any) -> Any:
    return PLOTS[name].data(made, PlotOptions(**options))


def unfolded(made: Analysis, section: str) -> list[Part]:
    found = next(one for one in sections(made, []) if one.name == section)
    return [inner for part in found.parts for inner in (part.parts if isinstance(part, Fold) else (part,))]


def texts(made: Analysis, section: str) -> str:
    found = unfolded(made, section)
    parts = [part.text for part in found if isinstance(part, Paragraph)]
    facts = [f"{key}: {value}" for part in found for key, value in getattr(part, "items", ())]
    return "\n".join([*parts, *facts]).replace(GAP, " ")


def cells(table: DataTable) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_pruned_conditions_are_listed_with_step_and_reason_and_counted_apart_from_failures() -> None:
    made = worlds.pruned()
    found = pruned_conditions(made)
    assert [(row[0], row[2], row[3], row[4]) for row in cells(found)] == [
        (str(number), "50", "0", "at step 50 by pruner median: val_loss 8") for number in (12, 14, 16, 18)
    ]
    assert failures(made.dataset.replicates).rows == ()
    assert without_mean(made).replace(GAP, " ") == "4 of 20 conditions have no rank: 4 were pruned."


def test_a_condition_that_was_pruned_between_replicates_has_no_step() -> None:
    made = analyze(dataset({0: [1.0, 1.1], 1: [2.0, 2.1]}, pruned={1: "after 2 replicates by pruner wilcoxon"}))
    assert cells(pruned_conditions(made))[0][2:] == ["–", "2", "after 2 replicates by pruner wilcoxon"]


def test_the_history_shows_pruned_trials_apart_from_those_without_a_score() -> None:
    found = data("history", worlds.pruned())
    assert found.pruned.tolist() == [12, 14, 16, 18]
    assert found.without.tolist() == []
    assert not set(found.pruned.tolist()) & set(found.trials.tolist())
    assert "4 conditions pruned" in PLOTS["history"].caption(found)


def test_pruned_conditions_are_in_no_plot_of_means_though_some_of_their_replicates_finished() -> None:
    # A metric summary with a mean stands for an analysis by somebody else: the plots leave it out all the same.
    made = worlds.pruned()
    lucky = replace(made.objective[0], condition=12)
    made = replace(made, objective=(*made.objective[:12], lucky, *made.objective[13:]))
    assert 12 not in data("history", made).trials
    assert 12 not in data("pareto", made).conditions
    assert data("parallel", made).n_conditions == 16
    assert data("importance", made).n_conditions == 16


@pytest.mark.parametrize(
    ("name", "made", "words"),
    [("history", worlds.pruned, "pruned: no mean"), ("pareto", worlds.several, "memory, less is better")],
)
def test_the_drawing_says_what_it_shows(name: str, made: Callable[[], Analysis], words: str) -> None:
    assert words in render(name, made()).svg


def test_the_bars_of_completion_have_the_state_pruned() -> None:
    found = data("outcomes", worlds.pruned())
    assert dict(zip(found.outcomes, found.totals, strict=True)) == {"finished": 48, "pruned": 12}


def test_the_pareto_plot_takes_the_second_objective_with_its_direction() -> None:
    made = worlds.several(speed="maximize")
    assert made.pareto is not None
    found = data("pareto", made)
    assert (found.second.label, found.second.direction) == ("speed", "maximize")
    assert {n for n, is_in in zip(found.conditions, found.is_front, strict=True) if is_in} == set(made.pareto.members)
    assert np.isfinite(found.second.low).all()  # interval bars
    turned = data("pareto", made, second="speed", second_direction="minimize")
    assert turned.is_front.sum() < found.is_front.sum()  # the fast ones are those of high loss no more


def test_the_pareto_plot_of_three_objectives_marks_the_set_of_all_three() -> None:
    made = worlds.several(n=4, memory="minimize", accuracy="maximize")
    assert made.pareto is not None
    found = data("pareto", made)
    assert {n for n, is_in in zip(found.conditions, found.is_front, strict=True) if is_in} == set(made.pareto.members)
    assert "all 3 objectives, two of which are shown" in PLOTS["pareto"].caption(found)


def test_a_metric_that_nobody_has_is_refused_with_the_objectives_among_those_that_there_are() -> None:
    with pytest.raises(UserError, match="memory"):
        data("pareto", worlds.several(), second="nothing")


def test_the_pareto_section_has_members_first_and_those_that_resamples_leave_open() -> None:
    made = worlds.several()
    assert made.pareto is not None
    (table,) = [part for part in pareto_section(made) if isinstance(part, DataTable)]
    rows = cells(table)
    members = [row for row in rows if row[2] == "yes"]
    assert [int(row[0]) for row in members] == list(made.pareto.members)
    assert rows[: len(members)] == members
    assert all("[" in row[5] and "[" in row[7] for row in rows)
    for number in uncertain(made.pareto, made.level):
        assert 0.05 < made.pareto.frequency[number] < 0.95
    said = texts(made, "pareto")
    assert "2000 resamples of seeds" in said
    assert "drawn again many times" in said
    assert "not the probability that a condition belongs to the true set" in said


def test_one_replicate_gives_no_share_and_says_why() -> None:
    made = analyze(dataset({0: [1.0], 1: [2.0]}, others={"s": ("minimize", {0: [2.0], 1: [1.0]})}))
    (table,) = [part for part in pareto_section(made) if isinstance(part, DataTable)]
    assert [row[3] for row in cells(table)] == ["–", "–"]
    assert "so it is not known how sure the Pareto set is" in texts(made, "pareto")
    assert "resamples" not in texts(made, "pareto")


def test_parts_that_look_at_one_objective_say_which() -> None:
    made = worlds.several()
    assert "effects are analysed only by the first, loss" in texts(made, "effects")
    answer = first_screen(made, None).answer
    assert answer is not None
    assert answer.title == "Best condition of the search, by the first objective"
    one = worlds.one_factor()
    assert "first" not in texts(one, "comparisons")
    assert all(section.name != "pareto" for section in sections(one, []))


def test_the_design_names_every_objective_and_what_a_score_is_made_of() -> None:
    made = worlds.several()
    score = Objective(metric="score", direction="maximize", reduce="best", expression="acc - max(0, gap - 3)")
    made = replace(made, dataset=replace(made.dataset, objective=score))
    assert "First objective: score = acc - max(0, gap - 3), maximized, the best measurement" in texts(made, "run")
    assert "Further objective: memory, minimized, the last measurement" in texts(made, "run")
    assert "Composite: score = acc - max(0, gap - 3)." in description(made)


def test_the_description_has_the_pareto_set_and_a_column_for_each_objective() -> None:
    made = worlds.several()
    assert made.pareto is not None
    text = description(made)
    members = ", ".join(map(str, made.pareto.members))
    assert (
        f"Pareto set of loss (minimize), memory (minimize): {len(made.pareto.members)} conditions, trials {members}"
        in text
    )
    assert "| trial | width | loss | memory |" in text


def test_infeasible_conditions_are_counted_with_their_reason() -> None:
    made = analyze(
        dataset(
            {0: [0.1, 0.2], 1: [1.0, 1.2], 2: [2.0, 2.1]},
            violations={0: (("size < 3", 2.0),), 1: (("size < 3", -1.0),), 2: (("size < 3", 0.0),)},
        )
    )
    assert made.ranking == (1, 2)
    assert without_mean(made).replace(GAP, " ").endswith("1 breaks a constraint.")
    (row,) = [r for r in cells(_results(made)) if r[1] == "0"]
    assert row[0] == "–"


def test_a_history_of_pruned_trials_only_does_not_apply() -> None:
    made = analyze(dataset({0: [1.0], 1: [2.0]}, pruned={0: "at step 1", 1: "at step 1"}))
    with pytest.raises(NotApplicable):
        data("history", made)


def _results(made: Analysis) -> DataTable:
    return next(part for part in unfolded(made, "results") if isinstance(part, DataTable))


def test_verdicts_and_a_set_of_all_conditions_are_said_without_contradiction() -> None:
    # By hand: what costs less loses more, so no condition beats another, and by loss alone 0 is the best.
    values = {n: [n / 4, n / 4 + 0.01, n / 4 - 0.01] for n in range(3)}
    made = analyze(dataset(values, others={"cost": ("minimize", {n: [3.0 - n] * 3 for n in range(3)})}))
    assert verdict_words(made).startswith(
        "There are several objectives: verdicts are only by the first, loss. No other"
    )
    assert pareto_words(made).startswith(
        "All 3\N{NO-BREAK SPACE}ranked conditions are in the Pareto set of loss and cost"
    )


def test_a_lone_factor_has_no_table_of_levels_which_would_be_the_conditions_again() -> None:
    assert made_tables({n: {"x": n} for n in range(4)}) == 0
    assert made_tables({n: {"x": n % 2, "y": n // 2} for n in range(4)}) == 2


def made_tables(factors: dict[int, dict[str, Any]]) -> int:
    """How many tables of levels an analysis of such conditions has."""
    effects = analyze(dataset({n: [n, n + 0.2, n - 0.1] for n in factors}, factors=factors)).effects
    assert effects is not None
    return len(means_tables(effects, "loss", 0.95))
