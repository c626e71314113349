"""What learning curves and schedules take from an analysis."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from rothamsted.analysis.values import Analysis, Band
from rothamsted.reporting.plots import NotApplicable, PlotOptions
from rothamsted.reporting.plots.curve_bands import thinned
from rothamsted.reporting.plots.curves import curves_caption, curves_data, last_half
from rothamsted.reporting.plots.schedule import schedule_data
from tests.reporting.analyses import analysis_of, band
from tests.reporting.worlds import grid

NO_OPTIONS = PlotOptions()


def with_bands(bands: list[Band], *, axis: str = "step", metric: str = "val_loss") -> Analysis:
    """Conditions 0, 1, 2, ranked in this order, with these curves."""
    values = [{"learning_rate": 0.1 * (i + 1)} for i in range(3)]
    analysis = analysis_of(values, [[1.0, 1.1], [2.0, 2.1], [3.0, 3.1]])
    return dataclasses.replace(analysis, bands={metric: {axis: tuple(bands)}})  # type: ignore[dict-item]


def line(condition: int, *values: float) -> Band:
    return band(condition, np.arange(len(values)), np.array([values, values]))


def test_curves_are_those_of_the_best_ranked_conditions_best_first() -> None:
    analysis = with_bands([line(2, 4, 3), line(0, 4, 1), line(1, 4, 2)])
    data = curves_data(analysis, PlotOptions(n_series=2), axis="step")
    assert [curve.condition for curve in data.curves] == [0, 1]
    assert "The best 2 of 3 conditions with curves" in curves_caption(data)


def test_points_that_are_not_finite_are_cut_from_a_curve() -> None:
    data = curves_data(with_bands([line(0, 4, math.nan, 1)]), NO_OPTIONS, axis="step")
    assert (data.curves[0].x.tolist(), data.curves[0].mean.tolist()) == ([0.0, 2.0], [4.0, 1.0])


def test_seconds_are_shown_in_a_unit_that_can_be_read() -> None:
    # By hand: 7200 seconds are 120 minutes, fewer than 3 hours.
    analysis = with_bands([band(0, np.array([0, 7200]), np.ones((2, 2)))], axis="seconds")
    data = curves_data(analysis, NO_OPTIONS, axis="seconds")
    assert (data.x_label, data.curves[0].x.tolist()) == ("training time (minutes)", [0.0, 120.0])


@pytest.mark.parametrize(("last", "is_log"), [(0.04, False), (0.03, True)])
def test_a_curve_over_more_than_two_decades_gets_a_log_axis(last: float, is_log: bool) -> None:
    assert curves_data(with_bands([line(0, 4, 2, last)]), NO_OPTIONS, axis="step").values.is_log is is_log


def test_replicates_lost_on_the_way_are_said() -> None:
    falling = dataclasses.replace(line(0, 4, 3, 2), n=np.array([5, 5, 3]))
    data = curves_data(with_bands([falling]), NO_OPTIONS, axis="step")
    assert "means over 5 replicates" in curves_caption(data)
    assert "1 curve of these lost replicates on the way" in curves_caption(data)


def test_a_lone_late_replicate_is_not_drawn_as_the_mean() -> None:
    # By seconds: two replicates have ended before the third, which compiled first, begins with its untrained loss.
    late = dataclasses.replace(line(0, 2.3, 0.1, 2.3, 0.1), n=np.array([2, 3, 1, 1]))
    data = curves_data(with_bands([late]), NO_OPTIONS, axis="step")
    assert data.curves[0].mean.tolist() == [2.3, 0.1]
    assert "A curve is drawn as long as at least half of its replicates have a value" in curves_caption(data)


def test_the_last_half_is_shown_apart_where_it_has_three_points() -> None:
    few = curves_data(with_bands([line(0, 4, 3, 2)]), NO_OPTIONS, axis="step")
    more = curves_data(with_bands([line(0, 4, 3, 2, 2, 2)]), NO_OPTIONS, axis="step")
    assert (last_half(few), last_half(more)) == (None, 2.0)


def test_thinning_keeps_the_ends_and_the_limit() -> None:
    kept = thinned(10_000, 300)
    assert (kept[0], kept[-1]) == (0, 9_999)
    assert len(kept) <= 300


def test_a_metric_without_curves_is_refused_with_those_that_have_some() -> None:
    analysis = with_bands([line(0, 1, 2)], metric="acc")
    with pytest.raises(NotApplicable, match="no curves of val_loss were read; curves read: acc"):
        curves_data(analysis, PlotOptions(metric="val_loss"), axis="step")


def test_a_loss_stands_for_an_objective_that_was_measured_once() -> None:
    once = with_bands([line(0, 1)])
    bands = {**once.bands, "lr": {"step": (line(0, 1, 2),)}, "acc": {"step": (line(0, 1, 2),)}}
    analysis = dataclasses.replace(once, bands={**bands, "train_loss": {"step": (line(0, 4, 3),)}})
    data = curves_data(analysis, NO_OPTIONS, axis="step")
    assert (data.metric, data.curves[0].mean.tolist()) == ("train_loss", [4.0, 3.0])
    assert curves_caption(data).startswith("There is no curve of val_loss: train_loss is drawn instead")


def test_without_a_loss_any_other_curve_stands_for_the_objective_but_not_the_learning_rate() -> None:
    once = with_bands([line(0, 1)])
    rate = {**once.bands, "opt/lr": {"step": (line(0, 1, 2),)}}
    with pytest.raises(NotApplicable, match="a point, not a curve"):
        curves_data(dataclasses.replace(once, bands=rate), NO_OPTIONS, axis="step")
    both = dataclasses.replace(once, bands={**rate, "acc": {"step": (line(0, 0.1, 0.9),)}})
    assert curves_data(both, NO_OPTIONS, axis="step").metric == "acc"


def test_an_axis_without_curves_is_refused_with_those_that_have_some() -> None:
    with pytest.raises(NotApplicable, match="no finite curve of val_loss by seconds; axes with curves: step"):
        curves_data(with_bands([line(0, 1, 2)]), NO_OPTIONS, axis="seconds")


def test_one_point_is_not_a_curve() -> None:
    with pytest.raises(NotApplicable, match="a point, not a curve"):
        curves_data(with_bands([line(0, 1)]), NO_OPTIONS, axis="step")


def test_conditions_with_the_same_schedule_share_a_line() -> None:
    bands = [line(0, 0.1, 0.05), line(1, 0.2, 0.1), line(2, 0.1, 0.05 + 1e-12)]
    data = schedule_data(with_bands(bands, metric="optimizer/lr"), NO_OPTIONS)
    assert [schedule.conditions for schedule in data.schedules] == [(0, 2), (1,)]


def test_six_rates_over_five_widths_are_six_schedules() -> None:
    # By hand: the builder's schedule depends on the rate alone.
    assert schedule_data(grid(), NO_OPTIONS).n_schedules == 6


def test_without_a_learning_rate_curve_there_is_no_schedule() -> None:
    with pytest.raises(NotApplicable, match="curves read: val_loss"):
        schedule_data(with_bands([line(0, 1, 2)]), NO_OPTIONS)


def test_curves_of_one_replicate_are_not_called_means() -> None:
    single = band(0, np.arange(3), np.array([[4.0, 2.0, 1.0]]))
    said = curves_caption(curves_data(with_bands([single]), NO_OPTIONS, axis="step"))
    assert "one replicate at each point; no intervals" in said
    assert "means over" not in said
