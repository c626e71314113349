"""What trends, sensitivity and heatmap take from an analysis."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rothamsted.analysis.values import Analysis
from rothamsted.errors import UserError
from rothamsted.reporting.plots import NotApplicable, PlotOptions
from rothamsted.reporting.plots.heatmap import cell_texts, heatmap_caption, heatmap_data
from rothamsted.reporting.plots.sensitivity import sensitivity_caption, sensitivity_data
from rothamsted.reporting.plots.trends import trends_across_data, trends_caption, trends_data
from tests.reporting.analyses import analysis_of
from tests.reporting.worlds import grid, one_factor, random_search

INF, NAN = math.inf, math.nan


def small(direction: str = "minimize", depths: tuple[int, ...] = (0,)) -> Analysis:
    """Three rates by two widths, scores a - 0.1, a, a + 0.1; a second depth is worse by 1."""
    means = {(0.01, 32): 3.0, (0.1, 32): 2.0, (1.0, 32): 4.0, (0.01, 64): 1.0, (0.1, 64): 2.5, (1.0, 64): INF}
    values = [
        {"learning_rate": r, "width": w} | ({"depth": d} if len(depths) > 1 else {}) for r, w in means for d in depths
    ]
    rows = [[a + d - 0.1, a + d, a + d + 0.1] for a in means.values() for d in depths]
    return analysis_of(values, rows, direction=direction)  # type: ignore[arg-type]


def test_a_trend_runs_along_the_factor_searched_by_orders_of_magnitude_with_one_line_a_level_of_the_other() -> None:
    lines = trends_data(small(), PlotOptions()).lines
    assert (lines.x.name, lines.x.kind) == ("learning_rate", "log")
    assert [line.label for line in lines.lines] == ["32", "64"]
    assert lines.lines[0].x.tolist() == [0.01, 0.1, 1.0]
    np.testing.assert_allclose(lines.lines[0].mean, [3.0, 2.0, 4.0])


def test_the_other_way_round_the_same_scores_run_along_the_factor_that_made_the_lines() -> None:
    lines = trends_across_data(small(), PlotOptions()).lines
    assert (lines.x.name, [line.label for line in lines.lines]) == ("width", ["0.01", "0.1", "1"])
    np.testing.assert_allclose(lines.lines[1].mean, [2.0, 2.5])


def test_one_factor_has_no_other_way_round() -> None:
    with pytest.raises(NotApplicable, match="learning_rate alone varies"):
        trends_across_data(one_factor(), PlotOptions())


def test_nothing_runs_along_categories() -> None:
    values = [{"learning_rate": rate, "optimizer": name} for rate in (0.1, 1.0) for name in ("sgd", "adam")]
    analysis = analysis_of(values, [[1.0, 1.1], [2.0, 2.1], [3.0, 3.1], [4.0, 4.1]])
    with pytest.raises(NotApplicable, match="the levels of optimizer have no order to run along"):
        trends_across_data(analysis, PlotOptions())


def test_a_trend_carries_the_interval_of_each_mean() -> None:
    # By hand: n = 3, sd 0.1, t(0.975, 2) = 4.302653: half-width 4.302653 * 0.1 / sqrt(3) = 0.248414.
    line = trends_data(small(), PlotOptions()).lines.lines[0]
    np.testing.assert_allclose(line.high - line.mean, 0.248414, atol=1e-6)
    np.testing.assert_allclose(line.mean - line.low, 0.248414, atol=1e-6)


def test_a_condition_that_diverged_is_not_on_the_line_and_is_counted() -> None:
    data = trends_data(small(), PlotOptions())
    assert data.lines.lines[1].x.tolist() == [0.01, 0.1]
    assert data.lines.n_unscored == 1
    assert "Left out: 1 in which a replicate diverged (5)" in trends_caption(data)


def test_a_condition_that_lost_some_replicates_is_marked() -> None:
    analysis = analysis_of([{"learning_rate": 0.1}, {"learning_rate": 1.0}], [[1.0, 1.1], [1.0, INF]])
    data = trends_data(analysis, PlotOptions())
    assert data.lines.lines[0].is_partial.tolist() == [False, True]
    assert "some replicates diverged" in trends_caption(data)


def test_other_factors_give_way_to_the_best_condition_over_them() -> None:
    # By hand: depth 0 beats depth 1 by 1 everywhere, so every point is that of depth 0.
    data = trends_data(small(depths=(0, 1)), PlotOptions(group="width"))
    assert data.lines.others == ("depth",)
    np.testing.assert_allclose(data.lines.lines[0].mean, [3.0, 2.0, 4.0])
    assert "best condition over depth" in trends_caption(data)


def test_a_mean_over_other_factors_has_no_interval() -> None:
    # By hand: depth 1 is worse by 1, so the means are 0.5 above those of depth 0.
    data = trends_data(small(depths=(0, 1)), PlotOptions(group="width", over="mean"))
    np.testing.assert_allclose(data.lines.lines[0].mean, [3.5, 2.5, 4.5])
    assert np.isnan(data.lines.lines[0].low).all()


def test_the_best_of_a_maximised_metric_is_the_largest() -> None:
    data = trends_data(small("maximize", depths=(0, 1)), PlotOptions(group="width"))
    np.testing.assert_allclose(data.lines.lines[0].mean, [4.0, 3.0, 5.0])


def test_more_levels_than_can_be_told_apart_are_thinned_and_said_so() -> None:
    values = [{"learning_rate": r, "width": w} for r in (0.1, 1.0) for w in range(1, 21)]
    data = trends_data(analysis_of(values, [[1.0, 2.0]] * 40), PlotOptions(x="learning_rate"))
    assert (len(data.lines.lines), data.lines.n_lines) == (8, 20)
    assert "8 of 20 levels of width" in trends_caption(data)


def test_values_that_span_more_than_two_decades_get_a_log_axis() -> None:
    def at(top: float) -> Analysis:
        return analysis_of([{"x": 1}, {"x": 2}], [[1.0, 1.0], [top, top]], with_comparisons=False)

    assert [trends_data(at(top), PlotOptions()).values.is_log for top in (99.0, 101.0)] == [False, True]


def test_a_log_factor_with_a_zero_becomes_a_row_of_levels() -> None:
    values = [{"learning_rate": rate} for rate in (0.0, 0.1, 1.0)]
    axis = trends_data(analysis_of(values, [[1.0, 2.0]] * 3, with_comparisons=False), PlotOptions()).lines.x
    assert (axis.kind, axis.places) == ("category", [0.0, 1.0, 2.0])


def test_a_free_search_has_no_lines_and_says_where_to_look() -> None:
    with pytest.raises(NotApplicable, match="40 levels in 40 conditions: not a grid; the plot 'scatter'"):
        trends_data(random_search(), PlotOptions())


def test_an_unknown_factor_is_named_with_those_that_exist() -> None:
    with pytest.raises(UserError, match=r"'depth' is not a factor that varies here; there are: learning_rate, width"):
        trends_data(small(), PlotOptions(x="depth"))


def test_an_unknown_metric_is_named_with_those_that_exist() -> None:
    with pytest.raises(UserError, match=r"no run has the metric 'acc'; there are: seconds, val_loss"):
        trends_data(grid(2, (32, 64)), PlotOptions(metric="acc"))


def test_sensitivity_divides_each_line_by_its_own_best() -> None:
    # By hand: width 32 is best at 2.0, width 64 at 1.0.
    data = sensitivity_data(small(), PlotOptions())
    np.testing.assert_allclose(data.lines.lines[0].mean, [1.5, 1.0, 2.0])
    np.testing.assert_allclose(data.lines.lines[1].mean, [1.0, 2.5])
    assert [(o.group, o.best) for o in data.optima] == [(32.0, 0.1), (64.0, 0.01)]


def test_sensitivity_of_a_maximised_metric_is_how_far_each_point_falls_short() -> None:
    # By hand: the best of width 32 is 4.0; low and high change places.
    line = sensitivity_data(small("maximize"), PlotOptions()).lines.lines[0]
    np.testing.assert_allclose(line.mean, [1.0, 2.0, 0.0])
    np.testing.assert_allclose(line.high - line.mean, 0.248414, atol=1e-6)


def test_the_stretch_around_an_optimum_holds_what_can_be_the_best_of_its_line() -> None:
    # Noise of 0.1: two equal conditions cannot be told by three seeds, 9 and 8 are far behind, whatever the procedure.
    values = [{"learning_rate": r, "width": w} for w in (1, 2) for r in (0.01, 0.1, 1.0, 10.0)]
    rng = np.random.default_rng(1)
    rows = [(a + 0.1 * rng.normal(size=3)).tolist() for a in (9.0, 2.0, 2.0, 8.0) * 2]
    data = sensitivity_data(analysis_of(values, rows), PlotOptions())
    assert {(optimum.first, optimum.last) for optimum in data.optima} == {(0.1, 1.0)}
    assert "cannot be ruled out as the best of their line at 95" in sensitivity_caption(data)


def test_sensitivity_of_one_factor_does_not_apply() -> None:
    with pytest.raises(NotApplicable, match="needs two factors"):
        sensitivity_data(one_factor(), PlotOptions())


def test_a_heatmap_has_one_row_a_level_of_y_and_one_column_a_level_of_x() -> None:
    data = heatmap_data(small(), PlotOptions())
    assert (data.y.labels, data.x.labels) == (("32", "64"), ("0.01", "0.1", "1"))
    np.testing.assert_allclose(data.values, [[3.0, 2.0, 4.0], [1.0, 2.5, NAN]])
    assert data.is_diverged.tolist() == [[False, False, False], [False, False, True]]


def test_a_heatmap_marks_the_best_and_what_cannot_be_ruled_out() -> None:
    # By hand: differences of the two columns are 0.05 on average and change sign, so no test tells them apart.
    rows = [[1.0, 1.2, 1.1], [1.2, 1.05, 1.2], [9.0, 9.1, 9.2], [9.0, 9.2, 9.3]]
    values = [{"learning_rate": r, "width": w} for w in (1, 2) for r in (0.1, 1.0)]
    data = heatmap_data(analysis_of(values, rows), PlotOptions())
    assert data.is_best.tolist() == [[True, False], [False, False]]
    assert data.is_tied.tolist() == [[True, True], [False, False]]
    assert "dashed: 1 cell that cannot be ruled out as the best at 95 %" in heatmap_caption(data)


def test_a_cell_without_a_condition_is_not_a_cell_without_a_score() -> None:
    values = [
        {"learning_rate": 0.1, "width": 1},
        {"learning_rate": 1.0, "width": 1},
        {"learning_rate": 0.1, "width": 2},
    ]
    data = heatmap_data(analysis_of(values, [[1.0, 1.1], [NAN, NAN], [2.0, 2.1]]), PlotOptions())
    assert data.is_empty.tolist() == [[False, False], [False, True]]
    assert "Grey: 1 cell without a finite mean. White: 1 cell without a condition." in heatmap_caption(data)


def test_a_heatmap_of_means_over_other_factors_marks_no_best_condition() -> None:
    data = heatmap_data(small(depths=(0, 1)), PlotOptions(group="width", over="mean"))
    np.testing.assert_allclose(data.values[0], [3.5, 2.5, 4.5])
    assert not data.is_best.any()


def test_the_small_values_of_a_heatmap_over_decades_are_not_written_as_zero() -> None:
    values = [{"a": a, "b": b} for a in (1, 2) for b in (1, 2)]
    rows = [[0.0741, 0.0743], [2.31, 2.33], [26.0, 26.2], [264.0, 264.4]]
    data = heatmap_data(analysis_of(values, rows), PlotOptions())
    assert data.is_log
    assert cell_texts(data).ravel().tolist() == ["0.074", "26", "2.3", "264"]  # by hand, two digits of each mean


def test_a_heatmap_of_one_factor_does_not_apply() -> None:
    with pytest.raises(NotApplicable, match="a heatmap needs two factors; here 1 varies"):
        heatmap_data(one_factor(), PlotOptions())


def test_a_conditional_factor_leaves_out_the_conditions_that_lack_it_and_counts_them() -> None:
    values = [{"learning_rate": r, "momentum": m} for r in (0.1, 1.0) for m in (0.0, 0.9)]
    values += [{"learning_rate": r} for r in (0.1, 1.0)]
    data = heatmap_data(analysis_of(values, [[1.0, 1.1]] * 6, with_comparisons=False), PlotOptions())
    assert data.n_outside == 2
