"""The expected best of k conditions against enumeration of all choices and orders, and the bias of Dodge's formula."""

from __future__ import annotations

import math
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest

from rothamsted.statistics.expected_best import MOST_BUDGETS, expected_best

SCORES = np.array([0.31, 0.12, 0.55, 0.31, 0.90, 0.47])


@pytest.mark.parametrize(("direction", "best"), [("minimize", min), ("maximize", max)])
def test_it_is_the_mean_over_all_choices(direction: str, best: Any) -> None:
    found = expected_best(SCORES, direction=direction)
    expected = [np.mean([best(choice) for choice in combinations(SCORES, k)]) for k in range(1, 7)]
    assert found.budgets.tolist() == [1, 2, 3, 4, 5, 6]
    assert found.expected == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("direction", "best"), [("minimize", np.minimum), ("maximize", np.maximum)])
def test_it_is_the_mean_of_the_best_so_far_over_all_orders(direction: str, best: np.ufunc) -> None:
    so_far = np.mean([best.accumulate(order) for order in permutations(SCORES)], axis=0)
    assert expected_best(SCORES, direction=direction).expected == pytest.approx(so_far, rel=1e-9)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("scores", [SCORES, np.arange(10.0)])  # of ten single ones a tenth lies at the end exactly
def test_the_band_holds_the_middle_80_percent_of_all_choices(direction: str, scores: np.ndarray) -> None:
    found = expected_best(scores, direction=direction)
    for k in range(1, len(scores) + 1):
        bests = [(min if direction == "minimize" else max)(choice) for choice in combinations(scores, k)]
        ends = np.quantile(bests, (0.1, 0.9), method="inverted_cdf")
        if direction == "minimize":  # counted from the worst
            ends = -np.quantile(-np.array(bests), (0.9, 0.1), method="inverted_cdf")
        assert (found.low[k - 1], found.high[k - 1]) == pytest.approx(tuple(ends))


def test_a_condition_without_a_score_was_tried_and_counts_as_the_worst() -> None:
    found = expected_best(np.array([0.2, math.nan, 0.5]), direction="minimize")
    # By hand: of 0.2, 0.5, 0.5 the best of two is 0.2 in two of three choices.
    assert found.expected == pytest.approx([0.4, 0.3, 0.2])
    assert (found.n, found.n_without) == (3, 1)


def test_it_is_unbiased_where_dodges_formula_with_replacement_is_not() -> None:
    # The best of 8 uniform values in (0, 1) is 1/9 on average (order statistics). Dodge and others (2019), equation 2:
    # sum of v_(i) ((i / n)^k - ((i - 1) / n)^k), here counted from the worst.
    rng = np.random.default_rng(4)
    ours, theirs = [], []
    for _ in range(2000):
        scores = rng.random(10)
        ours.append(expected_best(scores, direction="minimize").expected[7])
        share = (np.arange(11) / 10) ** 8
        theirs.append(np.diff(share) @ np.sort(scores)[::-1])
    error = np.std(ours) / math.sqrt(2000)
    assert np.mean(ours) == pytest.approx(1 / 9, abs=3 * error)
    assert np.mean(theirs) > 1 / 9 + 10 * error


def test_many_conditions_have_a_curve_of_few_points_without_overflow() -> None:
    found = expected_best(np.random.default_rng(0).random(10_000), direction="maximize")
    assert len(found.budgets) <= MOST_BUDGETS
    assert found.budgets[-1] == 10_000
    assert np.isfinite(found.expected).all()
    assert (np.diff(found.expected) > 0).all()


def test_nothing_finite_has_no_best() -> None:
    with pytest.raises(ValueError, match="none is finite"):
        expected_best(np.array([math.nan]), direction="minimize")
