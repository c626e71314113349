"""Axes of values: the good region can be seen, and what lies beyond is said."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from rothamsted.analysis.values import Factor
from rothamsted.reporting.plots import PlotOptions, render_svg
from rothamsted.reporting.plots.axes import factor_axis
from rothamsted.reporting.plots.history import history_caption, history_data, history_draw
from rothamsted.reporting.plots.pareto import pareto_data, pareto_draw
from rothamsted.reporting.plots.trends import trends_data
from rothamsted.reporting.plots.value_axis import draw_value_axis, value_axis
from tests.reporting.analyses import analysis_of

GOOD = [0.08, 0.09, 0.1, 0.12, 0.15]


def test_a_linear_axis_that_would_flatten_the_better_half_of_a_loss_is_logarithmic() -> None:
    # By hand: the middle of these losses lies at 0.7 % of the range, which is no two decades.
    assert value_axis([*GOOD, 3.6], "lower").is_log
    assert not value_axis([1.0, 2.0, 3.0, 3.5, 6.0], "lower").is_log  # by hand: the middle lies at 40 %
    assert not value_axis([0.8, 0.81, 0.82, 0.9], "lower").is_log


def test_an_interval_that_reaches_zero_is_not_cut_by_a_log_axis() -> None:
    losses = [0.001, 0.3, 0.5, 0.75, 1.05, 1.2]
    low, high = np.array(losses) * 0.9, np.array(losses) * 1.1
    assert value_axis(losses, "lower", [low, high]).is_log
    low[0] = -0.15  # one of six; of many a few may be cut
    assert not value_axis(losses, "lower", [low, high]).is_log
    assert value_axis(losses * 10, "lower", [np.r_[low, np.tile(np.abs(low), 9)], np.tile(high, 10)]).is_log


def test_an_accuracy_is_not_drawn_on_a_log_axis_which_would_flatten_its_good_end() -> None:
    assert not value_axis([0.1, 0.11, 0.12, 0.13, 0.98], "higher").is_log


def test_a_zero_that_was_computed_is_a_zero() -> None:
    # (0.1 + 0.2 - 0.3) is 5.6e-17 and no value of seventeen decades below 1.
    found = value_axis([0.1 + 0.2 - 0.3, 0.2, 0.4, 0.57, 0.79, 1.0], "higher")
    assert (found.is_log, found.low, found.n_beyond) == (False, 0.0, 0)
    assert value_axis([1e-14, 1e-7, 1.0], "lower").is_log


def test_a_value_that_exploded_lies_beyond_a_log_axis_and_is_said_to() -> None:
    found = value_axis([*GOOD, 2.3, 1e31], "lower")
    assert (found.is_log, found.high, found.n_beyond, found.extreme) == (True, 2.3, 1, 1e31)
    assert found.words == "Logarithmic vertical axis. 1 value beyond the axis, up to 1e31: triangles at its edge"


def test_an_accuracy_at_chance_lies_beyond_the_axis_of_good_ones() -> None:
    found = value_axis([0.97, 0.96, 0.965, 0.95, 0.1], "higher")
    assert (found.low, found.high, found.n_beyond, found.extreme) == (0.95, 0.97, 1, 0.1)


def test_no_value_is_cut_where_nobody_says_what_is_good() -> None:
    assert value_axis([0.97, 0.96, 0.965, 0.95, 0.1], None).n_beyond == 0
    assert value_axis([*GOOD, 2.3, 1e31], "lower", is_cut=False).high == 1e31


def test_one_wide_interval_does_not_flatten_the_values_and_wide_ones_all_round_are_shown() -> None:
    means = np.array([1.0, 1.2, 1.4, 1.6, 2.0])
    one = value_axis(means, "lower", [means - 0.1, means + np.array([0.1, 0.1, 0.1, 0.1, 50.0])])
    assert one.high == pytest.approx(2.35)  # by hand: 0.35 of the range of 1 beyond the greatest mean
    every = value_axis(means, "lower", [means - 3, means + 3])
    assert (every.low, every.high) == (-2.0, 5.0)


def test_an_axis_of_values_that_are_never_negative_does_not_begin_below_zero() -> None:
    axes = Figure().subplots()
    draw_value_axis(axes, "x", value_axis([0.5, 20.0, 30.0, 40.0], "lower"))
    assert axes.get_xlim()[0] == 0


def test_the_time_axis_of_a_pareto_front_does_not_begin_below_zero() -> None:
    seconds = [[0.5, 0.6, 0.7], [40.0, 41.0, 44.0], [60.0, 61.0, 64.0], [80.0, 88.0, 93.0]]
    analysis = analysis_of(
        [{"x": x} for x in (1, 2, 3, 4)], [[4.0, 4.1, 4.2], [3.0, 3.1, 3.3], [2.0, 2.2, 2.5], [1.0, 1.2, 1.4]],
        metrics={"seconds": seconds},
    )  # fmt: skip
    figure = Figure(figsize=(6.8, 4))
    pareto_draw(pareto_data(analysis, PlotOptions()), figure)
    assert figure.axes[0].get_xlim()[0] >= 0


def test_far_conditions_of_a_history_are_triangles_and_the_caption_says_so() -> None:
    scores = [[loss, 1.01 * loss, 0.99 * loss] for loss in (*GOOD, 2.3, 1e31)]
    data = history_data(analysis_of([{"x": float(i)} for i in range(7)], scores, with_comparisons=False), PlotOptions())
    figure = Figure(figsize=(6.8, 4))
    history_draw(data, figure)
    assert figure.axes[0].get_ylim()[1] < 100
    assert "1 value beyond the axis, up to 1e31" in history_caption(data)
    assert any("1 beyond the axis" in text.get_text() for text in figure.axes[0].texts)


def test_trends_of_a_loss_with_one_bad_level_are_drawn_on_a_log_axis() -> None:
    analysis = analysis_of([{"x": float(i)} for i in range(6)], [[v, v * 1.01] for v in (*GOOD, 3.6)])
    assert trends_data(analysis, PlotOptions()).values.is_log


def test_few_sizes_that_double_are_laid_out_by_ratio() -> None:
    def kind(*levels: float) -> str:
        return factor_axis(Factor(name="width", levels=levels, is_numeric=True, is_log=False)).kind

    assert [kind(8, 32, 128), kind(16, 32, 64), kind(1, 2, 3), kind(0, 8, 64), kind(16, 32)] == [
        "log", "log", "linear", "linear", "linear"
    ]  # fmt: skip


def test_numbers_of_a_pareto_front_do_not_lie_over_each_other() -> None:
    # Ten members of a front, in pairs that all but coincide: each number that is written has its own place.
    front = [[10.0 - i // 2 - 0.001 * (i % 2)] * 3 for i in range(10)]
    cost = [[1.0 + i // 2 + 0.001 * (i % 2)] * 3 for i in range(10)]
    analysis = analysis_of([{"x": i} for i in range(10)], front, metrics={"seconds": cost}, with_comparisons=False)
    svg = render_svg("pareto", analysis)
    places = re.findall(r'<text style="[^"]*fill:#d55e00[^"]*"[^>]*x="([\d.]+)" y="([\d.]+)"', svg)
    boxes = [(float(x), float(y)) for x, y in places]
    assert len(boxes) == 10
    assert all(
        abs(x - other_x) >= 5 or abs(y - other_y) >= 7
        for i, (x, y) in enumerate(boxes) for other_x, other_y in boxes[:i]
    )  # fmt: skip
