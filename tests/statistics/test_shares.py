"""Wilson's interval by name, for shares over a known number of rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rothamsted.metric import Metric
from rothamsted.statistics.describe import describe
from rothamsted.statistics.intervals import mean_interval
from rothamsted.statistics.shares import wilson_bounds

OF_100 = Metric(low=0, high=1, rows=100)


@pytest.mark.parametrize("values", [[0.95, 0.97, 0.99], [1.0, 1.0, 1.0], [0.0, 0.0], [0.5]])
def test_it_is_scipys_of_all_rows_of_all_replicates(values: list[float]) -> None:
    # Authority: scipy.stats.binomtest(...).proportion_ci(method="wilson").
    n = 100 * len(values)
    expected = stats.binomtest(round(100 * sum(values)), n).proportion_ci(method="wilson")
    found = mean_interval(values, method="wilson", metric=OF_100)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert (found.n, found.method) == (len(values), "wilson")


def test_it_agrees_with_the_published_example() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: 15 of 148.
    found = mean_interval([1.0] * 15 + [0.0] * 133, method="wilson")
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.0624, 0.1605), abs=5e-5)


def test_values_that_are_no_shares_of_the_rows_have_none_and_say_why() -> None:
    found = describe([0.955, 0.96], method="wilson", metric=OF_100)
    assert found.interval is None
    assert found.note == "no wilson interval: 0.955 is not a share of 100 rows; correct Metric(rows=...), or use t"


def test_without_a_number_of_rows_the_way_out_is_named() -> None:
    found = describe([0.955, 0.96], method="wilson", metric=Metric(low=0, high=1))
    assert found.interval is None
    assert "declare Metric(rows=...), or use t" in found.note


def test_replicates_that_differ_by_more_than_chance_are_said() -> None:
    # Authority: scipy.stats.chi2_contingency of the counts.
    values = [0.80, 0.95, 0.99]
    counts = np.array([[80, 95, 99], [20, 5, 1]])
    assert stats.chi2_contingency(counts)[1] < 0.001
    assert (
        "replicates differ more than shares of 100 rows do by chance (p"
        in describe(values, method="wilson", metric=OF_100).note
    )
    assert describe([0.95, 0.96, 0.97], method="wilson", metric=OF_100).note == ""


def test_accuracies_in_single_precision_are_shares() -> None:
    metric = Metric(low=0, high=1, rows=10_000)
    values = np.array([9123, 9177], dtype=np.float32) / np.float32(10_000)
    assert mean_interval(values.astype(float), method="wilson", metric=metric) is not None


@pytest.mark.parametrize(("share", "rows"), [(0.9, 100), (0.99, 100), (0.97, 1000)])
def test_it_covers_a_share_as_often_as_it_says(share: float, rows: int) -> None:
    # Of three replicates, 20,000 draws: its coverage moves about the nominal one, Brown, Cai & DasGupta (2001).
    rng = np.random.default_rng(5)
    values = rng.binomial(rows, share, (3, 20_000)) / rows
    low, high = wilson_bounds(values, 0.95, 0, 0, Metric(low=0, high=1, rows=rows))
    assert ((low <= share) & (share <= high)).mean() == pytest.approx(0.95, abs=0.02)
