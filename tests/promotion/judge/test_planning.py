"""How many more replicates would decide: the plan behind an undecided verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rothamsted.promotion.judge.verdict import decide
from rothamsted.promotion.types import Verdict
from tests.promotion.contestants import evidence, policy

PATTERN = np.array([-1.0, 1.0] * 5) / np.std([-1.0, 1.0] * 5, ddof=1)  # mean 0, sd 1, n 10
FLIPS: dict[str, Any] = {"test": "permutation", "replicates": 5}
TWO_LOOKS: dict[str, Any] = {"replicates": 3, "level": 0.9, "looks": 2}  # 0.1 in all, 0.05 each
BASE = np.linspace(1.0, 2.0, 10)


def _undecided(effect: float, *, is_paired: bool = True, champion: np.ndarray = BASE, **changed: Any) -> Verdict:
    """The verdict on a challenger whose improvement is `effect` standard deviations of the differences.

    The first of two looks at 0.05 each: the plan is for the second.
    """
    challenger = evidence("new", BASE - 0.1 * (PATTERN + effect) if is_paired else -0.1 * (PATTERN + effect))
    found = decide(
        [challenger], evidence("old", champion, version="3"), policy(**TWO_LOOKS, **changed), is_paired=is_paired
    )[0]
    assert found.decision == "undecided"
    return found


def _second_look(total: float, first: int = 10) -> int:
    """Pairs of a second look that, with as much weight as the first one, make both worth one look of `total` pairs.

    By hand: (sqrt(first) + sqrt(second))^2 / 2 = total.
    """
    return int(np.ceil((np.sqrt(2 * total) - np.sqrt(first)) ** 2 - 1e-9))


@pytest.mark.parametrize("effect", [0.5, 0.3, -0.3, 0.15])
def test_a_paired_plan_agrees_with_statsmodels(effect: float) -> None:
    from statsmodels.stats.power import TTestPower

    n = float(TTestPower().solve_power(abs(effect), alpha=0.05, power=0.8, alternative="larger"))
    assert _undecided(effect).more_replicates == _second_look(np.ceil(n))


def test_the_plan_aims_at_the_smallest_improvement_that_matters() -> None:
    # Improvement 0.05, of which 0.03 are beyond the smallest that matters: 0.3 standard deviations.
    assert _undecided(0.5, smallest_improvement=0.02).more_replicates == _undecided(0.3).more_replicates


def test_the_plan_says_whether_more_would_show_or_exclude_it() -> None:
    assert "of each would show it with probability" in _undecided(0.3).reasons[1]
    assert "of each would exclude it with probability" in _undecided(-0.3).reasons[1]


def test_at_the_threshold_no_number_of_replicates_is_promised() -> None:
    verdict = _undecided(0.01)
    assert verdict.more_replicates is None
    assert verdict.reasons[1].endswith(
        "1000 would not. The observed improvement is about the threshold of the decision, 0."
    )


def test_a_plan_for_two_groups_agrees_with_statsmodels() -> None:
    from statsmodels.stats.power import TTestIndPower

    # Both groups have sd 0.1; they run on common seeds, but the policy does not pair them.
    champion = 0.1 * PATTERN[::-1]
    rule = policy(test="welch", **TWO_LOOKS)
    found = decide([evidence("new", 0.1 * (PATTERN - 0.5))], evidence("old", champion), rule, is_paired=True)[0]
    n = float(TTestIndPower().solve_power(0.5, alpha=0.05, power=0.8, alternative="larger"))
    assert found.more_replicates == int(np.ceil(n)) - 10


def test_beside_a_champion_known_almost_exactly_the_plan_is_that_of_one_sample() -> None:
    from statsmodels.stats.power import TTestPower

    # 10,000 recorded replicates of next to no spread: Welch's test is then Student's of one sample.
    champion = np.tile([-1e-9, 1e-9], 5_000)
    n = float(TTestPower().solve_power(0.4, alpha=0.05, power=0.8, alternative="larger"))
    assert _undecided(0.4, is_paired=False, champion=champion).more_replicates == int(np.ceil(n)) - 10


def test_where_the_champions_recorded_replicates_are_too_few_the_reason_says_so() -> None:
    verdict = _undecided(0.5, is_paired=False, champion=0.1 * PATTERN)
    assert verdict.more_replicates is None
    assert verdict.reasons[1].endswith("the recorded replicates of the champion (version 3) are too few.")


def test_a_permutation_test_is_planned_with_as_many_pairs_as_can_reach_its_level() -> None:
    # Nine challengers: p-values of 0.05 / 9 = 1 / 180 take 2^8 sign patterns, three pairs more than the five there are,
    # or a look of four: (sqrt(5) + sqrt(4))^2 / 2 = 8.97.
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    models = [evidence(f"new{k}", values - 0.5) for k in range(9)]
    found = decide(models, evidence("old", values), policy(**TWO_LOOKS | FLIPS), is_paired=True)
    assert [(one.decision, one.more_replicates) for one in found] == [("undecided", 4)] * 9


def test_a_plan_for_one_of_several_pays_for_the_family() -> None:
    from statsmodels.stats.power import TTestPower

    models = [evidence(f"new{k}", BASE - 0.1 * (PATTERN + 0.3)) for k in range(4)]
    found = decide(models, evidence("old", BASE), policy(**TWO_LOOKS), is_paired=True)
    n = float(TTestPower().solve_power(0.3, alpha=0.05 / 4, power=0.8, alternative="larger"))
    assert [one.more_replicates for one in found] == [_second_look(np.ceil(n))] * 4


def test_an_unpaired_permutation_test_is_planned_with_as_many_replicates_as_can_reach_its_level() -> None:
    # 47 challengers: p-values of 0.05 / 47 = 1 / 940. Beside five recorded replicates of the champion seven new ones
    # have C(12, 5) = 792 arrangements, eight have C(13, 5) = 1287: three more than the five there are.
    models = [evidence(f"new{k}", np.zeros(5)) for k in range(47)]
    found = decide(
        models,
        evidence("old", np.ones(5)),
        policy(**TWO_LOOKS | FLIPS),
        is_paired=False,
    )
    assert [(one.decision, one.more_replicates) for one in found] == [("undecided", 3)] * 47
