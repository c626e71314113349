"""What the forest takes from an analysis, and how it lies along its axis in the report."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.reporting.plots import NotApplicable, PlotOptions
from rothamsted.reporting.plots.forest import forest_caption, forest_data
from rothamsted.reporting.plots.forest_chart import chart_of
from tests.reporting import pages
from tests.reporting.analyses import analysis_of
from tests.reporting.test_one_verdict import SWEEPS

OPTIONS = PlotOptions()
INF = math.inf


def rates(n: int) -> list[dict[str, float]]:
    return [{"learning_rate": 10.0**-i} for i in range(n)]


def test_a_forest_has_every_ranked_condition_best_first_with_its_mean_and_verdict() -> None:
    # By hand: condition 1 is best; 0 and 2 are worse by 1 and 2 at every seed.
    data = forest_data(analysis_of(rates(3), [[2.0, 2.1], [1.0, 1.1], [3.0, 3.1]]), OPTIONS)
    assert data.conditions == (1, 0, 2)
    np.testing.assert_allclose([row.mean for row in data.rows], [1.05, 2.05, 3.05])
    assert [row.verdict.replace("\N{NO-BREAK SPACE}", " ") for row in data.rows] == ["best mean", "worse", "worse"]
    assert data.is_shown == (False, True, True)


def test_a_confirmed_condition_has_a_second_row_on_fresh_seeds() -> None:
    again = (pages.confirmed(1, pages.interval(1.0, 0.9, 1.1, 2), pages.interval(1.2, 1.1, 1.3, 10)),)
    data = forest_data(analysis_of(rates(2), [[2.0, 2.1], [1.0, 1.1]], confirmed=again), OPTIONS)
    assert [(row.condition, row.is_fresh) for row in data.rows] == [(1, False), (1, True), (0, False)]
    assert (data.rows[1].mean, data.rows[1].n) == (1.2, 10)
    assert data.conditions == (1, 0)


def test_means_over_orders_of_magnitude_lie_on_a_log_axis_in_equal_steps() -> None:
    # Theory: 1, 10 and 100 are equally far apart on a log axis.
    data = forest_data(analysis_of(rates(3), [[1.0], [10.0], [100.0]], with_comparisons=False), OPTIONS)
    assert data.is_log
    first, second, third = (row.place for row in chart_of(data).rows)
    assert second - first == pytest.approx(third - second)


def test_an_interval_below_zero_keeps_the_axis_linear() -> None:
    # By hand: mean 0.5 and sd 0.707 of two replicates, t(0.975, df=1) = 12.7: the interval reaches far below zero.
    data = forest_data(analysis_of(rates(2), [[0.0, 1.0], [100.0, 101.0]], with_comparisons=False), OPTIONS)
    assert not data.is_log


def test_a_condition_that_exploded_does_not_flatten_the_others() -> None:
    rows = [[-1.0], [-0.5], [0.0], [0.5], [1e9]]
    chart = chart_of(forest_data(analysis_of(rates(5), rows, with_comparisons=False), OPTIONS))
    places = [row.place for row in chart.rows]
    assert places[3] - places[0] > 0.9
    assert places[4] == 1.0


def test_all_places_lie_on_the_axis() -> None:
    chart = chart_of(forest_data(analysis_of(rates(4), [[1.0, 1.2], [2.0, 9.0], [3.0, 3.1], [4.0, 4.4]]), OPTIONS))
    known = [part for row in chart.rows for part in (row.low, row.place, row.high)] + [at for at, _ in chart.ticks]
    assert all(0 <= one <= 1 for one in known)
    assert all(row.low <= row.place <= row.high for row in chart.rows)
    assert len(chart.ticks) >= 2


def test_of_many_conditions_the_first_are_in_sight_and_the_rest_is_folded() -> None:
    chart = chart_of(forest_data(analysis_of(rates(60), [[i + 0.0, i + 0.1] for i in range(60)]), OPTIONS))
    assert (chart.n_shown, len(chart.rows)) == (20, 50)
    assert "10\N{NO-BREAK SPACE}more conditions: statistics/conditions.csv." in chart.notes


def test_conditions_without_a_mean_are_named_and_not_drawn() -> None:
    data = forest_data(analysis_of(rates(3), [[1.0, 1.1], [0.5, INF], [2.0, 2.1]]), OPTIONS)
    assert data.conditions == (0, 2)
    assert "Not shown: 1 in which a replicate diverged (1)." in forest_caption(data)


def test_without_any_mean_there_is_no_forest() -> None:
    with pytest.raises(NotApplicable, match="no condition has a mean"):
        forest_data(analysis_of(rates(2), [[math.nan], [INF]]), OPTIONS)


def test_rows_that_are_folded_away_do_not_flatten_those_in_sight() -> None:
    # The first 20 lie between 0.01 and 0.03, the others reach 1000: on one log axis they would have a tenth of it.
    means = [0.01 + 0.001 * i for i in range(20)] + [10.0 ** (3 * i / 20) for i in range(1, 21)]
    chart = chart_of(forest_data(analysis_of(rates(40), [[m, 1.01 * m] for m in means]), OPTIONS))
    seen, folded = chart.rows[: chart.n_shown], chart.rows[chart.n_shown :]
    assert seen[-1].place - seen[0].place > 0.5
    assert folded[-1].place - folded[0].place > 0.5
    assert all(float(label) < 0.1 for _, label in chart.ticks)
    assert max(float(label) for _, label in chart.folded_ticks) > 100


@pytest.mark.parametrize(
    "values",
    [
        [{f"factor_{k}": 0.1 * (i + k) for k in range(6)} for i in range(4)],
        [{"parameterization": name, "optimizer.lr": 0.0009765625} for name in ("standard", "mup", "none", "half")],
    ],
    ids=["many columns", "long names"],
)
def test_labels_of_a_narrow_axis_do_not_touch(values: list[dict[str, Any]]) -> None:
    # Many columns or long names leave about 100 points of a laptop for the axis; a letter is 6.7 wide.
    rows = [[0.00020, 0.00040], [0.0030, 0.0033], [0.01, 0.012], [0.23, 0.24]]
    chart = chart_of(forest_data(analysis_of(values, rows, with_comparisons=False, log=()), OPTIONS))
    ends = [(100 * at - 3.35 * len(text), 100 * at + 3.35 * len(text)) for at, text in chart.ticks]
    assert len(ends) >= 2
    assert all(left[1] < right[0] for left, right in pairwise(ends))


def test_where_not_all_ticks_of_a_log_axis_have_room_those_of_decades_stay() -> None:
    # By hand: of 0.1, 0.2, 0.5, 1, 2 and 5 on a narrow axis those that do not touch would be 0.1, 0.5, 2.
    values = [{"parameterization": f"standard_of_width_{i}", "schedule": f"cosine_restarts_{i}"} for i in range(6)]
    rows = [[mean, 1.01 * mean] for mean in (0.06, 0.1, 0.3, 0.9, 2.0, 7.0)]
    chart = chart_of(forest_data(analysis_of(values, rows, with_comparisons=False, log=()), OPTIONS))
    assert [label for _, label in chart.ticks] == ["0.1", "1"]


def test_an_order_that_differs_from_the_means_shown_is_explained() -> None:
    # failures: conditions 4 and 6 lack the hardest seed; their means look better than their place.
    chart = chart_of(forest_data(analyze(SWEEPS["failures"]()), OPTIONS))
    whole = chart_of(forest_data(analyze(SWEEPS["grid"]()), OPTIONS))
    said = "Order: by means adjusted for missing seeds; shown: means as measured."
    assert (said in chart.notes, said in whole.notes) == (True, False)
