"""P(better) is shown as counts with the interval of the probability, never as a p-value."""

from __future__ import annotations

import pytest

from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.analysis.values import ComparisonRow
from rothamsted.reporting.tables.cells import better_text
from tests.analysis.test_analyze import dataset
from tests.statistics.proportions import proportion_interval


def row_of(values: dict[int, list[float]], *, has_seeds: bool, test: str = "auto") -> ComparisonRow:
    found = analyze(dataset(values, has_seeds=has_seeds), Settings(test=test, reference=0)).comparisons
    assert found is not None
    return found.rows[0]


def test_no_pair_of_three_is_0_of_3_pairs_at_most_0_56() -> None:
    # By hand, Wilson (1927): z = 1.959964, z2 / (3 + z2) = 3.841459 / 6.841459 = 0.5615.
    row = row_of({0: [1.0, 1.1, 1.3], 1: [2.0, 2.2, 2.1]}, has_seeds=True)
    assert better_text(row.better) == "0 of 3 pairs, at most 0.56"


def test_ties_count_half_and_the_interval_has_two_ends() -> None:
    # Authority of the ends: Wilson's interval of the share, scipy's in tests/statistics/test_effects.py.
    row = row_of({0: [1.0, 1.0, 1.0, 1.0], 1: [1.0, 3.0, 3.0, 0.5]}, has_seeds=True)
    assert row.better is not None
    assert (row.better.n_better, row.better.n_compared) == (1.5, 4)
    assert better_text(row.better).startswith("1.5 of 4 pairs, 0.")


def test_without_pairs_each_is_compared_with_each_and_the_interval_is_newcombe_s() -> None:
    row = row_of({0: [1.0, 1.1, 1.3], 1: [2.0, 2.2, 2.1]}, has_seeds=False)
    assert row.better is not None
    assert (row.better.n_better, row.better.n_compared, row.better.is_paired) == (0, 9, False)
    # The nine comparisons are of six values: the interval is wider than that of nine independent ones.
    assert row.better.high > proportion_interval(0, 9).high
    assert better_text(row.better).startswith("0 of 9 comparisons, at most 0.")


@pytest.mark.parametrize("has_seeds", [True, False])
def test_the_counts_are_those_of_the_probability(has_seeds: bool) -> None:
    row = row_of({0: [1.0, 1.1, 1.3], 1: [1.2, 0.9, 2.1]}, has_seeds=has_seeds)
    assert row.better is not None
    assert row.better.n_better / row.better.n_compared == pytest.approx(row.probability_better)
    assert row.better.low < row.probability_better < row.better.high
