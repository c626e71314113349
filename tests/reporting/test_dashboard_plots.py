"""The plots that optuna-dashboard shows of a sweep: plain JSON with the numbers of the analysis."""

from __future__ import annotations

import json
import math

import pytest

from rothamsted.publish.dashboard_plots import attributes_of_study, attributes_of_trials, dashboard_plots
from tests.reporting.analyses import analysis_of

VALUES = [{"learning_rate": rate, "width": width} for rate in (0.1, 0.2) for width in (16, 32)]
SCORES = [[0.3, 0.5], [0.1, 0.2], [0.7, 0.9], [math.inf, math.inf]]


def test_intervals_are_those_of_the_analysis_best_first() -> None:
    analysis = analysis_of(VALUES, SCORES)
    [trace] = dashboard_plots(analysis)["intervals"]["data"]
    assert trace["x"] == pytest.approx([0.15, 0.4, 0.8])  # by hand; the condition that diverged has no mean
    assert [name.split(":")[0] for name in trace["y"]] == ["1", "0", "2"]
    one = next(one for one in analysis.objective if one.condition == 1)
    assert one.interval is not None
    assert trace["error_x"]["array"][0] == pytest.approx(one.interval.high - 0.15)
    assert trace["error_x"]["arrayminus"][0] == pytest.approx(0.15 - one.interval.low)


def test_the_map_has_a_cell_for_each_pair_of_levels_and_none_where_training_diverged() -> None:
    [trace] = dashboard_plots(analysis_of(VALUES, SCORES))["map"]["data"]
    assert (trace["type"], trace["x"], trace["y"]) == ("heatmap", ["0.1", "0.2"], ["16", "32"])
    assert trace["z"][0] == pytest.approx([0.4, 0.8])
    assert trace["z"][1] == [pytest.approx(0.15), None]


def test_many_levels_are_points() -> None:
    values = [{"learning_rate": 0.01 * i, "width": i} for i in range(1, 41)]
    [trace] = dashboard_plots(analysis_of(values, [[0.1 * i, 0.1 * i + 0.05] for i in range(1, 41)]))["map"]["data"]
    assert (trace["type"], len(trace["x"])) == ("scatter", 40)


def test_every_plot_is_json_that_a_browser_reads() -> None:
    for name, figure in dashboard_plots(analysis_of(VALUES, SCORES)).items():
        assert json.loads(json.dumps(figure, allow_nan=False))["data"], name


def test_the_set_and_the_attributes_say_the_verdicts_of_the_analysis() -> None:
    analysis = analysis_of(VALUES, SCORES)
    assert analysis.best is not None
    [table] = dashboard_plots(analysis)["set"]["data"]
    assert table["cells"]["values"][0] == [str(number) for number in analysis.best.members]
    assert attributes_of_trials(analysis)[1]["verdict"] == "best mean"
    assert attributes_of_study(analysis)["best"] == next(
        one.label for one in analysis.dataset.conditions if one.number == 1
    )


def test_without_a_score_nothing_is_drawn() -> None:
    assert dashboard_plots(analysis_of(VALUES[:1], [[math.inf, math.inf]])) == {}
