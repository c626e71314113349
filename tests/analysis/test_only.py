"""A part of the conditions of an analysis: which they are, and that nothing is said of them that all did not say."""

from __future__ import annotations

import dataclasses

import pytest

from rothamsted.analysis.only import matching, only
from rothamsted.analysis.values import Analysis
from rothamsted.errors import UserError
from tests.reporting.worlds import grid, random_search


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return grid(3, (32, 64))


def test_values_are_typed_one_is_one_and_a_number_may_have_the_digits_of_its_label(analysis: Analysis) -> None:
    by_hand = tuple(c.number for c in analysis.dataset.conditions if c.values["width"] == 64)
    assert matching(analysis.dataset, {"width": "64"}) == matching(analysis.dataset, {"width": "64.0"}) == by_hand
    # By hand: the middle of 1e-4 and 10^-0.5 by ratio is 10^-2.25 = 0.005623413...
    assert len(matching(analysis.dataset, {"learning_rate": "0.00562341", "width": "64"})) == 1
    assert matching(analysis.dataset, {"learning_rate": "1e-4"}) == matching(
        analysis.dataset, {"learning_rate": "0.0001"}
    )


def test_a_parameter_that_is_not_there_is_refused_with_those_that_are(analysis: Analysis) -> None:
    with pytest.raises(UserError, match=r"where: 'widht' is not .* did you mean width\? known: learning_rate, width"):
        matching(analysis.dataset, {"widht": "64"})


def test_a_value_that_is_not_there_is_refused_with_those_that_are(analysis: Analysis) -> None:
    with pytest.raises(UserError, match=r"where: width is never 65; it is 32, 64$"):
        matching(analysis.dataset, {"width": "65"})
    with pytest.raises(UserError, match=r"and 28 more$"):
        matching(random_search().dataset, {"learning_rate": "7"})


def test_values_that_never_meet_are_refused_with_those_that_do() -> None:
    # The world: only sgd has a momentum.
    found = random_search().dataset
    momentum = next(c.values["momentum"] for c in found.conditions if "momentum" in c.values)
    with pytest.raises(UserError, match=r"no condition has optimizer=adam and momentum=.* momentum is not used"):
        matching(found, {"optimizer": "adam", "momentum": str(momentum)})


def test_only_the_chosen_conditions_are_left_and_each_is_as_it_was(analysis: Analysis) -> None:
    kept = matching(analysis.dataset, {"width": "64"})
    part = only(dataclasses.replace(analysis, comparisons=None), kept)
    assert [c.number for c in part.dataset.conditions] == list(kept)
    assert {r.condition for r in part.dataset.replicates} == set(kept)
    assert part.ranking == tuple(n for n in analysis.ranking if n in kept)
    assert [s for s in analysis.objective if s.condition in kept] == list(part.objective)
    assert {b.condition for axes in part.bands.values() for bands in axes.values() for b in bands} <= set(kept)
    assert [f.levels for f in part.dataset.factors if f.name == "width"] == [(64,)]
    assert analysis.best is not None
    assert part.best is not None
    assert part.best.winner == analysis.best.winner  # of all conditions, left out or not
    assert {n: part.best.verdicts[n] for n in part.best.verdicts} == {
        n: one for n, one in analysis.best.verdicts.items() if n in kept
    }


def test_to_leave_out_the_reference_of_all_comparisons_is_refused(analysis: Analysis) -> None:
    assert analysis.comparisons is not None
    others = [c.number for c in analysis.dataset.conditions if c.number != analysis.comparisons.reference]
    with pytest.raises(UserError, match="the reference of all comparisons; keep it"):
        only(analysis, others)
