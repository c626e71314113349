"""Axes written with few points, and read with all: what is left out lies on the line between two that are written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rothamsted.analysis.axes import EPOCH, MOST_LEFT_OUT, OFF_SECONDS, SAMPLES, SECONDS, FewPoints, at_steps
from rothamsted.records import MetricPoint
from rothamsted.tracking import Curve


def written(metric: str, values: list[float], steps: list[int] | None = None) -> list[tuple[int, float]]:
    axes = FewPoints(of=frozenset({metric}))
    steps = steps or list(range(1, len(values) + 1))
    found: list[MetricPoint] = []
    for step, value in zip(steps, values, strict=True):
        found += axes.written("run", [MetricPoint(metric, value, 1000 + step, step)])
    return [(point.step, point.value) for point in [*found, *axes.rest("run")]]


def read(points: list[tuple[int, float]], steps: list[int]) -> list[float]:
    at, values = zip(*points, strict=True)
    curve = Curve(steps=np.array(at), values=np.array(values), times_ms=np.array(at))
    return at_steps(curve, np.array(steps)).tolist()


def test_a_straight_axis_is_its_two_ends() -> None:
    assert written(SAMPLES, [32.0 * n for n in range(1, 11)]) == [(1, 32.0), (10, 320.0)]


def test_an_axis_has_a_point_wherever_it_bends() -> None:
    # By hand: 8 a step up to step 4, then 16 a step.
    assert written(SAMPLES, [8, 16, 24, 32, 48, 64, 80]) == [(1, 8), (4, 32), (7, 80)]


def test_one_measurement_is_written_once() -> None:
    assert written(EPOCH, [1.0]) == [(1, 1.0)]


def test_other_metrics_and_other_runs_are_no_part_of_it() -> None:
    axes = FewPoints(of=frozenset({SAMPLES}))
    loss = MetricPoint("loss", 0.5, 0, 3)
    assert axes.written("a", [loss]) == [loss]
    first = MetricPoint(SAMPLES, 8.0, 0, 1)
    assert [axes.written(run, [first]) for run in ("a", "b")] == [[first], [first]]


@pytest.mark.parametrize("metric", [SAMPLES, EPOCH])
@given(gaps=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=150))
def test_samples_and_epochs_are_read_as_they_were_to_the_last_bit(metric: str, gaps: list[tuple[int, int]]) -> None:
    steps = np.cumsum([step for step, _ in gaps]).tolist()
    values = (np.cumsum([gain for _, gain in gaps]) / 7).tolist()
    assert read(written(metric, values, steps), steps) == values


@given(gaps=st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=150))
def test_seconds_are_read_to_a_hundredth_of_their_value(gaps: list[float]) -> None:
    values = np.cumsum(gaps).tolist()
    steps = list(range(1, len(values) + 1))
    points = written(SECONDS, values)
    off = np.abs(np.array(read(points, steps)) - values)
    assert np.all(off <= np.maximum(0.01 * np.array(values), OFF_SECONDS) + 1e-9)
    assert points[-1] == (steps[-1], values[-1])  # what a replicate took is exact
    assert len(points) >= len(values) / (MOST_LEFT_OUT + 1)
